"""Where a matrix lies on the tiles.

A block is a rectangle of one layer's matrix on one tile. A matrix too large for a tile is cut
into a grid of blocks of nearly equal size; partial sums of blocks above each other are added
after the read-out.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.mapping import DifferentialPair
from xbar.hardware.spec import Hardware


@dataclass(frozen=True)
class Block:
    """A rectangle of one layer's matrix W (outputs, inputs) on one tile.

    Attributes:
        layer: the layer's name.
        group: which of its matrices; 0 unless it is a grouped convolution.
        inputs: first input and the one after the last; one word line each.
        outputs: first output and the one after the last; one column each.
        word_line: row of cells on which the first input lies.
        bit_line: column of cells on which the first output begins.
    """

    layer: str
    group: int
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    word_line: int
    bit_line: int

    @property
    def rows(self) -> slice:
        """Of the matrix's inputs."""
        return slice(*self.inputs)

    @property
    def columns(self) -> slice:
        """Of the matrix's outputs."""
        return slice(*self.outputs)

    @property
    def lines(self) -> slice:
        """Of the tile's word lines."""
        return slice(self.word_line, self.word_line + self.inputs[1] - self.inputs[0])

    def bit_lines(self, mapping: DifferentialPair) -> slice:
        """Of the tile's bit lines."""
        width = mapping.bit_lines_per_column * (self.outputs[1] - self.outputs[0])
        return slice(self.bit_line, self.bit_line + width)


def cut(
    matrices: Mapping[str, NDArray[np.float64]], hardware: Hardware, mapping: DifferentialPair
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
                    blocks.append(
                        Block(
                            layer,
                            group,
                            rows,
                            columns,
                            _near(height, rows, at_end=tile.sense == "bottom"),
                            mapping.bit_lines_per_column
                            * _near(width, columns, at_end=tile.drive == "right"),
                        )
                    )
    return tuple(blocks)


def _even(length: int, most: int) -> list[tuple[int, int]]:
    """A length cut into the fewest parts of at most ``most``, their sizes equal within one."""
    parts = -(-length // most)
    edges = [length * p // parts for p in range(parts + 1)]
    return list(itertools.pairwise(edges))


def _near(size: int, span: tuple[int, int], *, at_end: bool) -> int:
    return size - (span[1] - span[0]) if at_end else 0
