"""Estimates with intervals that hold in at least 95 %, and tests, for numbers of devices.

Shapes: N devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.statistics import Estimate

_TAIL = 0.01
"""Probability beyond each end of an interval, which is told as one of 95 %. The other 1.5 % are for
what the formulas leave out: that the data chose the law that is fitted, that another part of it was
taken out of them first, and that curvatures are exact for many devices only."""
_TURNS = 3
_FARTHEST = 4.0
"""Ends of an interval of likelihood in those by curvature; what is farther is not bounded."""
_ROUNDING = 1e-12


def chi2_ends(freedom: float) -> tuple[float, float]:
    """The quantiles of chi-square that leave 1 % beyond each."""
    from scipy.stats import chi2

    return float(chi2.ppf(_TAIL, freedom)), float(chi2.ppf(1.0 - _TAIL, freedom))


def student(freedom: float) -> float:
    """Student's t that leaves 1 % beyond each end."""
    from scipy.stats import t

    return float(t.ppf(1.0 - _TAIL, max(freedom, 1.0)))


def mean_of(x: Floats) -> Estimate:
    """Mean of normal numbers (N,) with Student's interval."""
    half = student(len(x) - 1) * float(x.std(ddof=1)) / math.sqrt(len(x))
    mean = float(x.mean())
    return Estimate(mean, mean - half, mean + half)


def deviation_of(x: Floats, noise: float = 0.0) -> Estimate:
    """Standard deviation of normal numbers (N,), without a known variance of their noise."""
    total = float(x.var(ddof=1))
    low, high = chi2_ends(len(x) - 1)
    squares = (total, total * (len(x) - 1) / high, total * (len(x) - 1) / low)
    return Estimate(*(math.sqrt(max(each - noise, 0.0)) for each in squares))


def relative_deviation_of(x: Floats, noise: float = 0.0) -> Estimate:
    """Standard deviation over mean of normal numbers (N,): Vangel, Am. Stat. 50, 21 (1996).

    Args:
        x: (N,) numbers.
        noise: known relative variance of their noise, which is taken out.
    """
    count, ratio = len(x), float(x.std(ddof=1) / x.mean())
    found = [ratio * ratio]
    for end in reversed(chi2_ends(count - 1)):
        under = ((end + 2.0) / count - 1.0) * ratio * ratio + end / (count - 1)
        found.append(ratio * ratio / under if under > 0 else math.inf)
    return Estimate(*(math.sqrt(max(each - noise, 0.0)) for each in found))


def any_deviation_of(x: Floats, *, relative: bool = True, noise: float = 0.0) -> Estimate:
    """Standard deviation of numbers (N,) of any law, by their third and fourth moments.

    The interval is that of its logarithm, by the delta method.

    Args:
        x: (N,) numbers.
        relative: whether to divide by their mean.
        noise: known variance of their noise, which is taken out.
    """
    count, sigma, mean = len(x), float(x.std(ddof=1)), float(x.mean())
    z = (x - mean) / sigma
    excess, skew = max(float((z**4).mean()) - 1.0, 0.0), float((z**3).mean())
    variance = excess / 4.0
    if relative:
        ratio = sigma / mean
        variance += ratio * ratio - ratio * skew
    half = math.exp(student(count - 1) * math.sqrt(max(variance, 0.0) / count))
    scale = mean if relative else 1.0
    ends = (sigma, sigma / half, sigma * half)
    return Estimate(*(math.sqrt(max(end * end - noise, 0.0)) / scale for end in ends))


@dataclass(frozen=True)
class Population:
    """Mean and standard deviation of devices that are known with errors."""

    mean: Estimate
    sigma: Estimate


def population(x: Floats, variance: Floats) -> Population:
    """Normal devices (N,) that were each measured with a known variance (N,) of error.

    The standard deviation between devices is where the weighted sum of squares has its expected
    value (Paule and Mandel, J. Res. NBS 87, 377, 1982), its interval where the sum has the
    quantiles of chi-square (Viechtbauer, Stat. Med. 26, 37, 2007); the mean's is that of Hartung
    and Knapp (Stat. Med. 20, 1771, 2001).
    """
    freedom = len(x) - 1
    low, high = chi2_ends(freedom)
    # devices that are known exactly, and all alike, have a weight too
    variance = np.maximum(variance, 1e-12 * max(float(x.var()), 1e-280))

    def root(target: float) -> float:
        return math.sqrt(_variance_at(x, variance, target))

    sigma = Estimate(root(float(freedom)), root(high), root(low))
    weight = 1.0 / (sigma.value**2 + variance)
    mean = float((weight * x).sum() / weight.sum())
    error = math.sqrt(float((weight * (x - mean) ** 2).sum()) / (freedom * float(weight.sum())))
    half = student(freedom) * error
    return Population(Estimate(mean, mean - half, mean + half), sigma)


def _variance_at(x: Floats, variance: Floats, target: float) -> float:
    """Variance between devices at which the weighted sum of squares is a target; 0 if below it.

    Those of the errors are above 0.
    """
    from scipy.optimize import brentq

    def excess(tau2: float) -> float:
        weight = 1.0 / (tau2 + variance)
        mean = (weight * x).sum() / weight.sum()
        return float((weight * (x - mean) ** 2).sum()) - target

    if excess(0.0) <= 0:
        return 0.0
    top = max(float(x.var()), float(variance.min()))
    while excess(top) > 0:
        top *= 4.0
    return float(brentq(excess, 0.0, top, xtol=1e-9 * top))


