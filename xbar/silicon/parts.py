"""What of a branch's resistance is the resistor's and what the switch's, as the law needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.silicon.branch import Branches, Conditions, Copies, sweep
from xbar.silicon.fit import SwitchLaw, fit_switch

_STEP = 0.03
"""Relative deviation of the resistor, by which the switch's share of the voltage is changed."""
_ROUNDS = 8
"""Steps in which the load of a switch is taken out of its resistance; each gains three digits."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The branches of a bank, taken apart.

    Attributes:
        resistance: (K,) ohms of the resistors.
        load: (K,) relative change of a switch's resistance where its share of the branch doubles.
        laws: (K,) the laws of the switches.
    """

    resistance: Floats
    load: Floats
    laws: tuple[SwitchLaw, ...]

    @property
    def switch(self) -> Floats:
        """(4, K) ohms, slope, bend and cubic of the switches."""
        return np.array(self.laws).T


def branch_parts(branches: Branches, at: Conditions, volts: float, shifts: Floats) -> Parts:
    """The parts of branches, for which their law is exact to first order in both deviations.

    How much 1/G grows with the resistor's deviation is less than its resistance, because a switch
    with less of the voltage has less resistance: that is the switch's load.

    Args:
        branches: what they are.
        at: corner, temperature and supply; typical devices whatever the seed.
        volts: G is the current's difference between +-volts, by 2 volts.
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
    found = sweep(branches, copies, plain, volts, 1)
    ohms = 1 / found.slope(volts).reshape(count, points + 2)
    typical = np.argmin(np.abs(shifts), axis=1)[:, None]
    closed_ohms = found.switch_resistance(volts).reshape(count, points + 2)
    nominal = np.take_along_axis(closed_ohms, typical, axis=1)
    own = np.take_along_axis(ohms, typical, axis=1) - branches.series[:, None] - nominal
    growth = (ohms[:, -2] - ohms[:, -1]) / (2 * _STEP)
    share = (nominal / (own + branches.series[:, None] + nominal))[:, 0]
    load = (1 - growth / own[:, 0]) / share
    rest = own + branches.series[:, None]
    unloaded = _unloaded(ohms[:, :-2] - rest, rest, load[:, None], share[:, None])
    laws = tuple(fit_switch(shifts[k], unloaded[k]) for k in range(count))
    return Parts(own[:, 0], load, laws)


def _unloaded(ohms: Floats, rest: Floats, load: Floats, share: Floats) -> Floats:
    """(K, D) ohms of switches at their nominal share, from those at the share that they have."""
    found = ohms
    for _ in range(_ROUNDS):
        found = ohms / (1 + load * (found / (rest + found) / share - 1))
    return found
