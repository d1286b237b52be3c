"""Switched circuits that are not a parallel bank: series strings, ladders, general networks.

A string of resistors, each with a by-pass switch, is a subset sum again. Any other network's
value (its conductance, resistance, attenuation) is a rational function of the switched elements,
passed in as a callable: this package knows numbers only.
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
_ENUMERATED = 16  # switches whose every setting is tried
_CHUNK = 1 << 12


def solve_series(
    resistance: ArrayLike,
    target: ArrayLike,
    r_on: ArrayLike = 0.0,
    method: str = "auto",
    stuck: ArrayLike | None = None,
) -> SubsetSolution:
    """Chooses which resistors of a string stay in it; the others are by-passed.

        ─┬─[r_0]─┬─┬─[r_1]─┬─ ... ─      R = sum over S of r_i + sum over the others of r_on
         └──/ ───┘ └──/ ───┘             = sum of r_on + sum over S of (r_i - r_on):

    a plain subset sum, exact by meet-in-the-middle. A by-passed resistor counts as its switch
    alone; to count both in parallel pass r_on r / (r_on + r) for each.

    Args:
        resistance: (..., K) ohms.
        target: (...) ohms, broadcast against the leading axes.
        r_on: ohms of a closed by-pass switch, broadcast against resistance.
        method: as `xbar.subset.solve_subset`.
        stuck: broadcast against resistance: -1 always by-passed, 0 free, +1 never by-passed.

    Returns:
        The solution; mask is True where the resistor is in the string, its switch open. Its bound
        allows twice the rounding that `SubsetSolution` names.

    Raises:
        SpecError: as `xbar.subset.solve_subset`; or r_on does not broadcast or is not finite.

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
    """The subset problem of r - r_on (R, K) for the target less the sum of r_on."""
    row, difference = batch.row, batch.bank - closed
    rest = batch.target - closed.sum(axis=1)[row]
    if fixed is not None:
        return solve_with_stuck(difference[row], rest, fixed[row], method)
    if len(difference) == 1:  # shared, so that the method prepares it once
        return solve_subset(difference[0], rest, method)
    return solve_subset(difference[row], rest, method)


@dataclass(frozen=True)
class NetworkSearch:
    """How hard to search networks of more than 16 switches.

    Attributes:
        tolerance: a |residual| that is good enough.
        evaluations: values to compute for each target, at most; a multiple for monotone networks.
        seed: of the restarts.
        time_limit: seconds for each target, looked at between evaluations; None for no limit.
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
    """Chooses the switches of any network that bring its value closest to a target.

    Up to 16 switches every setting is tried. Beyond, a local search flips one or two switches at
    a time and restarts near the best setting found. If the network is monotone, a best-first
    search over partial settings follows: the settings that complete one lie between those with
    all others open and all closed, so whatever lies too far off is discarded. By Rayleigh's law
    the conductance between two terminals never falls when a switch closes.

    Args:
        value: masks (M, K) bool to values (M,) in the target's unit; True is a closed switch. A
            value that is not finite, as an open circuit's, is never chosen if another is there.
        elements: K.
        target: (...) targets.
        monotone: "rising" if no value falls when a switch closes, "falling" if none rises, None
            if neither is known.
        sensitivity: mask (K,) to the approximate change (K,) of the value when each switch is
            flipped alone; then only the 8 most promising flips of a step are evaluated.
        search: effort beyond 16 switches.

    Returns:
        Masks (..., K), values, residuals and bounds (...). "optimal" if all settings were tried or
        discarded, and then `bound` is |residual|, as far as the callable is exact; "within
        tolerance" or "best found" else, with what the best-first search could prove. reachable
        is False where the target lies below or above all finite values; where neither all
        settings were tried nor the network is monotone, that is not known, and it is True.

    Raises:
        SpecError: a target is not finite, K is not positive, or the callable returns no (M,)
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
    """The callable, with its answers checked and what is not finite at an infinite distance."""

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
        reason=f"K = {elements}: every setting of up to {_ENUMERATED} switches is tried",
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
        reason=f"K = {network.elements}: more than {_ENUMERATED} switches are too many to try all",
        reachable=_between(target, ends),
    )


def _between(target: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M,) whether targets lie between the least and the greatest value, up to rounding."""
    slack = 4 * _EPSILON * np.abs(target)
    return np.asarray((values.min() - slack <= target) & (target <= values.max() + slack))
