"""Greedy selection of the largest element that still fits: fast and coarse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xbar.arrays import Bools
from xbar.subset.methods.base import Method
from xbar.subset.methods.integers import Whole, solve_each
from xbar.subset.problem import Batch, SubsetSolution


@dataclass(frozen=True)
class Greedy(Method):
    """Takes elements in descending order while they fit, then perhaps one more.

    Linear in K after sorting. For elements of similar size the error is about half the smallest.
    """

    name: ClassVar[str] = "greedy"
    max_elements: ClassVar[int] = 65_536

    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """A close subset of each problem."""
        return solve_each(batch, self, _search, tolerance, threads=1)  # too fast for threads


def _search(problem: Whole, chosen: Bools) -> bool:
    from xbar.subset.kernels import heuristics

    order = np.argsort(-problem.values, kind="stable")
    reached = heuristics.greedy(problem.values, order, problem.goal, chosen)
    return bool(reached == problem.goal)
