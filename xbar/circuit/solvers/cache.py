"""Cache of a merge tree's patches, for arrays with the same wires and many of the same cells.

Cached patches equal recomputed ones: the transfer matrix is bit-identical.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.solvers.grid import Grid
from xbar.circuit.solvers.joining import Patch

Place = tuple[tuple[int, ...], int, int]


@dataclass(eq=False)
class PatchCache:
    """The last patch at each place of the merge tree, with its inputs.

    The owner ensures that all arrays differ only in their cells. A patch is reused only if its
    inputs are unchanged, so threads may share a cache.

    Attributes:
        leaves: cells and patch, by first row and column.
        joins: both halves and their joined patch, by place in the tree.
    """

    leaves: dict[tuple[int, int], tuple[Floats, Patch]] = field(default_factory=dict)
    joins: dict[Place, tuple[Patch, Patch, Patch]] = field(default_factory=dict)

    def leaf(self, part: tuple[slice, slice], grid: Grid) -> Patch | None:
        """The cached patch of some rows and columns; None if their cells have changed."""
        known = self.leaves.get((int(part[0].start), int(part[1].start)))
        return known[1] if known and np.array_equal(known[0], grid.cells[part]) else None

    def keep(self, part: tuple[slice, slice], grid: Grid, patch: Patch) -> None:
        """Store the patch of some rows and columns of an array."""
        place = int(part[0].start), int(part[1].start)
        self.leaves[place] = grid.cells[part].copy(), patch

    def joined(self, place: Place, first: Patch, second: Patch, join: Callable[[], Patch]) -> Patch:
        """Join of two patches at a place in the tree, cached."""
        known = self.joins.get(place)
        if known is not None and known[0] is first and known[1] is second:
            return known[2]
        made = join()
        self.joins[place] = first, second, made
        return made
