"""The switch of a branch: a transistor whose resistance follows its threshold voltage.

    word line ──[ R (1 + dr) ]──[ series ]──[ Ron(dvt) ]── bit line

A transistor in its triode region conducts in proportion to its overdrive, so its conductance, not
its resistance, is nearly a straight line over the threshold's deviation:

    1 / Ron(dvt) = (1 + slope dvt + bend dvt²) / resistance
"""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import model_validator

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.base import (
    OhmsEach,
    QuantityEach,
    Spec,
    VoltsEach,
    check_least,
    check_size,
    spread_out,
    values_of,
)

SWITCH_FLOOR = 0.01
"""Least conductance of a switch, relative to its nominal one."""

_REACH = 5.0
"""Deviations of the threshold, over their standard deviation, up to which the law must hold."""


class Switch(Spec):
    """The closed switch of each branch of a bank.

    Attributes:
        resistance: on-resistance in ohms at the nominal threshold, of all switches or a list of K.
        slope: relative change of its conductance per volt of threshold deviation, in 1/V, one or K;
            negative for a transistor.
        bend: the same per volt squared, in 1/V².
        sigma: standard deviation of the threshold in volts, one or K; normal and independent.

    The law must hold up to 5 sigma; beyond, a switch conducts at least a hundredth of its nominal
    conductance.

    >>> Switch(resistance="2k", slope=-1.25, sigma="10 mV").ohms(np.array([0.0, 0.16]), 2)
    array([2000., 2500.])
    """

    resistance: OhmsEach
    slope: QuantityEach = 0.0
    bend: QuantityEach = 0.0
    sigma: VoltsEach = 0.0

    @model_validator(mode="after")
    def _law_holds(self) -> Self:
        if not min(values_of(self.resistance), default=1.0) > 0:
            low = min(values_of(self.resistance))
            raise SpecError(f"resistance must be greater than 0 ohm, not {low:g}")
        check_least("sigma", self.sigma, 0.0, "V")
        for name, each in self:
            check_size(name, each)
        count = self.listed
        lengths = {len(each) for _, each in self if isinstance(each, tuple)}
        if len(lengths) > 1 or 0 in lengths:
            raise SpecError(
                f"resistance, slope, bend and sigma must list as many values, not {sorted(lengths)}"
            )
        _, slope, bend, sigma = (spread_out(each, count) for _, each in self)
        lowest = _lowest(slope, bend, _REACH * sigma)
        if not lowest.min() >= SWITCH_FLOOR:
            k = int(np.argmin(lowest))
            raise SpecError(
                f"slope and bend must leave a closed switch a conductance of at least "
                f"{SWITCH_FLOOR:g} of its own up to {_REACH:g} sigma, {_REACH * sigma[k]:g} V, "
                f"not {lowest[k]:.3g}; check slope and sigma of resistor {k}"
            )
        return self

    @property
    def listed(self) -> int:
        """Number of values that its lists have; 1 without a list."""
        return max(len(values_of(each)) for _, each in self)

    def ohms(self, threshold: Floats, resistors: int) -> Floats:
        """(..., K) on-resistances in ohms for deviations (..., K) of the threshold in volts."""
        ohms, slope, bend, _ = (spread_out(each, resistors) for _, each in self)
        factor = 1.0 + threshold * (slope + threshold * bend)
        result: Floats = ohms / np.maximum(factor, SWITCH_FLOOR)
        return result


def _lowest(slope: Floats, bend: Floats, reach: Floats) -> Floats:
    """(K,) lowest 1 + slope v + bend v² for |v| up to ``reach``."""
    least: Floats = 1.0 - np.abs(slope) * reach + bend * reach**2
    inside = np.abs(slope) < 2.0 * bend * reach  # then it is lowest at -slope / (2 bend)
    turn = np.divide(-slope, 2.0 * bend, out=np.zeros_like(slope), where=inside)
    return np.where(inside, 1.0 + 0.5 * slope * turn, least)
