"""Confidence intervals: exact ones of shares and quantiles, Wilson's and Student's of trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SpecError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its two-sided interval.

    Attributes:
        value: estimate.
        low: lower end; -inf with too few samples for a bound.
        high: upper end; inf with too few samples for a bound.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """The fields as a dictionary for ``json``; an infinite end is None."""
        return {
            "value": finite_or_none(self.value),
            "low": finite_or_none(self.low),
            "high": finite_or_none(self.high),
        }


def finite_or_none(number: float) -> float | None:
    """The number, or None if infinite, which JSON lacks."""
    return number if math.isfinite(number) else None


def _interpolated(values: NDArray[np.float64], share: float) -> float:
    """As numpy.quantile, which refuses infinities."""
    place = share * (len(values) - 1)
    below = math.floor(place)
    a, b = float(values[below]), float(values[min(below + 1, len(values) - 1)])
    if a == b or place == below or not (math.isfinite(a) and math.isfinite(b)):
        return a
    return a + (b - a) * (place - below)


def share_estimate(successes: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """The share of successes with its exact interval (Clopper and Pearson, Biometrika 26, 1934).

    >>> e = share_estimate(0, 100)
    >>> e.value, e.low, round(e.high, 4)
    (0.0, 0.0, 0.0362)
    """
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    failures = trials - successes
    low = float(beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, failures)) if failures else 1.0
    return Estimate(successes / trials, low, high)


def quantile_estimate(
    values: NDArray[np.float64], share: float, confidence: float = CONFIDENCE
) -> Estimate:
    """A quantile with the order statistics that enclose it.

    The number of samples below the true quantile is binomial, so the interval between two order
    statistics covers it with at least the given confidence, for any law.

    Args:
        values: samples (S,) in ascending order.
        share: order of the quantile, from 0 to 1: 0.5 is the median. 0 and 1 are the extremes of
            these samples, without an interval.
        confidence: confidence of the interval.

    Raises:
        SpecError: the share is not from 0 to 1, or there are no samples.

    >>> quantile_estimate(np.arange(1.0, 101.0), 0.5)
    Estimate(value=50.5, low=40.0, high=61.0)
    """
    from scipy.stats import binom

    count = len(values)
    if not (0 <= share <= 1) or count == 0:
        raise SpecError(
            f"a quantile needs a share from 0 to 1 and at least one sample, not {share} of {count}"
        )
    value = _interpolated(values, share)
    if share in (0.0, 1.0):
        return Estimate(value, -math.inf, math.inf)
    tail = (1 - confidence) / 2
    # P(fewer than `below` samples lie below the quantile) <= tail
    below = int(binom.ppf(tail, count, share))
    above = int(binom.ppf(1 - tail, count, share)) + 1
    low = float(values[below - 1]) if below >= 1 else -math.inf
    high = float(values[above - 1]) if above <= count else math.inf
    return Estimate(value, low, high)


def wilson_interval(right: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927).

    >>> [round(end, 4) for end in wilson_interval(9, 10)]
    [0.5958, 0.9821]
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + CONFIDENCE) / 2))
    share = right / count
    centre = share + z * z / (2 * count)
    half = z * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    total = 1 + z * z / count
    return max(0.0, (centre - half) / total), min(1.0, (centre + half) / total)


def mean_interval(values: Sequence[float], *, share: bool = True) -> tuple[float, float]:
    """The 95 % Student interval of the mean of a few trials; a share's is clipped to 0 ... 1."""
    from scipy.special import stdtrit

    n = len(values)
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * float(np.std(values, ddof=1)) / n**0.5
    mean = float(np.mean(values))
    if not share:
        return mean - half, mean + half
    return max(0.0, mean - half), min(1.0, mean + half)
