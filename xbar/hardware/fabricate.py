"""Fabricated branches from uniform numbers: the law of ``Bank``.

Two independent numbers a branch: one for its resistor, one for the threshold of its switch.

Shapes: K resistors per cell. Units: siemens, ohms, volts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.hardware.bank import Bank
from xbar.hardware.base import spread_out
from xbar.hardware.quantiles import drawn

NORMAL_FLOOR = 0.01
"""Least fabricated over nominal conductance, spreads "normal" and "table"."""

RESISTANCE_FLOOR = 0.1
"""Least fabricated over nominal resistance, spread "resistance"."""


class Deviations(NamedTuple):
    """Deviations of the devices of a tile's branches.

    Attributes:
        resistor: (W, B, K) relative deviation dr of each resistance: it is R (1 + dr).
        threshold: (W, B, K) deviation dvt of each switch's threshold, in volts.
    """

    resistor: Floats
    threshold: Floats


class Resistors(NamedTuple):
    """The resistors of one tile, in memory: for work that asks for them often.

    Attributes:
        on: (W, B, K) siemens switched in.
        off: (W, B, K) siemens switched out: leakage.
        stuck: (W, B, K), -1 where a resistor never switches in, +1 where never out, else 0.
    """

    on: Floats
    off: Floats
    stuck: NDArray[np.int8]

    def branch(self, mask: NDArray[np.bool_]) -> Floats:
        """(W, B, K) siemens that each resistor has under a switch mask (W, B, K)."""
        return np.where(switched_in(mask, self.stuck), self.on, self.off)


def switched_in(mask: NDArray[np.bool_], stuck: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Resistors (W, B, K) that conduct under a switch mask, those stuck in or out as they are."""
    closed: NDArray[np.bool_] = (mask & (stuck >= 0)) | (stuck > 0)
    return closed


def thresholds_vary(bank: Bank) -> bool:
    """Whether the switches' thresholds have a spread."""
    return bank.switch is not None and bool(np.any(bank.switch.sigma))


def conductance(
    bank: Bank, u: Floats, v: Floats | None = None, out: Floats | None = None
) -> Floats:
    """Fabricated conductances (..., K) of branches, in siemens.

    Args:
        bank: design.
        u: (..., K) numbers in (0, 1) for the resistors.
        v: the same for the thresholds; None for thresholds without deviation.
        out: (..., K) contiguous array that may be used for the result; ``u`` is one.
    """
    plain = bank.series == 0 and bank.switch is None
    if plain and _varies(bank) and bank.spread == "lognormal":
        return _lognormal(bank, u, np.empty(u.shape) if out is None else out)
    if plain and _varies(bank) and bank.spread != "resistance":
        result: Floats = (1.0 / bank.ohms) * _factor(bank, u)
        return result
    if plain:
        return 1.0 / resistance(bank, u)
    return branches(bank, resistance(bank, u), v)


def resistance(bank: Bank, u: Floats) -> Floats:
    """Fabricated resistances (..., K) in ohms, without contacts and switches."""
    nominal = bank.ohms
    if not _varies(bank):
        return np.broadcast_to(nominal, u.shape)
    if bank.spread == "resistance":
        return nominal * _factor(bank, u)
    return nominal / _factor(bank, u)


def _varies(bank: Bank) -> bool:
    return bank.spread != "none" and bool(np.any(bank.sigma))


def deviations(bank: Bank, u: Floats, v: Floats | None = None) -> Deviations:
    """Deviations (..., K) of resistors and thresholds; arguments as of ``conductance``."""
    if not _varies(bank):
        resistor = np.zeros(u.shape)
    else:
        factor = _factor(bank, u)
        resistor = (factor if bank.spread == "resistance" else 1.0 / factor) - 1.0
    return Deviations(resistor, np.zeros(u.shape) if v is None else threshold(bank, v))


def branches(bank: Bank, resistance: Floats, v: Floats | None) -> Floats:
    """Conductances (..., K) of branches with these resistors: ``Bank.conductance``, compiled."""
    from xbar.hardware import draw_kernel

    k = bank.resistors
    ohms = np.ascontiguousarray(resistance).reshape(-1, k)
    dvt = np.zeros(ohms.shape) if v is None else threshold(bank, v).reshape(-1, k)
    series, found = spread_out(bank.series, k), np.empty(ohms.shape)
    rows = np.zeros((6, k))
    if bank.switch is not None:
        rows[0], rows[1:4] = spread_out(bank.switch.resistance, k), bank.switch.law(k)
        rows[4], rows[5] = spread_out(bank.switch.share_slope, k), bank.switch_shares
    draw_kernel.branches(ohms, dvt, np.concatenate([series[None], rows]), found)
    return found.reshape(resistance.shape)


def _lognormal(bank: Bank, u: Floats, out: Floats) -> Floats:
    """``conductance`` of resistors alone with this spread, compiled: the most frequent one."""
    from xbar.hardware import draw_kernel

    sigma = np.array(spread_out(bank.sigma, bank.resistors))
    plain = np.ascontiguousarray(u).reshape(-1)
    draw_kernel.lognormal(plain, 1.0 / bank.ohms, sigma, out.reshape(-1))
    return out


def _factor(bank: Bank, u: Floats) -> Floats:
    """Fabricated over nominal conductance (..., K); resistance for spread "resistance"."""
    from xbar.hardware import draw_kernel

    sigma = spread_out(bank.sigma, bank.resistors)
    if bank.spread == "uniform":
        even: Floats = 1.0 + (np.sqrt(3.0) * sigma) * (2.0 * u - 1.0)
        return even
    if bank.spread == "table":
        deviation = sigma * drawn(bank.quantiles, u)
        return np.maximum(1.0 + deviation, NORMAL_FLOOR)
    normal = sigma * _normal(u)
    if bank.spread == "normal":
        return np.maximum(1.0 + normal, NORMAL_FLOOR)
    if bank.spread == "resistance":
        return np.maximum(1.0 + normal, RESISTANCE_FLOOR)
    factor = np.empty(u.size)
    draw_kernel.exp_scaled(normal.reshape(-1), 1.0, factor)
    return factor.reshape(u.shape)


def threshold(bank: Bank, v: Floats) -> Floats:
    """Deviations (..., K) of thresholds in volts."""
    assert bank.switch is not None  # else nobody draws them
    return spread_out(bank.switch.sigma, bank.resistors) * _normal(v)


def _normal(u: Floats) -> Floats:
    """Standard normal numbers (...) from numbers (...) in (0, 1)."""
    from xbar.hardware import draw_kernel

    result = np.empty(u.size)
    draw_kernel.normal(np.ascontiguousarray(u).reshape(-1), result)
    return result.reshape(u.shape)
