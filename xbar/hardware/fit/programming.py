"""How devices are made or programmed: spread, error by conductance, stuck ones.

Shapes: D devices, M events (a device programmed once). Units: siemens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.errors import SpecError
from xbar.hardware.curve import Curve
from xbar.hardware.fit.distribution import LEAST, Choice, choose, mixture_ends, mixture_rows
from xbar.hardware.fit.groups import Found
from xbar.hardware.fit.statistics import (
    any_deviation_of,
    are_alike,
    chi2_ends,
    deviation_of,
    likeliest,
    likelihood_ends,
    mean_of,
    relative_deviation_of,
)
from xbar.hardware.law_parts import Goodness
from xbar.hardware.quantiles import table_of
from xbar.statistics import Estimate, share_estimate
from xbar.units import format_quantity

OPEN, CLOSED, _DEVIATIONS = 0.02, 10.0, 6.0
"""A device is stuck open below, and closed above so many times the others of its target, or by 6
standard deviations of the logarithm if that is further."""
_FEWEST, _ALIKE = 3, 0.1
"""Targets of a device that tell whether it follows them, and the slope below which it does not."""
_RANGE = 2.0
_HIGHEST = 3
_EXACT = 1e-12
"""Deviation over the largest target that is rounding."""
_EACH, _GROUPS = 8, 16
"""Devices of a target whose own error is told, and how many such targets."""


def stuck_devices(
    device: Ints, target: Floats, g: Floats, limits: tuple[float, float] | None, found: Found
) -> NDArray[np.int64]:
    """-1 for devices (D,) stuck open, +1 stuck closed, else 0; adds their shares.

    Args:
        device: (M,) devices of events.
        target: (M,) their targets; NaN for none.
        g: (M,) their siemens as programmed.
        limits: what counts as open and closed, over the median of the target; None for the default.
        found: what is found.
    """
    count = int(device.max()) + 1
    levels = np.nan_to_num(target, nan=-1.0)
    low, high, factors = _ends(levels, g, limits)
    beyond = np.where(g > high, 1, np.where((g < low) | ((g == 0) & (levels != 0.0)), -1, 0))
    events = np.bincount(device, minlength=count)
    state = np.zeros(count, dtype=np.int64)
    for sign in (-1, 1):
        all_of_it = np.bincount(device, beyond == sign, minlength=count) == np.maximum(events, 1)
        state[all_of_it] = sign
    state = np.where(state == 0, _deaf(device, target, g, count), state)
    known = np.unique(device)
    for name, sign in (("stuck_open", -1), ("stuck_closed", 1)):
        number = int((state[known] == sign).sum())
        found.add(name, share_estimate(number, len(known)))
        found.values[name] = number / len(known)
    if factors:
        least, most = (_span(each) for each in zip(*factors, strict=True))
        found.notes.append(
            f"stuck open: below {least} of the median of its target, stuck closed: above "
            f"{most} times it" + ("" if np.isnan(target).all() else
            f", or not following {_FEWEST} or more targets (slope under {_ALIKE:g})")
        )  # fmt: skip
    return state


def _ends(
    levels: Floats, g: Floats, limits: tuple[float, float] | None
) -> tuple[Floats, Floats, list[tuple[float, float]]]:
    """Siemens (M,) below and above which a device is stuck; of each target these over its median.

    Args:
        levels: (M,) targets; -1 for none.
        g: (M,) siemens as programmed.
        limits: the two over the median; None for the default.
    """
    low, high, factors = np.zeros(len(g)), np.full(len(g), np.inf), []
    for level in np.unique(levels):
        same = levels == level
        alive = g[same & (g > 0)]
        if not len(alive) or level == 0.0:
            continue
        middle = float(np.median(alive))
        sigma = 1.4826 * float(np.median(np.abs(np.log(alive / middle))))
        far = math.exp(_DEVIATIONS * sigma)
        own = limits or (min(OPEN, 1.0 / far), max(CLOSED, far))
        low[same], high[same] = own[0] * middle, own[1] * middle
        factors.append(own)
    return low, high, factors


def _span(factors: Sequence[float]) -> str:
    """The factors of all targets in a few words."""
    low, high = f"{min(factors):.3g}", f"{max(factors):.3g}"
    return low if low == high else f"{low} to {high}, by target,"


def _deaf(device: Ints, target: Floats, g: Floats, count: int) -> Ints:
    """Devices (D,) that do not follow their targets: +1 above the middle of these, -1 below."""
    result = np.zeros(count, dtype=np.int64)
    if not np.isfinite(target).all():
        return result
    t = target
    number = np.maximum(np.bincount(device, minlength=count), 1)
    mean_t, mean_g = (np.bincount(device, each, minlength=count) / number for each in (t, g))
    d = t - mean_t[device]
    square = np.bincount(device, d * d, minlength=count)
    slope = np.bincount(device, d * g, minlength=count) / np.where(square > 0, square, 1.0)
    low, high = np.full(count, np.inf), np.zeros(count)
    np.minimum.at(low, device, t)
    np.maximum.at(high, device, t)
    pairs = np.unique(np.stack([device, t], axis=1), axis=0)[:, 0].astype(np.int64)
    several = np.bincount(pairs, minlength=count) >= _FEWEST
    deaf = several & (high >= _RANGE * low) & (square > 0) & (np.abs(slope) < _ALIKE)
    result[deaf] = np.where(mean_g[deaf] >= mean_t[deaf], 1, -1)
    return result


def fit_spread(g: Floats, noise: float, seed: int, found: Found) -> None:
    """Distribution of devices (M,) that were made alike; adds nominal and spread.

    Args:
        g: (M,) siemens.
        noise: relative variance of each one's error.
        seed: seed of the samples of a test.
        found: what is found.
    """
    if len(g) < 3:
        found.unknown.append(f"spread: {len(g)} devices are too few, 3 are needed")
        if len(g):
            found.values["nominal"] = float(g.mean())
        return
    if are_alike(g):
        found.unknown.append("spread: all devices have the same conductance")
        found.values["nominal"] = float(g.mean())
        return
    if len(g) < LEAST:
        choice = Choice("lognormal")
        found.unknown.append(
            f"distribution: {len(g)} devices can't tell one; lognormal is assumed, from {LEAST} on "
            "it is chosen"
        )
    else:
        choice = choose(g, seed)
        _add_test("spread", choice, found)
    if choice.kind in _PLAIN:
        _add_plain(g, noise, choice, found)
    elif choice.mixture is not None:
        _mixture(g, choice, found)
    else:
        found.add("nominal", mean := mean_of(g), "S")
        found.add("spread.sigma", sigma := any_deviation_of(g))
        spread = {"kind": "table", "sigma": sigma.value, "quantiles": table_of(g)}
        found.values |= {"nominal": mean.value, "spread": spread}
    found.values["within"] = (float(g.min()), float(g.max()))


def _add_plain(g: Floats, noise: float, choice: Choice, found: Found) -> None:
    """Add nominal and spread of a normal or lognormal law.

    Where the data hardly tell the two apart, the intervals take in those of the other one.
    """
    middle, sigma = _PLAIN[choice.kind](g, noise)
    spread = {"kind": choice.kind, "sigma": sigma.value}
    found.values |= {"nominal": middle.value, "spread": spread}
    if choice.rival:
        others = _PLAIN[choice.rival](g, noise)
        middle, sigma = (_with(*pair) for pair in zip((middle, sigma), others, strict=True))
        found.notes.append(
            f"spread: a {choice.rival} law describes the devices almost as well; the intervals of "
            "nominal and spread hold for both"
        )
    found.add("nominal", middle, "S")
    found.add("spread.sigma", sigma)


def _with(one: Estimate, other: Estimate) -> Estimate:
    """An estimate whose interval takes in another's."""
    return Estimate(one.value, min(one.low, other.low), max(one.high, other.high))


