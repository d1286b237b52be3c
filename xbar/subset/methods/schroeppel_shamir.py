"""Schroeppel-Shamir: exact for K <= 64 in memory that grows with 2**(K/4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import ClassVar

import numpy as np

from xbar.arrays import Bools, Ints
from xbar.subset.methods.base import Limited, Threaded
from xbar.subset.methods.integers import Whole, solve_each
from xbar.subset.problem import Batch, SubsetSolution

_SPANS = 64  # intervals of the first half's sums, searched in turn


@dataclass(frozen=True)
class SchroeppelShamir(Threaded, Limited):
    """Enumerates the sums of one half of the bank in order and finds the best partner of each.

    Time grows with 2**(K/2), memory with 2**(K/4): about 11 MB per thread and 2 MB for the tables
    of K = 64. From about K = 48 many subsets meet a float64 target up to rounding; the search ends
    with the first one, which is then optimal in the sense of `xbar.subset.SubsetSolution`. Where
    there is none, as near the limits of the bank's range, the search is exhaustive: minutes for
    K = 64. The result does not depend on the threads. Likely intervals are searched first, so a
    search stopped by a time limit is already close: for K = 64 to about 2**-40 of sum|g| in a tenth
    of a second.

    Attributes:
        threads: number of threads; None for the number of CPUs available to the process.
        time_limit: seconds per problem, None for no limit.
    """

    name: ClassVar[str] = "schroeppel-shamir"
    max_elements: ClassVar[int] = 64

    def __post_init__(self) -> None:
        Threaded.__post_init__(self)
        Limited.__post_init__(self)

    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """The closest subset of each problem, or one within the tolerance."""
        # threads share either the problems or the intervals of each
        inner = self.workers if len(batch.target) < self.workers else 1
        outer = 1 if inner > 1 else self.workers
        return solve_each(batch, self, partial(_search, threads=inner), tolerance, outer)


def _search(problem: Whole, chosen: Bools, threads: int) -> bool:
    from xbar.subset.kernels import quarters

    values, goal, enough, over = problem.values, problem.goal, problem.enough, problem.over
    half = (len(values) + 1) // 2
    cuts = [0, (half + 1) // 2, half, half + (len(values) - half + 1) // 2, len(values)]
    a, c, b, d = (quarters.sums(values[i:j]) for i, j in pairwise(cuts))
    spans = _spans(values, half, goal, len(a) * len(c) // quarters.CHUNK + 1)

    def search(span: Ints) -> tuple[int, int, int, bool]:
        # separate scratch, as spans run concurrently
        work = np.empty(quarters.WORK, np.int64)
        return quarters.search((a, c, b, d), goal, span, enough, over, work)

    best, searched = (quarters.NONE, 0, 0, True), 0
    for found in _in_order(search, spans, threads):
        # in span order, so that the result does not depend on the threads
        searched += found[3]
        if found[:2] < best[:2]:
            best = found
        if best[0] <= 4 * enough + 1 or over[0]:
            break
    quarters.choose(values[:half], cuts[1], (a, c), best[1], chosen[:half])
    quarters.choose(values[half:], cuts[3] - half, (b, d), best[2], chosen[half:])
    return searched == len(spans) or best[0] == 1


def _in_order(
    search: Callable[[Ints], tuple[int, int, int, bool]], spans: list[Ints], threads: int
) -> Iterator[tuple[int, int, int, bool]]:
    """Result of each span, in order; one span per thread is searched concurrently."""
    if min(threads, len(spans)) <= 1:
        yield from map(search, spans)
        return
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(spans), threads):
            yield from pool.map(search, spans[start : start + threads])


def _spans(values: Ints, half: int, goal: int, most: int) -> list[Ints]:
    """Intervals of the first half's sum, the most likely ones first."""
    total, first = int(values.sum()), int(values[:half].sum())
    likely = min(max(first // 2 + (2 * goal - total) // 4, 0), first)
    edges = np.linspace(0, first + 1, min(most, _SPANS) + 1).astype(np.int64)
    edges[-1] = first + 1
    order = np.argsort(np.abs((edges[1:] + edges[:-1]) // 2 - likely), kind="stable")
    return [edges[i : i + 2] for i in order]
