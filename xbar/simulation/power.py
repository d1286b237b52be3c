"""Power that the drivers supply in a read, from the solved currents of the whole array.

By Tellegen's theorem it is the dissipation of all resistors, wires, sources and loads: the sense
amplifiers are at virtual ground and take none.

Shapes: N vectors, W' word lines and B' bit lines of the physical array.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.source_lines import SourceLines

_CELLS = 1 << 22
"""Maximum number of cell currents in memory: 32 MiB each of voltages and currents."""


def read_power(crossbar: Crossbar | SourceLines, voltage: Floats) -> Floats:
    """(N,) watts supplied by the drivers for word-line volts (N, W')."""
    if isinstance(crossbar, SourceLines):
        return crossbar.power(voltage)
    if len(voltage) <= len(crossbar.conductance):
        return np.asarray((voltage * driver_current(crossbar, voltage)).sum(axis=1))
    return np.asarray(((voltage @ input_admittance(crossbar)) * voltage).sum(axis=1))


def input_admittance(crossbar: Crossbar) -> Floats:
    """(W', W') siemens: current of each driver per volt of each; symmetric."""
    return driver_current(crossbar, np.eye(len(crossbar.conductance)))


def driver_current(crossbar: Crossbar, voltage: Floats) -> Floats:
    """(N, W') amperes of each word line's drivers: the sum of its cells' currents."""
    if crossbar.ideal:
        return np.asarray(voltage * crossbar.conductance.sum(axis=1))
    step = max(1, _CELLS // crossbar.conductance.size)
    currents = [
        crossbar.solve(voltage[start : start + step]).cell_current.sum(axis=2)
        for start in range(0, len(voltage), step)
    ]
    return np.concatenate(currents)
