"""Placement of matrices on tiles.

    matrices ─► compact: zeros left out, cut to the tile's size ─► pack: several small blocks share
    a tile ─► blocks of each tile

A matrix too large for a tile is cut into blocks; partial sums of blocks with the same outputs are
added after the read-out. Blocks are placed where the IR drop is least: at the driven end of the
word lines and the sensed end of the bit lines. A layer with an extent (``Options.extents``) takes
no more of a tile's lines than that, and the others stay open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block, Indices
from xbar.compiler.compaction import Cut, compact, grid
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.options import Options
from xbar.compiler.packing.pack import EFFORT, Packed, pack
from xbar.compiler.packing.rules import Size, area_bound
from xbar.compiler.weights import raw_of, shapes_of
from xbar.errors import SpecError
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
        status: "optimal" if no packing of these blocks, each within its layer's extent, takes
            fewer tiles, else "best found".
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


class Piece(NamedTuple):
    """Inputs and outputs of a layer's matrix that will be a block."""

    layer: str
    group: int
    inputs: Indices
    outputs: Indices


def place(
    matrices: Matrices, hardware: Hardware, mapping: SignedMapping, options: Options
) -> Placement:
    """Place matrices on tiles, deterministically.

    Where blocks may share lines, both even cuts and cuts into full tiles with remainders are
    tried; the fewest tiles win. Only layers of the same extent share tiles.

    Raises:
        SpecError: ``options.extents`` names a layer that is not there, or one twice.
    """
    size = usable(hardware, mapping)
    pieces, tiles, parts = list[Piece](), list[tuple[Block, ...]](), list[Packed]()
    for extent, layers in _by_extent(matrices, size, options).items():
        some, packed = packed_pieces(matrices, layers, extent, options)
        tiles += _tiles(some, packed, hardware, mapping)
        pieces += some
        parts.append(packed)
    total = sum(math.prod(shape) for shape in shapes_of(matrices).values())
    return Placement(tuple(tiles), _report(shapes_of_pieces(pieces), parts, size, total))


def _by_extent(matrices: Matrices, size: Size, options: Options) -> dict[Size, list[str]]:
    """Layers by what their blocks have at most, in order."""
    known = {each.layer: (each.inputs, each.outputs) for each in options.extents}
    names = [each.layer for each in options.extents]
    if len(known) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SpecError(f"options.extents must name a layer once, not {twice!r} twice")
    for name in names:
        if name not in matrices:
            raise SpecError(
                f"options.extents must name layers of the network, which has no {name!r}"
            )
    found: dict[Size, list[str]] = {}
    for layer in matrices:
        rows, columns = known.get(layer, size)
        found.setdefault((min(rows, size[0]), min(columns, size[1])), []).append(layer)
    return found


def packed_pieces(
    matrices: Matrices,
    layers: Iterable[str],
    size: Size,
    options: Options,
    effort: float = EFFORT,
) -> tuple[list[Piece], Packed]:
    """Some layers cut into pieces of at most a size, and packed on as few areas of that size.

    Args:
        matrices: by layer.
        layers: names of those that are meant.
        size: rows of cells and columns of weights.
        options: options of the compilation.
        effort: deterministic time for CP-SAT; 0 for first fit only.
    """
    layers = list(layers)
    cuts: tuple[Cut, ...] = ("even", "full") if options.pack in ("beside", "any") else ("even",)
    best: tuple[list[Piece], Packed] | None = None
    for cut_ in cuts:
        pieces = list(_pieces(matrices, layers, size, options.compact, cut_))
        packed = pack(shapes_of_pieces(pieces), size, options.pack, effort)
        if best is None or packed.packing.tiles < best[1].packing.tiles:
            best = pieces, packed
    assert best is not None
    return best


def cut(matrices: Matrices, hardware: Hardware, mapping: SignedMapping) -> tuple[Block, ...]:
    """One block per tile, in order: every matrix (G, outputs, inputs) cut to the tile's size."""
    whole = Options(compact=False, pack="none")
    return tuple(block for (block,) in place(matrices, hardware, mapping, whole).tiles)


def usable(hardware: Hardware, mapping: SignedMapping) -> tuple[int, int]:
    """Rows of cells and columns of weights of a tile available to blocks."""
    rows, bit_lines = hardware.usable_cells
    return rows, mapping.columns(bit_lines)


def _pieces(
    matrices: Matrices, layers: Iterable[str], size: Size, without_zeros: bool, cut_: Cut
) -> Iterator[Piece]:
    for layer in layers:
        matrix = raw_of(matrices, layer)
        plain = grid(matrix.shape[1:], size, cut_)
        for group, values in enumerate(matrix):
            zeros = without_zeros and not values.all()
            for inputs, outputs in compact(values != 0.0, size, cut_) if zeros else plain:
                yield Piece(layer, group, inputs, outputs)


def shapes_of_pieces(pieces: Sequence[Piece]) -> NDArray[np.int64]:
    """(n, 2) inputs and outputs of pieces."""
    sizes = [(len(piece.inputs), len(piece.outputs)) for piece in pieces]
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def _tiles(
    pieces: Sequence[Piece], packed: Packed, hardware: Hardware, mapping: SignedMapping
) -> Tiles:
    tiles: list[list[Block]] = [[] for _ in range(packed.packing.tiles)]
    for piece, tile, corner in zip(
        pieces, packed.packing.tile.tolist(), packed.packing.corner.tolist(), strict=True
    ):
        tiles[tile].append(lying(piece, corner, hardware, mapping))
    return tuple(tuple(blocks) for blocks in tiles)


def lying(piece: Piece, corner: Sequence[int], hardware: Hardware, mapping: SignedMapping) -> Block:
    """A piece on a tile, so many lines from the driver and from the sense amplifier.

    Args:
        piece: what to place.
        corner: rows of cells and columns of weights between it and the tile's corner.
        hardware: design of the tile.
        mapping: what makes cells of weights.
    """
    rows, columns = hardware.cells[0], mapping.columns(hardware.cells[1])
    lines = corner[0] + np.arange(len(piece.inputs), dtype=np.int64)
    places = corner[1] + np.arange(len(piece.outputs), dtype=np.int64)
    if hardware.tile.sense == "bottom":
        lines = rows - (corner[0] + len(lines)) + np.arange(len(lines), dtype=np.int64)
    if hardware.tile.drive == "right":
        places = columns - (corner[1] + len(places)) + np.arange(len(places), dtype=np.int64)
    return Block(*piece, lines, places)


def _report(
    shapes: NDArray[np.int64], parts: Sequence[Packed], size: Size, total: int
) -> PlacementReport:
    weights = int(shapes.prod(axis=1).sum())
    tiles = sum(part.packing.tiles for part in parts)
    methods = {part.method for part in parts}
    return PlacementReport(
        tiles=tiles,
        blocks=len(shapes),
        weights=weights,
        dropped=total - weights,
        utilisation=weights / (tiles * size[0] * size[1]) if tiles else 0.0,
        bound=area_bound(shapes, size),
        method=next(each for each in ("CP-SAT", "first fit", "alone") if each in methods),
        status="optimal" if all(p.status == "optimal" for p in parts) else "best found",
    )
