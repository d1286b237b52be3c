"""Metrics that are built in: of logits by token, or by input.

    perplexity   exp of the mean of -log p(label), natural logarithm
    top-5        share of labels among the 5 largest logits; any number
    agreement    share of places where the largest logit is the digital network's
    kl           mean of KL(digital || analog), nats

The label of a place is the next token, or is given. A mean is over the places that are scored. Its
interval counts inputs, not places, as what stands in one text is not independent: with s the sum
and n the places of an input, and m the mean, the variance of m is that of the ratio of two sums,
I/(I - 1) sum (s - m n)^2 / (sum n)^2 over I inputs (Cochran, Sampling Techniques, 1977, section 6).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.errors import SpecError, shown
from xbar.simulation.metric import Metric, load_metric, metric_name
from xbar.statistics import CONFIDENCE

Logits: TypeAlias = NDArray[np.floating]
Labels: TypeAlias = NDArray[np.int64]
Measure: TypeAlias = Callable[[Logits, Logits, Labels], Floats]
"""(logits (P, C), the digital network's (P, C), labels (P,)) -> a number for each place (P,)."""

_TOP = re.compile(r"top-([1-9]\d*)")


@dataclass(frozen=True)
class TokenMetric:
    """A metric that is the mean of a number for each place.

    Attributes:
        name: name.
        measure: the numbers.
        digital: whether it compares with the digital network, and needs no labels.
        share: whether it is a share, from 0 to 1.
        perfect: its value for the digital network itself, if it compares with that.
        exponential: whether the value is the exponential of the mean.
    """

    name: str
    measure: Measure
    digital: bool = False
    share: bool = False
    perfect: float = 0.0
    exponential: bool = False

    def total(self, sums: Floats, places: Floats) -> tuple[float, tuple[float, float] | None]:
        """Value and its 95 % interval; None for a single input.

        Args:
            sums: sum of the numbers of each input.
            places: their number.
        """
        from scipy.special import stdtrit

        inputs, count = len(sums), float(places.sum())
        mean = float(sums.sum()) / count
        value = self._value(mean)
        if inputs < 2:
            return value, None
        spread = float(((sums - mean * places) ** 2).sum()) * inputs / (inputs - 1)
        half = float(stdtrit(inputs - 1, (1 + CONFIDENCE) / 2)) * spread**0.5 / count
        low, high = self._value(mean - half), self._value(mean + half)
        return value, (max(low, 0.0), min(high, 1.0) if self.share else high)

    def _value(self, mean: float) -> float:
        with np.errstate(over="ignore"):
            return float(np.exp(mean)) if self.exponential else mean


def built_in(name: str) -> TokenMetric | None:
    """The built-in metric of a name; None if there is none.

    >>> built_in("top-5").name, built_in("mytask:score")
    ('top-5', None)
    """
    top = _TOP.fullmatch(name)
    if top is not None:
        return TokenMetric(name, _top(int(top[1])), share=True)
    if name not in METRICS and ":" not in name:
        raise SpecError(
            f"metric must be {', '.join(METRICS)}, top-5 (any number), or module:callable, "
            f"not {name[:60]!r}"
        )
    return METRICS.get(name)


def find_metric(metric: object) -> tuple[Metric | TokenMetric | None, str]:
    """A metric of the caller, and its name in reports; None is accuracy.

    Raises:
        SpecError: it is no function and no name of one.
    """
    if metric is None:
        return None, "accuracy"
    if isinstance(metric, str):
        return built_in(metric) or load_metric(metric), metric
    if not callable(metric):
        raise SpecError(f"metric must be a function or a name, not {shown(metric)}")
    return metric, metric_name(metric)


def log_softmax(logits: Logits) -> Floats:
    """Logarithms of probabilities (P, C), in float64."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return wide


def _surprise(logits: Logits, _: Logits, labels: Labels) -> Floats:
    wide = logits.astype(np.float64)
    peak = wide.max(axis=1)
    given = np.take_along_axis(wide, labels[:, None], 1)[:, 0]
    total: Floats = np.log(np.exp(wide - peak[:, None]).sum(axis=1)) + peak - given
    return total


def _top(most: int) -> Measure:
    def measure(logits: Logits, _: Logits, labels: Labels) -> Floats:
        own = np.take_along_axis(logits, labels[:, None], 1)
        before = np.arange(logits.shape[1]) < labels[:, None]  # of equal ones the first counts
        ahead = (logits > own) | ((logits == own) & before)
        within: Floats = np.less(ahead.sum(axis=1), most).astype(np.float64)
        return within

    return measure


def _agreement(logits: Logits, digital: Logits, _: Labels) -> Floats:
    same: Floats = np.equal(logits.argmax(axis=1), digital.argmax(axis=1)).astype(np.float64)
    return same


def _divergence(logits: Logits, digital: Logits, _: Labels) -> Floats:
    known = log_softmax(digital)
    total: Floats = (np.exp(known) * (known - log_softmax(logits))).sum(axis=1)
    total[total < 0] = 0.0  # of rounding
    return total


METRICS: Mapping[str, TokenMetric] = MappingProxyType(
    {
        each.name: each
        for each in (
            TokenMetric("perplexity", _surprise, exponential=True),
            TokenMetric("agreement", _agreement, digital=True, share=True, perfect=1.0),
            TokenMetric("kl", _divergence, digital=True),
        )
    }
)
"""The metrics with a name of their own; "top-5" and the like are made by ``built_in``."""
