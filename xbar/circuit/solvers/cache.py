"""The blocks of a merge tree, kept for arrays that have the same wires and many of the same cells.

What is taken from the cache is what would be made: the transfer matrix has the same bits.
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
class BlockCache:
    """The last block made at each place of the merge tree, with what it was made of.

    It serves arrays that differ in nothing but their cells; whoever owns it sees to that. A block
    is taken only where what it was made of is the same, so threads may share a cache.

    Attributes:
        leaves: by first row and column: the cells, and the block that they made.
        joins: by place in the tree: both halves, and the block that they made.
    """

    leaves: dict[tuple[int, int], tuple[Floats, Block]] = field(default_factory=dict)
    joins: dict[Place, tuple[Block, Block, Block]] = field(default_factory=dict)

    def leaf(self, part: tuple[slice, slice], grid: Grid) -> Block | None:
        """The block of some rows and columns, if their cells are those that it was made of."""
        known = self.leaves.get((int(part[0].start), int(part[1].start)))
        return known[1] if known and np.array_equal(known[0], grid.cells[part]) else None

    def keep(self, part: tuple[slice, slice], grid: Grid, block: Block) -> None:
        """Remember the block of some rows and columns of an array."""
        place = int(part[0].start), int(part[1].start)
        self.leaves[place] = grid.cells[part].copy(), block

    def joined(self, place: Place, first: Block, second: Block, join: Callable[[], Block]) -> Block:
        """The block that two others make at a place in the tree."""
        known = self.joins.get(place)
        if known is not None and known[0] is first and known[1] is second:
            return known[2]
        made = join()
        self.joins[place] = first, second, made
        return made
