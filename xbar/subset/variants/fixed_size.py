"""Subsets of a given size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.subset.problem import SubsetSolution
from xbar.subset.variants.common import Task, bank_of, each_block, optimal, reachable, task

_NAME = "solve_fixed_size"
GROUPED = "half lists grouped by size"


def solve_fixed_size(
    bank: ArrayLike, target: ArrayLike, size: int, stuck: ArrayLike | None = None
) -> SubsetSolution:
    """Choose exactly `size` elements whose sum is closest to a target.

    Meet-in-the-middle on half lists grouped by size; exact, time about K/2 times that of the
    unconstrained problem. An element of value 0 counts like any other.

    Args:
        bank: elements (..., K) in siemens, or any signed numbers, K <= 40.
        target: targets (...) in the bank's unit, broadcast against the bank's leading axes.
        size: number of elements to switch in, 0 to K.
        stuck: stuck elements, broadcast against the bank: -1 stuck open, 0 free, +1 stuck closed
            (which counts towards the size).

    Returns:
        The mask (..., K), achieved, residual, bound (...) and the status "optimal": no subset of
        that size is closer by more than rounding. reachable refers to subsets of that size.

    Raises:
        SpecError: as for `xbar.subset.solve_subset`; or no subset of a bank has that size.

    >>> solution = solve_fixed_size([4.0, 2.2, -1.5, 0.7], 2.4, 3)
    >>> solution.mask
    array([ True, False,  True,  True])
    >>> round(float(solution.residual), 6)
    0.8
    """
    problems = task(bank_of(bank, _NAME), target, stuck, _NAME)
    size = _check_size(problems, size)
    sizes = np.full((len(problems.goal), 2), size)
    _, masks = closest_by_size(problems, sizes)
    mask, achieved = problems.rescore(masks[:, 0].copy())
    reached = reachable(problems.batch, *_ends(problems, size))
    return optimal(problems.batch, mask, achieved, problems.why(GROUPED), reached)


def _ends(problems: Task, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(R,) lowest and highest sum of each bank's subsets of that size."""
    bank, fixed = problems.batch.bank, problems.fixed
    closed = np.where(fixed > 0, bank, 0.0).sum(axis=1)
    free = np.sort(np.where(fixed == 0, bank, np.inf), axis=1)  # fixed elements come last
    place = np.arange(bank.shape[1])
    count, left = (fixed == 0).sum(axis=1), size - (fixed > 0).sum(axis=1)
    first = place < left[:, None]
    last = (place < count[:, None]) & (place >= (count - left)[:, None])
    low, high = (np.where(some, free, 0.0).sum(axis=1) for some in (first, last))
    return closed + low, closed + high


def closest_by_size(
    problems: Task, sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The closest subset of each size from sizes[m, 0] to sizes[m, 1] for each problem m.

    Returns:
        Distances in integer units, -1 where no subset has the size, and the subsets; both
        (M, 1 + the greatest number of sizes).
    """
    from xbar.subset.kernels import halves

    columns = int((sizes[:, 1] - sizes[:, 0]).max(initial=0)) + 1
    found = np.full((len(sizes), 2, columns), -1, np.int64)
    row, goal = problems.batch.row.copy(), problems.goal

    def work(part: slice) -> None:
        halves.closest_by_size(
            problems.values,
            row[part],
            goal[part],
            problems.flips,
            problems.fixed,
            sizes[part],
            found[part],
        )

    each_block(len(goal), work)
    return found[:, 0], found[:, 1]


def _check_size(problems: Task, size: int) -> int:
    closed = (problems.fixed > 0).sum(axis=1)
    most = (problems.fixed >= 0).sum(axis=1)
    if not isinstance(size, int | np.integer) or isinstance(size, bool):
        raise SpecError(f"size must be a whole number, not {size!r}")
    if ((size < closed) | (size > most)).any():
        r = int(np.flatnonzero((size < closed) | (size > most))[0])
        raise SpecError(
            f"size must be from {closed[r]} to {most[r]}, as many resistors as are stuck closed "
            f"and as are not stuck open, not {size}"
        )
    return int(size)
