"""Meet-in-the-middle: the sorted sums of each half of a bank, merged; exact for K <= 32."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.subset.problem import Banks, Batch, SubsetSolution, check_bank, pair

_BLOCK = 2048  # problems that a thread takes at a time, fewer for long banks
_BLOCK_WORK = 1 << 20  # and about this many half sums
_FEW = 12  # fewer problems than this leave too many lanes of the lock-step kernel idle


@dataclass(frozen=True)
class MeetInTheMiddle:
    """Sorts the sums of both halves of a bank and finds the closest pair by one merge.

    Time grows with 2**(K/2). Whatever the number of threads and of problems at a time, the same
    bank and target give the same mask: the greater of two equally close sums, no element of value
    0, else as documented at `xbar.subset.kernels.lockstep.closest_subsets`. Elements below
    about 2**-59 of sum|g| count as 0.

    Attributes:
        threads: threads to use; None means as many as this process may have CPUs.
    """

    name: ClassVar[str] = "meet-in-the-middle"
    max_elements: ClassVar[int] = 32

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise SpecError(f"threads must be at least 1, or None for all, not {self.threads}")

    def prepare(self, bank: ArrayLike) -> PreparedMeetInTheMiddle:
        """Checks a bank (..., K).

        Raises:
            SpecError: it is empty, too long, not of real numbers or not finite.
        """
        return PreparedMeetInTheMiddle(
            check_bank(bank, self.max_elements, self.name), self.threads or _cpus()
        )


@dataclass(frozen=True, eq=False)
class PreparedMeetInTheMiddle:
    """Banks that were checked.

    Attributes:
        banks: R of them.
        threads: threads to use.
    """

    banks: Banks
    threads: int

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """The closest subset for each target (...); the optimum, whatever the tolerance.

        Raises:
            SpecError: targets are not finite or do not broadcast, or the tolerance is negative.
        """
        batch = pair(self.banks, targets, tolerance, MeetInTheMiddle.name)
        count, elements = len(batch.target), batch.bank.shape[1]
        mask = np.empty((count, elements), np.bool_)
        achieved = np.empty(count)

        def solve_block(part: slice) -> None:
            _solve_block(batch, part, mask[part], achieved[part])

        blocks = list(_blocks(count, elements))
        if min(self.threads, len(blocks)) <= 1:
            for part in blocks:
                solve_block(part)
        else:
            # the kernels release the interpreter lock, and whoever is free takes the next block
            with ThreadPoolExecutor(min(self.threads, len(blocks))) as pool:
                for _ in pool.map(solve_block, blocks):
                    pass
        return batch.optimal(mask, achieved)


def _solve_block(
    batch: Batch,
    part: slice,
    mask: NDArray[np.bool_],
    achieved: NDArray[np.float64],
) -> None:
    """Solves the problems of one slice of the batch into the arrays' same slices."""
    from xbar.subset.kernels import lockstep, merge, scale

    bank, row = _banks_used(batch, part)
    target = batch.target[part].copy()
    values = np.empty(bank.shape, np.int64)
    goal, flips = np.empty(len(row), np.int64), np.empty(len(bank), np.int64)
    masks = np.empty(len(row), np.int64)
    scale.to_integers(bank, row, target, values, goal, flips)
    elements = bank.shape[1]
    if elements > lockstep.MAX_ELEMENTS or len(row) < _FEW:
        work = np.empty(merge.work_size(elements), np.int64)
        merge.closest_subsets(values, row, goal, masks, work)
    else:
        work = np.empty(lockstep.work_size(elements), np.int64)
        lockstep.closest_subsets(values, row, goal, masks, work)
    scale.rescore(bank, row, masks, flips, mask, achieved)


def _banks_used(batch: Batch, part: slice) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The different banks of a slice of the batch, and which one each problem has."""
    if len(batch.bank) == len(batch.target):
        # a copy, as a read-only bank is another type to numba and compiles anew
        bank = batch.bank[part].copy()
        return bank, np.arange(len(bank))
    used, row = np.unique(batch.row[part], return_inverse=True)
    return batch.bank[used], row


def _blocks(count: int, elements: int) -> Iterator[slice]:
    step = min(max(_BLOCK_WORK >> ((elements + 1) // 2), 32), _BLOCK)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
