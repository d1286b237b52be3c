"""The blocks of a merge tree, kept for an array that has the same wires and many of the same cells.

A compiler that changes some columns of a tile again and again need not reduce and join the others
each time. What is taken is what would be made: the transfer matrix has the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.solvers.grid import Grid
from xbar.circuit.solvers.joining import Block

Ints = NDArray[np.int64]
Place = tuple[tuple[int, ...], int, int]


@dataclass(eq=False)
class Parts:
    """What was made of the last array; without one, nothing is kept.

    Attributes:
        grid: the array that is being solved; None where nothing is kept.
        before: the one before.
        leaves: by first row and column.
        joins: by place in the tree: both halves and what they made.
    """

    grid: Grid | None = None
    before: Grid | None = None
    leaves: dict[tuple[int, int], Block] = field(default_factory=dict)
    joins: dict[Place, tuple[Block, Block, Block]] = field(default_factory=dict)

    def begin(self, grid: Grid) -> Parts:
        """Set out to solve an array; everything is forgotten if its wires are others."""
        if self.grid is not None and not _same_wires(self.grid, grid):
            self.leaves.clear()
            self.joins.clear()
            self.grid = None
        self.before, self.grid = self.grid, grid
        return self

    def leaf(self, part: tuple[slice, slice], grid: Grid) -> Block | None:
        """The block of some rows and columns, if their cells are as before."""
        if self.before is None or not np.array_equal(self.before.cells[part], grid.cells[part]):
            return None
        return self.leaves.get((int(part[0].start), int(part[1].start)))

    def keep(self, leaves: NDArray[np.object_], rows: Ints, columns: Ints) -> None:
        """Remember the blocks that begin at these rows and columns."""
        if self.grid is not None:
            for i, j in np.ndindex(leaves.shape):
                block: Any = leaves[i, j]
                self.leaves[int(rows[i]), int(columns[j])] = block

    def joined(self, place: Place, first: Block, second: Block, join: Callable[[], Block]) -> Block:
        """What two blocks make at a place in the tree."""
        known = self.joins.get(place)
        if known is not None and known[0] is first and known[1] is second:
            return known[2]
        made = join()
        if self.grid is not None:
            self.joins[place] = first, second, made
        return made


def _same_wires(one: Grid, other: Grid) -> bool:
    if (one.cells.shape, one.rows, one.columns) != (other.cells.shape, other.rows, other.columns):
        return False
    ends = [(one.right, other.right), (one.top, other.top)]
    if any((a is None) != (b is None) for a, b in ends):
        return False
    pairs = [(one.word, other.word), (one.bit, other.bit), *ends]
    return all(a is None or b is None or np.array_equal(a, b) for a, b in pairs)
