"""Switched circuits other than parallel banks: series strings, ladders, general networks.

A series string of resistors with by-pass switches is a subset sum too. The value of any other
network (conductance, resistance, attenuation) is a rational function of the switched elements,
given as a callable: this package deals with numbers only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.subset.methods.base import alarm, check_time_limit
from xbar.subset.problem import Batch, SubsetSolution, broadcast, check_bank
from xbar.subset.solver import solve_subset
from xbar.subset.variants.common import batched, check_stuck, sums_of, total_of
from xbar.subset.variants.flips import Effort, Network, best_first, local_search
from xbar.subset.variants.stuck import solve_with_stuck

Value: TypeAlias = Callable[[NDArray[np.bool_]], NDArray[np.float64]]
Sensitivity: TypeAlias = Callable[[NDArray[np.bool_]], NDArray[np.float64]]

_EPSILON = float(np.finfo(np.float64).eps)
_ANY_LENGTH = 1 << 20
_ENUMERATED = 16  # largest number of switches for enumeration
_CHUNK = 1 << 12


def solve_series(
    resistance: ArrayLike,
    target: ArrayLike,
    r_on: ArrayLike = 0.0,
    method: str = "auto",
    stuck: ArrayLike | None = None,
) -> SubsetSolution:
    """Choose the resistors of a series string that are not by-passed.

        ─┬─[r_0]─┬─┬─[r_1]─┬─ ... ─      R = sum over S of r_i + sum over the others of r_on
         └──/ ───┘ └──/ ───┘             = sum of r_on + sum over S of (r_i - r_on):

    a plain subset sum, exact by meet-in-the-middle. The resistance of a by-passed resistor is that
    of its switch; for both in parallel pass r_on r / (r_on + r) for each.

    Args:
        resistance: resistances (..., K) in ohms.
        target: targets (...) in ohms, broadcast against the leading axes.
        r_on: on-resistance of a by-pass switch in ohms, broadcast against resistance.
        method: solver, as for `xbar.subset.solve_subset`.
        stuck: stuck switches, broadcast against resistance: -1 always by-passed, 0 free, +1 never
            by-passed.

    Returns:
        The solution; mask is True where the resistor is in the string, its switch open. Its bound
        allows for twice the rounding of `SubsetSolution`.

    Raises:
        SpecError: as for `xbar.subset.solve_subset`; or r_on does not broadcast or is not finite.

    >>> solution = solve_series([1000.0, 2000.0, 4000.0], 5100.0, r_on=50.0)
    >>> solution.mask, solution.achieved
    (array([ True, False,  True]), np.float64(5050.0))
    """
    banks = check_bank(resistance, _ANY_LENGTH, "solve_series")
    elements = banks.elements.shape[1]
    shape = (*banks.shape, elements)
    try:
        closed = np.broadcast_to(np.asarray(r_on), shape)
    except ValueError:
        raise SpecError(
            f"r_on of shape {np.shape(r_on)} must broadcast to the resistances' shape {shape}"
        ) from None
    closed = check_bank(closed, _ANY_LENGTH, "solve_series").elements
    batch = broadcast(banks, target, 0.0, "solve_series")
    fixed = None if stuck is None else check_stuck(stuck, shape).reshape(-1, elements)
    inner = _solve_differences(batch, closed, method, fixed)
    every = np.ones_like(inner.mask)
    used = np.where(inner.mask, banks.elements[batch.row], closed[batch.row])
    achieved = sums_of(used, every)
    total = (total_of(banks.elements) + total_of(closed))[batch.row]
    rounding = 2 * _EPSILON * (elements * total + np.abs(batch.target))
    solution = SubsetSolution(
        mask=inner.mask,
        achieved=achieved,
        residual=achieved - batch.target,
        status=inner.status,
        bound=np.maximum(np.asarray(inner.bound) - rounding, 0.0),
        method=inner.method,
        reason=inner.reason,
        reachable=inner.reachable,
    )
    return batched(solution, batch.shape)


def _solve_differences(
    batch: Batch, closed: NDArray[np.float64], method: str, fixed: NDArray[np.int64] | None
) -> SubsetSolution:
    """Solve for r - r_on (R, K) and the target minus the sum of r_on."""
    row, difference = batch.row, batch.bank - closed
    rest = batch.target - closed.sum(axis=1)[row]
    if fixed is not None:
        return solve_with_stuck(difference[row], rest, fixed[row], method)
    if len(difference) == 1:  # shared, so that the method prepares it once
        return solve_subset(difference[0], rest, method)
    return solve_subset(difference[row], rest, method)


@dataclass(frozen=True)
class NetworkSearch:
    """Search effort for networks of more than 16 switches.

    Attributes:
        tolerance: sufficient |residual|.
        evaluations: maximum number of values computed per target; a multiple for monotone
            networks.
        seed: seed of the restarts.
        time_limit: seconds per target, checked between evaluations; None for no limit.
    """

    tolerance: float = 0.0
    evaluations: int = 20_000
    seed: int = 0
    time_limit: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.tolerance) and self.tolerance >= 0):
            raise SpecError(f"tolerance must be finite and not negative, not {self.tolerance!r}")
        if self.evaluations < 1:
            raise SpecError(f"evaluations must be at least 1, not {self.evaluations!r}")
        if self.time_limit is not None:
            check_time_limit(self.time_limit)


def solve_network(
    value: Value,
    elements: int,
    target: ArrayLike,
    monotone: str | None = None,
    sensitivity: Sensitivity | None = None,
    search: NetworkSearch | None = None,
) -> SubsetSolution:
    """Choose the switch states of any network whose value is closest to a target.

    Up to 16 switches all settings are enumerated. Beyond, a local search flips one or two switches
    at a time and restarts near the best setting. If the network is monotone, branch and bound over
    partial settings follows: the completions of a partial setting lie between those with all other
    switches open and all closed, so distant ones are pruned. By Rayleigh's monotonicity law the
    conductance between two terminals never falls when a switch closes.

    Args:
        value: function from masks (M, K) bool to values (M,) in the target's unit; True is a
            closed switch. Non-finite values, such as an open circuit's, are never chosen if
            there are others.
        elements: number of switches K.
        target: targets (...).
        monotone: "rising" if no value falls when a switch closes, "falling" if none rises, None
            if neither is known.
        sensitivity: function from a mask (K,) to the approximate change (K,) of the value when
            each switch is flipped alone; then only the 8 most promising flips are evaluated per
            step.
        search: search effort beyond 16 switches.

    Returns:
        Masks (..., K), values, residuals and bounds (...). "optimal" if all settings were
        evaluated or pruned; then `bound` is |residual|, assuming an exact callable. Otherwise
        "within tolerance" or "best found", with the bound of the best-first search. reachable is
        False where the target is below or above all finite values; it is True where that is
        unknown, for incomplete searches of networks that are not monotone.

    Raises:
        SpecError: a target is not finite, K is not positive, or the callable does not return (M,)
            numbers.

    >>> def bridge(masks):
    ...     upper, lower = masks[:, :2] @ [1.0, 2.0], masks[:, 2:] @ [1.5, 3.0]
    ...     return upper * lower / np.maximum(upper + lower, 1e-300)
    >>> solution = solve_network(bridge, 4, 1.2)
    >>> solution.mask.astype(int), solution.achieved, solution.status
    (array([0, 1, 0, 1]), np.float64(1.2), 'optimal')
    """
    if not isinstance(elements, int | np.integer) or elements < 1:
        raise SpecError(f"elements must be a whole number of at least 1, not {elements!r}")
    if monotone not in (None, "rising", "falling"):
        raise SpecError(f"monotone must be 'rising', 'falling' or None, not {monotone!r}")
    bank = check_bank(np.zeros(elements), _ANY_LENGTH, "solve_network")
    batch = broadcast(bank, target, 0.0, "solve_network")
    checked = _checked(value)
    if elements <= _ENUMERATED:
        solution = _enumerate(checked, elements, batch.target)
    else:
        network = Network(checked, elements, monotone, sensitivity)
        solution = _search(network, batch.target, search or NetworkSearch())
    return batched(solution, batch.shape)


def _checked(value: Value) -> Value:
    """Wrap the callable: validate its values and map non-finite ones to an infinite distance."""

    def values(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        array = np.asarray(value(masks))
        if array.shape != (len(masks),) or array.dtype.kind not in "biuf":
            raise SpecError(
                f"the network's value must be real numbers ({len(masks)},) for masks "
                f"{masks.shape}, not {array.dtype} {array.shape}"
            )
        return np.where(np.isnan(array), np.inf, array.astype(np.float64))

    return values


def _enumerate(value: Value, elements: int, target: NDArray[np.float64]) -> SubsetSolution:
    numbers = np.arange(1 << elements)
    bits = np.arange(elements)
    values = np.concatenate(
        [
            value((numbers[start : start + _CHUNK, None] >> bits) & 1 == 1)
            for start in range(0, len(numbers), _CHUNK)
        ]
    )
    order = np.argsort(values, kind="stable")
    at = np.searchsorted(values[order], target)
    below, above = order[np.maximum(at - 1, 0)], order[np.minimum(at, len(order) - 1)]
    nearer = np.abs(values[below] - target) <= np.abs(values[above] - target)
    index = np.where(nearer, below, above)
    residual, finite = values[index] - target, values[np.isfinite(values)]
    return SubsetSolution(
        mask=(index[:, None] >> bits) & 1 == 1,
        achieved=values[index],
        residual=residual,
        status="optimal",
        bound=np.abs(residual),
        method="exhaustive",
        reason=f"K = {elements}: all settings of up to {_ENUMERATED} switches are enumerated",
        reachable=_between(target, finite) if len(finite) else np.zeros(len(target), np.bool_),
    )


def _search(network: Network, target: NDArray[np.float64], search: NetworkSearch) -> SubsetSolution:
    mask = np.zeros((len(target), network.elements), np.bool_)
    achieved, bound = np.zeros(len(target)), np.zeros(len(target))
    for m, goal in enumerate(target.tolist()):
        rng = np.random.default_rng([search.seed, m])
        with alarm(search.time_limit) as over:
            effort = Effort(search.tolerance, search.evaluations, over)
            found = local_search(network, goal, effort, rng)
            mask[m], achieved[m] = found
            if network.monotone is not None and abs(found[1] - goal) > search.tolerance:
                mask[m], achieved[m], bound[m] = best_first(network, goal, found, effort)
    residual = achieved - target
    if (bound >= np.abs(residual)).all():
        status = "optimal"
    else:
        near = (np.abs(residual) <= search.tolerance) | (bound >= np.abs(residual))
        status = "within tolerance" if near.all() else "best found"
    how, ends = "local search", np.array([-np.inf, np.inf])
    if network.monotone is not None:
        how = "local search, then best-first"
        ends = network.value(np.array([[False], [True]]).repeat(network.elements, axis=1))
        ends = np.where(np.isfinite(ends), np.sort(ends), [-np.inf, np.inf])
    return SubsetSolution(
        mask=mask,
        achieved=achieved,
        residual=residual,
        status=status,
        bound=bound,
        method=how,
        reason=f"K = {network.elements}: over {_ENUMERATED} switches are too many to enumerate",
        reachable=_between(target, ends),
    )


def _between(target: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M,) whether targets are between the least and the greatest value, up to rounding."""
    slack = 4 * _EPSILON * np.abs(target)
    return np.asarray((values.min() - slack <= target) & (target <= values.max() + slack))
