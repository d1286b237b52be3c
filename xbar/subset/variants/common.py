"""Common parts of the variants: batches with fixed elements, and their conversion for the kernels.

Shapes: K elements of a bank, R distinct banks, M problems of a batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import real
from xbar.errors import SpecError
from xbar.subset.problem import Banks, Batch, SubsetSolution, broadcast, check_bank

MAX_ELEMENTS = 40  # the half lists of 40 elements take 50 MB per thread
METHOD = "meet-in-the-middle"

_BLOCK = 512
_VALUE_BITS = 59
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Task:
    """M problems in the kernels' integer form.

    Attributes:
        batch: problems in float64.
        fixed: (R, K) -1 fixed open, 0 free, +1 fixed closed.
        values: (R, K) absolute values as integers.
        goal: (M,) targets in the same units, clipped to the bank's range.
        flips: (R,) bit mask of the negative elements.
        shift: (R,) exponent of the power of two by which each bank was scaled.
    """

    batch: Batch
    fixed: NDArray[np.int64]
    values: NDArray[np.int64]
    goal: NDArray[np.int64]
    flips: NDArray[np.int64]
    shift: NDArray[np.int64]

    def goals(self, target: NDArray[np.float64]) -> NDArray[np.int64]:
        """Targets (M,) in integer units, clipped to the bank's range."""
        return _goals(self.batch, self.values, self.shift, target)

    def rescore(self, masks: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Unpack subsets (M,) to a mask (M, K) and sums (M,), added in the bank's order."""
        mask = (masks[:, None] >> np.arange(self.values.shape[1])) & 1 == 1
        return mask, sums_of(self.batch.bank[self.batch.row], mask)

    def reachable(self) -> NDArray[np.bool_]:
        """(M,) whether the target is within the range of the free elements."""
        return reachable(self.batch, *reach_of(self.batch.bank, self.fixed))

    def why(self, how: str) -> str:
        """Reason for the method, with its form."""
        return f"K = {self.values.shape[1]}: exact up to {MAX_ELEMENTS} elements, {how}"


def task(banks: Banks, target: ArrayLike, stuck: ArrayLike | None, method: str) -> Task:
    """Broadcast banks against targets and fix stuck elements.

    Args:
        banks: banks from `check_bank`.
        target: targets (...), broadcast against the banks' leading axes.
        stuck: stuck elements, broadcast against the bank (..., K): -1 stuck open, 0 free, +1 stuck
            closed.
        method: name of the method, for messages.

    Raises:
        SpecError: a target is not finite or does not broadcast, or stuck has values other than -1,
            0 and 1 or does not broadcast.
    """
    batch = broadcast(banks, target, 0.0, method)
    fixed = check_stuck(stuck, (*banks.shape, banks.elements.shape[1]))
    # between 2**58 and 2**59, so that the kernels' sums and differences stay in range
    shift = _VALUE_BITS - np.frexp(total_of(batch.bank))[1].astype(np.int64)
    values = np.rint(np.ldexp(np.abs(batch.bank), shift[:, None])).astype(np.int64)
    negative = (batch.bank < 0).astype(np.int64) << np.arange(values.shape[1])
    return Task(
        batch=batch,
        fixed=fixed.reshape(banks.elements.shape),
        values=values,
        goal=_goals(batch, values, shift, batch.target),
        flips=negative.sum(axis=1),
        shift=shift,
    )


def total_of(bank: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of absolute values (R,) of banks (R, K)."""
    return np.asarray(np.abs(bank).sum(axis=1))


def sums_of(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sums (M,) of the chosen values (M, K), added in the bank's order."""
    total = np.zeros(len(mask))
    for e in range(mask.shape[1]):
        total += np.where(mask[:, e], values[:, e], 0.0)
    return total


def rounding_of(batch: Batch) -> NDArray[np.float64]:
    """(M,) error bound of float64 sums and residuals, K eps sum|g| + eps |target|."""
    elements = batch.bank.shape[1]
    total = elements * (_EPSILON * total_of(batch.bank))
    return np.asarray(total[batch.row] + _EPSILON * np.abs(batch.target))


def reach_of(
    bank: NDArray[np.float64], fixed: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest sum (R,) of banks (R, K) with some elements fixed."""
    closed, free = np.where(fixed > 0, bank, 0.0), np.where(fixed == 0, bank, 0.0)
    low, high = closed + np.minimum(free, 0.0), closed + np.maximum(free, 0.0)
    return low.sum(axis=1), high.sum(axis=1)


def reachable(
    batch: Batch, low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(M,) whether each target lies between two sums (R,) of its bank, up to rounding."""
    nearest = np.clip(batch.target, low[batch.row], high[batch.row])
    return np.asarray(np.abs(batch.target - nearest) <= rounding_of(batch))


def optimal(
    batch: Batch,
    mask: NDArray[np.bool_],
    achieved: NDArray[np.float64],
    reason: str,
    reached: NDArray[np.bool_],
) -> SubsetSolution:
    """The solution of an exact method, with proven bounds.

    Args:
        batch: M problems.
        mask: (M, K) subsets.
        achieved: (M,) sums of the subsets.
        reason: reason for the method.
        reached: (M,) flags from `reachable`.
    """
    residual = achieved - batch.target
    solution = SubsetSolution(
        mask=mask,
        achieved=achieved,
        residual=residual,
        status="optimal",
        bound=np.maximum(np.abs(residual) - rounding_of(batch), 0.0),
        method=METHOD,
        reason=reason,
        reachable=reached,
    )
    return batched(solution, batch.shape)


def bank_of(bank: ArrayLike, method: str) -> Banks:
    """Validate a bank (..., K) of at most MAX_ELEMENTS.

    Raises:
        SpecError: it is empty, larger, not real or not finite.
    """
    return check_bank(bank, MAX_ELEMENTS, method)


def check_stuck(stuck: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Validate stuck elements; returns integers of the bank's shape (..., K).

    Raises:
        SpecError: they are not -1, 0 or 1, or do not broadcast to that shape.
    """
    if stuck is None:
        return np.zeros(shape, np.int64)
    array = real(stuck, "stuck")
    if not np.isin(array, (-1, 0, 1)).all():
        raise SpecError("stuck must hold -1 (open), 0 (free) or +1 (closed) for each resistor")
    try:
        return np.broadcast_to(array.astype(np.int64), shape).copy()
    except ValueError:
        raise SpecError(
            f"stuck of shape {array.shape} must broadcast to the bank's shape {shape}"
        ) from None


def each_block(count: int, work: Callable[[slice], None]) -> None:
    """Call work for slices of the batch, with one thread per available CPU."""
    blocks = list(_blocks(count))
    threads = min(cpus(), len(blocks))
    if threads <= 1:
        for part in blocks:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, blocks):
            pass


def batched(solution: SubsetSolution, shape: tuple[int, ...]) -> SubsetSolution:
    """The solution of a flat batch, reshaped to its batch axes (...)."""
    return replace(
        solution,
        mask=solution.mask.reshape(*shape, solution.mask.shape[-1]),
        achieved=np.asarray(solution.achieved).reshape(shape)[()],
        residual=np.asarray(solution.residual).reshape(shape)[()],
        bound=np.asarray(solution.bound).reshape(shape)[()],
        reachable=np.asarray(solution.reachable).reshape(shape)[()],
    )


def cpus() -> int:
    """Number of CPUs available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))


def _goals(
    batch: Batch,
    values: NDArray[np.int64],
    shift: NDArray[np.int64],
    target: NDArray[np.float64],
) -> NDArray[np.int64]:
    low = np.minimum(batch.bank, 0.0).sum(axis=1)[batch.row]
    high = np.maximum(batch.bank, 0.0).sum(axis=1)[batch.row]
    below = np.where(batch.bank < 0, values, 0).sum(axis=1)[batch.row]
    scaled = np.rint(np.ldexp(np.clip(target, low, high), shift[batch.row])).astype(np.int64)
    return np.asarray(np.clip(scaled + below, 0, values.sum(axis=1)[batch.row]))
