"""Rules for blocks that share a tile, and lower bounds on the number of tiles.

    none      one block per tile
    apart     blocks share no line. Each is read as if alone on the tile: except for the leakage of
              open switches, no current of one flows on another's lines
    beside    blocks may share word lines, not bit lines: idle columns load a word line's driver
    any       blocks may share bit lines too: idle rows, held at 0 V, draw current from the bit line
              through its wire, which the nodal read-out includes and wire-aware programming
              corrects

Blocks are read in turn; blocks "apart" have separate bit lines and may be read at once. A reference
column is a bit line shared by all columns of a tile, under any rule.

Shapes: n rectangles (n, 2), rows of cells and columns of weights; a tile likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rule: TypeAlias = Literal["none", "apart", "beside", "any"]
Shapes: TypeAlias = NDArray[np.int64]
Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Packing:
    """Positions of rectangles.

    Attributes:
        tile: (n,) tile index.
        corner: (n, 2) first row and column on the tile.
    """

    tile: NDArray[np.int64]
    corner: NDArray[np.int64]

    @property
    def tiles(self) -> int:
        """Number of tiles used."""
        return int(self.tile.max()) + 1 if len(self.tile) else 0


def area_bound(shapes: Shapes, size: Size) -> int:
    """Lower bound on the number of tiles by area.

    >>> area_bound(np.array([[2, 3], [2, 2]]), (3, 3))
    2
    """
    return -(-int(shapes.prod(axis=1).sum()) // (size[0] * size[1]))


def lower_bound(shapes: Shapes, size: Size, rule: Rule) -> int:
    """Lower bound on the number of tiles under a rule.

    With s the tile's length, a length x may be replaced by 0 if x < t, and by s if x > s - t, for
    any t up to s / 2 (a dual feasible function): sets of lengths that fit still do. With rows and
    columns replaced, the area still bounds the tiles (Fekete and Schepers, Mathematical Methods of
    Operations Research 60, 2004); where lines are not shared their number does.
    """
    if rule == "none":
        return len(shapes)
    if not len(shapes):
        return 0
    rows, columns = (_counted(shapes[:, axis], size[axis]) for axis in (0, 1))
    if rule == "any":
        return -(-int((rows @ columns.T).max()) // (size[0] * size[1]))
    bound = -(-int(columns.sum(axis=1).max()) // size[1])
    return max(bound, -(-int(rows.sum(axis=1).max()) // size[0])) if rule == "apart" else bound


def _counted(length: NDArray[np.int64], whole: int) -> NDArray[np.int64]:
    """(thresholds, n) replacement of each length, for the thresholds at which it changes."""
    twice = 2 * length
    change = np.concatenate([[0], twice + 1, 2 * whole - twice + 1])
    threshold = np.unique(change[change <= whole])[:, None]  # twice t
    counted = np.where(twice < threshold, 0, np.where(twice > 2 * whole - threshold, whole, length))
    return counted.astype(np.int64)
