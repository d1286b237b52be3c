"""A layer's blocks with their tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile


@dataclass(frozen=True, eq=False)
class PlacedBlocks:
    """Blocks with their tiles; iterating makes (tile, index of the block on it, block).

    Attributes:
        tiles: the program's tiles.
        places: position of the tile and index on it of each block.
    """

    tiles: Sequence[ProgrammedTile]
    places: Sequence[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[tuple[ProgrammedTile, int, ProgrammedBlock]]:
        for index, number in self.places:
            tile = self.tiles[index]
            yield tile, number, tile.blocks[number]
