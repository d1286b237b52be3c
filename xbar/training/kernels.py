"""What each cell's own lines leave of its conductance, all cells of many arrays at once.

numba is imported with this file: import it in functions.

Shapes: T arrays of W word lines x B bit lines; lines of L cells, n of them beside each other.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, Ints, jit

FIRST, LAST, BOTH = range(3)
"""Ends of a line: its first cell's, its last one's."""


@jit
def shares(cells: Floats, wires: Floats, ends: Ints, out: Floats) -> None:
    """Write each cell's word-line voltage times the part of its current that its bit line lets by.

    Each line is taken by itself, its cells' other sides at 0 V.

    Args:
        cells: (T, W, B) siemens.
        wires: (4,) ohms of a word line's segment, of its driver, of a bit line's segment and of its
            amplifier.
        ends: (2,) which end of word lines is driven and of bit lines sensed.
        out: (T, W, B) result.
    """
    _, high, wide = cells.shape
    turned, volts, more = np.empty((3, wide, high))
    again = np.empty((high, wide))
    for t in range(len(cells)):
        for i in range(high):
            for j in range(wide):
                turned[j, i] = cells[t, i, j]
        along(turned, wires[0], wires[1], ends[0], volts, more)
        along(cells[t], wires[2], wires[3], ends[1], out[t], again)
        for i in range(high):
            for j in range(wide):
                out[t, i, j] *= volts[j, i]


@jit
def along(cells: Floats, wire: float, end: float, where: int, volts: Floats, more: Floats) -> None:
    """Write the voltages of lines that are driven with 1 V at an end or at both.

    Args:
        cells: (L, n) siemens.
        wire: ohms of a segment.
        end: ohms of a driver.
        where: FIRST, LAST or BOTH.
        volts: (L, n) result.
        more: (L, n) scratch.
    """
    if where != BOTH:
        _ladder(cells, (wire, end, 0.0), where == LAST, volts)
    elif wire + end == 0.0:
        volts[:] = 1.0
    else:
        _ladder(cells, (wire, end, 1.0 / (wire + end)), False, volts)
        _ladder(cells, (wire, end, 1.0 / (wire + end)), True, more)
        for i in range(len(cells)):
            for j in range(cells.shape[1]):
                volts[i, j] += more[i, j]


@jit
def _ladder(
    cells: Floats, ohms: tuple[float, float, float], backwards: bool, volts: Floats
) -> None:
    """Write the voltages of lines driven at one end: what stays of it, segment after segment.

    Args:
        cells: (L, n) siemens.
        ohms: of a segment and of the driver; siemens at the other end.
        backwards: whether the last cell is next to the driver.
        volts: (L, n) result.
    """
    length, lines = cells.shape
    wire, end, beyond = ohms
    behind = np.full(lines, beyond)
    for k in range(length - 1, -1, -1):
        i = length - 1 - k if backwards else k
        r = wire + end if k == 0 else wire
        for j in range(lines):
            through = behind[j] + cells[i, j]
            left = 1.0 / (1.0 + r * through)
            volts[i, j] = left
            behind[j] = through * left
    for k in range(1, length):
        i = length - 1 - k if backwards else k
        before = i + 1 if backwards else i - 1
        for j in range(lines):
            volts[i, j] *= volts[before, j]
