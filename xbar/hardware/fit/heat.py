"""Temperature coefficients of resistance: mean, spread and bend.

R(T) / R(T0) = 1 + a D + bend D² with D = T - T0, fitted for each device by least squares; the
population of a and its spread between devices from what the devices' own errors leave.

Shapes: E events. Units: kelvin, per kelvin.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats, Ints
from xbar.hardware.fit.groups import Cells, Found
from xbar.hardware.fit.statistics import are_alike, normal_p, population, student
from xbar.hardware.law_parts import Goodness
from xbar.statistics import Estimate
from xbar.units import format_temperature

_LEAST = 3
_SPAN = 10.0
"""Kelvin between the lowest and highest temperature that tell a coefficient."""
_CERTAIN = 0.01


def fit_heat(cells: Cells, reference: float | None, noise: float, found: Found) -> None:
    """Temperature coefficients of cells at several temperatures; adds them.

    Args:
        cells: all cells.
        reference: temperature at which the law's figures hold; None if none is given.
        noise: relative read noise; 0 if it is not known.
        found: what is found.
    """
    if reference is None:
        found.unknown.append("temperature coefficient: there is no column temperature")
        return
    some = _at_one_time(cells.where(np.isfinite(cells.kelvin) & (cells.g > 0)))
    if not len(some.g) or np.ptp(some.kelvin) < _SPAN:
        found.unknown.append(
            f"temperature coefficient: there is one temperature, {format_temperature(reference)}"
        )
        return
    event, place = np.unique(some.event, return_inverse=True)
    low, high = np.full(len(event), np.inf), np.full(len(event), -np.inf)
    np.minimum.at(low, place, some.kelvin)
    np.maximum.at(high, place, some.kelvin)
    count = np.bincount(place)
    good = (high - low >= _SPAN) & (count >= 2)
    if good.sum() < _LEAST:
        found.unknown.append(
            f"temperature coefficient: {int(good.sum())} devices at two temperatures are too few, "
            f"{_LEAST} are needed"
        )
        return
    kept = good[place]
    some, place = some.where(kept), (np.cumsum(good) - 1)[place[kept]]
    distance, resistance = some.kelvin - reference, 1.0 / some.g
    bend = None
    if count[good].min() >= 3 and _temperatures(some) >= 3:
        bend = _bend(*_coefficients(place, distance, resistance, 3, noise, some.count)[1::2])
    order = 2 if bend is None else 3
    slope, _, variance, _ = _coefficients(place, distance, resistance, order, noise, some.count)
    both = population(slope, variance)
    found.add("temperature.resistors", both.mean, "1/K")
    found.add("temperature.resistors_sigma", both.sigma, "1/K")
    if bend is not None:
        found.add("temperature.bend", bend, "1/K²")
    if len(slope) >= 8 and not are_alike(slope):
        statistic, p = normal_p(slope)
        found.goodness.append(
            Goodness(of="temperature coefficients, normal", test="Anderson-Darling",
                     statistic=statistic, p=p)
        )  # fmt: skip
    found.values["temperature"] = {
        "reference": reference,
        "least": float(min(some.kelvin.min(), reference)),
        "most": float(max(some.kelvin.max(), reference)),
        "resistors": both.mean.value,
        "resistors_sigma": both.sigma.value,
        "bend": 0.0 if bend is None else bend.value,
    }


def _bend(each: Floats, variance: Floats) -> Estimate | None:
    """Mean bend of devices (E,) with variances (E,) of their errors; None if it may be 0."""
    found, freedom = population(each, variance).mean, len(each) - 1
    # Student's quantile at 99 % over that at 95 %
    wider = _quantile(freedom, _CERTAIN) / student(freedom)
    return found if abs(found.value) > (found.high - found.value) * wider else None


def _quantile(freedom: float, beyond: float) -> float:
    from scipy.stats import t

    return float(t.ppf(1.0 - beyond / 2.0, freedom))


def _temperatures(cells: Cells) -> int:
    return len(np.unique(np.round(cells.kelvin)))


def _at_one_time(cells: Cells) -> Cells:
    """The cells of each event at the time at which it has most temperatures, the first of such."""
    time = np.nan_to_num(cells.time, nan=-1.0)
    keys, group, size = np.unique(
        np.stack([cells.event, time], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    order = np.lexsort((keys[:, 1], -size, keys[:, 0]))
    _, first = np.unique(keys[order, 0], return_index=True)
    chosen = np.zeros(len(keys), dtype=bool)
    chosen[order[first]] = True
    return cells.where(chosen[group.reshape(-1)])


def _coefficients(
    place: Ints, distance: Floats, resistance: Floats, order: int, noise: float, reads: Ints
) -> tuple[Floats, Floats, Floats, Floats]:
    """Coefficients a and bend (E,) of events, and variances (E,) of their errors."""
    events = int(place.max()) + 1
    mean = np.bincount(place, resistance) / np.bincount(place)
    y = resistance / mean[place]
    scale = float(np.abs(distance).max())
    powers = np.stack([(distance / scale) ** k for k in range(order)])
    moments = np.array([[np.bincount(place, a * b) for b in powers] for a in powers])
    right = np.array([np.bincount(place, a * y) for a in powers])
    inverse = np.linalg.pinv(np.moveaxis(moments, -1, 0))
    c = np.einsum("eij,je->ei", inverse, right)
    residual = y - (c[place].T * powers).sum(0)
    freedom = len(y) - order * events
    square = noise**2 / float(reads.mean())
    if freedom >= 1:
        square = float((residual**2).sum()) / freedom
    first = c[:, 0]
    found = []
    for k in (1, min(2, order - 1)):
        ratio = c[:, k] / first
        spread = (
            inverse[:, k, k] - 2 * ratio * inverse[:, 0, k] + ratio**2 * inverse[:, 0, 0]
        ) / first**2
        found.append((ratio / scale**k, square * spread / scale ** (2 * k)))
    (slope, variance), (bend, bend_variance) = found
    return slope, bend, variance, bend_variance
