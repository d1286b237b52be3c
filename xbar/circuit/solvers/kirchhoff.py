"""Violation of Kirchhoff's current law by voltages, for any wires including ideal ones."""

from __future__ import annotations

import numpy as np

from xbar.circuit.solvers.grid import Grid
from xbar.circuit.solvers.lanes import Floats, jit


def residual(grid: Grid, voltage: Floats, word: Floats, bit: Floats) -> float:
    """Largest net current into any node, relative to the largest current anywhere.

    Nodes joined by ideal wires are treated as one.

    Args:
        grid: crossbar.
        voltage: (W,) driver voltages; this and the next two in the crossbar's order.
        word: (W, B) word-line voltages.
        bit: (W, B) bit-line voltages.
    """
    word, bit = word[grid.rows, grid.columns], bit[grid.rows, grid.columns]
    through = np.ascontiguousarray(grid.cells * (word - bit))
    lines, columns = through.shape
    right = np.full(lines, np.inf) if grid.right is None else grid.right
    top = np.full(columns, np.inf) if grid.top is None else grid.top
    drive, ground = np.array(voltage[grid.rows]), np.zeros(columns)
    by_word = _excess(np.array(word), grid.word, drive, right, through)
    up = [np.ascontiguousarray(a[::-1].T) for a in (bit, grid.bit, -through)]
    by_bit = _excess(up[0], up[1], ground, top, up[2])
    largest = max(by_word[1], by_bit[1])
    return max(by_word[0], by_bit[0]) / largest if largest else 0.0


@jit
def _excess(
    volts: Floats, ohms: Floats, end: Floats, far: Floats, out: Floats
) -> tuple[float, float]:
    """Largest net current into a node of any line, and the largest current.

    Args:
        volts: (L, n) node voltages, from the terminal on.
        ohms: (L, n) resistance of the segment before each node.
        end: (L,) voltage of the terminal at one or both ends.
        far: (L,) resistance from the last node to the terminal; infinite for none.
        out: (L, n) current leaving each node through its cell, amperes.
    """
    worst = largest = 0.0
    lines, n = volts.shape
    for i in range(lines):
        net, free, before, r = 0.0, True, end[i], ohms[i, 0]
        for j in range(n + 1):
            here = volts[i, j] if j < n else end[i]
            if r > 0:  # the merged node is complete, unless it includes the terminal
                current = (before - here) / r
                if not free:
                    worst = max(worst, abs(net - current))
                largest = max(largest, abs(current))
                net, free = current, False
            if j < n:
                net -= out[i, j]
                largest = max(largest, abs(out[i, j]))
                before, r = here, (ohms[i, j + 1] if j + 1 < n else far[i])
    return worst, largest
