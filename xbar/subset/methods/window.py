"""Window: greedy for most of a large bank, exact for some small elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xbar.arrays import Bools, Ints
from xbar.errors import SpecError
from xbar.parallel import cpus
from xbar.subset.methods.base import Limited
from xbar.subset.methods.integers import Whole, solve_each
from xbar.subset.problem import Batch, SubsetSolution


@dataclass(frozen=True)
class Window(Limited):
    """Fixes the large elements greedily and solves for the smallest ones exactly.

    The window determines the precision: each of its elements adds about a bit, and so does each
    doubling of `tries`. A bank that fits in the window is solved exactly.

    Attributes:
        size: number of elements of the window, 2 to 40; time and memory grow with 2**(size/2).
        tries: number of windows, chosen among the smallest elements by a fixed rule.
        time_limit: seconds per problem, checked after each window; None for no limit.
    """

    name: ClassVar[str] = "window"
    max_elements: ClassVar[int] = 65_536

    size: int = 28
    tries: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (2 <= self.size <= 40 and self.tries >= 1):
            raise SpecError(
                "size must be 2 to 40 elements and tries at least 1, "
                f"not size {self.size} and tries {self.tries}"
            )

    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """A close subset of each problem."""
        return solve_each(batch, self, self._search, tolerance, cpus())

    def _search(self, problem: Whole, chosen: Bools) -> bool:
        from xbar.subset.kernels import heuristics, merge

        values, goal = problem.values, problem.goal
        size = min(self.size, len(values))
        order = np.argsort(-values, kind="stable")
        work = np.empty(merge.work_size(size), np.int64)
        best, exact = 1 << 62, size == len(values)
        for attempt in range(1 if exact else self.tries):
            trial = np.zeros_like(chosen)
            places = _shuffled(order, size, attempt)
            first = len(values) - size
            reached = heuristics.window(values, places, goal, first, size, trial, work)
            if abs(int(reached) - goal) < best:
                best, chosen[:] = abs(int(reached) - goal), trial
            if best <= problem.enough or problem.over[0]:
                break
        return exact or best == 0


def _shuffled(order: Ints, size: int, attempt: int) -> Ints:
    """The order with another window at its end: one out of every few of the smallest."""
    if attempt == 0:
        return order
    few = min(2 * size, len(order))
    tail = order[-few:]
    rng = np.random.default_rng(attempt)
    inside = np.zeros(few, np.bool_)
    inside[rng.choice(few, size, replace=False)] = True
    return np.concatenate([order[:-few], tail[~inside], tail[inside]])
