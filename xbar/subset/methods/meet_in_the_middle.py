"""Meet-in-the-middle: merge of the sorted sums of both halves of a bank; exact for K <= 32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xbar.device.choice import check as check_device
from xbar.device.choice import find
from xbar.errors import warn
from xbar.parallel import aligned, in_threads, writeable
from xbar.subset.methods import early
from xbar.subset.methods.base import Threaded
from xbar.subset.methods.shared_bank import solve_by_table, worth_a_table
from xbar.subset.on_device import solve_on
from xbar.subset.problem import AS_ASKED, Batch, SubsetSolution

_BLOCK = 2048  # problems per thread task, fewer for large banks
_BLOCK_WORK = 1 << 20  # half sums per thread task, approximately
_FEW = 5  # below this, too many lanes of the lock-step kernel are idle
_UNSURE = 0.4  # largest fraction of problems undecided by 28 bits for which they save time


@dataclass(frozen=True)
class MeetInTheMiddle(Threaded):
    """Sorts the sums of both halves of a bank and finds the best combination by one merge.

    Time grows with 2**(K/2). The same bank and target give the same mask on any processor, for any
    number of threads and batch size: the greater of two equally close sums, no element of value 0,
    otherwise as documented at `xbar.subset.kernels.lockstep.closest_subsets`. Elements below about
    2**-59 of sum|g| are treated as 0.

    Attributes:
        threads: number of threads; None for the number of CPUs available to the process.
        device: "cpu", "cuda" for a card or "auto" for one if it works; masks and sums have the same
            bits. A tolerance is used on the CPU.
    """

    name: ClassVar[str] = "meet-in-the-middle"
    max_elements: ClassVar[int] = 32
    device: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device(self.device)

    def on(self, device: str) -> MeetInTheMiddle:
        """The same method on a device."""
        return replace(self, device=device)

    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """The closest subset of each problem.

        With a tolerance, a few elements of the bank are tried first; if they don't suffice, the
        optimum is returned.
        """
        mask = np.empty((len(batch.target), batch.bank.shape[1]), np.bool_)
        achieved = np.empty(len(batch.target))
        if name := self._on_card(batch, tolerance, mask, achieved):
            whole = batch.solution(self.name, mask, achieved)
            return replace(whole, reason=f"{AS_ASKED}, on {name}")
        if worth_a_table(batch):
            solve_by_table(batch, mask, achieved, self.workers)
            return batch.solution(self.name, mask, achieved)
        sizes = early.part_sizes(batch, tolerance)
        proven = np.ones(len(achieved), np.bool_)
        scratch = _Scratch(mask.shape[1], self.workers)

        def solve_block(part: slice) -> None:
            if sizes.any():
                block, size = early.select(batch, part), sizes[batch.row[part]]
                out = mask[part], achieved[part], proven[part]
                _parts_first(block, size, tolerance, out, scratch)
            else:
                _solve_block(batch, part, mask[part], achieved[part], scratch)

        in_threads(solve_block, list(_blocks(*mask.shape)), self.workers)
        return batch.solution(self.name, mask, achieved, proven, tolerance)

    def _on_card(
        self, batch: Batch, tolerance: float, mask: NDArray[np.bool_], achieved: NDArray[np.float64]
    ) -> str:
        """Solve on the card that the device names; its name, or empty where the CPU is to."""
        if tolerance == 0.0:
            problems = batch.bank, batch.row, batch.target
            return solve_on(self.device, problems, mask, achieved) if len(achieved) else ""
        if find(self.device) is not None and self.device == "cuda":
            warn("subsets within a tolerance are chosen on the CPU; a card finds the closest ones")
        return ""


def _parts_first(
    batch: Batch,
    sizes: NDArray[np.int64],
    tolerance: float,
    out: tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]],
    scratch: _Scratch,
) -> None:
    """Solve M problems, each first with a number of its elements or, for 0, with all.

    Writes mask, achieved, and a flag where all elements were searched.
    """
    mask, achieved, proven = out
    for size in np.unique(sizes):
        which = sizes == size
        some = early.select(batch, which)
        chosen, total = np.empty((len(some.target), mask.shape[1]), np.bool_), achieved[which]
        if size:
            proven[which] = _part_first(some, size, tolerance, (chosen, total), scratch)
        else:
            _solve_block(some, slice(None), chosen, total, scratch)
        mask[which], achieved[which] = chosen, total


def _part_first(
    batch: Batch,
    size: int,
    tolerance: float,
    out: tuple[NDArray[np.bool_], NDArray[np.float64]],
    scratch: _Scratch,
) -> NDArray[np.bool_]:
    """Search the first `size` elements, then all where the result is not close enough.

    Writes mask and achieved.

    Returns:
        (M,) flag where all elements were searched.
    """
    mask, achieved = out
    part, mask[:, size:] = early.part_of(batch, size)
    inner = np.empty((len(mask), size), np.bool_)
    _solve_block(part, slice(None), inner, achieved, scratch)
    mask[:, :size] = inner
    achieved[:] = early.add_up(batch, mask)
    again = np.abs(achieved - batch.target) > tolerance
    if again.any():
        rest = early.select(batch, again)
        whole, reached = np.empty((len(rest.target), mask.shape[1]), np.bool_), achieved[again]
        _solve_block(rest, slice(None), whole, reached, scratch)
        mask[again], achieved[again] = whole, reached
    return again


def _solve_block(
    batch: Batch,
    part: slice,
    mask: NDArray[np.bool_],
    achieved: NDArray[np.float64],
    scratch: _Scratch,
) -> None:
    """Solve one slice of the batch, in place."""
    bank, row = _banks_used(batch, part)
    _choose((bank, row, writeable(batch.target[part])), mask, achieved, scratch)


def closest_subsets(
    bank: NDArray[np.float64],
    row: NDArray[np.int64],
    target: NDArray[np.float64],
    mask: NDArray[np.bool_],
    achieved: NDArray[np.float64],
) -> None:
    """The closest subsets of many problems, in this thread and without any check.

    Masks and sums are those of `solve_subset`.

    Args:
        bank: (R, K) finite elements, 2 <= K <= 32, writeable.
        row: (M,) bank of each target.
        target: (M,) finite.
        mask: (M, K) output.
        achieved: (M,) output: sum of the chosen elements, in the bank's order.
    """
    scratch = _Scratch(mask.shape[1], 1)
    for part in _blocks(*mask.shape):
        problems = bank, row[part], target[part]
        _choose(problems, mask[part], achieved[part], scratch)


def _choose(
    problems: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]],
    mask: NDArray[np.bool_],
    achieved: NDArray[np.float64],
    scratch: _Scratch,
) -> None:
    """Solve banks (R, K), the bank of each target (M,) and targets (M,), in place."""
    from xbar.subset.kernels import lockstep, merge, scale

    bank, row, target = problems
    if len(row) >= _FEW:
        with scratch.borrowed() as work:
            if scratch.narrow and len(row) > 2 * _FEW:
                _solve_narrow(problems, mask, achieved, scratch, work)
            else:
                lockstep.closest_subsets(bank, row, target, mask, achieved, work)
        return
    values = np.empty(bank.shape, np.int64)
    goal, masks = np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    scale.to_integers(bank, row, target, values, goal)
    work = np.empty(merge.work_size(bank.shape[1]), np.int64)
    merge.closest_subsets(values, row, goal, masks, work)
    scale.unpack(masks, mask)
    scale.rescore(bank, row, mask, achieved)


def _solve_narrow(
    problems: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]],
    mask: NDArray[np.bool_],
    achieved: NDArray[np.float64],
    scratch: _Scratch,
    work: NDArray[np.int64],
) -> None:
    """Solve a batch with 28 bits, and in full precision where these are undecided."""
    from xbar.subset.kernels import lockstep, narrow

    bank, row, target = problems
    unsure = np.empty(len(row), np.bool_)
    narrow.closest_subsets(bank, row, target, mask, achieved, unsure, work)
    again = np.flatnonzero(unsure)
    if len(again) == 0:
        return
    if len(again) > _UNSURE * len(row):
        scratch.narrow = False  # the results are the same either way
    whole, total = np.empty((len(again), mask.shape[1]), np.bool_), np.empty(len(again))
    lockstep.closest_subsets(bank, row[again], target[again], whole, total, work)
    mask[again], achieved[again] = whole, total


class _Scratch:
    """Pool of scratch arrays for the lock-step kernels, one per thread.

    Attributes:
        narrow: whether a first pass with 28 bits pays.
    """

    def __init__(self, elements: int, threads: int) -> None:
        from xbar.subset.kernels import lockstep, narrow

        self.narrow = narrow.LEAST_ELEMENTS <= elements <= narrow.MOST_ELEMENTS
        self._free: SimpleQueue[NDArray[np.int64]] = SimpleQueue()
        for _ in range(threads):
            # free until used
            size = max(lockstep.work_size(elements), narrow.work_size(elements))
            self._free.put(aligned(size))

    @contextmanager
    def borrowed(self) -> Iterator[NDArray[np.int64]]:
        """Borrow one array."""
        work = self._free.get()
        try:
            yield work
        finally:
            self._free.put(work)


def _banks_used(batch: Batch, part: slice) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distinct banks of a slice of the batch, and the bank index of each problem."""
    if len(batch.bank) == len(batch.target):
        bank = writeable(batch.bank[part])
        return bank, np.arange(len(bank))
    used, row = np.unique(batch.row[part], return_inverse=True)
    return batch.bank[used], row


def _blocks(count: int, elements: int) -> Iterator[slice]:
    step = min(max(_BLOCK_WORK >> ((elements + 1) // 2), 32), _BLOCK)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
