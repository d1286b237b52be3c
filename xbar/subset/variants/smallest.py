"""The smallest or cheapest subset within a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import one_number, real
from xbar.errors import SpecError
from xbar.subset.problem import SubsetSolution
from xbar.subset.variants.common import Task, bank_of, each_block, optimal, sums_of, task
from xbar.subset.variants.fixed_size import GROUPED, closest_by_size

_NAME = "solve_smallest"
_MARGIN = 1 << 7  # bound on float64 rounding per element, in integer steps


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SmallestSolution(SubsetSolution):
    """Subsets of least cost within a tolerance.

    The status is "optimal" if every problem of the batch has a subset within the tolerance, the
    result being the cheapest; "infeasible" if one has none. Residuals within K eps sum|g| of the
    tolerance may count either way; the returned mask has |residual| <= tolerance in float64.
    `bound` is the least distance of any subset for infeasible problems, else 0.

    Attributes:
        size: (...) number of elements switched in.
        cost: (...) cost of the subset: its size if no cost was given.
        feasible: (...) bool, True where the tolerance is met; elsewhere mask is the closest
            subset.
    """

    size: NDArray[np.int64] | np.int64
    cost: NDArray[np.float64] | np.float64
    feasible: NDArray[np.bool_] | np.bool_


def solve_smallest(
    bank: ArrayLike,
    target: ArrayLike,
    tolerance: float,
    cost: ArrayLike | str | None = None,
    stuck: ArrayLike | None = None,
) -> SmallestSolution:
    """Choose the fewest elements, or the cheapest, with |residual| <= tolerance.

    Meet-in-the-middle, exact. Among subsets of least size it takes the closest; among subsets of
    least cost any.

    Args:
        bank: elements (..., K) in siemens, or any signed numbers, K <= 40.
        target: targets (...) in the bank's unit, broadcast against the bank's leading axes.
        tolerance: largest |residual| allowed, in the bank's unit.
        cost: None to count elements; or (..., K), the cost of each element when switched in,
            broadcast against the bank; or "current" for |g|, the current at 1 V.
        stuck: stuck elements, broadcast against the bank: -1 stuck open, 0 free, +1 stuck closed
            (which costs too).

    Returns:
        The solution, with sizes, costs and a flag where the tolerance is met.

    Raises:
        SpecError: as for `xbar.subset.solve_subset`; or the tolerance or a cost is invalid.

    >>> solution = solve_smallest([4.0, 2.2, 1.9, 0.1], 4.15, 0.1)
    >>> solution.mask, solution.size
    (array([False,  True,  True, False]), np.int64(2))
    >>> solve_smallest([4.0, 2.2, 1.9, 0.1], 9.0, 0.1).status
    'infeasible'
    """
    tolerance = one_number(tolerance, f"tolerance of {_NAME}", 0)
    banks = bank_of(bank, _NAME)
    problems = task(banks, target, stuck, _NAME)
    shape = (*banks.shape, banks.elements.shape[1])
    costs = _costs(cost, shape, problems)
    if cost is None:
        mask, how = _fewest(problems, tolerance), GROUPED
    else:
        mask, how = _cheapest(problems, costs, tolerance), "cheapest partners of each half sum"
    return _solution(problems, mask, costs, tolerance, how)


def _costs(
    cost: ArrayLike | str | None, shape: tuple[int, ...], problems: Task
) -> NDArray[np.float64]:
    """Cost of each element, (R, K)."""
    bank = problems.batch.bank
    if cost is None:
        return np.ones_like(bank)
    if isinstance(cost, str):
        if cost != "current":
            raise SpecError(f"cost must be numbers (..., K) or 'current', not {cost!r}")
        return np.abs(bank)
    array = real(cost, "cost")
    if not np.isfinite(array).all():
        raise SpecError("cost must hold finite real numbers, one for each resistor")
    try:
        return np.broadcast_to(array.astype(np.float64), shape).reshape(bank.shape).copy()
    except ValueError:
        raise SpecError(
            f"cost of shape {array.shape} must broadcast to the bank's shape {shape}"
        ) from None


def _fewest(problems: Task, tolerance: float) -> NDArray[np.bool_]:
    """The closest subset of the least size that meets the tolerance, or else of any size."""
    elements = problems.values.shape[1]
    sizes = np.tile(np.array([0, elements], np.int64), (len(problems.goal), 1))
    distance, masks = closest_by_size(problems, sizes)
    exists = distance >= 0
    rescored = [problems.rescore(masks[:, s].copy()) for s in range(masks.shape[1])]
    residual = np.stack([one[1] for one in rescored], axis=1) - problems.batch.target[:, None]
    far = np.where(exists, np.abs(residual), np.inf)
    near = far <= tolerance
    best = np.where(near.any(axis=1), near.argmax(axis=1), far.argmin(axis=1))
    mask = np.stack([one[0] for one in rescored], axis=1)
    return np.take_along_axis(mask, best[:, None, None], axis=1)[:, 0]


def _cheapest(problems: Task, costs: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
    """The subset of least cost that meets the tolerance, or else the closest."""
    target = problems.batch.target
    with np.errstate(over="ignore"):
        ends = target - tolerance, target + tolerance
    window = np.stack([problems.goals(end) for end in ends], axis=1)
    margin = _MARGIN * problems.values.shape[1] * np.array([-1, 1])
    mask = _cheapest_in(problems, costs, window + margin)
    over = ~_within(problems, mask, tolerance)
    if over.any():  # the margin admitted some that miss by rounding, or there is none
        total = problems.values.sum(axis=1)[problems.batch.row, None]
        end = (window == 0) | (window == total)  # if all sums may be allowed, allow them
        narrow = _cheapest_in(problems, costs, np.where(end, window, window - margin))
        mask = np.where(over[:, None], narrow, mask)
        over = ~_within(problems, mask, tolerance)
    if over.any():
        mask = np.where(over[:, None], _fewest(problems, tolerance), mask)
    return mask


def _cheapest_in(
    problems: Task, costs: NDArray[np.float64], window: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Subsets (M, K) of least cost in windows (M, 2) of integer sums; empty if none."""
    from xbar.subset.kernels import walks

    masks = np.empty(len(window), np.int64)
    row = problems.batch.row.copy()

    def work(part: slice) -> None:
        walks.cheapest(
            problems.values,
            row[part],
            window[part],
            problems.flips,
            problems.fixed,
            costs,
            masks[part],
        )

    each_block(len(window), work)
    return problems.rescore(np.maximum(masks, 0))[0] & (masks >= 0)[:, None]


