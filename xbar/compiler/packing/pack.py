"""Pack blocks onto tiles under a rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.compiler.packing.first_fit import first_fit
from xbar.compiler.packing.rules import Packing, Rule, Shapes, Size, lower_bound


@dataclass(frozen=True)
class Packed:
    """A packing and how it was found.

    Attributes:
        packing: tiles in the order of the first rectangle on each.
        method: "alone", "first fit" or "CP-SAT".
        status: "optimal" where no packing takes fewer tiles, else "best found".
    """

    packing: Packing
    method: str
    status: str


def pack(shapes: Shapes, size: Size, rule: Rule) -> Packed:
    """Rectangles (n, 2) on tiles of ``size``, each of which they fit.

    Those that fill a tile, or all of them by the rule "none", get one of their own and are not
    searched over.
    """
    small = (shapes < np.array(size)).any(axis=1) & (rule != "none")
    tile, corner = np.arange(len(shapes), dtype=np.int64), np.zeros_like(shapes)
    if not small.any():
        return Packed(Packing(tile, corner), "alone", "optimal")
    found = _search(shapes[small], size, rule)
    tile[small] = len(shapes) + found.packing.tile
    corner[small] = found.packing.corner
    _, first, number = np.unique(tile, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return Packed(Packing(rank[number], corner), found.method, found.status)


def _search(shapes: Shapes, size: Size, rule: Rule) -> Packed:
    packing = first_fit(shapes, size, rule)
    proven = packing.tiles <= lower_bound(shapes, size, rule)
    return Packed(packing, "first fit", "optimal" if proven else "best found")
