"""The design formula: subset sums near a target modelled as a Poisson process.

The 2^n sums of x have mean m = sum(x)/2 and variance s^2 = sum(x^2)/4, and near z they are
distributed like independent points of density

    rho(z) = 2^n phi((z - m)/s) / s        per unit of x; phi is the standard normal density.

So the distance of z to the closest exceeds e with probability exp(-2 rho e): one bit per element,
less half a bit for each doubling of n, less (z - m)^2/(2 s^2 ln 2) bits away from the centre. This
is the local random energy model (C. Borgs, J. Chayes, S. Mertens, C. Nair, "Proof of the local REM
conjecture for number partitioning", Random Structures and Algorithms 34, 2009); for finite n it is
a heuristic. It does not cover lattices: for equal nominal values and a spread below about 2/n it is
far too optimistic.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.sizing.laws import Law, draw_banks

if TYPE_CHECKING:
    from xbar.sizing.precision import Figure, Window

_PLACES = 48
_MOST_BITS = 200.0
_BANKS, _MOST_ELEMENTS = 64, 64


def density(banks: ArrayLike, targets: ArrayLike) -> Floats:
    """Sums per unit near each target.

    Args:
        banks: banks (..., K).
        targets: targets (...) in the banks' unit, broadcast against their leading axes.

    Returns:
        Density (...), sums per unit of the bank.

    >>> density(np.full(16, 0.5), 4.0).round(0)
    np.float64(26145.0)
    """
    bank = np.asarray(banks, np.float64)
    centre = bank.sum(axis=-1) / 2
    scale = np.sqrt((bank**2).sum(axis=-1)) / 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        away = (np.asarray(targets, np.float64) - centre) / scale
        peak = 2.0 ** bank.shape[-1] / (math.sqrt(2 * math.pi) * scale)
        rho = peak * np.exp(-(away**2) / 2)
    return np.where(scale > 0, rho, 0.0)  # a bank of zeros has a single sum


def error_quantile(rho: ArrayLike, share: float) -> Floats:
    """Quantile of the error over targets: -ln(1 - share)/(2 rho).

    Raises:
        SpecError: the share is not between 0 and 1.
    """
    if not (0 < share < 1):
        raise SpecError(f"share must lie between 0 and 1, not {share}")
    return np.asarray(-math.log1p(-share) / (2 * np.asarray(rho, np.float64)))


def median_error(rho: ArrayLike) -> Floats:
    """Median error: ln 2/(2 rho).

    >>> median_error(1000.0).round(6)
    np.float64(0.000347)
    """
    return error_quantile(rho, 0.5)


def mean_error(rho: ArrayLike) -> Floats:
    """Mean error: 1/(2 rho)."""
    return np.asarray(0.5 / np.asarray(rho, np.float64))


def largest_error(rho: ArrayLike, width: float) -> Floats:
    """Largest error of any target in a window of width W: about ln(rho W)/(2 rho).

    0 for rho W <= 1, where the formula is not defined.
    """
    rate = np.asarray(rho, np.float64)
    return np.asarray(np.log(np.maximum(rate * width, 1.0)) / (2 * rate))


def design_resistors(
    bits: float,
    law: Law | Bank,
    yield_: float,
    window: Window,
    figure: Figure,
    *,
    seed: SupportsIndex,
) -> int | None:
    """The fewest elements for which `design_bits` predicts the bits; None above 64.

    Args:
        bits: required bits, as defined by `figure`.
        law: distribution from `xbar.sizing.laws`, or a bank.
        yield_: fraction of banks that must reach them, between 0 and 1.
        window: target range, two fractions of the span.
        figure: "per target" or "any target".
        seed: seed of the 64 banks whose moments enter the formula.

    Raises:
        SpecError: an argument is invalid.

    >>> from xbar.sizing.laws import Uniform
    >>> design_resistors(8, Uniform(), 0.5, (0.25, 0.75), "any target", seed=0)
    11
    """
    for count in range(1, _MOST_ELEMENTS + 1):
        banks = draw_banks(law, count, _BANKS, seed)
        if design_bits(banks, yield_, window, figure) >= bits:
            return count
    return None


def design_bits(banks: Floats, yield_: float, window: Window, figure: Figure) -> float:
    """Bits at a yield by the formula, as defined in `Precision.bits`.

    "per target": the fraction of (bank, target) combinations with an error above e is the mean of
    exp(-2 rho(z) e) over targets in the window and banks. "any target": gaps wider than 2e in
    the window are Poisson with mean (integral of rho(z) exp(-2 rho(z) e) dz).

    Args:
        banks: (S, K) sampled banks; a few dozen suffice.
        yield_: yield, between 0 and 1.
        window: target range, two fractions of the span.
        figure: "per target" or "any target".

    Raises:
        SpecError: the yield is not between 0 and 1.

    >>> from xbar.sizing.laws import Uniform, draw_banks
    >>> round(design_bits(draw_banks(Uniform(), 16, 64, 0), 0.5, (0.25, 0.75), "any target"), 1)
    12.4
    """
    if not (0 < yield_ < 1):
        raise SpecError(f"yield must lie between 0 and 1, not {yield_}")
    low = np.minimum(banks, 0.0).sum(axis=1)[:, None]
    span = np.abs(banks).sum(axis=1)[:, None]
    share = window[0] + (window[1] - window[0]) * (np.arange(_PLACES) + 0.5) / _PLACES
    # sums per span rather than per unit, so that errors are fractions of the span
    rho = density(banks[:, None, :], low + share * span) * span
    width = window[1] - window[0]

    def reached(bits: float) -> float:
        if figure == "per target":
            return float(-np.expm1(-2 * rho * 2.0**-bits).mean())
        wide = (width * rho * np.exp(-rho * 2.0**-bits)).mean(axis=1)
        # too few sums to have gaps: the ends of the window decide
        bare = np.exp(-2 * rho[:, [0, -1]] * 2.0 ** -(bits + 1)).max(axis=1)
        return float(np.exp(-np.maximum(wide, bare)).mean())

    good, bad = -_MOST_BITS, _MOST_BITS
    for _ in range(60):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if reached(middle) >= yield_ else (good, middle)
    return good
