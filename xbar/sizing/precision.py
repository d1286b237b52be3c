"""Bits of precision of a bank, by Monte Carlo with exact optima and confidence intervals.

There are two distinct figures. The span is the distance between a bank's lowest and highest sum
(the total, for positive elements), and a window is two fractions of it.

- "per target": one random target in the window per bank; bits = -log2(error / span). Its yield is
  the fraction of weights that are accurate.
- "any target": the worst target in the window of each bank, exactly, from the sorted list of all
  2^K sums; bits = log2(span / (2 error)). Its yield is the fraction of banks that can realise any
  weight with an error of half a least significant bit.

The first figure is one bit higher than the second for the same error.

Shapes: S sampled banks of K elements.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.sizing.laws import Law, draw_banks, draw_shares, law_of
from xbar.statistics import Estimate, finite_or_none, quantile_estimate, share_estimate
from xbar.subset.solver import solve_subset

Figure: TypeAlias = Literal["per target", "any target"]
Window: TypeAlias = tuple[float, float]

MOST = {"per target": 32, "any target": 22}
"""Largest bank for which each figure can be computed."""
MIDDLE: Window = (0.25, 0.75)
SAMPLES = 2500
_SCREEN, _SURE = 200, 0.999  # size of the screening sample, and its confidence for ruling out a K
_MOST_SAMPLES = 1_000_000
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Precision:
    """Precision of a law's banks of K elements.

    Attributes:
        law: name of the law.
        resistors: number of elements K.
        window: target range, as fractions of the span.
        figure: "per target" or "any target".
        bits: (S,) bits of each sample, ascending; inf for an error of 0.
    """

    law: str
    resistors: int
    window: Window
    figure: Figure
    bits: Floats

    @property
    def worst(self) -> float:
        """Minimum over these samples; it falls with the number of samples, so don't quote it."""
        return float(self.bits[0])

    @property
    def median(self) -> Estimate:
        """Median bits."""
        return self.at_yield(0.5)

    def at_yield(self, yield_: float) -> Estimate:
        """Bits reached or exceeded by this fraction of the samples.

        Raises:
            SpecError: the fraction is not from 0 to 1.
        """
        return quantile_estimate(self.bits, 1.0 - yield_)

    def share(self, bits: float) -> Estimate:
        """Fraction of the samples that reach these bits."""
        return share_estimate(*self.count(bits))

    def count(self, bits: float) -> tuple[int, int]:
        """Number of samples that reach these bits, and number of samples."""
        return int((self.bits >= bits).sum()), len(self.bits)

    def to_json(self) -> dict[str, object]:
        """A dictionary for ``json``: worst, 1 %, median and the settings."""
        return {
            "law": self.law,
            "resistors": self.resistors,
            "figure": self.figure,
            "window": list(self.window),
            "samples": len(self.bits),
            "worst": finite_or_none(self.worst),
            "one_percent": self.at_yield(0.99).to_json(),
            "median": self.median.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Sizing:
    """Number of resistors needed for a precision.

    Attributes:
        bits: required bits.
        yield_: fraction of banks (or of targets) that must reach them.
        resistors: smallest K whose samples reach them.
        low: smallest K not ruled out by the samples with 97.5 % confidence.
        high: smallest K confirmed with 97.5 % confidence; None if no bank tried was. Use this one
            for a design.
        share: fraction of the samples of K = `resistors` that reach the bits.
        curve: Monte Carlo results of each K tried, ascending.
    """

    bits: float
    yield_: float
    resistors: int
    low: int
    high: int | None
    share: Estimate
    curve: tuple[Precision, ...]


def precision(
    law: Law | Bank,
    resistors: int,
    window: Window = MIDDLE,
    figure: Figure = "any target",
    samples: int = SAMPLES,
    *,
    seed: SupportsIndex = 0,
) -> Precision:
    """Bits of precision of banks sampled from a law.

    Args:
        law: distribution from `xbar.sizing.laws`, or a bank.
        resistors: number of elements K, at most 22 for "any target" and 32 for "per target".
        window: target range, two fractions of each bank's own span.
        figure: figure of merit, see the module docstring.
        samples: number of sampled banks.
        seed: random seed, 0 to 2^64 - 1; the same seed gives the same bits.

    Raises:
        SpecError: an argument is not allowed.

    >>> from xbar.sizing.laws import Uniform
    >>> p = precision(Uniform(), 8, samples=400, seed=0)
    >>> 6.0 < p.median.low < p.median.high < 6.6
    True
    """
    _check(resistors, window, figure)
    banks = draw_banks(law, resistors, samples, seed)
    low, high = ends(banks)
    span = high - low
    if figure == "any target":
        error = largest_errors(banks, low + window[0] * span, low + window[1] * span)
        error *= 2
    else:
        place = window[0] + (window[1] - window[0]) * draw_shares(samples, seed)
        error = np.abs(np.asarray(solve_subset(banks, low + place * span).residual))
    return Precision(law_of(law).name, resistors, window, figure, np.sort(bits_of(error, span)))


def resistors_for_bits(
    bits: float,
    law: Law | Bank,
    yield_: float,
    window: Window = MIDDLE,
    figure: Figure = "any target",
    samples: int | None = None,
    *,
    seed: SupportsIndex = 0,
) -> Sizing:
    """Number of resistors needed for a precision, by Monte Carlo of increasing K.

    Args:
        bits: required bits, as defined by `figure`.
        law: distribution from `xbar.sizing.laws`, or a bank.
        yield_: fraction of samples that must reach them, between 0 and 1.
        window: target range, two fractions of each bank's own span.
        figure: figure of merit, see the module docstring.
        samples: sampled banks per K; None takes 2,500 or 10 expected failures, whichever is more:
            fewer than 4 can't confirm anything. A K that the first 200 rule out with 99.9 %
            confidence is not sampled further.
        seed: random seed, 0 to 2^64 - 1.

    Raises:
        SpecError: an argument is invalid, or no bank within the limits is precise enough.

    >>> from xbar.sizing.laws import Lognormal
    >>> resistors_for_bits(6, Lognormal(0.5), 0.9, samples=1000, seed=0).resistors
    9
    """
    check_yield(yield_)
    if not (math.isfinite(bits) and bits > 0):
        raise SpecError(f"bits must be finite and above 0, not {bits}")
    count = enough_samples(yield_, 10) if samples is None else samples
    start = counting_bound(bits, yield_, window, figure)
    _check(max(start, 1), window, figure)
    curve: list[Precision] = []
    low = found = None
    for resistors in range(max(start, 1), _longest(law, figure) + 1):
        here = precision(law, resistors, window, figure, min(count, _SCREEN), seed=seed)
        if share_estimate(*here.count(bits), _SURE).high >= yield_:
            here = precision(law, resistors, window, figure, count, seed=seed)
        curve.append(here)
        share = here.share(bits)
        low = resistors if low is None and share.high >= yield_ else low
        found = (resistors, share) if found is None and share.value >= yield_ else found
        if share.low >= yield_ and found is not None and low is not None:
            return Sizing(bits, yield_, found[0], low, resistors, found[1], tuple(curve))
    if found is None or low is None:
        raise SpecError(_out_of_reach(bits, yield_, law_of(law), curve))
    return Sizing(bits, yield_, found[0], low, None, found[1], tuple(curve))


def counting_bound(bits: float, yield_: float, window: Window, figure: Figure) -> int:
    """Lower bound on the elements needed for the bits: 2^K sums must cover the window.

    Each sum covers the targets within one error of it; together they must cover a fraction
    `yield_` of the window ("per target"), or all of it ("any target").

    >>> counting_bound(8, 0.999, (0.25, 0.75), "any target")
    7
    """
    wide = max(window[1] - window[0], 2.0**-60)
    if figure == "any target":
        return math.ceil(bits + math.log2(wide) - 1e-9)
    return math.ceil(bits - 1 + math.log2(wide * yield_) - 1e-9)


def largest_errors(banks: ArrayLike, low: ArrayLike, high: ArrayLike) -> Floats:
    """Largest distance of any target in a window from each bank's closest sum, exactly.

    Args:
        banks: signed banks (..., K).
        low: lower ends (...) in the banks' unit, broadcast against the leading axes.
        high: upper ends (...).

    Returns:
        Distances (...) in the banks' unit.

    Raises:
        SpecError: K is above 22, or a window ends below its beginning.

    >>> largest_errors([1.0, 2.0, 4.0], 0.0, 7.0)
    array(0.5)
    """
    from xbar.sizing.kernels import gaps

    array = np.asarray(banks, np.float64)
    shape, elements = array.shape[:-1], array.shape[-1]
    if not 1 <= elements <= gaps.MAX_ELEMENTS:
        raise SpecError(
            f"the worst target can be found for 1 to {gaps.MAX_ELEMENTS} elements, not "
            f"{elements}; take random targets instead"
        )
    flat = np.ascontiguousarray(array).reshape(-1, elements).copy()
    below, above = (
        np.broadcast_to(np.asarray(end, np.float64), shape).reshape(-1).copy()
        for end in (low, high)
    )
    if not (np.isfinite(flat).all() and (below <= above).all()):
        raise SpecError("banks must be finite, and windows must have low <= high")
    error = np.empty(len(flat))

    def block(start: int) -> None:
        part = slice(start, start + _BLOCK)
        work = np.empty(gaps.work_size(elements))
        gaps.largest_errors(flat[part], below[part], above[part], error[part], work)

    with ThreadPoolExecutor(_cpus()) as pool:
        for _ in pool.map(block, range(0, len(flat), _BLOCK)):
            pass
    return error.reshape(shape)


def ends(banks: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest sum (...) of banks (..., K)."""
    return np.minimum(banks, 0.0).sum(axis=-1), np.maximum(banks, 0.0).sum(axis=-1)


def bits_of(error: NDArray[np.float64], span: NDArray[np.float64] | float) -> Floats:
    """-log2(error / span), inf for zero error, -inf for zero span."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.log2(span) - np.log2(error)
    return np.where(np.isnan(bits), -np.inf, bits)


def enough_samples(yield_: float, failures: int) -> int:
    """Sample size with an expected number of failures if the yield is just met; at least 2,500.

    Raises:
        SpecError: the yield is not between 0 and 1, or needs more than 10^6 banks.
    """
    check_yield(yield_)
    count = max(SAMPLES, math.ceil(failures / (1 - yield_)))
    if count > _MOST_SAMPLES:
        raise SpecError(
            f"a yield of {yield_} takes {count:.1e} banks to confirm, more than "
            f"{_MOST_SAMPLES:.0e}; lower it, or set the number of samples"
        )
    return count


def check_yield(yield_: float) -> None:
    """Raise SpecError unless the yield lies between 0 and 1."""
    if not (0 < yield_ < 1):
        raise SpecError(f"yield must lie between 0 and 1, not {yield_}; 0.999 is 1 failure in 1000")


def _check(resistors: int, window: Window, figure: Figure) -> None:
    if figure not in MOST:
        raise SpecError(f"figure must be 'per target' or 'any target', not {figure!r}")
    if not 1 <= resistors <= MOST[figure]:
        raise SpecError(
            f"'{figure}' is computed for banks of 1 to {MOST[figure]} resistors, not {resistors}; "
            "ask for fewer bits" + (", or take 'per target'" if figure == "any target" else "")
        )
    low, high = window
    if not 0 <= low < high <= 1:
        raise SpecError(
            f"a window must be two rising fractions of the span within 0 and 1, not {low}, {high}"
        )


def _longest(law: Law | Bank, figure: Figure) -> int:
    longest = MOST[figure]
    if isinstance(law, Bank) and any(isinstance(each, tuple) for _, each in law.lists()):
        longest = min(longest, law.resistors)
    return longest


def _out_of_reach(bits: float, yield_: float, law: Law, curve: list[Precision]) -> str:
    if not curve:
        return f"{bits:g} bits need more resistors than {law.name} has; list more nominal values"
    last = curve[-1]
    got = last.at_yield(yield_).value
    return (
        f"{bits:g} bits at a yield of {yield_:g} are out of reach of {law.name} with "
        f"{last.resistors} resistors, which give {got:.1f}; take a larger spread, a ratio between "
        "1.3 and 1.9, a narrower window, fewer bits, or judge 'per target'"
    )


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
