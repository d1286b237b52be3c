"""How large to make targets, so that subsets of their banks meet them with the least error.

The sums of a bank lie densest at their mean m and thin out within a few deviations s (the design
formula of `xbar.sizing.density`). Scaled high, the error of a subset is small beside its target,
until the largest targets come to where sums are rare or end. In between lies a scale of least
expected error: of the mean of (achieved / scale - weight)² over the weights that share it. A few
outlying weights may be missed or end up coarse where all others gain more than these lose.

What error to expect at which distance from m is measured, on a sample of the banks themselves: the
design formula knows nothing of lattices (equal nominal values and little spread), of the ends of a
bank, nor of other ways of choosing than the best subset.

Shapes: M banks, E elements each; C columns of R weights that share a scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.hardware import draw
from xbar.subset.solver import solve_subset

Choice: TypeAlias = NDArray[np.bool_]
Chooser: TypeAlias = Callable[[Floats, Floats], Choice]
"""Of elements (M, E) and what they are to add up to (M,), which are chosen (M, E)."""

LONGEST = 32
"""Elements up to which choosing is tried; beyond, the design formula stands in."""

_BINS_PER_UNIT = 4
_TABLE_PER_UNIT = 64
_STREAM = 24  # of the generator: see ``xbar.sizing.laws`` and ``xbar.hardware.chip``
_START = 0.5  # the lowest scale puts the largest weight this many deviations from 0


@dataclass(frozen=True, eq=False)
class Reach:
    """What sums each of some banks has.

    Attributes:
        values: (4, ...): mean, deviation, lowest and highest sum of each bank.
    """

    values: Floats

    @property
    def deviation(self) -> Floats:
        """(...) standard deviation of the sums."""
        return np.asarray(self.values[1])

    def misses(self, target: Floats) -> NDArray[np.bool_]:
        """(...) whether a target lies beyond its bank's lowest or highest sum, clearly."""
        _, deviation, low, high = self.values
        slack = 1e-9 * (np.abs(low) + np.abs(high) + deviation)
        return np.asarray((target < low - slack) | (target > high + slack))


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """The error to expect by a target's distance from the mean of its bank's sums.

    Attributes:
        table: (P,) mean square error over s², at distances 0, 1, 2... by ``per_unit``; the last
            holds for all beyond.
        per_unit: entries for a distance of s.
    """

    table: Floats
    per_unit: float = float(_TABLE_PER_UNIT)

    @classmethod
    def constant(cls, power: float) -> ErrorCurve:
        """The same everywhere."""
        return cls(np.array([power]))

    @classmethod
    def by_formula(cls, elements: int, furthest: float) -> ErrorCurve:
        """What the design formula expects at distance u: pi exp(u²) / 4^E.

        The distance to the closest of Poisson points of density rho on both sides has the mean
        square 1/(2 rho²), and rho = 2^E phi(u)/s. float64's own rounding is its floor.
        """
        u = np.arange(int(furthest * _TABLE_PER_UNIT) + 1) / _TABLE_PER_UNIT
        power = np.pi * np.exp(u**2 - elements * np.log(4.0))
        return cls(np.maximum(power, np.finfo(np.float64).eps ** 2))


def reach_of(element: Floats, offset: Floats) -> Reach:
    """The reach of banks of signed elements (..., E) with an offset (...)."""
    from xbar.subset.kernels import scaling

    shape = offset.shape
    values = np.empty((4, offset.size))
    flat = np.ascontiguousarray(element, np.float64).reshape(offset.size, -1)
    scaling.reach(flat, np.ascontiguousarray(offset, np.float64).reshape(-1), values)
    return Reach(values.reshape(4, *shape))


def closest(element: Floats, goal: Floats) -> Choice:
    """The elements (M, E) whose sum comes closest to each goal (M,)."""
    return solve_subset(element, goal).mask


def measure_error(
    known: Floats,
    real: Floats | None = None,
    choose: Chooser = closest,
    read_noise: float = 0.0,
) -> ErrorCurve:
    """The error curve of a way to choose, measured on a sample of banks.

    Each bank is given targets at all distances that it reaches, jittered, so that they meet no
    lattice of its sums always alike; the same banks give the same curve.

    Args:
        known: (M, E) elements as whoever chooses knows them.
        real: (M, E) elements as they are; None for the same.
        choose: how.
        read_noise: relative standard deviation of each chosen element in a read; what it adds to
            the error counts too.
    """
    reach = reach_of(known, np.zeros(len(known)))
    mean, deviation, low, high = reach.values
    alive = deviation > 0
    if not alive.any():
        return ErrorCurve.constant(1.0)
    furthest = float(((high - low) / 2 / np.where(alive, deviation, np.inf)).max())
    if known.shape[1] > LONGEST:
        formula = ErrorCurve.by_formula(known.shape[1], furthest)
        return ErrorCurve(formula.table + 2 * read_noise**2)  # half of all elements, Σe²/2 = 2s²
    bins = int(np.ceil(furthest * _BINS_PER_UNIT))
    jitter = draw.uniform(0, _STREAM, 0, (len(known), bins))
    distance = (np.arange(bins) + jitter) / _BINS_PER_UNIT
    distance[:, ::2] *= -1  # sums lie alike on both sides of their mean
    goal = np.clip(mean[:, None] + distance * deviation[:, None], low[:, None], high[:, None])
    which = np.repeat(np.arange(len(known)), bins)
    chosen = choose(known[which], goal.ravel())
    element = (known if real is None else real)[which] * chosen
    power = (element.sum(axis=1) - goal.ravel()) ** 2 + read_noise**2 * (element**2).sum(axis=1)
    relative = power.reshape(-1, bins)[alive] / deviation[alive, None] ** 2
    return _smooth(np.maximum(relative.mean(axis=0), np.finfo(np.float64).eps ** 2))


def best_scales(weight: Floats, reach: Reach, curve: ErrorCurve) -> Floats:
    """(C,): for each column the scale of least expected error, units of the bank per unit weight.

    A column of zeros gets a finite scale, not below that of the largest weight of all.

    Args:
        weight: (R, C).
        reach: (R, C) of the banks.
        curve: the error to expect.
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
    """The sum of squares that weights (R,) on banks (R,) are expected to miss at a scale."""
    from xbar.subset.kernels import scaling

    return scaling.expected_error(scale, weight, reach.values, curve.table, curve.per_unit)


def _smooth(power: Floats) -> ErrorCurve:
    """A fine table from the means of bins, each averaged with its neighbours.

    Half of the growth exp(u²) that the design formula expects is taken off before and put back
    after, which suits both wide banks and lattices, whose error does not grow.
    """
    middles = (np.arange(len(power)) + 0.5) / _BINS_PER_UNIT
    growth = np.exp(middles**2 / 2)
    level = power / growth
    padded = np.concatenate([level[:1], level, level[-1:]])
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4 * growth
    places = np.arange(len(smooth) * _TABLE_PER_UNIT // _BINS_PER_UNIT) / _TABLE_PER_UNIT
    return ErrorCurve(np.exp(np.interp(places, middles, np.log(smooth))))
