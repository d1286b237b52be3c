"""The power that a read takes from the drivers, from the solved currents of the whole array.

By Tellegen's theorem it is what all resistors, wires, sources and loads dissipate: the sense
amplifiers hold their ends at 0 V and take nothing.

Shapes: N vectors, W' word lines and B' bit lines of the physical array.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar

_CELLS = 1 << 22
"""Cell currents that are held at once: 32 MiB each of voltages and currents."""


def read_power(crossbar: Crossbar, voltage: Floats) -> Floats:
    """(N,) watts that the drivers give for word-line volts (N, W')."""
    if len(voltage) <= len(crossbar.conductance):
        return np.asarray((voltage * driver_current(crossbar, voltage)).sum(axis=1))
    return np.asarray(((voltage @ input_admittance(crossbar)) * voltage).sum(axis=1))


def input_admittance(crossbar: Crossbar) -> Floats:
    """(W', W') siemens: current that each driver gives per volt of each; symmetric."""
    return driver_current(crossbar, np.eye(len(crossbar.conductance)))


def driver_current(crossbar: Crossbar, voltage: Floats) -> Floats:
    """(N, W') amperes that the drivers of each word line give: all that its cells take."""
    if crossbar.ideal:
        return np.asarray(voltage * crossbar.conductance.sum(axis=1))
    step = max(1, _CELLS // crossbar.conductance.size)
    parts = [
        crossbar.solve(voltage[start : start + step]).cell_current.sum(axis=2)
        for start in range(0, len(voltage), step)
    ]
    return np.concatenate(parts)
