"""Where a matrix lies on the tiles.

A matrix too large for a tile is cut into a grid of blocks of nearly equal size; partial sums of
blocks above each other are added after the read-out.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block, span
from xbar.compiler.mapping import SignedMapping
from xbar.hardware.spec import Hardware

Placement: TypeAlias = tuple[tuple[Block, ...], ...]
"""The blocks of each tile."""


def place(
    matrices: Mapping[str, NDArray[np.float64]], hardware: Hardware, mapping: SignedMapping
) -> Placement:
    """Which blocks lie on which tile."""
    return tuple((block,) for block in cut(matrices, hardware, mapping))


def cut(
    matrices: Mapping[str, NDArray[np.float64]], hardware: Hardware, mapping: SignedMapping
) -> tuple[Block, ...]:
    """One block a tile: every matrix (G, outputs, inputs) cut to the tile's size.

    Blocks lie where wires cost least: next to the driven end of the word lines and to the sensed
    end of the bit lines.
    """
    tile, (height, bit_lines) = hardware.tile, hardware.cells
    width = mapping.columns(bit_lines)
    blocks = []
    for layer, matrix in matrices.items():
        groups, outputs, inputs = matrix.shape
        for group in range(groups):
            for rows in _even(inputs, height):
                for columns in _even(outputs, width):
                    line = _near(height, rows, at_end=tile.sense == "bottom")
                    column = _near(width, columns, at_end=tile.drive == "right")
                    blocks.append(
                        Block(
                            layer,
                            group,
                            span(*rows),
                            span(*columns),
                            span(line, line + rows[1] - rows[0]),
                            span(column, column + columns[1] - columns[0]),
                        )
                    )
    return tuple(blocks)


def _even(length: int, most: int) -> list[tuple[int, int]]:
    """A length cut into the fewest parts of at most ``most``, their sizes equal within one."""
    parts = -(-length // most)
    edges = [length * p // parts for p in range(parts + 1)]
    return list(itertools.pairwise(edges))


def _near(size: int, part: tuple[int, int], *, at_end: bool) -> int:
    return size - (part[1] - part[0]) if at_end else 0
