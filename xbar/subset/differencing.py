"""Differencing of Karmarkar, Karp and Korf: very close subsets of long banks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from xbar.errors import SpecError
from xbar.subset.integers import Bools, Ints, solve_each
from xbar.subset.parallel import cpus
from xbar.subset.problem import Banks, SubsetSolution, check_bank, pair


@dataclass(frozen=True)
class Differencing:
    """Puts elements on two sides, the largest two against each other, again and again.

    Close beyond float64's resolution from some hundred elements on. With time it goes back and
    tries other sides (`xbar.subset.kernels.differencing`); for K < 40 it is exact once it has
    tried them all, and says so.

    Attributes:
        nodes: how many nodes of its tree are looked at, at most, for each problem; about 10
            million a second.
    """

    name: ClassVar[str] = "differencing"
    max_elements: ClassVar[int] = 65_536

    nodes: int = 100_000

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise SpecError(f"nodes must be at least 1, not {self.nodes}")

    def prepare(self, bank: ArrayLike) -> PreparedDifferencing:
        """Checks a bank (..., K).

        Raises:
            SpecError: it is empty, too long, not of real numbers or not finite.
        """
        return PreparedDifferencing(check_bank(bank, self.max_elements, self.name), self)


@dataclass(frozen=True, eq=False)
class PreparedDifferencing:
    """Banks that were checked.

    Attributes:
        banks: R of them.
        solver: how they are searched.
    """

    banks: Banks
    solver: Differencing

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """A close subset for each target (...).

        Raises:
            SpecError: targets are not finite or do not broadcast, or the tolerance is negative.
        """
        batch = pair(self.banks, targets, tolerance, Differencing.name)
        return solve_each(batch, Differencing.name, self._search, tolerance, cpus())

    def _search(self, values: Ints, goal: int, enough: int, chosen: Bools) -> bool:
        from xbar.subset.kernels import differencing

        nodes = self.solver.nodes
        return bool(differencing.closest_subset(values, goal, nodes, enough, chosen))
