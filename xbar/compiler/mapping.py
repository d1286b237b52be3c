"""Signed weights as conductances, which are never negative.

    pair        each weight has two cells on neighbouring bit lines, plus and minus: their
                difference counts, and both halves are chosen together as one bank of 2K signed
                elements, +g on the plus line and -g on the minus line
    reference   each weight has one cell; the tile's last bit line is the reference that is taken
                off all others. Its cells are programmed first, each near the middle of what the
                weights of its row reach, so K elements make a weight of either sign

Shapes: W word lines, B bit lines, R inputs and C outputs of a block, K resistors a cell.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block, Indices
from xbar.subset.solver import solve_subset

Masks = NDArray[np.bool_]
Stuck = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class SignedBank:
    """What the switches of each weight can reach.

    Attributes:
        element: (R, C, E) siemens that closing a switch adds; 0 where a resistor is stuck. E is
            2K for differential pairs, K beside a reference column.
        offset: (R, C) siemens with every switch open: leakage, stuck resistors and the reference.
    """

    element: Floats
    offset: Floats


class SignedMapping(ABC):
    """Which cells a signed weight has, and what their difference stands for."""

    name: ClassVar[str]
    bit_lines_per_column: ClassVar[int]
    """Cells of a weight that are its own."""
    shared_bit_lines: ClassVar[int]
    """Bit lines of a tile that no column of weights has for itself."""

    def columns(self, bit_lines: int) -> int:
        """How many columns of weights B bit lines hold."""
        return max(bit_lines - self.shared_bit_lines, 0) // self.bit_lines_per_column

    @abstractmethod
    def plus(self, columns: Indices) -> Indices:
        """The bit line whose current counts as it is, for each column."""

    @abstractmethod
    def minus(self, columns: Indices) -> Indices:
        """The bit line whose current is taken off, for each column; -1 is the last one."""

    @abstractmethod
    def column_of(self, bit_line: int, bit_lines: int) -> tuple[int | None, int]:
        """The column of weights that one of B bit lines belongs to, and its sign.

        None is a line that all columns share.
        """

    @abstractmethod
    def bank(
        self, on: Floats, off: Floats, stuck: Stuck, block: Block, mask: Masks | None = None
    ) -> SignedBank:
        """The signed bank of each weight of a block, from a tile's resistors.

        Args:
            on: (W, B, K) siemens, switched in.
            off: (W, B, K) siemens, switched out.
            stuck: (W, B, K) -1 where never switched in, +1 where never out, else 0.
            block: which weights.
            mask: (W, B, K) switches of the cells that weights share, see ``close_references``;
                None where these are not chosen yet: as if each could be had as it is wished.
        """

    def close_references(
        self, mask: Masks, on: Floats, off: Floats, stuck: Stuck, blocks: Iterable[Block]
    ) -> None:
        """Close the switches of the cells that weights of these blocks share, in a mask."""
        del mask, on, off, stuck, blocks  # where there are none

    def switch(self, mask: Masks, block: Block, choice: Masks) -> None:
        """Close the switches of a choice (R, C, E) in a tile's mask (W, B, K)."""
        k = mask.shape[-1]
        mask[block.word_lines[:, None], self.lines(block)] = choice.reshape(len(choice), -1, k)

    def choice(self, mask: Masks, block: Block) -> Masks:
        """The choice (R, C, E) that a tile's mask (W, B, K) has for a block."""
        chosen = mask[block.word_lines[:, None], self.lines(block)]
        return chosen.reshape(len(chosen), len(block.columns), -1)

    def difference(self, cell: Floats, block: Block) -> Floats:
        """(R, C): plus line minus minus line, of one value a cell (W, B)."""
        plus, minus = self._halves(cell, block)
        return plus - minus

    def total(self, cell: Floats, block: Block) -> Floats:
        """(R, C): plus line and minus line added, for what adds in power."""
        plus, minus = self._halves(cell, block)
        return plus + minus

    def own_and_shared(self, cell: Floats, block: Block) -> tuple[Floats, Floats | None]:
        """(R, C) of the cells that each weight has for itself, added; (R,) of those that all share.

        Of one value a cell (W, B); None where no cell is shared.
        """
        if self.shared_bit_lines == 0:
            return self.total(cell, block), None
        plus, minus = self._halves(cell, block)
        return plus, minus[:, 0]

    def currents(self, line: Floats, block: Block) -> Floats:
        """(N, C): plus line minus minus line, of one value a bit line (N, B)."""
        result: Floats = line[:, self.plus(block.columns)] - line[:, self.minus(block.columns)]
        return result

    @abstractmethod
    def lines(self, block: Block) -> Indices:
        """The bit lines of a block's own cells, column after column."""

    def _halves(self, cell: Floats, block: Block) -> tuple[Floats, Floats]:
        rows = block.word_lines[:, None]
        return cell[rows, self.plus(block.columns)], cell[rows, self.minus(block.columns)]


