"""Scaling of targets for the least expected error of subset selection.

The density of a bank's sums peaks at their mean m and falls off within a few standard deviations s
(the design formula of `xbar.sizing.density`). A larger scale makes the error of a subset smaller
relative to its target, until the largest targets reach the sparse tails or leave the range. In
between there is a scale of least expected error, the mean of (achieved / scale - weight)² over the
weights that share it. A few outlying weights may be clipped or become coarse where all others gain
more than these lose.

The error as a function of the distance from m is measured on a sample of the banks themselves: the
design formula does not cover lattices (equal nominal values and little spread), the limits of a
bank's range, or selections other than the best subset.

Shapes: M banks of E elements; C columns of R weights that share a scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.hardware import draw
from xbar.subset.solver import solve_subset

Choice: TypeAlias = NDArray[np.bool_]
Chooser: TypeAlias = Callable[[Floats, Floats], Choice]
"""Selection: (elements (M, E), target sums (M,)) -> mask (M, E)."""

LONGEST = 32
"""Largest bank for which errors are measured; beyond, the design formula is used."""

_BINS_PER_UNIT = 4
_TABLE_PER_UNIT = 64
_STREAM = 24  # stream of the generator: see ``xbar.sizing.laws`` and ``xbar.hardware.chip``
_START = 0.5  # at the lowest scale the largest weight is this many standard deviations from 0


@dataclass(frozen=True, eq=False)
class Reach:
    """Distribution of each bank's sums.

    Attributes:
        values: (4, ...) mean, standard deviation, lowest and highest sum of each bank.
    """

    values: Floats

    @property
    def deviation(self) -> Floats:
        """Standard deviation (...) of the sums."""
        return np.asarray(self.values[1])

    def misses(self, target: Floats) -> NDArray[np.bool_]:
        """Whether each target (...) is clearly outside its bank's range."""
        _, deviation, low, high = self.values
        slack = 1e-9 * (np.abs(low) + np.abs(high) + deviation)
        return np.asarray((target < low - slack) | (target > high + slack))


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """Expected error as a function of a target's distance from the mean of its bank's sums.

    Attributes:
        table: (P,) mean square error over s², at distances 0, 1, 2... divided by ``per_unit``; the
            last entry applies to all larger ones.
        per_unit: table entries per distance s.
    """

    table: Floats
    per_unit: float = float(_TABLE_PER_UNIT)

    @classmethod
    def constant(cls, power: float) -> ErrorCurve:
        """A constant error."""
        return cls(np.array([power]))

    @classmethod
    def by_formula(cls, elements: int, furthest: float) -> ErrorCurve:
        """Error by the design formula at distance u: pi exp(u²) / 4^E.

        The distance to the closest of Poisson points of density rho on both sides has a mean
        square of 1/(2 rho²), with rho = 2^E phi(u)/s. float64 rounding is the lower limit.
        """
        u = np.arange(int(furthest * _TABLE_PER_UNIT) + 1) / _TABLE_PER_UNIT
        power = np.pi * np.exp(u**2 - elements * np.log(4.0))
        return cls(np.maximum(power, np.finfo(np.float64).eps ** 2))


def reach_of(element: Floats, offset: Floats) -> Reach:
    """Distribution of the sums of signed elements (..., E) with an offset (...)."""
    from xbar.subset.kernels import scaling

    shape = offset.shape
    values = np.empty((4, offset.size))
    flat = np.ascontiguousarray(element, np.float64).reshape(offset.size, -1)
    scaling.reach(flat, np.ascontiguousarray(offset, np.float64).reshape(-1), values)
    return Reach(values.reshape(4, *shape))


def closest(element: Floats, goal: Floats) -> Choice:
    """Closest subset (M, E) to each goal (M,)."""
    return solve_subset(element, goal).mask


