"""Greedy: the largest element that still fits, and so on; a rough answer at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from xbar.subset.integers import Bools, Ints, solve_each
from xbar.subset.parallel import cpus
from xbar.subset.problem import Banks, SubsetSolution, check_bank, pair


@dataclass(frozen=True)
class Greedy:
    """Takes elements from the largest down as long as they fit, then perhaps one more.

    Linear in K but for the sorting. Elements of like size leave about half of the smallest.
    """

    name: ClassVar[str] = "greedy"
    max_elements: ClassVar[int] = 65_536

    def prepare(self, bank: ArrayLike) -> PreparedGreedy:
        """Checks a bank (..., K).

        Raises:
            SpecError: it is empty, too long, not of real numbers or not finite.
        """
        return PreparedGreedy(check_bank(bank, self.max_elements, self.name), self)


@dataclass(frozen=True, eq=False)
class PreparedGreedy:
    """Banks that were checked.

    Attributes:
        banks: R of them.
        solver: how they are searched.
    """

    banks: Banks
    solver: Greedy

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """A close subset for each target (...).

        Raises:
            SpecError: targets are not finite or do not broadcast, or the tolerance is negative.
        """
        batch = pair(self.banks, targets, tolerance, Greedy.name)
        return solve_each(batch, Greedy.name, _search, tolerance, cpus())


def _search(values: Ints, goal: int, enough: int, chosen: Bools) -> bool:
    from xbar.subset.kernels import heuristics

    order = np.argsort(-values, kind="stable")
    return bool(heuristics.greedy(values, order, goal, chosen) == goal)
