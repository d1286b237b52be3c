"""What blocks that share a tile may have in common, and how many tiles that takes at least.

    none      a tile holds one block
    apart     blocks share no line. Each is read as if it were alone in its place: but for what open
              switches leak, no current of its own flows on another's lines
    beside    blocks may share word lines, not bit lines: idle columns load a word line's driver
    any       blocks may share bit lines too: idle rows, held at 0 V, draw current off the bit line
              through its wire, which the nodal read-out shows and wire-aware programming corrects

Blocks are read one after another; those apart, each with bit lines of its own, may be read at once.
A reference column is a bit line that all columns of a tile share, by any rule.

Shapes: n rectangles (n, 2), rows of cells and columns of weights; a tile of the same kind.
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
    """Where rectangles lie.

    Attributes:
        tile: (n,) on which tile, from 0.
        corner: (n, 2) their first row and column on it.
    """

    tile: NDArray[np.int64]
    corner: NDArray[np.int64]

    @property
    def tiles(self) -> int:
        """How many tiles are taken."""
        return int(self.tile.max()) + 1 if len(self.tile) else 0


def area_bound(shapes: Shapes, size: Size) -> int:
    """Tiles that the rectangles' area takes at least.

    >>> area_bound(np.array([[2, 3], [2, 2]]), (3, 3))
    2
    """
    return -(-int(shapes.prod(axis=1).sum()) // (size[0] * size[1]))


def lower_bound(shapes: Shapes, size: Size, rule: Rule) -> int:
    """Tiles that they take at least under a rule.

    A length x of a tile's length s may count as nothing where x < t, and as s where x > s - t, for
    any t up to s / 2: no set of lengths that fits counts more than s then. With such counts for
    rows and for columns the area still bounds the tiles (Fekete and Schepers, Mathematical Methods
    of Operations Research 60, 2004); where lines are not shared their number does.
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
    """(thresholds, n): what each length counts, for thresholds at which that changes."""
    twice = 2 * length
    change = np.concatenate([[0], twice + 1, 2 * whole - twice + 1])
    threshold = np.unique(change[change <= whole])[:, None]  # twice t
    counted = np.where(twice < threshold, 0, np.where(twice > 2 * whole - threshold, whole, length))
    return counted.astype(np.int64)