def measure_error(
    known: Floats,
    real: Floats | None = None,
    choose: Chooser = closest,
    read_noise: float = 0.0,
) -> ErrorCurve:
    """Measure the error curve of a selection on a sample of banks.

    Each bank gets targets at all distances in its range, with jitter against aliasing with a
    lattice of its sums; the same banks give the same curve.

    Args:
        known: (M, E) elements as known to the selection.
        real: (M, E) actual elements; None for the same.
        choose: selection.
        read_noise: relative standard deviation of each chosen element in a read; its variance is
            added to the error.
    """

    def error(which: Ints, goal: Floats) -> Floats:
        element = (known if real is None else real)[which] * choose(known[which], goal)
        variance = read_noise**2 * (element**2).sum(axis=1)
        return np.asarray((element.sum(axis=1) - goal) ** 2 + variance)

    if known.shape[1] > LONGEST:
        formula = ErrorCurve.by_formula(known.shape[1], _furthest(known))
        return ErrorCurve(formula.table + 2 * read_noise**2)  # half of all elements, Σe²/2 = 2s²
    return error_curve(known, error)


def _furthest(known: Floats) -> float:
    """Largest distance of a sum from its bank's (M, E) middle, in standard deviations."""
    _, deviation, low, high = reach_of(known, np.zeros(len(known))).values
    return float(((high - low) / 2 / np.where(deviation > 0, deviation, np.inf)).max())


def error_curve(known: Floats, error: Callable[[Ints, Floats], Floats]) -> ErrorCurve:
    """The curve of errors found for goals at all distances in the range of a sample of banks.

    Args:
        known: (M, E) elements by which distances are told.
        error: (numbers (N,) of banks, goals (N,) of their sums) -> squared errors (N,).
    """
    mean, deviation, low, high = reach_of(known, np.zeros(len(known))).values
    alive = deviation > 0
    if not alive.any():
        return ErrorCurve.constant(1.0)
    bins = int(np.ceil(_furthest(known) * _BINS_PER_UNIT))
    jitter = draw.uniform(0, _STREAM, 0, (len(known), bins))
    distance = (np.arange(bins) + jitter) / _BINS_PER_UNIT
    distance[:, ::2] *= -1  # sums are symmetric about their mean
    goal = np.clip(mean[:, None] + distance * deviation[:, None], low[:, None], high[:, None])
    which = np.repeat(np.arange(len(known)), bins)
    power = error(which, goal.ravel())
    relative = power.reshape(-1, bins)[alive] / deviation[alive, None] ** 2
    return _smooth(np.maximum(relative.mean(axis=0), np.finfo(np.float64).eps ** 2))


def best_scales(weight: Floats, reach: Reach, curve: ErrorCurve) -> Floats:
    """(C,) scale of least expected error of each column, bank units per unit weight.

    An all-zero column gets a finite scale, at least that of the largest weight overall.

    Args:
        weight: weights (R, C).
        reach: distribution of the sums of the banks (R, C).
        curve: expected error.
    """
    from xbar.subset.kernels import scaling

    magnitude = np.abs(weight).max(axis=0)
    largest = np.where(magnitude > 0, magnitude, magnitude.max() if magnitude.any() else 1.0)
    deviation = np.median(reach.deviation, axis=0)
    some = np.median(deviation[deviation > 0]) if (deviation > 0).any() else 1.0
    start = _START * np.where(deviation > 0, deviation, some) / largest
    scale = np.empty(weight.shape[1])
    scaling.best_scales(
        np.ascontiguousarray(weight.T, np.float64),
        np.ascontiguousarray(reach.values.transpose(0, 2, 1)),
        start,
        curve.table,
        curve.per_unit,
        scale,
    )
    return scale


def expected_error(scale: float, weight: Floats, reach: Reach, curve: ErrorCurve) -> float:
    """Expected sum of squared errors of weights (R,) on banks (R,) at a scale."""
    from xbar.subset.kernels import scaling

    return scaling.expected_error(scale, weight, reach.values, curve.table, curve.per_unit)


def _smooth(power: Floats) -> ErrorCurve:
    """Interpolate bin means, each averaged with its neighbours, to a fine table.

    Half of the design formula's growth exp(u²) is divided out before smoothing and restored after,
    a compromise between wide banks and lattices, whose error does not grow.
    """
    middles = (np.arange(len(power)) + 0.5) / _BINS_PER_UNIT
    growth = np.exp(middles**2 / 2)
    level = power / growth
    padded = np.concatenate([level[:1], level, level[-1:]])
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4 * growth
    places = np.arange(len(smooth) * _TABLE_PER_UNIT // _BINS_PER_UNIT) / _TABLE_PER_UNIT
    return ErrorCurve(np.exp(np.interp(places, middles, np.log(smooth))))
