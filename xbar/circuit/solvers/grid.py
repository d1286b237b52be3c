"""Canonical form of a crossbar for the fast solvers: driven at the left, read at the bottom.

    driver ──word[i, 0]──●──word[i, 1]──● … ●──right[i]── driver     (right: only with drive "both")
                         │ cells[i, j]
                         ●  bit[i, j] leads from here towards the bottom; top[j] from the top end

Sources and loads are part of the outer segments. Another drive or sense is a mirror image. Wires
are stored as resistances, so that 0 ohm is not a special case. Nor are lines that nothing drives or
reads: their source or load of FAR ohms carries nothing that a float64 current could show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


FAR = 1e150
IDEAL = 1e-100
"""Ohms of an ideal wire where a solver needs some: what they change is not seen in float64 ..."""
LARGEST = 1e60
"""... up to so many siemens of any other resistor."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A crossbar driven at the left (or both ends) and read at the bottom (or both ends).

    Attributes:
        cells: (W, B) conductances in siemens.
        word: (W, B) resistance of the segment to the left of each cell; the first includes the
            source.
        bit: (W, B) resistance of the segment below each cell; the last includes the load.
        right: (W,) resistance from the last cell to the driver; None if not driven there.
        top: (B,) resistance from the first cell to the sense amplifier; None if not read there.
        rows: slice that converts word lines between this form and the crossbar's.
        columns: slice that converts bit lines likewise.
    """

    cells: Floats
    word: Floats
    bit: Floats
    right: Floats | None
    top: Floats | None
    rows: slice
    columns: slice


def as_grid(crossbar: Crossbar) -> Grid:
    """Convert a crossbar to the canonical form."""
    lines, columns = crossbar.conductance.shape
    across = slice(None, None, -1 if crossbar.drive == "right" else 1)
    down = slice(None, None, -1 if crossbar.sense == "top" else 1)
    source = np.minimum(crossbar.source[down], FAR)
    load = np.minimum(crossbar.load[across], FAR)
    word = np.ascontiguousarray(crossbar.word_wire[down, across])
    bit = np.ascontiguousarray(crossbar.bit_wire[down, across])
    right = word[:, -1] + source if crossbar.drive == "both" else None
    top = bit[0] + load if crossbar.sense == "both" else None
    word, bit = np.array(word[:, :columns]), np.array(bit[-lines:])
    word[:, 0] += source
    bit[-1] += load
    cells = np.ascontiguousarray(crossbar.conductance[down, across])
    return Grid(cells, word, bit, right, top, down, across)


def as_wires(ohms: Floats) -> Floats:
    """Resistances of segments, with IDEAL ones that are as good as 0 ohm."""
    return np.maximum(ohms, IDEAL)
