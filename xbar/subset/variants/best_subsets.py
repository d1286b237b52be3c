"""The best few subsets, ranked: alternatives for secondary criteria."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.subset.problem import SubsetSolution
from xbar.subset.variants.common import METHOD, Task, bank_of, each_block, rounding_of, task

_NAME = "best_subsets"


def best_subsets(
    bank: ArrayLike, target: ArrayLike, count: int, stuck: ArrayLike | None = None
) -> SubsetSolution:
    """The `count` subsets whose sums are closest to a target, closest first.

    Meet-in-the-middle: bisection on the distance of the last one, counting by walks over the half
    lists; exact, and no slower for equal sums. Elements of value 0 are never switched in, so no two
    subsets differ only in them.

    Args:
        bank: elements (..., K) in siemens, or any signed numbers, K <= 40.
        target: targets (...) in the bank's unit, broadcast against the bank's leading axes.
        count: number of subsets, at most 2**(elements that are not 0 and not stuck).
        stuck: stuck elements, broadcast against the bank: -1 stuck open, 0 free, +1 stuck closed.

    Returns:
        The mask (..., count, K) and achieved, residual, bound, reachable (..., count), ordered by
        |residual|. "optimal": the j-th bound holds for every subset other than the j before it.

    Raises:
        SpecError: as for `xbar.subset.solve_subset`; or there are fewer than `count` subsets.

    >>> best_subsets([4.0, 2.25, -1.5], 2.4, 3).achieved
    array([2.5 , 2.25, 4.  ])
    """
    from xbar.subset.kernels import walks

    problems = task(bank_of(bank, _NAME), target, stuck, _NAME)
    elements = problems.values.shape[1]
    problems.fixed[(problems.batch.bank == 0) & (problems.fixed == 0)] = -1
    _check_count(problems, count)
    masks = np.empty((len(problems.goal), count), np.int64)
    row = problems.batch.row.copy()

    def work(part: slice) -> None:
        walks.closest_few(
            problems.values,
            row[part],
            problems.goal[part],
            problems.flips,
            problems.fixed,
            masks[part],
        )

    each_block(len(row), work)
    chosen = [problems.rescore(masks[:, j].copy()) for j in range(count)]
    mask = np.stack([one[0] for one in chosen], axis=1)
    achieved = np.stack([one[1] for one in chosen], axis=1)
    return _ordered(problems, mask, achieved, (*problems.batch.shape, count), elements)


def _ordered(
    problems: Task,
    mask: NDArray[np.bool_],
    achieved: NDArray[np.float64],
    shape: tuple[int, ...],
    elements: int,
) -> SubsetSolution:
    """Sort by |residual|, then by mask as a binary number."""
    batch = problems.batch
    distance = np.abs(achieved - batch.target[:, None])
    order = np.lexsort([*np.moveaxis(mask, 2, 0), distance], axis=1)
    mask = np.take_along_axis(mask, order[:, :, None], axis=1)
    achieved = np.take_along_axis(achieved, order, axis=1)
    distance = np.take_along_axis(distance, order, axis=1)
    return SubsetSolution(
        mask=mask.reshape(*shape, elements),
        achieved=achieved.reshape(shape),
        residual=(achieved - batch.target[:, None]).reshape(shape),
        status="optimal",
        bound=np.maximum(distance - rounding_of(batch)[:, None], 0.0).reshape(shape),
        method=METHOD,
        reason=problems.why("walks over the half lists that bisect for the last of them"),
        reachable=np.broadcast_to(problems.reachable()[:, None], distance.shape).reshape(shape),
    )


def _check_count(problems: Task, count: int) -> None:
    if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1:
        raise SpecError(f"count must be a whole number of at least 1, not {count!r}")
    free = (problems.fixed == 0).sum(axis=1)
    if len(free) and count > 1 << int(free.min()):
        raise SpecError(
            f"count must be at most {1 << int(free.min())}, as a bank has only {free.min()} "
            f"elements that are neither 0 nor stuck, not {count}"
        )
