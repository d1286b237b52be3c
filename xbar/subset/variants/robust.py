"""The subset that stays closest to its target under read noise and drift.

Element i of the subset S counts d_i (1 + e_i) g_i when it is read: the drift factor d_i has mean
m and standard deviation m s_i, the noise e_i mean 0 and standard deviation r_i, all independent.
Then, bias and variance,

    E (sum - t)**2 = (m G_S - t)**2 + sum over S of v_i,     G_S = sum over S of g_i,
    v_i = (m g_i)**2 ((1 + r_i**2) (1 + s_i**2) - 1).

Of equal sums many small elements are better than few large ones, as variances add up by squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.subset.problem import Banks, SubsetSolution
from xbar.subset.variants.common import METHOD, Task, bank_of, each_block, task, total_of

_NAME = "solve_robust"
_EPSILON = float(np.finfo(np.float64).eps)
_FAR = 2.0**100  # 2**40 banks away: what a target further off chooses, one here does


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RobustSolution(SubsetSolution):
    """Subsets of the least expected squared error.

    achieved is the expected sum, m G_S, and residual is achieved - target. "optimal": no subset's
    expected squared error is less by more than 4 K eps (sum|g| + |target|)**2. `bound` is one for
    the root of the expected squared error. reachable is about expected sums.

    Attributes:
        deviation: (...) the standard deviation of the sum.
        expected_error: (...) the root of the expected squared error, sqrt(residual**2 +
            deviation**2).
    """

    deviation: NDArray[np.float64] | np.float64
    expected_error: NDArray[np.float64] | np.float64


def solve_robust(
    bank: ArrayLike,
    target: ArrayLike,
    read_noise: ArrayLike = 0.0,
    drift_spread: ArrayLike = 0.0,
    drift: float = 1.0,
    stuck: ArrayLike | None = None,
) -> RobustSolution:
    """Chooses the subset of least expected squared error, by the formula above.

    Meet-in-the-middle over the lower envelope of one half's parabolas; exact for K <= 40.

    Args:
        bank: (..., K) siemens, or any signed numbers, as measured.
        target: (...) in the bank's unit, broadcast against the bank's leading axes.
        read_noise: r, standard deviation in one read relative to the conductance; broadcast
            against the bank.
        drift_spread: s, standard deviation of the drift factor from element to element, relative
            to its mean; broadcast against the bank.
        drift: m, its mean; 1 for none, positive.
        stuck: broadcast against the bank: -1 stuck open, 0 free, +1 stuck closed.

    Returns:
        The solution with its standard deviation and expected error.

    Raises:
        SpecError: as `xbar.subset.solve_subset`; or noise, spread or drift is not allowed.

    >>> solution = solve_robust([4.0, 1.0, 1.0, 0.95, 1.01], 4.0, read_noise=0.05)
    >>> solution.mask  # the single element would be exact, but twice as noisy
    array([False,  True,  True,  True,  True])
    >>> solution.expected_error.round(3)
    np.float64(0.107)
    """
    if not (np.isfinite(drift) and drift > 0):
        raise SpecError(f"drift of {_NAME} must be finite and positive, not {drift!r}")
    plain = bank_of(bank, _NAME)
    relative = _relative(read_noise, drift_spread, plain)
    drifted = bank_of(plain.elements.reshape(*plain.shape, -1) * drift, _NAME)
    problems = task(drifted, target, stuck, _NAME)
    masks = _most_robust(problems, relative)
    return _solution(problems, masks, relative)


def _relative(noise: ArrayLike, spread: ArrayLike, banks: Banks) -> NDArray[np.float64]:
    """The relative standard deviation (R, K) of each element."""
    parts = []
    for name, value in (("read_noise", noise), ("drift_spread", spread)):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or not (np.isfinite(array) & (array >= 0)).all():
            raise SpecError(f"{name} must be finite and not negative")
        shape = (*banks.shape, banks.elements.shape[1])
        try:
            full = np.broadcast_to(array.astype(np.float64), shape)
        except ValueError:
            raise SpecError(
                f"{name} of shape {array.shape} must broadcast to the bank's shape {shape}"
            ) from None
        parts.append(full.reshape(banks.elements.shape))
    r, s = parts
    return np.asarray(np.sqrt(r**2 + s**2 + r**2 * s**2))


def _most_robust(problems: Task, relative: NDArray[np.float64]) -> NDArray[np.int64]:
    from xbar.subset.kernels import envelope

    batch = problems.batch
    shift = problems.shift
    variance = (np.ldexp(batch.bank, shift[:, None]) * relative) ** 2
    low = np.minimum(batch.bank, 0.0).sum(axis=1)[batch.row]
    high = np.maximum(batch.bank, 0.0).sum(axis=1)[batch.row]
    outside = batch.target - np.clip(batch.target, low, high)
    with np.errstate(over="ignore"):
        beyond = np.clip(np.ldexp(outside, shift[batch.row]), -_FAR, _FAR)
    masks = np.empty(len(batch.target), np.int64)
    row = batch.row.copy()

    def work(part: slice) -> None:
        envelope.most_robust(
            problems.values,
            row[part],
            problems.goal[part],
            beyond[part],
            problems.flips,
            problems.fixed,
            variance,
            masks[part],
        )

    each_block(len(row), work)
    return masks


def _solution(
    problems: Task, masks: NDArray[np.int64], relative: NDArray[np.float64]
) -> RobustSolution:
    batch = problems.batch
    mask, achieved = problems.rescore(masks)
    residual = achieved - batch.target
    each = np.where(mask, (batch.bank * relative)[batch.row], 0.0)
    deviation = _root_of_squares(each)
    error = np.hypot(residual, deviation)
    elements = batch.bank.shape[1]
    reach = total_of(batch.bank)[batch.row] + np.abs(batch.target)
    part = np.divide(error, reach, out=np.zeros_like(error), where=reach > 0)
    bound = np.sqrt(np.maximum(part**2 - 4 * elements * _EPSILON, 0.0)) * reach
    shape = batch.shape
    return RobustSolution(
        mask=mask.reshape(*shape, elements),
        achieved=achieved.reshape(shape)[()],
        residual=residual.reshape(shape)[()],
        status="optimal",
        bound=bound.reshape(shape)[()],
        method=METHOD,
        reason=problems.why("lower envelopes of a half's parabolas"),
        reachable=problems.reachable().reshape(shape)[()],
        deviation=deviation.reshape(shape)[()],
        expected_error=error.reshape(shape)[()],
    )


def _root_of_squares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M,) roots of the sums of squares (M, K), also where a square would leave float64's range."""
    largest = np.abs(values).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0)
    return np.asarray(scale * np.sqrt(((values / scale[:, None]) ** 2).sum(axis=1)))
