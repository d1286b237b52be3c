"""The typical branches of a bank under one condition, as a bank without spread.

A short characterisation: four decks, for the laws alone. ``Cell.characterise`` finds deviations,
corners and temperatures too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xbar.arrays import Floats
from xbar.hardware.bank import Bank
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.hardware.switch import Switch
from xbar.silicon.branch import Branches, Conditions, Copies, sweep
from xbar.silicon.fit import fit_bend
from xbar.silicon.parts import branch_parts, rise_of_line

_POINTS = 9
"""Deviations of the threshold at which each switch is simulated."""
_LEAST = 0.01
"""Volts: the least of the deviations up to which a switch's law is fitted."""
_STEP = 0.025
"""Volts: about the step of the sweep that the bend is fitted to."""


def typical_bank(
    branches: Branches,
    conditions: Conditions,
    threshold: Floats,
    limit: float,
    test: float = 0.0,
) -> Bank:
    """The laws of a bank's branches under some conditions.

    Args:
        branches: what they are.
        conditions: corner, temperature and supply; typical devices whatever the seed.
        threshold: (K,) volts: largest deviation of each switch's threshold.
        limit: volts up to which the bend of the current is fitted.
        test: volts; G is the current's difference between +-test, by 2 test, or its slope at 0 V.

    Raises:
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice failed.
        FileError: the models lack the corner.
    """
    count, at = len(branches.length), replace(conditions, seed=None)
    shifts = np.maximum(threshold, _LEAST)[:, None] * np.linspace(-1, 1, _POINTS)
    parts = branch_parts(branches, at, test, shifts)
    ohms, slope, bend, cubic = (tuple(each) for each in parts.switch.tolist())
    # whole steps up to the voltage of the test, so that the sweep has a point there
    step = test / max(round(test / _STEP), 1) if test else _STEP
    steps = max(round(limit / step), round(test / step), 1)
    found = sweep(branches, Copies.each(count), at, steps * step, steps)
    siemens = found.slope(test)
    bends = [fit_bend(found.voltage, found.current[k], siemens[k], test) for k in range(count)]
    return Bank(
        resistors=count,
        nominal=tuple(parts.resistance.tolist()),
        spread="none",
        series=tuple(branches.series.tolist()),
        switch=Switch(
            resistance=ohms,
            slope=slope,
            bend=bend,
            cubic=cubic,
            share_slope=tuple(parts.share_slope.tolist()),
        ),
        nonlinearity=Nonlinearity(
            c2=tuple(bend.c2 for bend in bends),
            c3=tuple(bend.c3 for bend in bends),
            kink=tuple(bend.kink for bend in bends),
            test=test or None,
            rise=tuple(rise_of_line(branches, at, test).tolist()),
            c2_slope=tuple(parts.c2_slope.tolist()),
        ),
    )