def _within(problems: Task, mask: NDArray[np.bool_], tolerance: float) -> NDArray[np.bool_]:
    achieved = sums_of(problems.batch.bank[problems.batch.row], mask)
    fixed = problems.fixed[problems.batch.row]
    allowed = ((fixed <= 0) | mask) & ((fixed >= 0) | ~mask)
    near = np.abs(achieved - problems.batch.target) <= tolerance
    return np.asarray(near & allowed.all(axis=1))


def _solution(
    problems: Task,
    mask: NDArray[np.bool_],
    costs: NDArray[np.float64],
    tolerance: float,
    how: str,
) -> SmallestSolution:
    batch = problems.batch
    achieved = sums_of(batch.bank[batch.row], mask)
    closest = optimal(batch, mask, achieved, problems.why(how), problems.reachable())
    feasible = np.abs(achieved - batch.target) <= tolerance
    return SmallestSolution(
        mask=closest.mask,
        achieved=closest.achieved,
        residual=closest.residual,
        status="optimal" if feasible.all() else "infeasible",
        bound=np.where(feasible.reshape(batch.shape), 0.0, closest.bound)[()],
        method=closest.method,
        reason=closest.reason,
        reachable=closest.reachable,
        size=mask.sum(axis=1).reshape(batch.shape)[()],
        cost=sums_of(costs[batch.row], mask).reshape(batch.shape)[()],
        feasible=feasible.reshape(batch.shape)[()],
    )