def _normal(g: Floats, noise: float) -> tuple[Estimate, Estimate]:
    """Mean and relative standard deviation of devices (M,)."""
    return mean_of(g), relative_deviation_of(g, noise)


def _lognormal(g: Floats, noise: float) -> tuple[Estimate, Estimate]:
    """Median of devices (M,), and standard deviation of their logarithm."""
    logs = np.log(g)
    middle = mean_of(logs)
    ends = (math.exp(each) for each in (middle.value, middle.low, middle.high))
    return Estimate(*ends), deviation_of(logs, noise)


_PLAIN = {"normal": _normal, "lognormal": _lognormal}


def _add_test(of: str, choice: Choice, found: Found) -> None:
    kind = choice.rejected or choice.kind
    found.goodness.append(
        Goodness(of=f"{of}, {kind}", test=choice.test, statistic=choice.statistic, p=choice.p)
    )
    if choice.rejected:
        found.notes.append(
            f"{of}: the data contradict the {kind} law (p = {choice.p:.2g}); the law draws from "
            "their own quantiles"
        )


def _mixture(g: Floats, choice: Choice, found: Found) -> None:
    mixture, log = choice.mixture, choice.logarithmic
    assert mixture is not None  # whoever calls has one
    rows, mean, sigma = mixture_rows(mixture, logarithmic=log)
    low, high = mixture_ends(np.log(g) if log else g, mixture, relative=not log)
    found.add("spread.share", Estimate(float(mixture.share[0]), float(low[0]), float(high[0])))
    for part in (0, 1):
        centre, width = float(mixture.centre[part]), float(mixture.sigma[part])
        middle = [centre, float(low[1 + part]), float(high[1 + part])]
        if log:
            middle = [math.exp(min(each, 700.0)) for each in middle]
        own = width if log else width / centre
        found.add(f"spread.centre{part + 1}", Estimate(*middle), "S")
        found.add(
            f"spread.sigma{part + 1}", Estimate(own, float(low[3 + part]), float(high[3 + part]))
        )
    parts = [
        (float(a), float((math.exp(b) if choice.logarithmic else b) / mean),
         float(c if choice.logarithmic else c / mean))
        for a, b, c in zip(mixture.share, mixture.centre, mixture.sigma, strict=True)
    ]  # fmt: skip
    found.values |= {
        "nominal": mean,
        "spread": {
            "kind": "mixture", "sigma": sigma / mean, "parts": parts,
            "logarithmic": choice.logarithmic, "quantiles": rows,
        },
    }  # fmt: skip


