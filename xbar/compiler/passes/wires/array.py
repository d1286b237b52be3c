"""A tile's array under one choice of resistors after another: all that this pass knows of circuits.

Shapes: W x B cells of a tile, K resistors a cell; W' x B' crossings of its array; M weights of all
blocks of the tile, block after block, E signed elements each.
Units: siemens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from xbar.arrays import Bools, Floats
from xbar.compiler.layout import from_crossings, to_crossings
from xbar.compiler.passes.choose_subsets import joined_values
from xbar.compiler.tile import ProgrammedTile, gain_of


@dataclass(frozen=True, eq=False)
class Reading:
    """What arrives at the sense amplifiers.

    Attributes:
        difference: (M,) siemens that each weight has, wires included.
        power: (M,) siemens², the sum of the squares of its resistors' conductances as they arrive;
            0 where nobody asks for noise.
    """

    difference: Floats
    power: Floats
    _share: Callable[[], Floats]

    @cached_property
    def share(self) -> Floats:
        """(2, M) of each weight's plus and minus cell: see ``Array.shares``."""
        return self._share()


class Array:
    """A programmed tile whose weights are chosen again and again.

    Args:
        tile: programmed in any way; blocks' cells and cells that all share stay where they are.
        noisy: whether powers are asked for.
    """

    def __init__(self, tile: ProgrammedTile, *, noisy: bool) -> None:
        self.tile, self.noisy = tile, noisy
        self._prepared = tile.prepare()
        self._resistors = tile.chip.resistors(tile.index)
        self._mask = tile.mask
        self._blocks = [part.block for part in tile.blocks]
        self._hardware = tile.chip.hardware

    @property
    def ideal(self) -> bool:
        """Whether every wire, source and load is 0 ohm, so that no cell disturbs another."""
        return self._prepared.ideal

    def mask(self, choice: Bools | None) -> Bools:
        """(W, B, K) switches with a choice (M, E) for all weights; None: as they were."""
        mask, done = self._mask.copy(), 0
        if choice is None:
            return mask
        for block in self._blocks:
            r, c = block.shape
            self.tile.mapping.switch(mask, block, choice[done : done + r * c].reshape(r, c, -1))
            done += r * c
        return mask

    def read(self, choice: Bools | None, *, wires: bool = True) -> Reading:
        """What arrives of a choice (M, E), or of the switches as they were."""
        resistor = self._resistors.branch(self.mask(choice))
        crossing = to_crossings(self._hardware, resistor)
        arrives = self._prepared.transfer(crossing).T if wires else crossing
        power = np.zeros(sum(r * c for r, c in (block.shape for block in self._blocks)))
        if self.noisy:
            gain = gain_of(crossing, arrives)
            cell = self._cells(to_crossings(self._hardware, resistor**2) * gain**2)
            power = joined_values([self.tile.mapping.total(cell, b) for b in self._blocks])
        return Reading(self._difference(arrives), power, lambda: self.shares(crossing))

    def read_open(self, wanted: Floats) -> Reading:
        """What arrives of signed conductances (M,) that need not be subsets.

        Of a differential pair one cell has the conductance, the other one all its switches open;
        resistors of a cell count alike, up to all of the cell's.
        """
        on, off, stuck = self._resistors
        step = np.where(stuck == 0, on - off, 0.0)
        full, part = step.sum(axis=-1), np.zeros(step.shape[:2])
        mapping = self.tile.mapping
        for block, value in zip(self._blocks, self.split(wanted), strict=True):
            rows = block.word_lines[:, None]
            for lines, sign in ((mapping.plus, 1.0), (mapping.minus, -1.0)):
                most = full[rows, lines(block.columns)]
                share = np.divide(sign * value, most, out=np.zeros_like(value), where=most > 0)
                part[rows, lines(block.columns)] = np.clip(share, 0.0, 1.0)
        opened = self._resistors.branch(np.zeros(step.shape, dtype=np.bool_))
        crossing = to_crossings(self._hardware, opened + part[..., None] * step)
        difference = self._difference(self._prepared.transfer(crossing).T)
        return Reading(difference, np.zeros_like(difference), lambda: self.shares(crossing))

    def uniform_share(self) -> Floats:
        """(2, M): ``shares`` of an array that has the tile's mean conductance everywhere."""
        crossing = to_crossings(self._hardware, self._resistors.branch(self._mask))
        return self.shares(np.full_like(crossing, crossing.mean()))

    def shares(self, crossing: Floats) -> Floats:
        """(2, M): how much of a little more conductance in a weight's plus or minus cell arrives.

        The voltage that its word line brings to the cell, times the part of its current that its
        bit line brings to the sense amplifier, each with the other lines at 0 V: what is left out
        is the current that goes astray through other cells.

        Args:
            crossing: (W', B') siemens.
        """
        wires, mapping = self.tile.chip.hardware.tile, self.tile.mapping
        load = self._hardware.sense_load
        word = along(crossing.T, wires.word_wire, wires.source, ENDS[wires.drive]).T
        pairs = wires.word_lines_per_row  # that meet the bit line at one place
        meeting = crossing.reshape(-1, pairs, crossing.shape[1]).sum(axis=1)
        bit = along(meeting, wires.bit_wire, load, ENDS[wires.sense]).repeat(pairs, axis=0)
        cells = self._cells(word * bit)
        cells = cells * (cells.size / crossing.size)  # the mean of a cell's crossings
        halves = []
        for block in self._blocks:
            rows = block.word_lines[:, None]
            sides = mapping.plus(block.columns), mapping.minus(block.columns)
            halves.append(np.stack([cells[rows, lines].ravel() for lines in sides]))
        return np.concatenate(halves, axis=1)

    def split(self, value: Floats) -> list[Floats]:
        """By block, (R, C) of values (M,)."""
        shapes = [block.shape for block in self._blocks]
        ends = np.cumsum([r * c for r, c in shapes])[:-1]
        return [part.reshape(s) for part, s in zip(np.split(value, ends), shapes, strict=True)]

    def _difference(self, arrives: Floats) -> Floats:
        cell = self._cells(arrives)
        return joined_values([self.tile.mapping.difference(cell, b) for b in self._blocks])

    def _cells(self, crossing: Floats) -> Floats:
        return from_crossings(self._hardware, crossing)


