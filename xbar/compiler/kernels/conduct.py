"""What the cells of a tile conduct: the sums over each cell's closed resistors.

Shapes: L cells of K resistors; F bytes of a cell's switches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.kernels.whole import added_up
from xbar.jit import Floats, jit


@jit
def conduct(on: Floats, packed: NDArray[np.uint8], out: Floats) -> None:
    """Write the sum of each cell's closed resistors (L,), siemens, in numpy's order.

    Args:
        on: (L, K) siemens switched in; a resistor switched out conducts nothing.
        packed: (L, F) closed switches as bits, first resistor first.
        out: (L,) result.
    """
    cells, resistors = on.shape
    each = np.empty(resistors)
    for i in range(cells):
        for k in range(resistors):
            each[k] = on[i, k] * np.float64((packed[i, k >> 3] >> (k & 7)) & 1)
        out[i] = added_up(each)
