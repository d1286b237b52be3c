"""Pack blocks onto tiles under a rule: first fit, and CP-SAT where that may have missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xbar.compiler.packing.cp_sat import fit, too_large
from xbar.compiler.packing.first_fit import first_fit
from xbar.compiler.packing.rules import Packing, Rule, Shapes, Size, lower_bound

EFFORT = 0.8
"""CP-SAT's deterministic time for all questions about one packing: some seconds at most."""

QUESTIONS = 4
"""Questions about one packing at most."""

MOST = 5000
"""Rectangles beyond which first fit is left as it is."""


@dataclass(frozen=True)
class Packed:
    """A packing and how it was found.

    Attributes:
        packing: tiles in the order of the first rectangle on each.
        method: "alone", "first fit", or "CP-SAT" where it saved tiles.
        status: "optimal" where no packing takes fewer tiles, else "best found".
    """

    packing: Packing
    method: str
    status: str


def pack(shapes: Shapes, size: Size, rule: Rule, effort: float = EFFORT) -> Packed:
    """Rectangles (n, 2) on tiles of ``size``, each of which they fit.

    Those that fill a tile, or all of them by the rule "none", get one of their own and are not
    searched over.

    Args:
        shapes: rows and columns of each.
        size: rows and columns of a tile.
        rule: what may be shared.
        effort: deterministic time for CP-SAT; 0 leaves first fit as it is.
    """
    small = (shapes < np.array(size)).any(axis=1) & (rule != "none")
    tile, corner = np.arange(len(shapes), dtype=np.int64), np.zeros_like(shapes)
    if not small.any():
        return Packed(Packing(tile, corner), "alone", "optimal")
    found = _search(shapes[small], size, rule, effort)
    tile[small] = len(shapes) + found.packing.tile
    corner[small] = found.packing.corner
    _, first, number = np.unique(tile, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return Packed(Packing(rank[number.ravel()], corner), found.method, found.status)


def _search(shapes: Shapes, size: Size, rule: Rule, effort: float) -> Packed:
    """First fit, then some tiles fewer as long as CP-SAT finds that."""
    packing, method = first_fit(shapes, size, rule), "first fit"
    bound = lower_bound(shapes, size, rule)
    asked = 0
    while packing.tiles > bound and asked < QUESTIONS and effort > 0 and len(shapes) <= MOST:
        better = None
        for part, tiles in _questions(shapes, size, rule, packing):
            asked += 1
            better, never = fit(shapes[part], size, rule, tiles, effort / QUESTIONS)
            if never and len(part) == len(shapes):
                bound = packing.tiles
            if better is not None:
                packing, method = _exchanged(packing, part, better), "CP-SAT"
            if better is not None or asked == QUESTIONS:
                break
        if better is None:
            break
    return Packed(packing, method, "optimal" if packing.tiles <= bound else "best found")


def _questions(
    shapes: Shapes, size: Size, rule: Rule, packing: Packing
) -> Iterator[tuple[Shapes, int]]:
    """Which rectangles to pack anew, and on how many tiles: one fewer than they have.

    All of them where they are few, else those of the emptiest tiles: of so many that their free
    room adds up to one tile, and of some more.
    """
    if not too_large(shapes, packing.tiles, rule):
        yield np.arange(len(shapes)), packing.tiles - 1
        return
    area = np.bincount(packing.tile, shapes.prod(axis=1).astype(np.float64))
    emptiest = np.argsort(area, kind="stable")
    for count in range(2, packing.tiles):
        part = np.flatnonzero(np.isin(packing.tile, emptiest[:count]))
        if too_large(shapes[part], count, rule):
            return
        if lower_bound(shapes[part], size, rule) < count:
            yield part, count - 1


def _exchanged(packing: Packing, part: Shapes, better: Packing) -> Packing:
    """The packing with a part of its rectangles as another packing puts them."""
    tile, corner = packing.tile.copy(), packing.corner.copy()
    tile[part] = packing.tiles + better.tile
    corner[part] = better.corner
    return Packing(np.unique(tile, return_inverse=True)[1].ravel(), corner)