End = Literal["first", "last", "both"]
ENDS: dict[str, End] = {
    "left": "first",
    "right": "last",
    "top": "first",
    "bottom": "last",
    "both": "both",
}
"""Where a line is driven or sensed, by the tile's ``drive`` and ``sense``."""


def along(cell: Floats, wire: float, end: float, where: End) -> Floats:
    """(n, L): voltages along lines that are driven with 1 V, their cells' other sides at 0 V.

    By reciprocity also the part of each cell's current that comes out where the line is driven.

    Args:
        cell: (n, L) siemens, from a line's first cell to its last.
        wire: ohms of a segment.
        end: ohms between the driver and the line.
        where: which end is driven; both: with the same voltage.
    """
    if where == "first":
        return _ladder(cell, wire, end)
    if where == "last":
        return _ladder(cell[::-1], wire, end)[::-1]
    far = wire + end
    if far == 0.0:
        return np.ones_like(cell)
    both: Floats = _ladder(cell, wire, end, 1 / far) + _ladder(cell[::-1], wire, end, 1 / far)[::-1]
    return both


def _ladder(cell: Floats, wire: float, end: float, beyond: float = 0.0) -> Floats:
    """(n, L) voltages where the first cells' end alone is driven; ``beyond``: siemens at the other.

    Backwards, what each cell and all behind it conduct; of the voltage before a segment the share
    1 / (1 + segment x that) is left behind it.
    """
    left = np.empty_like(cell)
    behind: Floats = np.full(cell.shape[1], beyond, dtype=np.float64)
    for j in range(len(cell) - 1, -1, -1):
        behind = behind + cell[j]
        left[j] = 1.0 / (1.0 + (wire + end if j == 0 else wire) * behind)
        behind = behind * left[j]
    return np.asarray(np.cumprod(left, axis=0))
