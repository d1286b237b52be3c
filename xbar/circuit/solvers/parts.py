"""The blocks of a merge tree, kept for an array that has the same wires and many of the same cells.

A compiler that changes some columns of a tile again and again need not reduce and join the others
each time. What is taken is what would be made: the transfer matrix has the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.solvers.grid import Grid
from xbar.circuit.solvers.joining import Block

Place = tuple[tuple[int, ...], int, int]


@dataclass(eq=False)
class Parts:
    """What was made of the arrays solved so far, the last at each place; nothing before the first.

    All levels of the tree stay in memory, where a solution by itself has two at a time.

    Attributes:
        grid: the array that is being solved; None where nothing is kept.
        leaves: by first row and column: the cells, and the block that they made.
        joins: by place in the tree: both halves and what they made.
    """

    grid: Grid | None = None
    leaves: dict[tuple[int, int], tuple[Floats, Block]] = field(default_factory=dict)
    joins: dict[Place, tuple[Block, Block, Block]] = field(default_factory=dict)

    def begin(self, grid: Grid) -> Parts:
        """Set out to solve an array; everything is forgotten if its wires are others."""
        if self.grid is not None and not _same_wires(self.grid, grid):
            self.leaves.clear()
            self.joins.clear()
        self.grid = grid
        return self

    def leaf(self, part: tuple[slice, slice], grid: Grid) -> Block | None:
        """The block of some rows and columns, if their cells are those that it was made of."""
        known = self.leaves.get((int(part[0].start), int(part[1].start)))
        return known[1] if known and np.array_equal(known[0], grid.cells[part]) else None

    def keep(self, part: tuple[slice, slice], block: Block) -> None:
        """Remember the block of some rows and columns of the array that is being solved."""
        if self.grid is not None:
            place = int(part[0].start), int(part[1].start)
            self.leaves[place] = self.grid.cells[part].copy(), block

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