def likeliest(loss: Callable[[Floats], float], start: Floats) -> tuple[Floats, float]:
    """The parameters (P,) of the least negative logarithm of likelihood, and that.

    Args:
        loss: negative logarithm of the likelihood.
        start: (P,) where the search starts; parameters of a size of about 1.
    """
    from scipy.optimize import minimize

    rough = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 400, "xatol": 1e-4})
    best = minimize(loss, rough.x, method="BFGS", options={"gtol": 1e-6})
    at = best.x if best.fun <= rough.fun else rough.x
    return at, float(loss(at))


def likelihood_ends(
    loss: Callable[[Floats], float], at: Floats, freedom: float
) -> tuple[Floats, Floats]:
    """(P,) lower and upper ends of the intervals of the likeliest parameters (P,) of ``likeliest``.

    An end is where twice the loss has grown by Student's t squared while the other parameters are
    the likeliest there (profile likelihood; Venzon and Moolgavkar, Appl. Stat. 37, 87, 1988). They
    follow a parabola, which is the likeliest near the middle, and by Newton's method at the end.

    Args:
        loss: negative logarithm of the likelihood.
        at: (P,) where it is least.
        freedom: degrees of freedom of Student's t.
    """
    with np.errstate(all="ignore"):
        covariance: Floats = np.linalg.pinv(_curvature(loss, at)).astype(np.float64)
    ends = np.empty((2, len(at)))
    for k, variance in enumerate(np.diag(covariance)):
        for side, sign in enumerate((-1.0, 1.0)):
            if not variance > 0:
                ends[side, k] = sign * math.inf
                continue
            line = covariance[:, k] * (sign / math.sqrt(variance))
            ends[side, k] = _end(loss, at, line, k, student(freedom))
    return ends[0], ends[1]


def _end(loss: Callable[[Floats], float], at: Floats, line: Floats, k: int, t: float) -> float:
    """The end of the interval of parameter k, on a side that a line (P,) leads to."""
    others = np.arange(len(at)) != k
    bend, s = np.zeros(len(at)), _reach(loss, at, line, np.zeros(len(at)), t)
    for _ in range(_TURNS if others.any() else 0):
        if not math.isfinite(s):
            break
        point = at + s * line + s * s * bend

        def beside(rest: Floats, point: Floats = point) -> float:
            moved = point.copy()
            moved[others] += rest
            return loss(moved)

        zero = np.zeros(int(others.sum()))
        step = np.zeros(len(at))
        with np.errstate(all="ignore"):
            step[others] = -np.linalg.pinv(_curvature(beside, zero)) @ _slope(beside, zero)
        if not loss(point + step) < loss(point):
            break
        bend = bend + step / (s * s)
        s = _reach(loss, at, line, bend, t)
    return float(at[k] + s * line[k])


def _reach(
    loss: Callable[[Floats], float], at: Floats, line: Floats, bend: Floats, t: float
) -> float:
    """How far along a parabola (P,) twice the loss grows by t squared; infinite if too far."""
    from scipy.optimize import brentq

    least = loss(at)

    def missing(s: float) -> float:
        return 2.0 * (loss(at + s * line + s * s * bend) - least) - t * t

    far = t
    while not missing(far) > 0.0:
        far *= 1.25
        if far > _FARTHEST * t:
            return math.inf
    return float(brentq(missing, 0.0, far, xtol=1e-4 * t))


def _slope(loss: Callable[[Floats], float], at: Floats) -> Floats:
    """First derivatives (P,) of a function at a point (P,), by central differences."""
    unit = np.eye(len(at)) * 1e-3
    return np.array([(loss(at + each) - loss(at - each)) / 2e-3 for each in unit])


def _curvature(loss: Callable[[Floats], float], at: Floats) -> Floats:
    """Second derivatives (P, P) of a function at a point (P,), by central differences."""
    count, step = len(at), 1e-3
    result, unit = np.empty((count, count)), np.eye(count) * step
    middle = loss(at)
    for i in range(count):
        result[i, i] = (loss(at + unit[i]) - 2.0 * middle + loss(at - unit[i])) / step**2
        for j in range(i):
            corners = [
                sign * loss(at + a * unit[i] + b * unit[j])
                for a, b, sign in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
            ]
            result[i, j] = result[j, i] = sum(corners) / (4.0 * step**2)
    return result


def are_alike(x: Floats) -> bool:
    """Whether numbers (N,) are the same but for rounding: there is no distribution to tell."""
    return bool(x.std() <= _ROUNDING * np.abs(x).max())


def normal_p(x: Floats) -> tuple[float, float]:
    """Anderson and Darling's A² of numbers (N,) against a normal law of their own moments, and p.

    p by D'Agostino and Stephens, Goodness-of-Fit Techniques (1986), table 4.9, for laws whose mean
    and standard deviation are estimated. The numbers must not be all alike.
    """
    from scipy.special import log_ndtr

    z = np.sort((x - x.mean()) / x.std(ddof=1))
    count = len(z)
    odd = 2.0 * np.arange(1, count + 1) - 1.0
    square = -count - float((odd * (log_ndtr(z) + log_ndtr(-z[::-1]))).sum()) / count
    a = square * (1.0 + 0.75 / count + 2.25 / count**2)
    if a >= 0.6:
        p = math.exp(1.2937 - 5.709 * a + 0.0186 * a * a) if a < 13.0 else 0.0
    elif a > 0.34:
        p = math.exp(0.9177 - 4.279 * a - 1.38 * a * a)
    elif a > 0.2:
        p = 1.0 - math.exp(-8.318 + 42.796 * a - 59.938 * a * a)
    else:
        p = 1.0 - math.exp(-13.436 + 101.14 * a - 223.73 * a * a)
    return square, min(max(p, 0.0), 1.0)
