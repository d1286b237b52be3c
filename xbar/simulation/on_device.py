"""What programmed tiles conduct, made on a card in batches.

Banks are drawn, switches closed and wires solved where they lie; weights' differences come down.

Shapes: T tiles of W x B cells with K resistors; R inputs and C outputs of a block. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.solvers import on_device as solving
from xbar.circuit.solvers.grid import Grid, as_grid
from xbar.circuit.solvers.tree_plan import make_plan
from xbar.compiler.layout import wires_of
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.device import Buffer, Card, DeviceMemoryError, Memory, Source, find, in_batches
from xbar.effects.chain import Chain
from xbar.effects.effect import changes
from xbar.effects.nonlinearity import Nonlinearity
from xbar.effects.selection import Selection
from xbar.effects.selector import Selector
from xbar.effects.wires import Wires
from xbar.errors import warn
from xbar.hardware import on_device as drawing
from xbar.simulation.blocks import BlockCells

SOURCE = Source(Path(__file__).parent / "cuda" / "read.cu")
Differences: TypeAlias = dict[tuple[int, int], Floats]
"""By tile index and number of the block on it: (R, C) siemens."""

_THREADS = 256
_BLOCKS_EACH = 32  # blocks for each multiprocessor, which take places in turn
_MOST_TILES = 1 << 14
_PART_CELLS = 1 << 24  # of tiles whose results lie in the host's memory at once


def settled(program: Program, chain: Chain, device: str) -> str:
    """The device if its card makes what a chain reads of a program, else "cpu".

    Warns:
        XbarWarning: the card does not take it, and "cuda" asked for it.

    Raises:
        SpecError: there is no such device.
        ToolError: "cuda" without a card.
    """
    card = find(device)
    if card is None:
        return "cpu"
    why = obstacle(program, chain, card)
    if why and device == "cuda":
        warn(f"the tiles are read on the CPU: {why}")
    return "cpu" if why else device


def obstacle(program: Program, chain: Chain, card: Card) -> str:
    """Why a card does not make the conductances that a chain reads; empty if it does."""
    bank, tile = program.hardware.bank, program.hardware.tile
    acting = {effect.name for effect in chain.acting if changes(effect, "conductance")}
    if acting | {Wires.name} != {Selection.name, Wires.name}:
        return "a card makes the conductances of chosen resistors, with or without their wires"
    if "variance" in chain.changed:
        return "read noise needs the conductance of each resistor"
    if chain.needs_lines:
        return "offsets of amplifiers need the conductance of each bit line"
    if tile.topology != "input-source":
        return "a card reads arrays of word lines and bit lines, one cell at each crossing"
    if {Nonlinearity.name, Selector.name} & chain.names:
        return "cells that bend are solved input by input"
    if program.chip.may_have_faults or np.isfinite(bank.on_off_ratios).any():
        return "a card reads resistors without faults and leakage"
    if not program.tiles or bank.layout != "cell" or program.tiles[0].tuned is not None:
        return "a card reads banks of switched resistors at one crossing"
    if not isinstance(program.mapping, DifferentialPair):
        return "a card reads differential pairs"
    why = drawing.obstacle(program.chip)
    if why or Wires.name not in chain.names:
        return why
    if (tile.drive, tile.sense) != ("left", "bottom"):
        return "lines driven or read at another end are solved on the CPU"
    return solving.obstacle(_grid(program), card)


def _grid(program: Program) -> Grid:
    return as_grid(Crossbar(np.zeros(program.hardware.cells), **wires_of(program.hardware)))


@dataclass(frozen=True, eq=False)
class CardCells:
    """Differences of the cells of a program's weights, by a card.

    Attributes:
        card: card without an ``obstacle``.
        program: program that is read.
        wires: whether they are read through their wires.
        told: whether tiles that are left to the CPU get a warning.
    """

    card: Card
    program: Program
    wires: bool
    told: bool = True

    @classmethod
    def of(cls, program: Program, chain: Chain, device: str) -> CardCells | None:
        """Those that a chain reads by a ``settled`` device; None for the CPU."""
        card = find(device)
        wires = Wires.name in chain.names
        return None if card is None else cls(card, program, wires, device == "cuda")

    def each(self, layer: str, chain: Chain) -> Iterator[tuple[ProgrammedTile, int, Floats]]:
        """A layer's blocks: (tile, index of the block on it, signed siemens (R, C))."""
        tiles = self.program.tiles_of(layer)
        size = max(_PART_CELLS // int(np.prod(self.program.hardware.cells)), 1)
        for start in range(0, len(tiles), size):
            part = tiles[start : start + size]
            found = self.differences(part)
            for tile in part:
                for number, placed in enumerate(tile.blocks):
                    if placed.block.layer == layer:
                        own = found.get((tile.index, number))
                        if own is None:
                            own = chain.conductance(BlockCells(tile, number))
                        yield tile, number, own

    def differences(self, tiles: Sequence[ProgrammedTile]) -> Differences:
        """The blocks of some tiles that the card reads; without those left to the CPU.

        Warns:
            XbarWarning: some are left to the CPU, for want of digits or of memory.
        """
        lines, bits = self.program.hardware.cells
        found = np.empty((len(tiles), lines, bits // 2))
        try:
            in_batches(
                self.card,
                len(tiles),
                self._each(),
                lambda part: self._read(tiles[part], found[part]),
                _MOST_TILES,
            )
        except DeviceMemoryError as error:
            self._tell(f"the tiles are read on the CPU: {error}")
            return {}
        sound = np.asarray(np.isfinite(found).all(axis=(1, 2)))
        if not sound.all():
            lost = np.count_nonzero(~sound)
            self._tell(f"{lost} tiles are read on the CPU: they lost too many digits on the card")
        return {
            (tile.index, number): placed.block.cells_of(own)
            for tile, own, whole in zip(tiles, found, sound, strict=True)
            if whole
            for number, placed in enumerate(tile.blocks)
        }

    def _tell(self, what: str) -> None:
        if self.told:
            warn(what)

    @cached_property
    def _padded(self) -> solving.Padded:
        return solving.Padded.of(_grid(self.program))

    @property
    def _shape(self) -> tuple[int, int]:
        """W, B of the array, padded for its wires."""
        return self._padded.shape if self.wires else self.program.hardware.cells

    @cached_property
    def _room(self) -> int:
        """Numbers of each of the two buffers that the tree takes for a tile."""
        levels = make_plan(*self._padded.shape)
        return max([levels[0].before, *(level.after for level in levels)])

    def _each(self) -> int:
        """Bytes of a tile on the card."""
        lines, bits = self.program.hardware.cells
        k = self.program.hardware.bank.resistors
        numbers = int(np.prod(self._shape)) + lines * bits * (k + 1)
        if self.wires:
            numbers += 2 * self._room
            numbers += solving.scratch(self.card, make_plan(*self._padded.shape))
        return 8 * numbers

    def _read(self, tiles: Sequence[ProgrammedTile], out: Floats) -> None:
        """Write the differences (T, W, B / 2) of some tiles."""
        with self.card.memory() as memory:
            value = self._cells(memory, tiles)
            high, wide = self._shape
            lines, bits = self.program.hardware.cells
            above = high - lines
            # (B, W) of a transfer matrix, or (W, B) of cells
            steps = (above, 1, high) if self.wires else (above * wide, wide, 1)
            if self.wires:
                levels = make_plan(*self._padded.shape)
                value = solving.start(memory, levels, self._padded, value, self._room)
            found = memory.empty(out.shape, np.float64)
            sizes = np.int64(len(tiles)), np.int32(lines), np.int32(bits // 2)
            numbers = np.int64(high * wide), *map(np.int64, steps)
            self._start("differences", out.size, value, *sizes, *numbers, found)
            self.card.read(found, out)

    def _cells(self, memory: Memory, tiles: Sequence[ProgrammedTile]) -> Buffer:
        """Start making the cells (T, W, B) of some tiles, padded with open ones."""
        (lines, bits), k = self.program.hardware.cells, self.program.hardware.bank.resistors
        high, wide = self._shape
        cell = memory.empty((len(tiles), high, wide), np.float64)
        with self.card.memory() as scratch:
            bank = scratch.empty((len(tiles), lines, bits, k), np.float64)
            drawing.draw_listed(scratch, self.program.chip, [t.index for t in tiles], bank)
            packed = scratch.holding(np.stack([tile.packed for tile in tiles]))
            count, sizes = len(tiles) * high * wide, map(np.int32, (lines, bits, k, high, wide))
            self._start("cells", count, bank, packed, np.int64(len(tiles)), *sizes, cell)
            self.card.wait()
        return cell

    def _start(self, name: str, count: int, *arguments: Buffer | np.generic) -> None:
        blocks = max(min(-(-count // _THREADS), self.card.processors * _BLOCKS_EACH), 1)
        self.card.kernel(SOURCE, name).launch((blocks, 1), _THREADS, *arguments)
