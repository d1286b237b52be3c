"""What blocks that share a tile may have in common, and how many tiles that takes at least.

    none      a tile holds one block
    apart     blocks share no line. Each is read as if it were alone: no current of its own flows
              on another's lines, and all can be read at once
    beside    blocks may share word lines, not bit lines: idle columns load a word line's driver
    any       blocks may share bit lines too: idle rows, held at 0 V, draw current off the bit line
              through its wire, which the nodal read-out shows and wire-aware programming corrects

Blocks that share lines are read one after another.

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

    Beside the area: no two rectangles of which each is over half as high and over half as wide as
    the tile share one; and where lines are not shared, lines add up, and of those that take over
    half a tile's lines no two share one.
    """
    if rule == "none":
        return len(shapes)
    high, wide = (2 * shapes > np.array(size)).T
    bounds = [area_bound(shapes, size), int((high & wide).sum())]
    if rule in ("apart", "beside"):
        bounds += [-(-int(shapes[:, 1].sum()) // size[1]), int(wide.sum())]
    if rule == "apart":
        bounds += [-(-int(shapes[:, 0].sum()) // size[0]), int(high.sum())]
    return max(bounds)
