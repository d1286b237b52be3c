"""What of a branch's resistance is the resistor's and what the switch's, as the law needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xbar.arrays import Floats
from xbar.silicon.branch import Branches, Conditions, Copies, Sweep, conductance, sweep
from xbar.silicon.fit import SwitchLaw, fit_c2_slope, fit_switch

_STEP = 0.03
"""Relative deviation of the resistor, by which the switch's share of the voltage is changed."""
_BENT = 0.1
"""Volts between plus and minus of which c2 is looked at, where G is that at 0 V."""
_LIFT = 0.01
"""Volts by which the lines are moved."""
_ROUNDS = 8
"""Steps from the resistance of a switch to that at its nominal share; each gains three digits."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The branches of a bank, taken apart.

    Attributes:
        resistance: (K,) ohms of the resistors.
        share_slope: (K,) relative change of a switch's resistance where its share of the branch
            doubles.
        laws: (K,) the laws of the switches.
        c2_slope: (K,) 1/V, relative change of a switch's part in c2 with its threshold.
    """

    resistance: Floats
    share_slope: Floats
    laws: tuple[SwitchLaw, ...]
    c2_slope: Floats

    @property
    def switch(self) -> Floats:
        """(4, K) ohms, slope, bend and cubic of the switches."""
        return np.array(self.laws).T


def branch_parts(branches: Branches, at: Conditions, volts: float, shifts: Floats) -> Parts:
    """The parts of branches, for which their law is exact to first order in both deviations.

    How much 1/G grows with the resistor's deviation is less than its resistance, because a switch
    with less of the voltage has less resistance: its ``share_slope``.

    Args:
        branches: what they are.
        at: corner, temperature and supply; typical devices whatever the seed.
        volts: G is the current's difference between +-volts, by 2 volts, or its slope at 0 V.
        shifts: (K, D) volts, deviations of the threshold of each branch's switch, 0 among them.

    Raises:
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice failed.
        FileError: the models lack the corner.
    """
    count, points = shifts.shape
    resistor = np.zeros((count, points + 2))
    resistor[:, -2:] = _STEP, -_STEP
    threshold = np.pad(shifts, ((0, 0), (0, 2)))
    which = np.repeat(np.arange(count), points + 2)
    closed = np.ones(len(which), dtype=bool)
    copies = Copies(which, resistor.ravel(), threshold.ravel(), closed)
    plain = Conditions(at.corner, at.temperature, at.supply)
    far = volts or _BENT
    found = sweep(branches, copies, plain, far, 1)
    ohms = 1 / found.slope(volts).reshape(count, points + 2)
    typical = np.argmin(np.abs(shifts), axis=1)[:, None]
    closed_ohms = found.switch_resistance(volts).reshape(count, points + 2)
    nominal = np.take_along_axis(closed_ohms, typical, axis=1)
    own = np.take_along_axis(ohms, typical, axis=1) - branches.series[:, None] - nominal
    growth = (ohms[:, -2] - ohms[:, -1]) / (2 * _STEP)
    share = (nominal / (own + branches.series[:, None] + nominal))[:, 0]
    change = (1 - growth / own[:, 0]) / share
    rest = own + branches.series[:, None]
    nominal_ohms = _at_nominal_share(ohms[:, :-2] - rest, rest, change[:, None], share[:, None])
    laws = tuple(fit_switch(shifts[k], nominal_ohms[k]) for k in range(count))
    slopes = _c2_slopes(found, far, shifts, closed_ohms / ohms)
    return Parts(own[:, 0], change, laws, slopes)


def rise_of_line(branches: Branches, at: Conditions, volts: float) -> Floats:
    """(K,) relative change of G per volt by which both lines rise, 1/V.

    Args:
        branches: what they are.
        at: corner, temperature and supply.
        volts: G is the current's difference between +-volts, by 2 volts, or its slope at 0 V.

    Raises:
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice failed.
        FileError: the models lack the corner.
    """
    plain = Conditions(at.corner, at.temperature, at.supply)
    each = Copies.each(len(branches.length))
    below, above = (
        conductance(replace(branches, lift=lift), each, plain, volts) for lift in (-_LIFT, _LIFT)
    )
    return (above - below) / (above + below) / _LIFT


def _c2_slopes(found: Sweep, volts: float, shifts: Floats, share: Floats) -> Floats:
    """(K,) 1/V, from branches (K, D) and two more, with these shares of their switches."""
    shape = shifts.shape[0], -1
    amps = (found.current - found.offset[:, None])[:, [0, -1]].sum(axis=1).reshape(shape)
    # even powers of v: 2 G c2 v²
    c2 = amps / (2 * volts**2 * found.slope(volts).reshape(shape)) / share**2
    pairs = zip(shifts, c2[:, :-2], strict=True)
    return np.array([fit_c2_slope(shift, each) for shift, each in pairs])


def _at_nominal_share(ohms: Floats, rest: Floats, change: Floats, share: Floats) -> Floats:
    """(K, D) ohms of switches at their nominal share, from those at the share that they have."""
    found = ohms
    for _ in range(_ROUNDS):
        found = ohms / (1 + change * (found / (rest + found) / share - 1))
    return found
