"""The switch of a branch: a transistor whose resistance follows its threshold voltage.

    word line ──[ R (1 + dr) ]──[ series ]──[ Ron(dvt) ]── bit line

A transistor in its triode region conducts in proportion to its overdrive, so its conductance, not
its resistance, is nearly a straight line over the threshold's deviation:

    1 / Ron(dvt) = (1 + slope dvt + bend dvt² + cubic dvt³) / resistance

Its resistance also depends a little on its own voltage, and so on what its resistor leaves for it:
with a share s = Ron / (R + series + Ron) of the branch, s' of a nominal one, it is

    Ron (1 + share_slope (s / s' - 1))
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

_MOST_SHARE_SLOPE = 0.5
_REACH = 5.0
"""Deviations of the threshold, over their standard deviation, up to which the law must hold."""


class Switch(Spec):
    """The closed switch of each branch of a bank.

    Attributes:
        resistance: on-resistance in ohms at the nominal threshold, of all switches or a list of K.
        slope: relative change of its conductance per volt of threshold deviation, in 1/V, one or K;
            negative for a transistor.
        bend: the same per volt squared, in 1/V².
        cubic: the same per volt cubed, in 1/V³.
        share_slope: relative change of its resistance where it takes twice its nominal share of the
            branch's voltage, at the voltage at which the branch's conductance is told; from -0.5
            to 0.5.
        sigma: standard deviation of the threshold in volts, one or K; normal and independent.

    The law must hold up to 5 sigma; beyond, a switch conducts at least a hundredth of its nominal
    conductance.

    >>> Switch(resistance="2k", slope=-1.25, sigma="10 mV").ohms(np.array([0.0, 0.16]), 2)
    array([2000., 2500.])
    """

    resistance: OhmsEach
    slope: QuantityEach = 0.0
    bend: QuantityEach = 0.0
    cubic: QuantityEach = 0.0
    share_slope: QuantityEach = 0.0
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
            raise SpecError(f"{_listing(self)} must list as many values, not {sorted(lengths)}")
        if max(abs(each) for each in values_of(self.share_slope)) > _MOST_SHARE_SLOPE:
            raise SpecError(
                f"share_slope must be from {-_MOST_SHARE_SLOPE:g} to {_MOST_SHARE_SLOPE:g}, "
                f"not {self.share_slope}: it is a small correction"
            )
        sigma = spread_out(self.sigma, count)
        lowest = _lowest(self.law(count), _REACH * sigma)
        if not lowest.min() >= SWITCH_FLOOR:
            k = int(np.argmin(lowest))
            raise SpecError(
                f"slope, bend and cubic must leave a closed switch a conductance of at least "
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
        slope, bend, cubic = self.law(resistors)
        factor = 1.0 + threshold * (slope + threshold * (bend + threshold * cubic))
        result: Floats = spread_out(self.resistance, resistors) / np.maximum(factor, SWITCH_FLOOR)
        return result

    def law(self, resistors: int) -> Floats:
        """(3, K) ``slope``, ``bend`` and ``cubic`` of each switch."""
        each = (self.slope, self.bend, self.cubic)
        return np.stack([spread_out(one, resistors) for one in each])


def at_share(ohms: Floats, rest: Floats, slope: Floats, share: Floats) -> Floats:
    """(..., K) ohms of switches with the share of their branch that they have.

    Args:
        ohms: (..., K) of the switches at the nominal share.
        rest: (..., K) of what is in series with them.
        slope: (K,) their ``share_slope``.
        share: (K,) nominal shares, Ron / (R + series + Ron).
    """
    result: Floats = ohms * (1.0 + slope * (ohms / (rest + ohms) / share - 1.0))
    return result


def _listing(switch: Switch) -> str:
    """Its keys that are lists: "resistance, slope and sigma"."""
    names = [name for name, each in switch if isinstance(each, tuple)]
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _lowest(law: Floats, reach: Floats) -> Floats:
    """(K,) lowest 1 + slope v + bend v² + cubic v³ for |v| up to ``reach``."""
    found = []
    for (slope, bend, cubic), far in zip(law.T, reach, strict=True):
        turns = np.roots([3.0 * cubic, 2.0 * bend, slope])
        inside = turns.real[(np.abs(turns.imag) < 1e-12) & (np.abs(turns.real) < far)]
        at = np.concatenate([[-far, far], inside])
        found.append((1.0 + at * (slope + at * (bend + at * cubic))).min())
    return np.array(found)
