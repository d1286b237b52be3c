"""Extents by layer: of several for each layer, those of least error on so many tiles.

A smaller extent leaves lines of each tile open: what is in use has shorter wires and less load, and
the layer takes more tiles. Rows and columns count apart, since a layer's blocks may be long and
narrow. What an extent costs is the square of its error: errors of layers add up in power along a
network. As layers take tiles of their own, a few thousand combinations of tiles and layers are
searched exactly, as a knapsack.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.levers.record import Extent
from xbar.compiler.mapping import get_mapping
from xbar.compiler.options import Options
from xbar.compiler.packing.rules import Size
from xbar.compiler.placement import Matrices, lying, packed_pieces, shapes_of_pieces, usable
from xbar.hardware.spec import Hardware

PARTS = (1.0, 0.75, 0.5, 0.25)
"""Of a tile's rows of cells, and of its columns of weights."""

STEP = 1.1
"""Errors within this ratio count alike: chips differ as much, and so do the blocks of a layer."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One extent of one layer.

    Attributes:
        extent: inputs and outputs that a block has at most.
        parts: share of a tile's rows and columns.
        tiles: number of tiles that the layer takes, if it shares none.
        blocks: its blocks, each alone on a tile, the largest first.
    """

    extent: Extent
    parts: tuple[float, float]
    tiles: int
    blocks: tuple[tuple[Block], ...]


def candidates(
    matrices: Matrices, layer: str, hardware: Hardware, options: Options
) -> list[Candidate]:
    """Extents of a layer that cut it differently, largest first; none for a layer of zeros."""
    mapping = get_mapping(options.mapping)
    size, found = usable(hardware, mapping), dict[bytes, Candidate]()
    for parts in product(PARTS, PARTS):
        own = part_of(size, parts)
        pieces, packed = packed_pieces(matrices, [layer], own, options, effort=0.0)
        if not pieces:
            return []
        shapes = shapes_of_pieces(pieces)
        order = np.argsort(-shapes.prod(axis=1), kind="stable")
        extent = Extent(layer=layer, inputs=own[0], outputs=own[1])
        blocks = tuple((lying(pieces[i], (0, 0), hardware, mapping),) for i in order)
        one = Candidate(extent, parts, packed.packing.tiles, blocks)
        found.setdefault(shapes.tobytes(), one)
    return list(found.values())


def part_of(size: Size, parts: tuple[float, float]) -> Size:
    """So large a part of a size, at least one line.

    >>> part_of((64, 2), (0.75, 0.25))
    (48, 1)
    """
    return max(1, int(size[0] * parts[0])), max(1, int(size[1] * parts[1]))


def step_of(error: float) -> float:
    """The error that a relative error is taken for: the nearest of steps of a tenth; 0 for 0.

    >>> step_of(0.031) == step_of(0.033), step_of(0.5) < step_of(0.6)
    (True, True)
    """
    return STEP ** round(math.log(error, STEP)) if error > 0.0 else 0.0


def least(tiles: Sequence[Sequence[int]], costs: Sequence[Sequence[float]], most: int) -> list[int]:
    """One choice a layer, of the least sum of costs on at most so many tiles.

    Of equal sums the fewest tiles win. At least the first choices must fit.

    Args:
        tiles: by layer, tiles of each choice.
        costs: by layer, cost of each choice.
        most: number of tiles.

    >>> least([[1, 4], [2, 3]], [[1.0, 0.1], [5.0, 2.0]], 4)
    [0, 1]
    """
    best: Floats = np.zeros(most + 1)  # by tiles that may be taken
    taken = []
    for counts, values in zip(tiles, costs, strict=True):
        sums = np.full((len(counts), most + 1), np.inf)
        for row, count, value in zip(sums, counts, values, strict=True):
            if count <= most:
                row[count:] = best[: most + 1 - count] + value
        taken.append(sums.argmin(axis=0))
        best = sums.min(axis=0)
    left = int(np.argmax(best <= best[-1] * (1 + 1e-12)))
    chosen = []
    for counts, which in zip(reversed(tiles), reversed(taken), strict=True):
        chosen.append(int(which[left]))
        left -= counts[chosen[-1]]
    return chosen[::-1]
