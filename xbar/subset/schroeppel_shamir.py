"""Schroeppel-Shamir: exact for K <= 64 in memory that grows with 2**(K/4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from xbar.errors import SpecError
from xbar.subset.integers import Bools, Ints, solve_each
from xbar.subset.parallel import cpus
from xbar.subset.problem import Banks, SubsetSolution, check_bank, pair

_SPANS = 64  # parts of the range of the first half's sums, searched one after the other


@dataclass(frozen=True)
class SchroeppelShamir:
    """Walks through the sums of one half of the bank and finds the partner of each.

    Time grows with 2**(K/2), memory with 2**(K/4): about 11 MB for each thread and 2 MB for the
    tables of K = 64. From K = 48 or so a float64 target is hit up to rounding by many subsets;
    the search ends with the first one, which is then optimal in the sense of
    `xbar.subset.SubsetSolution`. Where there is none, as near the ends of what the bank reaches,
    it goes through everything: minutes for K = 64. The answer does not depend on the threads.

    Attributes:
        threads: threads to use; None means as many as this process may have CPUs.
    """

    name: ClassVar[str] = "schroeppel-shamir"
    max_elements: ClassVar[int] = 64

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise SpecError(f"threads must be at least 1, or None for all, not {self.threads}")

    def prepare(self, bank: ArrayLike) -> PreparedSchroeppelShamir:
        """Checks a bank (..., K).

        Raises:
            SpecError: it is empty, too long, not of real numbers or not finite.
        """
        return PreparedSchroeppelShamir(
            check_bank(bank, self.max_elements, self.name), self.threads or cpus()
        )


@dataclass(frozen=True, eq=False)
class PreparedSchroeppelShamir:
    """Banks that were checked.

    Attributes:
        banks: R of them.
        threads: threads to use.
    """

    banks: Banks
    threads: int

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """The closest subset for each target (...), or one within the tolerance.

        Raises:
            SpecError: targets are not finite or do not broadcast, or the tolerance is negative.
        """
        batch = pair(self.banks, targets, tolerance, SchroeppelShamir.name)
        # threads share either the problems or the parts of each
        inner = self.threads if len(batch.target) < self.threads else 1

        def search(values: Ints, goal: int, enough: int, chosen: Bools) -> bool:
            return _search(values, goal, enough, chosen, inner)

        outer = 1 if inner > 1 else self.threads
        return solve_each(batch, SchroeppelShamir.name, search, tolerance, outer)


def _search(values: Ints, goal: int, enough: int, chosen: Bools, threads: int) -> bool:
    from xbar.subset.kernels import quarters

    half = (len(values) + 1) // 2
    cuts = [0, (half + 1) // 2, half, half + (len(values) - half + 1) // 2, len(values)]
    a, c, b, d = (quarters.sums(values[i:j]) for i, j in pairwise(cuts))
    spans = _spans(values, half, goal, len(a) * len(c) // quarters.CHUNK + 1)

    def search(span: Ints) -> tuple[int, int, int]:
        # scratch of its own, as spans run side by side
        return quarters.search((a, c, b, d), goal, span, enough, np.empty(quarters.WORK, np.int64))

    best, finished = (quarters.NONE, 0, 0), True
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(spans), threads):
            for found in pool.map(search, spans[start : start + threads]):
                # in the order of the spans, so that the threads don't change the answer
                if finished and found[:2] < best[:2]:
                    best = found
                    finished = best[0] > 4 * enough + 1
            if not finished:
                break
    quarters.choose(values[:half], cuts[1], (a, c), best[1], chosen[:half])
    quarters.choose(values[half:], cuts[3] - half, (b, d), best[2], chosen[half:])
    return finished or best[0] == 1


def _spans(values: Ints, half: int, goal: int, most: int) -> list[Ints]:
    """Ranges of the first half's sum, those that leave the most to either half first."""
    total, first = int(values.sum()), int(values[:half].sum())
    likely = min(max(first // 2 + (2 * goal - total) // 4, 0), first)
    edges = np.linspace(0, first + 1, min(most, _SPANS) + 1).astype(np.int64)
    edges[-1] = first + 1
    order = np.argsort(np.abs((edges[1:] + edges[:-1]) // 2 - likely), kind="stable")
    return [edges[i : i + 2] for i in order]
