"""What of a branch's resistance is the resistor's and what the switch's, as the law needs it."""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.silicon.branch import Branches, Conditions, Copies, sweep

_STEP = 0.03
"""Relative deviation of the resistor, from which its own resistance is found."""


def branch_parts(
    branches: Branches, at: Conditions, volts: float, shifts: Floats
) -> tuple[Floats, Floats]:
    """Ohms (K,) of the resistors, and (K, D) of the switches at deviations of their thresholds.

    The resistance is what deviations of the resistor show: how much 1/G grows with them. The rest
    of 1/G is the switch's. So the law of a branch is exact to first order in both deviations,
    though a switch's own resistance depends a little on what the resistor leaves for it.

    Args:
        branches: what they are.
        at: corner, temperature and supply; typical devices whatever the seed.
        volts: G is the current's difference between +-volts, by 2 volts.
        shifts: (K, D) volts, deviations of the threshold of each branch's switch.

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
    ohms = 1 / sweep(branches, copies, plain, volts, 1).slope(volts).reshape(count, points + 2)
    own = (ohms[:, -2] - ohms[:, -1]) / (2 * _STEP)
    return own, ohms[:, :-2] - (own + branches.series)[:, None]
