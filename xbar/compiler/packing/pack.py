"""Pack blocks onto tiles under a rule: first fit, then CP-SAT if it may not be optimal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xbar.compiler.packing.cp_sat import fit, too_large
from xbar.compiler.packing.first_fit import first_fit
from xbar.compiler.packing.rules import Packing, Rule, Shapes, Size, lower_bound

EFFORT = 0.8
"""CP-SAT's total deterministic time for one packing: some seconds at most."""

QUESTIONS = 4
"""Maximum number of CP-SAT problems for one packing."""

MOST = 5000
"""Number of rectangles beyond which first fit is not improved."""


@dataclass(frozen=True)
class Packed:
    """A packing and how it was found.

    Attributes:
        packing: the packing, with tiles in the order of the first rectangle on each.
        method: "alone", "first fit", or "CP-SAT" if it saved tiles.
        status: "optimal" if no packing takes fewer tiles, else "best found".
    """

    packing: Packing
    method: str
    status: str


def pack(shapes: Shapes, size: Size, rule: Rule, effort: float = EFFORT) -> Packed:
    """Pack rectangles (n, 2) onto tiles of ``size``.

    Rectangles that fill a tile, or all under the rule "none", get a tile each, without search.

    Args:
        shapes: rows and columns of each rectangle, at most ``size``.
        size: rows and columns of a tile.
        rule: what may be shared.
        effort: deterministic time for CP-SAT; 0 for first fit only.
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
    """First fit, then fewer tiles as long as CP-SAT finds a packing."""
    packing, method = first_fit(shapes, size, rule), "first fit"
    bound = lower_bound(shapes, size, rule)
    asked = 0
    while packing.tiles > bound and asked < QUESTIONS and effort > 0 and len(shapes) <= MOST:
        better = None
        for some, tiles in _questions(shapes, size, rule, packing):
            asked += 1
            better, never = fit(shapes[some], size, rule, tiles, effort / QUESTIONS)
            if never and len(some) == len(shapes):
                bound = packing.tiles
            if better is not None:
                packing, method = _exchanged(packing, some, better), "CP-SAT"
            if better is not None or asked == QUESTIONS:
                break
        if better is None:
            break
    return Packed(packing, method, "optimal" if packing.tiles <= bound else "best found")


def _questions(
    shapes: Shapes, size: Size, rule: Rule, packing: Packing
) -> Iterator[tuple[Shapes, int]]:
    """Rectangles to repack, and the number of tiles: one fewer than they have.

    All of them if they are few, else those of the emptiest tiles: enough for their free area to
    add up to one tile, and some more.
    """
    if not too_large(shapes, packing.tiles, rule):
        yield np.arange(len(shapes)), packing.tiles - 1
        return
    area = np.bincount(packing.tile, shapes.prod(axis=1).astype(np.float64))
    emptiest = np.argsort(area, kind="stable")
    for count in range(2, packing.tiles):
        some = np.flatnonzero(np.isin(packing.tile, emptiest[:count]))
        if too_large(shapes[some], count, rule):
            return
        if lower_bound(shapes[some], size, rule) < count:
            yield some, count - 1


def _exchanged(packing: Packing, some: Shapes, better: Packing) -> Packing:
    """The packing with some of its rectangles placed as in another packing."""
    tile, corner = packing.tile.copy(), packing.corner.copy()
    tile[some] = packing.tiles + better.tile
    corner[some] = better.corner
    return Packing(np.unique(tile, return_inverse=True)[1].ravel(), corner)
