"""Signed weights as conductances, which are never negative.

A differential pair gives each weight two cells on neighbouring bit lines and reads the difference
of their currents. Its 2K resistors are one bank of signed elements, +g on the plus line and -g on
the minus line, so both halves are chosen together.

Shapes: W word lines, B bit lines, R inputs and C outputs of a block, K resistors a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block, Indices

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SignedBank:
    """What the switches of each weight can reach.

    Attributes:
        element: (R, C, E) siemens that closing a switch adds; 0 where a resistor is stuck. E is
            2K for differential pairs.
        offset: (R, C) siemens with every switch open: leakage and stuck resistors.
    """

    element: Floats
    offset: Floats


class DifferentialPair:
    """Column c of weights lies on bit lines 2c (plus) and 2c + 1 (minus)."""

    name = "pair"
    bit_lines_per_column = 2

    def columns(self, bit_lines: int) -> int:
        """How many columns of weights B bit lines hold."""
        return bit_lines // 2

    def plus(self, columns: Indices) -> Indices:
        """The bit line whose current counts as it is, for each column."""
        return 2 * columns

    def minus(self, columns: Indices) -> Indices:
        """The bit line whose current is taken off, for each column."""
        return 2 * columns + 1

    def bank(self, on: Floats, off: Floats, stuck: NDArray[np.int8], block: Block) -> SignedBank:
        """The signed bank of each weight of a block, from a tile's resistors (W, B, K)."""
        rows, lines = block.word_lines[:, None], self._lines(block)
        on, off, stuck = on[rows, lines], off[rows, lines], stuck[rows, lines]
        step = np.where(stuck == 0, on - off, 0.0)
        base = np.where(stuck > 0, on, off).sum(axis=-1)
        r, b, k = step.shape
        pairs = step.reshape(r, b // 2, 2, k)
        pairs[:, :, 1] *= -1.0
        return SignedBank(pairs.reshape(r, b // 2, 2 * k), base[:, 0::2] - base[:, 1::2])

    def switch(self, mask: NDArray[np.bool_], block: Block, choice: NDArray[np.bool_]) -> None:
        """Close the switches of a choice (R, C, 2K) in a tile's mask (W, B, K)."""
        r, c, k = choice.shape
        mask[block.word_lines[:, None], self._lines(block)] = choice.reshape(r, 2 * c, k // 2)

    def choice(self, mask: NDArray[np.bool_], block: Block) -> NDArray[np.bool_]:
        """The choice (R, C, 2K) that a tile's mask (W, B, K) has for a block."""
        chosen = mask[block.word_lines[:, None], self._lines(block)]
        return chosen.reshape(len(chosen), len(block.columns), -1)

    def difference(self, cell: Floats, block: Block) -> Floats:
        """(R, C): plus line minus minus line, of one value a cell (W, B)."""
        plus, minus = self._halves(cell, block)
        return plus - minus

    def total(self, cell: Floats, block: Block) -> Floats:
        """(R, C): plus line and minus line added, for what adds in power."""
        plus, minus = self._halves(cell, block)
        return plus + minus

    def currents(self, line: Floats, block: Block) -> Floats:
        """(N, C): plus line minus minus line, of one value a bit line (N, B)."""
        result: Floats = line[:, self.plus(block.columns)] - line[:, self.minus(block.columns)]
        return result

    def column_of(self, bit_line: int) -> tuple[int, int]:
        """The column of weights that a bit line belongs to, and its sign."""
        column, minus = divmod(bit_line, 2)
        return column, -1 if minus else 1

    def _halves(self, cell: Floats, block: Block) -> tuple[Floats, Floats]:
        rows = block.word_lines[:, None]
        return cell[rows, self.plus(block.columns)], cell[rows, self.minus(block.columns)]

    def _lines(self, block: Block) -> Indices:
        """(2C,) bit lines, each column's plus line before its minus line."""
        pairs = np.stack([self.plus(block.columns), self.minus(block.columns)], axis=-1)
        return pairs.reshape(-1)


MAPPINGS = {"pair": DifferentialPair()}


def get_mapping(name: str) -> DifferentialPair:
    """The signed mapping of that name."""
    return MAPPINGS[name]
