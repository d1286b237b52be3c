"""Placement of matrices on tiles.

    matrices ─► compact: zeros left out, cut to the tile's size ─► pack: several small blocks share
    a tile ─► blocks of each tile

A matrix too large for a tile is cut into blocks; partial sums of blocks with the same outputs are
added after the read-out. Blocks are placed where the IR drop is least: at the driven end of the
word lines and the sensed end of the bit lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block, Indices
from xbar.compiler.compaction import Cut, compact, grid
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.options import Options
from xbar.compiler.packing.pack import Packed, pack
from xbar.compiler.packing.rules import area_bound
from xbar.compiler.weights import raw_of, shapes_of
from xbar.hardware.spec import Hardware

Tiles: TypeAlias = tuple[tuple[Block, ...], ...]
"""Blocks of each tile."""

Matrices: TypeAlias = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class PlacementReport:
    """Tile utilisation.

    Attributes:
        tiles: number of tiles used.
        blocks: number of blocks on them.
        weights: number of weight positions in the blocks.
        dropped: number of zero weights without a position.
        utilisation: fraction of the tiles' weight positions taken by blocks.
        bound: lower bound on the number of tiles by area.
        method: packing method of blocks smaller than a tile: "alone", "first fit" or "CP-SAT".
        status: "optimal" if no packing of these blocks takes fewer tiles, else "best found".
    """

    tiles: int
    blocks: int
    weights: int
    dropped: int
    utilisation: float
    bound: int
    method: str
    status: str

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return asdict(self)


@dataclass(frozen=True)
class Placement:
    """Blocks of each tile, and tile utilisation."""

    tiles: Tiles
    report: PlacementReport


class _Piece(NamedTuple):
    layer: str
    group: int
    inputs: Indices
    outputs: Indices


def place(
    matrices: Matrices, hardware: Hardware, mapping: SignedMapping, options: Options
) -> Placement:
    """Place matrices on tiles, deterministically.

    Where blocks may share lines, both even cuts and cuts into full tiles with remainders are
    tried; the fewest tiles win.
    """
    size = usable(hardware, mapping)
    cuts: tuple[Cut, ...] = ("even", "full") if options.pack in ("beside", "any") else ("even",)
    best: tuple[list[_Piece], Packed] | None = None
    for cut_ in cuts:
        pieces = list(_pieces(matrices, size, options.compact, cut_))
        packed = pack(_shapes(pieces), size, options.pack)
        if best is None or packed.packing.tiles < best[1].packing.tiles:
            best = pieces, packed
    assert best is not None
    pieces, packed = best
    tiles = _tiles(pieces, packed, hardware, mapping)
    total = sum(math.prod(shape) for shape in shapes_of(matrices).values())
    return Placement(tiles, _report(_shapes(pieces), packed, size, total))


def cut(matrices: Matrices, hardware: Hardware, mapping: SignedMapping) -> tuple[Block, ...]:
    """One block per tile, in order: every matrix (G, outputs, inputs) cut to the tile's size."""
    whole = Options(compact=False, pack="none")
    return tuple(block for (block,) in place(matrices, hardware, mapping, whole).tiles)


def usable(hardware: Hardware, mapping: SignedMapping) -> tuple[int, int]:
    """Rows of cells and columns of weights of a tile available to blocks."""
    rows, bit_lines = hardware.usable_cells
    return rows, mapping.columns(bit_lines)


def _pieces(
    matrices: Matrices, size: tuple[int, int], without_zeros: bool, cut_: Cut
) -> Iterator[_Piece]:
    for layer in matrices:
        matrix = raw_of(matrices, layer)
        plain = grid(matrix.shape[1:], size, cut_)
        for group, values in enumerate(matrix):
            zeros = without_zeros and not values.all()
            for inputs, outputs in compact(values != 0.0, size, cut_) if zeros else plain:
                yield _Piece(layer, group, inputs, outputs)


def _shapes(pieces: Sequence[_Piece]) -> NDArray[np.int64]:
    sizes = [(len(piece.inputs), len(piece.outputs)) for piece in pieces]
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def _tiles(
    pieces: Sequence[_Piece], packed: Packed, hardware: Hardware, mapping: SignedMapping
) -> Tiles:
    rows, bit_lines = hardware.cells
    columns = mapping.columns(bit_lines)
    tiles: list[list[Block]] = [[] for _ in range(packed.packing.tiles)]
    for piece, tile, corner in zip(
        pieces, packed.packing.tile.tolist(), packed.packing.corner.tolist(), strict=True
    ):
        lines = corner[0] + np.arange(len(piece.inputs), dtype=np.int64)
        places = corner[1] + np.arange(len(piece.outputs), dtype=np.int64)
        if hardware.tile.sense == "bottom":
            lines = rows - (corner[0] + len(lines)) + np.arange(len(lines), dtype=np.int64)
        if hardware.tile.drive == "right":
            places = columns - (corner[1] + len(places)) + np.arange(len(places), dtype=np.int64)
        tiles[tile].append(Block(*piece, lines, places))
    return tuple(tuple(blocks) for blocks in tiles)


def _report(
    shapes: NDArray[np.int64], packed: Packed, size: tuple[int, int], total: int
) -> PlacementReport:
    weights, tiles = int(shapes.prod(axis=1).sum()), packed.packing.tiles
    return PlacementReport(
        tiles=tiles,
        blocks=len(shapes),
        weights=weights,
        dropped=total - weights,
        utilisation=weights / (tiles * size[0] * size[1]) if tiles else 0.0,
        bound=area_bound(shapes, size),
        method=packed.method,
        status=packed.status,
    )
