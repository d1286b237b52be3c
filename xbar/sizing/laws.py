"""Distributions ("laws") of a bank's elements, and sampled banks.

A law maps numbers from U(0, 1) to elements. The unit of the elements does not affect bits of
precision, which relate errors to the bank's own span.

Shapes: S sampled banks of K elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, SupportsIndex

import numpy as np

from xbar.arrays import Floats, one_integer
from xbar.errors import SpecError
from xbar.hardware import draw
from xbar.hardware.bank import Bank
from xbar.hardware.fabricate import NORMAL_FLOOR, conductance, thresholds_vary

# streams of the generator, distinct from those of a chip (xbar.hardware.chip), so that banks used
# for sizing a design differ from those of a chip sampled with the same seed
_ELEMENTS, _STUCK_OPEN, _STUCK_CLOSED, TARGETS = 16, 17, 18, 19

MOST_SAMPLES = 100_000_000
"""Largest number of banks that are sampled."""


class Law(Protocol):
    """Distribution of elements.

    Attributes:
        name: name in reports.
    """

    @property
    def name(self) -> str:
        """Name in reports."""
        ...

    def elements(self, u: Floats) -> Floats:
        """(S, K) signed elements from independent numbers (S, K) of U(0, 1)."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Elements from U(low, high); U(-1, 1) is the law of most random-subset-sum theorems.

    >>> Uniform(-1, 1).elements(np.array([[0.25, 0.5]]))
    array([[-0.5,  0. ]])
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise SpecError(
                f"a uniform law must have a finite low below its high, not {self.low}, {self.high}"
            )

    @property
    def name(self) -> str:
        """U(low, high)."""
        return f"U({self.low:g}, {self.high:g})"

    def elements(self, u: Floats) -> Floats:
        """(S, K) elements."""
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class Lognormal:
    """Elements exp(sigma z) with standard normal z; always positive."""

    sigma: float

    def __post_init__(self) -> None:
        _check_sigma(self.sigma)

    @property
    def name(self) -> str:
        """With its sigma."""
        return f"lognormal {self.sigma:g}"

    def elements(self, u: Floats) -> Floats:
        """(S, K) elements."""
        return draw.exp(self.sigma * draw.normal(u))


@dataclass(frozen=True)
class Normal:
    """Elements 1 + sigma z, at least 0.01 as in a `Bank` of spread "normal"."""

    sigma: float

    def __post_init__(self) -> None:
        _check_sigma(self.sigma)

    @property
    def name(self) -> str:
        """With its sigma."""
        return f"N(1, {self.sigma:g})"

    def elements(self, u: Floats) -> Floats:
        """(S, K) elements."""
        return np.maximum(1.0 + self.sigma * draw.normal(u), NORMAL_FLOOR)


@dataclass(frozen=True)
class DifferentialPair:
    """Alternating signs: both halves of a differential pair, chosen jointly.

    >>> DifferentialPair(Uniform()).elements(np.array([[0.25, 0.5, 0.75]]))
    array([[ 0.25, -0.5 ,  0.75]])
    """

    half: Law

    @property
    def name(self) -> str:
        """Name of one half's law, with both signs."""
        return f"+-{self.half.name}"

    def elements(self, u: Floats) -> Floats:
        """(S, K) elements."""
        sign = np.where(np.arange(u.shape[1]) % 2 == 0, 1.0, -1.0)
        return sign * self.half.elements(u)


@dataclass(frozen=True)
class BankLaw:
    """The switched conductances of a design's bank, in siemens.

    Switch leakage reduces every element by the same factor and stuck resistors are elements of
    value 0; the compiler subtracts the offset of both.

    Attributes:
        bank: design; its nominal values are extended by its ratio for larger K and truncated for
            smaller K.
    """

    bank: Bank

    @property
    def name(self) -> str:
        """Spread, sigma and ratio; with the ranges of listed values."""
        bank = self.bank
        nominal = "listed nominals" if isinstance(bank.nominal, tuple) else f"ratio {bank.ratio:g}"
        text = f"{bank.spread} {_span(bank.sigma)}, {nominal}"
        return text if bank.switch is None else f"{text}, with switches"

    def elements(self, u: Floats) -> Floats:
        """(S, K) siemens.

        Where thresholds vary too, each number of U(0, 1) is read as two of half its bits, which
        are independent: one for the resistor, one for the switch.

        Raises:
            SpecError: the bank lists fewer values than K.
        """
        bank = self.bank.of_size(u.shape[1])
        resistor, threshold = _two_of(u) if thresholds_vary(bank) else (u, None)
        return conductance(bank, resistor, threshold) * (1.0 - 1.0 / bank.on_off_ratios)


def _span(each: float | tuple[float, ...]) -> str:
    low, high = (each, each) if isinstance(each, float) else (min(each), max(each))
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _two_of(u: Floats) -> tuple[Floats, Floats]:
    """Two independent numbers from U(0, 1), of 26 bits each, from one of 52 bits."""
    scaled = u * 2.0**26
    first = np.floor(scaled)
    return (first + 0.5) * 2.0**-26, scaled - first


def law_of(law: Law | Bank) -> Law:
    """The law of a bank, or the law itself."""
    return BankLaw(law) if isinstance(law, Bank) else law


def draw_banks(law: Law | Bank, resistors: int, samples: int, seed: SupportsIndex) -> Floats:
    """(S, K) banks sampled from a law, the same on every machine.

    The numbers of element k depend only on the seed and k: a larger bank starts with the elements
    of a smaller one, so comparisons between sizes use common random numbers.

    Raises:
        SpecError: a count is below 1, the seed is not an integer from 0 to 2^64 - 1, or the law
            has no K elements.

    >>> short, long = (draw_banks(Uniform(), k, 3, seed=1) for k in (2, 4))
    >>> np.array_equal(short, long[:, :2])
    True
    """
    one_integer(resistors, "resistors", 1)
    one_integer(samples, "samples", 1, MOST_SAMPLES)
    number = draw.check_seed(seed)
    law = law_of(law)
    banks = law.elements(_columns(number, _ELEMENTS, resistors, samples))
    if isinstance(law, BankLaw) and law.bank.stuck_open + law.bank.stuck_closed > 0:
        stuck_open = _columns(number, _STUCK_OPEN, resistors, samples) < law.bank.stuck_open
        closed = _columns(number, _STUCK_CLOSED, resistors, samples) < law.bank.stuck_closed
        banks = np.where(stuck_open | closed, 0.0, banks)
    return banks


def draw_shares(samples: int, seed: SupportsIndex) -> Floats:
    """(S,) target positions in their windows from U(0, 1), independent of the banks."""
    return draw.uniform(draw.check_seed(seed), TARGETS, 0, (samples,))


def _columns(seed: int, stream: int, resistors: int, samples: int) -> Floats:
    columns = [draw.uniform(seed, stream, k, (samples,)) for k in range(resistors)]
    return np.stack(columns, axis=1)


def _check_sigma(sigma: float) -> None:
    if not (np.isfinite(sigma) and sigma >= 0):
        raise SpecError(f"sigma must be finite and not negative, not {sigma}")
