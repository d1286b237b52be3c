"""Differencing of Karmarkar, Karp and Korf: very close subsets of large banks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xbar.arrays import Bools
from xbar.errors import SpecError
from xbar.parallel import cpus
from xbar.subset.methods.base import Limited
from xbar.subset.methods.integers import Whole, solve_each
from xbar.subset.problem import Batch, SubsetSolution


@dataclass(frozen=True)
class Differencing(Limited):
    """Repeatedly replaces the two largest elements by their difference.

    Closer than float64's resolution from about a hundred elements on. Given time it backtracks to
    the other branches (`xbar.subset.kernels.differencing`); for K < 40 it is exact once all are
    searched, and reports so.

    Attributes:
        nodes: maximum number of search-tree nodes per problem; about 10 million per second.
        time_limit: seconds per problem, None for no limit but `nodes`. The first descent, the
            heuristic of Karmarkar and Karp, is always completed.
    """

    name: ClassVar[str] = "differencing"
    max_elements: ClassVar[int] = 65_536

    nodes: int = 100_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nodes < 1:
            raise SpecError(f"nodes must be at least 1, not {self.nodes}")

    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """A close subset of each problem."""
        return solve_each(batch, self, self._search, tolerance, cpus())

    def _search(self, problem: Whole, chosen: Bools) -> bool:
        from xbar.subset.kernels import differencing

        found = differencing.closest_subset(
            problem.values, problem.goal, self.nodes, problem.enough, problem.over, chosen
        )
        return bool(found)
