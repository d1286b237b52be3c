"""What devices do in time: a power law, or tables of what they were at each time.

The logarithm of each device's conductance is fitted by a line over that of time; the population of
exponents and its spread between devices from what the devices' own errors leave. Where exponents
of both signs or bent lines contradict a power law, mean change and spread by time are tabulated.

Shapes: C cells, E events. Units: siemens, seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.hardware.fit.groups import Cells, Found
from xbar.hardware.fit.statistics import (
    Population,
    any_deviation_of,
    are_alike,
    mean_of,
    normal_p,
    population,
    student,
)
from xbar.hardware.law_parts import Goodness
from xbar.statistics import Estimate
from xbar.units import format_time

_LEAST = 3
_SPAN = 3.0
"""Last time over the first that tells an exponent."""
_RANGE = 2.0
"""Largest over least conductance from which on exponents may depend on it."""
_CERTAIN = 4.0
"""Standard errors of a slope or bend that is believed, and part of the change that a bend makes."""
_BENT = 0.1
_RISING = 0.025
"""Share of exponents of the other sign from which on a power law would be wrong."""
_OFTEN = 0.8
_KNOTS = 5
_JITTER = 0.1
"""Part of a time by which the next reading's may be later, to be of the same time."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of the logarithm of conductance over that of time, of devices.

    Attributes:
        event: (M,) events.
        first: seconds at which the logarithm of time is 0.
        start: (M,) siemens of the line at the first time.
        exponent: (M,) minus its slope.
        variance: (M,) of the exponent's error.
        middle: (M,) mean logarithm of time over the first.
        start_variance: (M,) of the error of the logarithm of start.
        rms: relative deviation of readings from their lines; 0 if it is not known.
    """

    event: NDArray[np.int64]
    first: float
    start: Floats
    exponent: Floats
    variance: Floats
    middle: Floats
    start_variance: Floats
    rms: float

    def variance_beside(self, a: float) -> Floats:
        """(M,) of the error of the exponent less ``a`` times the logarithm of start."""
        found: Floats = self.variance * (1.0 - 2.0 * a * self.middle) + a * a * self.start_variance
        return found


def fit_time(cells: Cells, noise: float, found: Found) -> Lines | None:
    """What cells at the reference temperature do in time; adds it.

    Args:
        cells: cells at the reference temperature, without stuck devices.
        noise: relative read noise; 0 if it is not known.
        found: what is found.
    """
    timed = cells.where(np.isfinite(cells.time))
    some = timed.where((timed.time > 0) & (timed.g > 0))
    if not len(some.g) or some.time.max() < _SPAN * some.time.min():
        what = "there is no column time" if not len(timed.g) else (
            f"there is one time, {format_time(float(timed.time.max()))}"
        )  # fmt: skip
        found.unknown.append(f"drift: {what}")
        return None
    lines = _lines(some, noise)
    if lines is None:
        found.unknown.append(f"drift: fewer than {_LEAST} devices were read at two times")
        return None
    if lines.rms == 0.0:
        found.unknown.append("spread of drift without its noise: no device was read at three times")
    both = population(lines.exponent, lines.variance)
    reason = _contradicted(some, lines, both)
    if reason:
        _tabulate(timed, noise, reason, found)
    else:
        if (timed.time == 0).any():
            found.notes.append("readings at time 0 not used for drift: a power law has none there")
        _add_drift(lines, both, found)
    return lines


def _lines(cells: Cells, noise: float) -> Lines | None:
    event, place = np.unique(cells.event, return_inverse=True)
    first_of = np.full(len(event), np.inf)
    np.minimum.at(first_of, place, cells.time)
    first = float(np.median(first_of))
    x, y = np.log(cells.time / first), np.log(cells.g)
    n = np.bincount(place).astype(np.float64)
    mean_x, mean_y = np.bincount(place, x) / n, np.bincount(place, y) / n
    dx, dy = x - mean_x[place], y - mean_y[place]
    sxx, sxy = np.bincount(place, dx * dx), np.bincount(place, dx * dy)
    good = sxx > 0.1
    if good.sum() < _LEAST:
        return None
    slope = sxy / np.where(good, sxx, 1.0)
    residual = np.where(good[place], dy - slope[place] * dx, 0.0)
    freedom = float(np.maximum(n[good] - 2.0, 0.0).sum())
    square = float((residual**2).sum()) / freedom if freedom >= 1 else noise**2
    return Lines(
        event[good], first, np.exp(mean_y - slope * mean_x)[good], -slope[good],
        square / sxx[good], mean_x[good],
        square / n[good] + mean_x[good] ** 2 * square / sxx[good], math.sqrt(square),
    )  # fmt: skip


def _contradicted(cells: Cells, lines: Lines, both: Population) -> str:
    """Why a power law does not describe the lines; "" if it does."""
    from scipy.special import ndtr

    if both.sigma.value > 0:
        other = float(ndtr(-both.mean.value / both.sigma.value))
    else:
        other = float(both.mean.value < 0)
    if other > _RISING:
        return f"{100 * other:.3g} % of the devices would rise by a power law"
    place = np.searchsorted(lines.event, cells.event)
    place = np.minimum(place, len(lines.event) - 1)
    kept = lines.event[place] == cells.event
    place, cells = place[kept], cells.where(kept)
    x = np.log(cells.time / lines.first)
    left = np.log(cells.g / lines.start[place]) + lines.exponent[place] * x
    square = x * x
    n = np.bincount(place)
    mean_x = np.bincount(place, x) / n
    dx = x - mean_x[place]
    dsq = square - (np.bincount(place, square) / n)[place]
    slope = np.bincount(place, dsq * dx) / np.bincount(place, dx * dx)
    rest = dsq - slope[place] * dx
    weight = float((rest * rest).sum())
    if weight < 1e-6 or lines.rms == 0.0:
        return ""
    bend = float((rest * left).sum()) / weight
    span = float(np.ptp(x))
    certain = abs(bend) > _CERTAIN * lines.rms / math.sqrt(weight)
    if certain and abs(bend) * span / 4.0 > _BENT * abs(both.mean.value):
        return "drift is no power law: its lines are bent"
    return ""


def _by_conductance(lines: Lines, sigma: float, x: Floats) -> tuple[float, float]:
    """Growth of the exponent by the logarithms of conductance (M,), and its standard error.

    A line's error goes into its start and its exponent: its part of both sums is taken out. Both
    numbers are 0 where the conductances are too alike.
    """
    if np.exp(np.ptp(x)) < _RANGE or len(x) < 2 * _LEAST:
        return 0.0, 0.0
    weight = 1.0 / (sigma**2 + lines.variance + 1e-30)
    dx = x - float((weight * x).sum() / weight.sum())
    de = lines.exponent - float((weight * lines.exponent).sum() / weight.sum())
    width = float((weight * (dx**2 - lines.start_variance)).sum())
    if width <= 0:
        return 0.0, 0.0
    a = float((weight * (dx * de - lines.middle * lines.variance)).sum()) / width
    left = de - a * dx
    return a, math.sqrt(float((weight * left**2).sum()) / (len(x) - 2) / width)


def _add_drift(lines: Lines, both: Population, found: Found) -> None:
    x = np.log(lines.start)
    per = float(np.exp(x.mean()))
    x = x - math.log(per)
    drift: dict[str, object] = {"first": lines.first}
    a, error = _by_conductance(lines, both.sigma.value, x)
    if error and abs(a) > _CERTAIN * error:
        both = population(lines.exponent - a * x, lines.variance_beside(a))
        half = student(len(x) - 2) * error
        found.add("drift.mean.slope", Estimate(a, a - half, a + half))
        drift["mean"] = {"logarithm": (a, both.mean.value), "per": per, "low": 0.0}
        found.notes.append(
            f"drift.mean is the exponent of a device programmed to {per:.4g} S, drift.mean.slope "
            "its growth per factor e of conductance"
        )
    else:
        drift["mean"] = {"polynomial": (both.mean.value,)}
        if np.exp(np.ptp(x)) < _RANGE:
            found.unknown.append("drift by conductance: the devices' differ by less than twice")
    found.add("drift.mean", both.mean)
    found.add("drift.sigma", both.sigma)
    drift["sigma"] = {"polynomial": (both.sigma.value,)}
    rest = lines.exponent - a * x
    if len(x) >= 8 and not are_alike(rest):
        statistic, p = normal_p(rest)
        found.goodness.append(
            Goodness(of="drift exponents, normal", test="Anderson-Darling", statistic=statistic,
                     p=p)
        )  # fmt: skip
    found.values["drift"] = drift


def _tabulate(cells: Cells, noise: float, reason: str, found: Found) -> None:
    """Add tables of mean change and spread at the times at which most devices were read."""
    number, times = _same_times(cells.time)
    events = len(np.unique(cells.event))
    counts = np.array([len(np.unique(cells.event[number == k])) for k in range(len(times))])
    kept = np.flatnonzero(counts >= max(_OFTEN * events, _LEAST))
    if len(kept) < 2:
        found.unknown.append(f"{reason}, and too few devices were read at the same times to tell")
        return
    found.notes.append(f"{reason}: the law is a table of their changes by time")
    times = times[kept]
    g = np.full((int(cells.event.max()) + 1, len(times)), np.nan)
    for k, which in enumerate(kept):
        same = cells.where(number == which)
        g[same.event, k] = same.g
    g = g[np.isfinite(g).all(1) & (g[:, 0] > 0)]
    if len(g) < _LEAST:
        found.unknown.append(f"{reason}, and {len(g)} devices were read at all times")
        return
    order = np.argsort(g[:, 0])
    parts = np.array_split(order, max(1, min(_KNOTS, len(g) // 20)))
    at = np.array([g[part, 0].mean() for part in parts])
    shift, grown = np.zeros((len(times), len(parts))), np.zeros((len(times), len(parts)))
    for k in range(1, len(times)):
        for p, part in enumerate(parts):
            change = g[part, k] - g[part, 0]
            shift[k, p] = change.mean()
            own = 2.0 * (noise * at[p]) ** 2
            grown[k, p] = math.sqrt(max(_variance_about_line(g[part, 0], change) - own, 0.0))
        change = (g[:, k] - g[:, 0]) / g[:, 0]
        when = format_time(float(times[k]))
        found.add(f"change after {when}", mean_of(change))
        if change.std() > 0:
            spread = any_deviation_of(change, relative=False, noise=2.0 * noise**2)
            found.add(f"spread of change after {when}", spread)
    found.values["_table"] = {"times": times, "at": at, "shift": shift, "grown": grown}


def _variance_about_line(g: Floats, change: Floats) -> float:
    """Variance of changes (N,) about their line over conductances (N,), N at least 3."""
    x, y = g - g.mean(), change - change.mean()
    square = float((x * x).sum())
    slope = float((x * y).sum()) / square if square > 0 else 0.0
    return float(((y - slope * x) ** 2).sum()) / (len(g) - (2 if square > 0 else 1))


def _same_times(time: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Numbers (C,) of groups of times that are the same but for a tenth, and their medians."""
    order = np.argsort(time, kind="stable")
    ordered = time[order]
    new = ordered[1:] > ordered[:-1] * (1.0 + _JITTER)
    number = np.empty(len(time), dtype=np.int64)
    number[order] = np.concatenate([[0], np.cumsum(new)])
    middle = [float(np.median(time[number == k])) for k in range(int(number.max()) + 1)]
    return number, np.array(middle)
