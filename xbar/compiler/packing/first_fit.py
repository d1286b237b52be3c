"""Packing by first fit: rectangles in descending order, each on the first tile with room.

Where lines are shared, a tile's free area is represented by disjoint rectangles (guillotine cuts):
filling one leaves two, split along its shorter or its longer side. Several orders are tried, and
the result with the fewest tiles is taken.

Shapes: n rectangles (n, 2), rows and columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.packing.rules import Packing, Rule, Shapes, Size, lower_bound

Order = NDArray[np.int64]

FEW = 2000
"""Maximum number of rectangles for trying several orders."""


def first_fit(shapes: Shapes, size: Size, rule: Rule) -> Packing:
    """The best of several first fits; ``rule`` must not be "none".

    Every rectangle must fit on an empty tile.
    """
    bound = lower_bound(shapes, size, rule)
    best = None
    for packing in _attempts(shapes, size, rule):
        if best is None or packing.tiles < best.tiles:
            best = packing
        if best.tiles <= bound or len(shapes) > FEW:
            break
    assert best is not None
    return best


def _attempts(shapes: Shapes, size: Size, rule: Rule) -> Iterator[Packing]:
    share = shapes / np.array(size)
    keys = [share.prod(axis=1), share.max(axis=1), share[:, 1], share[:, 0]]
    if rule == "beside":
        keys = [share[:, 1]]
    for key in keys:
        order = np.lexsort((share[:, 0], share[:, 1], key))[::-1]
        if rule == "any":
            for longer in (False, True):
                yield _guillotine(shapes, size, order, longer)
        else:
            yield _lines(shapes, size, order, rule)


def _lines(shapes: Shapes, size: Size, order: Order, rule: Rule) -> Packing:
    """Pack rectangles that share no bit line and, if "apart", no word line."""
    needs = shapes if rule == "apart" else shapes * np.array([0, 1])
    used = np.zeros((len(shapes), 2), dtype=np.int64)
    tile, corner = np.empty(len(shapes), dtype=np.int64), np.empty_like(shapes)
    chosen, opened, before = 0, 0, None
    for number in order:
        if before is None or (needs[number] != needs[before]).any():
            chosen = 0  # else no tile before the last chosen one has room either
        before = number
        room = (used[chosen : opened + 1] + needs[number] <= np.array(size)).all(axis=1)
        chosen += int(np.argmax(room))
        tile[number], corner[number] = chosen, used[chosen]
        used[chosen] += needs[number]
        opened = max(opened, chosen + 1)
    return Packing(tile, corner)


def _guillotine(shapes: Shapes, size: Size, order: Order, longer: bool) -> Packing:
    """Pack rectangles that may share lines, each in the best-fitting free rectangle."""
    free = _Free(len(shapes), size)
    tile, corner = np.empty(len(shapes), dtype=np.int64), np.empty_like(shapes)
    for number in order:
        rows, columns = shapes[number].tolist()
        slot = free.best(rows, columns)
        tile[number], corner[number] = free.tile[slot], free.corner[slot]
        free.fill(slot, rows, columns, longer)
    return Packing(tile, corner)


class _Free:
    """Free rectangles of all tiles, opened tiles first."""

    def __init__(self, most: int, size: Size) -> None:
        self.corner = np.zeros((2 * most + 1, 2), dtype=np.int64)
        self.extent = np.zeros((2 * most + 1, 2), dtype=np.int64)
        self.tile = np.zeros(2 * most + 1, dtype=np.int64)
        self.size, self.count, self.tiles = size, 0, 0

    def best(self, rows: int, columns: int) -> int:
        """Best-fitting slot on the first tile with room."""
        rest = self.extent[: self.count] - (rows, columns)
        narrow = rest.min(axis=1)
        fits = narrow >= 0
        if not fits.any():
            self._add(self.tiles, (0, 0), self.size)
            self.tiles += 1
            return self.count - 1
        key = self.tile[: self.count] * (max(self.size) + 1) + narrow
        return int(np.argmin(np.where(fits, key, np.iinfo(np.int64).max)))

    def fill(self, slot: int, rows: int, columns: int, longer: bool) -> None:
        """Occupy the slot's corner and free the remainder."""
        (row, column), (high, wide) = self.corner[slot].tolist(), self.extent[slot].tolist()
        tile = int(self.tile[slot])
        below, beside = high - rows, wide - columns
        whole_rows = (below < beside) != longer
        self.extent[slot] = 0
        remainders = (
            ((row + rows, column), (below, columns if whole_rows else wide)),
            ((row, column + columns), (high if whole_rows else rows, beside)),
        )
        slots = itertools.chain([slot], itertools.repeat(None))
        for corner, extent in remainders:
            if min(extent) > 0:
                self._add(tile, corner, extent, next(slots))

    def _add(
        self, tile: int, corner: tuple[int, int], extent: tuple[int, int], slot: int | None = None
    ) -> None:
        if slot is None:
            slot, self.count = self.count, self.count + 1
        self.tile[slot], self.corner[slot], self.extent[slot] = tile, corner, extent