def fit_error(target: Floats, g: Floats, noise: float, seed: int, found: Found) -> None:
    """Error of devices (M,) programmed to several targets (M,); adds its curve and shape."""
    levels, place, counts = np.unique(target, return_inverse=True, return_counts=True)
    if len(g) < LEAST:
        found.unknown.append(f"error: {len(g)} programmed devices are too few, {LEAST} are needed")
        return
    grouped = len(levels) <= _GROUPS and counts.min() >= _EACH
    deviation = g - target
    lost = 2.0
    if grouped:
        bias = np.bincount(place, deviation) / counts
        left, lost = deviation - bias[place], float(len(levels))
        _add_levels(levels, place, counts, deviation, noise, found)
    else:
        slope, start = np.polyfit(target, deviation, 1)
        left = deviation - start - slope * target
    add_bias(target, deviation, found)
    left = left * math.sqrt(len(g) / (len(g) - lost))
    curve = _error_curve(target, left, noise * g * g, found)
    if curve is None:
        return
    found.values["error"] = curve.model_dump(exclude_defaults=True)
    found.values["within"] = (float(target.min()), float(target.max()))
    sigma = np.sqrt(np.maximum(curve.of(target) ** 2 + noise * g * g, 1e-300))
    z = left / sigma
    choice = choose(z, seed, positive=False)
    _add_test("error", choice, found)
    spread: dict[str, Any] = {"kind": "normal"}
    if choice.mixture is not None:
        rows, mean, width = mixture_rows(choice.mixture, logarithmic=False)
        parts = [
            (float(a), float((b - mean) / width), float(c / width))
            for a, b, c in zip(
                choice.mixture.share, choice.mixture.centre, choice.mixture.sigma, strict=True
            )
        ]
        spread = {"kind": "mixture", "parts": parts, "quantiles": rows}
    elif choice.kind == "table":
        spread = {"kind": "table", "quantiles": table_of(z)}
    found.values["spread"] = spread


