"""Mapping of signed weights to conductances, which are non-negative.

    pair        each weight is the difference of two cells on adjacent bit lines, plus and minus;
                both are chosen together as one bank of 2K signed elements, +g on the plus line and
                -g on the minus line
    reference   each weight has one cell; the tile's last bit line is a reference subtracted from
                all others. Its cells are programmed first, each near the middle of the range of
                its row's weights, so that K elements make a weight of either sign

Shapes: W word lines, B bit lines, R inputs and C outputs of a block, K resistors per cell.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block, Indices
from xbar.subset.solver import solve_subset

Masks = NDArray[np.bool_]
Stuck = NDArray[np.int8]
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class SignedBank:
    """The bank of each weight, with signs.

    Attributes:
        element: conductance added by closing a switch (R, C, E), siemens; 0 for a stuck resistor. E
            is 2K for differential pairs, K with a reference column.
        offset: conductance with all switches open (R, C), siemens: leakage, stuck resistors and the
            reference.
    """

    element: Floats
    offset: Floats


class SignedMapping(ABC):
    """Assignment of cells to signed weights."""

    name: ClassVar[str]
    bit_lines_per_column: ClassVar[int]
    """Number of a weight's own cells."""
    shared_bit_lines: ClassVar[int]
    """Number of a tile's bit lines shared by all columns of weights."""

    def columns(self, bit_lines: int) -> int:
        """Number of columns of weights on B bit lines."""
        return max(bit_lines - self.shared_bit_lines, 0) // self.bit_lines_per_column

    @abstractmethod
    def plus(self, columns: Indices) -> Indices:
        """The plus bit line of each column, whose current is added."""

    @abstractmethod
    def minus(self, columns: Indices) -> Indices:
        """The minus bit line of each column, whose current is subtracted; -1 is the last one."""

    @abstractmethod
    def column_of(self, bit_line: int, bit_lines: int) -> tuple[int | None, int]:
        """Column of weights and sign of one of B bit lines.

        The column is None for a line shared by all columns.
        """

    @abstractmethod
    def bank(
        self, on: Floats, off: Floats, stuck: Stuck, block: Block, mask: Masks | None = None
    ) -> SignedBank:
        """The signed bank of each weight of a block, from a tile's resistors.

        Args:
            on: conductances switched in (W, B, K), siemens.
            off: conductances switched out (W, B, K), siemens.
            stuck: faults (W, B, K): -1 stuck open, +1 stuck closed, else 0.
            block: block of weights.
            mask: switches (W, B, K) of shared cells, see ``close_references``; None before they are
                chosen: assumes that each reference cell meets its target exactly.
        """

    def close_references(
        self, mask: Masks, on: Floats, off: Floats, stuck: Stuck, blocks: Iterable[Block]
    ) -> None:
        """Close the switches of shared cells of these blocks, in a mask."""
        del mask, on, off, stuck, blocks  # no shared cells

    def switch(self, mask: Masks, block: Block, choice: Masks) -> None:
        """Close the switches of a choice (R, C, E) in a tile's mask (W, B, K)."""
        k = mask.shape[-1]
        mask[block.word_lines[:, None], self.lines(block)] = choice.reshape(len(choice), -1, k)

    def choice(self, mask: NDArray[_T], block: Block) -> NDArray[_T]:
        """The choice (R, C, E) of a block in a tile's mask (W, B, K), or in its packed bits."""
        chosen = mask[block.word_lines[:, None], self.lines(block)]
        return chosen.reshape(len(chosen), len(block.columns), -1)

    def difference(self, cell: Floats, block: Block) -> Floats:
        """(R, C): plus cell minus minus cell, for values of cells (W, B)."""
        plus, minus = self._halves(cell, block)
        return plus - minus

    def total(self, cell: Floats, block: Block) -> Floats:
        """(R, C): sum of plus and minus cell, for quantities that add in power."""
        plus, minus = self._halves(cell, block)
        return plus + minus

    def own_and_shared(self, cell: Floats, block: Block) -> tuple[Floats, Floats | None]:
        """Sums (R, C) over each weight's own cells, and (R,) over shared cells.

        For values of cells (W, B); None if no cell is shared.
        """
        if self.shared_bit_lines == 0:
            return self.total(cell, block), None
        plus, minus = self._halves(cell, block)
        return plus, minus[:, 0]

    def currents(self, line: Floats, block: Block) -> Floats:
        """(N, C): plus line minus minus line, for values of bit lines (N, B)."""
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
        """Half the line's index; odd lines are negative."""
        column, minus = divmod(bit_line, 2)
        return column, -1 if minus else 1

    def bank(
        self, on: Floats, off: Floats, stuck: Stuck, block: Block, mask: Masks | None = None
    ) -> SignedBank:
        """2K elements per weight, negative on the minus line; no cell is shared."""
        step, base = _elements(on, off, stuck, block.word_lines, self.lines(block))
        r, b, k = step.shape
        pairs = step.reshape(r, b // 2, 2, k)
        pairs[:, :, 1] *= -1.0
        return SignedBank(pairs.reshape(r, b // 2, 2 * k), base[:, 0::2] - base[:, 1::2])

    def lines(self, block: Block) -> Indices:
        """(2C,) lines, each column's plus line before its minus line."""
        lines: Indices = (2 * block.columns[:, None] + _PAIR).reshape(-1)
        return lines


class ReferenceColumn(SignedMapping):
    """Column c of weights lies on bit line c; the last bit line is subtracted from each."""

    name = "reference"
    bit_lines_per_column = 1
    shared_bit_lines = 1

    def plus(self, columns: Indices) -> Indices:
        """The column's own line."""
        return columns

    def minus(self, columns: Indices) -> Indices:
        """The last bit line for all columns."""
        return np.full_like(columns, -1)

    def column_of(self, bit_line: int, bit_lines: int) -> tuple[int | None, int]:
        """The line's own index; the last one is shared and negative."""
        return (None, -1) if bit_line == bit_lines - 1 else (bit_line, 1)

    def bank(
        self, on: Floats, off: Floats, stuck: Stuck, block: Block, mask: Masks | None = None
    ) -> SignedBank:
        """K elements per weight; the reference cell of its row is part of the offset."""
        rows = block.word_lines
        step, base = _elements(on, off, stuck, rows, self.lines(block))
        if mask is None:
            return SignedBank(step, base - (base + step.sum(axis=-1) / 2).mean(axis=1)[:, None])
        more, reference = _elements(on, off, stuck, rows, _LAST)
        reference = reference + np.where(mask[rows[:, None], _LAST], more, 0.0).sum(axis=-1)
        return SignedBank(step, base - reference)

    def close_references(
        self, mask: Masks, on: Floats, off: Floats, stuck: Stuck, blocks: Iterable[Block]
    ) -> None:
        """Set each reference cell closest to the mean middle of its row's banks.

        Subset sums are densest there, so that a weight of 0 is met best.
        """
        middle, weights = np.zeros(len(mask)), np.zeros(len(mask))
        for block in blocks:
            step, base = _elements(on, off, stuck, block.word_lines, self.lines(block))
            middle[block.word_lines] += (base + step.sum(axis=-1) / 2).sum(axis=1)
            weights[block.word_lines] += len(block.columns)
        rows = np.flatnonzero(weights)
        step, base = (each[:, 0] for each in _elements(on, off, stuck, rows, _LAST))
        chosen = solve_subset(step, middle[rows] / weights[rows] - base).mask
        mask[rows, -1] = chosen & (step != 0.0)

    def lines(self, block: Block) -> Indices:
        """(C,) lines, one per column."""
        return block.columns


_PAIR = np.array([0, 1])
_LAST = np.array([-1])


def _elements(
    on: Floats, off: Floats, stuck: Stuck, rows: Indices, lines: Indices
) -> tuple[Floats, Floats]:
    """Siemens added by each switch (R, L, K), and with all switches open (R, L)."""
    place = rows[:, None], lines
    on, off, stuck = on[place], off[place], stuck[place]
    return np.where(stuck == 0, on - off, 0.0), np.where(stuck > 0, on, off).sum(axis=-1)


MAPPINGS: dict[str, SignedMapping] = {
    mapping.name: mapping for mapping in (DifferentialPair(), ReferenceColumn())
}


def get_mapping(name: str) -> SignedMapping:
    """Look up a signed mapping by name."""
    return MAPPINGS[name]
