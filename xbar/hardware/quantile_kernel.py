"""Compiled kernel of a table of quantiles, with the operations of ``Curve`` tables.

Shapes: L numbers, R rows of a table.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, jit

_BUCKETS = 1024


@jit
def look_up(u: Floats, share: Floats, value: Floats, out: Floats) -> None:
    """Values (L,) of a table at shares (L,) from 0 to below 1, straight between its rows.

    Args:
        u: (L,) shares.
        share: (R,) shares of the rows, rising from 0 to 1.
        value: (R,) their values.
        out: (L,) result; may be ``u``.
    """
    last = len(share) - 2
    guide = np.empty(_BUCKETS, dtype=np.int64)  # the row at the lower end of each bucket of shares
    row = 0
    for bucket in range(_BUCKETS):
        while row < last and share[row + 1] <= bucket / _BUCKETS:
            row += 1
        guide[bucket] = row
    for i in range(len(u)):
        x = u[i]
        row = guide[min(int(x * _BUCKETS), _BUCKETS - 1)]
        while row < last and share[row + 1] <= x:
            row += 1
        part = (x - share[row]) / (share[row + 1] - share[row])
        out[i] = value[row] * (1.0 - part) + value[row + 1] * part
