"""Precision of other uses of the same number of devices, for comparison with subsets.

All figures are bits = log2(full scale / (2 error)) at a yield, for the error of the worst code
(fixed codes) or of one weight (tunable cells). sigma is the device spread for fixed codes, and the
write error relative to full scale for tunable cells, which binary, untunable and write-once
devices can't provide.

z is the two-sided normal quantile of the yield.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.sizing.laws import draw_banks
from xbar.sizing.precision import Window, bits_of
from xbar.statistics import quantile_estimate

_MOST_CODES = 14  # in longer codes the first bits dominate the error
_SAMPLES = 400


@dataclass(frozen=True)
class Rival:
    """Another way to use K devices for one weight.

    Attributes:
        name: name of the method.
        bits: bits at the yield.
        needs: requirements or savings compared with subsets.
        source: "formula" or "Monte Carlo".
    """

    name: str
    bits: float
    needs: str
    source: str


def rivals(bank: Bank, yield_: float, window: Window, *, seed: SupportsIndex) -> tuple[Rival, ...]:
    """The rivals at equal device count.

    Args:
        bank: bank with K, spread and sigma; nominal values depend on the rival. Listed spreads, or
            those of resistor and switch together, count as one: the root of the mean square of
            ``Bank.branch_sigmas``.
        yield_: fraction that must reach the bits, between 0 and 1.
        window: target range, two fractions of the span.
        seed: seed of the fixed codes' Monte Carlo, 0 to 2^64 - 1.

    Raises:
        SpecError: the yield is not between 0 and 1.

    >>> found = rivals(Bank(resistors=16, sigma=0.02), 0.9973, (0.25, 0.75), seed=0)
    >>> [(rival.name, round(rival.bits, 1)) for rival in found][-3:]
    [('averaging', 5.1), ('bit slicing', 3.1), ('residual programming', 43.7)]
    """
    count, sigma = bank.resistors, _one_sigma(bank)
    one = bank.model_copy(
        update={
            "nominal": 1.0,
            "ratio": 1.0,
            "sigma": sigma,
            "spread": "lognormal" if bank.spread == "none" else bank.spread,
            "series": 0.0,
            "switch": None,
            "on_off_ratio": float(bank.on_off_ratios.min()),
            "nonlinearity": None,
        }
    )
    binary = one.model_copy(update={"ratio": 2.0, "resistors": min(count, _MOST_CODES)})
    unary_sums = np.cumsum(draw_banks(one, count, _SAMPLES, seed), axis=1)
    unary = np.concatenate([np.zeros((_SAMPLES, 1)), unary_sums], axis=1)
    codes = _binary_sums(draw_banks(binary, binary.resistors, _SAMPLES, seed))
    residual = residual_programming_bits(count, sigma, yield_)
    return (
        Rival("unary code", code_bits(unary, yield_, window), "no measurement", "Monte Carlo"),
        Rival("binary code", code_bits(codes, yield_, window), "no measurement", "Monte Carlo"),
        Rival("averaging", averaging_bits(count, sigma, yield_), "tunable cells", "formula"),
        Rival("bit slicing", slicing_bits(sigma, yield_), "tunable cells", "formula"),
        Rival("residual programming", residual, "tunable cells, in turn", "formula"),
    )


def _one_sigma(bank: Bank) -> float:
    """The relative spread of one device: of all alike, or the root of their mean square."""
    if bank.switch is None and bank.series == 0 and not isinstance(bank.sigma, tuple):
        return 0.0 if bank.spread == "none" else bank.sigma
    return float(np.sqrt(np.mean(bank.branch_sigmas**2)))


def code_bits(sums: Floats, yield_: float, window: Window) -> float:
    """Bits of a fixed code: devices are not measured, the code is the rounded target.

    Args:
        sums: (S, C) sum of each of C codes; code 0 is none, code C - 1 all devices.
        yield_: fraction of the S banks that must reach the bits.
        window: target range, two fractions of the span.
    """
    last = sums.shape[1] - 1
    full = sums[:, -1:]  # the scale is known; a bank without working devices reaches nothing
    share = np.divide(sums, full, out=np.full_like(sums, np.inf), where=full > 0)
    edges = (np.arange(last + 2) - 0.5) / last
    below = np.clip(edges[:-1], *window)
    above = np.clip(edges[1:], *window)
    used = above > below
    error = np.maximum(np.abs(share - below), np.abs(share - above))[:, used].max(axis=1)
    return quantile_estimate(np.sort(bits_of(2 * error, 1.0)), 1 - yield_).value


def averaging_bits(count: int, sigma: float, yield_: float) -> float:
    """Copies of one tunable cell in parallel: the error shrinks with the root of their number.

    log2(1/(2 z sigma)) + log2(n)/2; for the rms error of uniform rounding, replace 2 z by sqrt(12).

    >>> round(averaging_bits(16, 0.02, 0.9973) - averaging_bits(4, 0.02, 0.9973), 6)
    1.0
    """
    return _one_cell(sigma, yield_) + math.log2(count) / 2


def slicing_bits(sigma: float, yield_: float) -> float:
    """Bit slicing, cells weighted by powers of two: the first cell's error dominates.

    n cells of c bits give n c bits only while the first cell's error is below half a least
    significant bit of the whole word: log2(1/(2 z sigma)) for any n.
    """
    return max(_one_cell(sigma, yield_), 0.0)


def residual_programming_bits(count: int, sigma: float, yield_: float) -> float:
    """Each tunable cell compensates the residual of the previous ones: n log2(1/(2 z sigma)).

    The range of cell k is the 2 z sigma residual of cell k - 1, and all n must stay within it, so z
    is the quantile of yield^(1/n). With the usual 6 sigma (z = 3) a cell adds 4.06 bits at 1 %,
    3.06 at 2 %, 1.74 at 5 % and .74 at 10 %. (Song and others, Science 2024; US 9,847,129.) Read
    noise and measurement errors limit this long before the formula does.

    >>> [round(residual_programming_bits(1, s, 0.9973), 2) for s in (0.01, 0.02, 0.05, 0.1)]
    [4.06, 3.06, 1.74, 0.74]
    """
    return count * max(_one_cell(sigma, yield_ ** (1.0 / count)), 0.0)


def _one_cell(sigma: float, yield_: float) -> float:
    from scipy.special import ndtri

    if not (0 < yield_ < 1):
        raise SpecError(f"yield must lie between 0 and 1, not {yield_}")
    # a device without error would be unlimited: below 1e-9 other errors dominate
    return -math.log2(2 * float(ndtri((1 + yield_) / 2)) * max(sigma, 1e-9))


def _binary_sums(banks: Floats) -> Floats:
    """(S, 2**K) sums of all codes in order of nominal value; the last resistor is the LSB."""
    sums = np.zeros((len(banks), 1))
    for k in range(banks.shape[1]):  # the first resistor has the largest conductance
        sums = np.stack([sums, sums + banks[:, k, None]], axis=2).reshape(len(banks), -1)
    return sums