def _add_levels(
    levels: Floats, place: Ints, counts: Ints, deviation: Floats, noise: float, found: Found
) -> None:
    """Add the error at each target, with the exact interval of a normal law."""
    for k, level in enumerate(levels):
        own = deviation[place == k]
        low, high = chi2_ends(counts[k] - 1)
        total = float(own.var(ddof=1))
        squares = (total, total * (counts[k] - 1) / high, total * (counts[k] - 1) / low)
        known = noise * float(level) ** 2
        ends = (math.sqrt(max(each - known, 0.0)) for each in squares)
        found.add(f"error at {format_quantity(float(level), 'S')}", Estimate(*ends), "S")


def add_bias(target: Floats, deviation: Floats, found: Found, *, kept: bool = False) -> None:
    """Add the mean deviation of devices (M,) from targets (M,), relative.

    Args:
        target: (M,) siemens.
        deviation: (M,) siemens.
        found: what is found.
        kept: whether the law's nominal has it; else its error leaves it out.
    """
    some = target > 0
    if some.sum() < LEAST:
        return
    bias = mean_of(deviation[some] / target[some])
    found.add("bias", bias)
    if not kept and (bias.low > 0 or bias.high < 0):
        found.notes.append(
            f"devices are {100 * bias.value:+.3g} % off their targets in the mean, which the law "
            "leaves out: correct the targets by it"
        )


def _error_curve(target: Floats, left: Floats, variance: Floats, found: Found) -> Curve | None:
    """The polynomial of least BIC, up to the third, of the standard deviation by target."""
    per, scale = float(target.max()), float(left.std())
    if not scale > _EXACT * per:
        found.unknown.append("error: every device has its target exactly")
        return None
    x, z2, v = target / per, (left / scale) ** 2, variance / scale**2
    most = min(_HIGHEST, len(np.unique(target)) - 1)
    losses = [_error_loss(x, z2, v, degree) for degree in range(most + 1)]
    fits: list[tuple[Floats, float]] = []
    for degree, loss in enumerate(losses):
        start = np.zeros(degree + 1)
        start[0] = 1.0
        if fits:
            start[: len(fits[-1][0])] = fits[-1][0]
        fits.append(likeliest(loss, start))
    best = int(np.argmin([2.0 * least + len(at) * math.log(len(x)) for at, least in fits]))
    at = fits[best][0]
    ends = likelihood_ends(losses[best], at, len(x) - len(at))
    unit = float(f"{scale:.3e}")
    factor = scale / unit
    for power, each in enumerate(zip(at * scale, *(end * scale for end in ends), strict=True)):
        found.add(f"error.c{power}", Estimate(*map(float, each)), "S")
    found.notes.append(f"error is c0 + c1 x + ... with x = target over {format_quantity(per, 'S')}")
    try:
        return Curve(polynomial=tuple((at * factor).tolist()), per=per, low=0.0, scale=unit)
    except SpecError:
        return None


def _error_loss(x: Floats, z2: Floats, v: Floats, degree: int) -> Callable[[Floats], float]:
    """Negative logarithm of likelihood of a polynomial of the standard deviation.

    Args:
        x: (M,) targets.
        z2: (M,) squares of the deviations.
        v: (M,) known variances beside the polynomial's square.
        degree: of the polynomial.
    """
    powers = x[:, None] ** np.arange(degree + 1)

    def loss(at: Floats) -> float:
        sigma = powers @ at
        bad = np.minimum(sigma - 1e-3, 0.0)
        square = np.maximum(sigma, 1e-3) ** 2 + v
        found_loss = 0.5 * (np.log(square) + z2 / square)
        return float(found_loss.sum() + 1e4 * (bad * bad).sum())

    return loss