class DifferentialPair(SignedMapping):
    """Column c of weights lies on bit lines 2c (plus) and 2c + 1 (minus)."""

    name = "pair"
    bit_lines_per_column = 2
    shared_bit_lines = 0

    def plus(self, columns: Indices) -> Indices:
        """The even lines."""
        return 2 * columns

    def minus(self, columns: Indices) -> Indices:
        """The odd lines."""
        return 2 * columns + 1

    def column_of(self, bit_line: int, bit_lines: int) -> tuple[int | None, int]:
        """Half the line's number; an odd one counts negative."""
        column, minus = divmod(bit_line, 2)
        return column, -1 if minus else 1

    def bank(
        self, on: Floats, off: Floats, stuck: Stuck, block: Block, mask: Masks | None = None
    ) -> SignedBank:
        """2K elements a weight, those of the minus line negative; no cell is shared."""
        step, base = _parts(on, off, stuck, block.word_lines, self.lines(block))
        r, b, k = step.shape
        pairs = step.reshape(r, b // 2, 2, k)
        pairs[:, :, 1] *= -1.0
        return SignedBank(pairs.reshape(r, b // 2, 2 * k), base[:, 0::2] - base[:, 1::2])

    def lines(self, block: Block) -> Indices:
        """(2C,) each column's plus line before its minus line."""
        pairs = np.stack([self.plus(block.columns), self.minus(block.columns)], axis=-1)
        return pairs.reshape(-1)


class ReferenceColumn(SignedMapping):
    """Column c of weights lies on bit line c; the last bit line is taken off each."""

    name = "reference"
    bit_lines_per_column = 1
    shared_bit_lines = 1

    def plus(self, columns: Indices) -> Indices:
        """The column's own line."""
        return columns

    def minus(self, columns: Indices) -> Indices:
        """The last one, for all."""
        return np.full_like(columns, -1)

    def column_of(self, bit_line: int, bit_lines: int) -> tuple[int | None, int]:
        """The line's own number; the last one is every column's and counts negative."""
        return (None, -1) if bit_line == bit_lines - 1 else (bit_line, 1)

    def bank(
        self, on: Floats, off: Floats, stuck: Stuck, block: Block, mask: Masks | None = None
    ) -> SignedBank:
        """K elements a weight; what the reference cell of its row has is in the offset."""
        rows = block.word_lines
        step, base = _parts(on, off, stuck, rows, self.lines(block))
        if mask is None:
            return SignedBank(step, base - (base + step.sum(axis=-1) / 2).mean(axis=1)[:, None])
        more, reference = _parts(on, off, stuck, rows, _LAST)
        reference = reference + np.where(mask[rows[:, None], _LAST], more, 0.0).sum(axis=-1)
        return SignedBank(step, base - reference)

    def close_references(
        self, mask: Masks, on: Floats, off: Floats, stuck: Stuck, blocks: Iterable[Block]
    ) -> None:
        """Each reference cell as near as it comes to the mean middle of its row's banks.

        There their subset sums are densest, so that a weight of 0 is where targets are met best.
        """
        middle, weights = np.zeros(len(mask)), np.zeros(len(mask))
        for block in blocks:
            step, base = _parts(on, off, stuck, block.word_lines, self.lines(block))
            middle[block.word_lines] += (base + step.sum(axis=-1) / 2).sum(axis=1)
            weights[block.word_lines] += len(block.columns)
        rows = np.flatnonzero(weights)
        step, base = (part[:, 0] for part in _parts(on, off, stuck, rows, _LAST))
        chosen = solve_subset(step, middle[rows] / weights[rows] - base).mask
        mask[rows, -1] = chosen & (step != 0.0)

    def lines(self, block: Block) -> Indices:
        """(C,) one a column."""
        return block.columns


_LAST = np.array([-1])


def _parts(
    on: Floats, off: Floats, stuck: Stuck, rows: Indices, lines: Indices
) -> tuple[Floats, Floats]:
    """(R, L, K) siemens that each switch adds, and (R, L) with all switches open."""
    place = rows[:, None], lines
    on, off, stuck = on[place], off[place], stuck[place]
    return np.where(stuck == 0, on - off, 0.0), np.where(stuck > 0, on, off).sum(axis=-1)


MAPPINGS: dict[str, SignedMapping] = {
    mapping.name: mapping for mapping in (DifferentialPair(), ReferenceColumn())
}


def get_mapping(name: str) -> SignedMapping:
    """The signed mapping of that name."""
    return MAPPINGS[name]
