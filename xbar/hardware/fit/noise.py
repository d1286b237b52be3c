"""Read noise from repeated reads: relative, absolute or a power of the conductance; 1/f or white.

The variance of n reads is their true one times chi-square over n - 1. The true one is (g q x^p)²
with x the programmed conductance over ``per``, times ln((t + t_r) / (2 t_r)) for noise that grows
as that of ``Flicker``. Of p = 0, p = -1 (the same siemens everywhere) and any p, each with and
without growth, the one of least BIC.

Shapes: C cells of repeated reads. Units: siemens, seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xbar.arrays import Floats
from xbar.hardware.fit.groups import Cells, Found
from xbar.hardware.fit.statistics import chi2_ends, likeliest, likelihood_ends
from xbar.statistics import Estimate

_LEAST = 10
"""Degrees of freedom below which noise is not fitted."""
_ROUNDING = 1e-12
"""Relative deviation of repeated readings that are the same."""
_SPAN = 2.0
"""Range of conductances from which on noise is told by conductance."""
_DECADE = 10.0
_STRONG = 6.0
"""What the BIC of absolute noise must gain over that of relative noise, of as many parameters."""
_FASTEST, _SLOWEST = math.log(1e-12), 0.5
"""Logarithm of the shortest read, and largest share of the first time that a read may take."""


def fit_noise(cells: Cells, programmed: Floats, found: Found) -> float:
    """Read noise of cells of repeated reads; adds it, and returns it relative, root mean square.

    Args:
        cells: cells at the reference temperature.
        programmed: (E,) siemens of events when programmed.
        found: what is found.
    """
    some = cells.where((cells.count > 1) & (cells.g > 0))
    freedom = (some.count - 1).astype(np.float64)
    total = int(freedom.sum())
    if total < _LEAST:
        found.unknown.append(
            "read noise: there are no repeated readings of a device at one time and temperature"
            if not total
            else f"read noise: {total} repeated readings are too few, {_LEAST} are needed"
        )
        return 0.0
    relative = some.variance / some.g**2
    mean = float((relative * freedom).sum() / total)
    if not mean > _ROUNDING**2:
        found.unknown.append("read noise: all repeated readings are the same")
        return 0.0
    x = programmed[some.event]
    per = float(np.exp(np.log(x).mean()))
    kinds: list[tuple[str, ...]] = [()]
    if x.max() >= _SPAN * x.min():
        kinds += [("absolute",), ("power",)]
    else:
        found.unknown.append("read noise by conductance: the devices' differ by less than twice")
    times = some.time[np.isfinite(some.time) & (some.time > 0)]
    grows = len(times) == len(some.g) and times.max() >= _DECADE * times.min()
    if grows:
        kinds += [(*kind, "growing") for kind in kinds]
    else:
        found.unknown.append("1/f noise that grows: repeated readings at times a decade apart")
    fits = [_fit(kind, relative, freedom, np.log(x / per), some.time) for kind in kinds]
    bic = [
        2 * fit.loss + len(fit.at) * math.log(total) + _STRONG * ("absolute" in kind)
        for kind, fit in zip(kinds, fits, strict=True)
    ]
    best = int(np.argmin(bic))
    _add(kinds[best], fits[best], per, found)
    return math.sqrt(mean)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A kind of noise that was fitted.

    Attributes:
        at: (P,) ln q, p where it is free, ln t_r where noise grows.
        loss: negative logarithm of its likelihood.
        ends: gives the ends (2, P) of their intervals.
    """

    at: Floats
    loss: float
    ends: Callable[[], Floats]


def _plain(absolute: bool, relative: Floats, freedom: Floats, x: Floats) -> _Fit:
    """Noise that is the same everywhere, relative or absolute, with its exact interval."""
    total = float(freedom.sum())
    shift = 2.0 * x if absolute else np.zeros(1)
    scaled = relative * np.exp(shift)
    square = float((scaled * freedom).sum()) / total
    least = 0.5 * float((freedom * (math.log(square) + scaled / square - shift)).sum())
    at, (low, high) = 0.5 * math.log(square), chi2_ends(total)
    ends = at + 0.5 * np.log(total / np.array([[high], [low]]))
    return _Fit(np.array([at]), least, lambda: ends)


def _fit(kind: tuple[str, ...], relative: Floats, freedom: Floats, x: Floats, time: Floats) -> _Fit:
    """The likeliest noise of a kind; x is the logarithm of conductance over ``per``."""
    total = float(freedom.sum())
    if kind in ((), ("absolute",)):
        return _plain(bool(kind), relative, freedom, x)
    growing, free = "growing" in kind, "power" in kind
    slowest = math.log(_SLOWEST * float(time.min())) if growing else 0.0

    def loss(at: Floats) -> float:
        power = at[1] if free else (-1.0 if "absolute" in kind else 0.0)
        log_variance = 2.0 * at[0] + 2.0 * power * x
        penalty = 0.0
        if growing:
            reading = min(max(at[-1] * _DECADE, _FASTEST), slowest)
            penalty = (at[-1] * _DECADE - reading) ** 2
            growth = np.log(time / (2.0 * math.exp(reading)) + 0.5)
            log_variance = log_variance + np.log(np.maximum(growth, 1e-9))
        ratio = np.exp(np.minimum(np.log(relative + 1e-300) - log_variance, 50.0))
        return 0.5 * float((freedom * (log_variance + ratio)).sum()) + penalty

    start = [0.5 * math.log(float((relative * freedom).sum()) / total)]
    start += [0.0] * free
    if growing:
        start[0] -= 0.5 * math.log(15.0)
        start += [(math.log(float(np.median(time))) - 15.0) / _DECADE]
    found, least = likeliest(loss, np.array(start))
    scale = np.ones(len(found))
    scale[-1] = _DECADE if growing else 1.0
    return _Fit(found * scale, least, lambda: scale * np.array(likelihood_ends(loss, found, total)))


def _add(kind: tuple[str, ...], fit: _Fit, per: float, found: Found) -> None:
    at, ends = fit.at, fit.ends()

    def of(place: int, scale: float = 1.0) -> Estimate:
        each = at[place], *ends[:, place]
        return Estimate(*(scale * math.exp(min(one, 700.0)) for one in each))

    value: dict[str, Any] = {}
    if "absolute" in kind:
        found.add("noise.absolute", of(0, per), "S")
        value["absolute"] = {"polynomial": (of(0, per).value,)}
    elif "power" in kind:
        found.add("noise.relative", of(0))
        found.add("noise.power", Estimate(*map(float, (at[1], *ends[:, 1]))))
        found.notes.append(f"noise.relative is that of a device programmed to {per:.4g} S")
        value["relative"] = {"power": (of(0).value, float(at[1])), "per": per}
    else:
        found.add("noise.relative", of(0))
        value["relative"] = {"polynomial": (of(0).value,)}
    if "growing" in kind:
        found.add("noise.reading", of(len(at) - 1), "s")
        value["reading"] = of(len(at) - 1).value
    found.values["noise"] = value
