"""Programmed tile: its switch states, and the conductances they realise.

Shapes: W x B cells of a tile, K resistors per cell; W' word lines and B' bit lines of its array
(see ``layout.py``; equal to W and B if a cell's resistors lie at one crossing); R inputs and C
outputs of a block. Units: siemens, and siemens per unit weight for scales.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.netlist import Netlist
from xbar.circuit.nonlinear import CellLaw
from xbar.circuit.prepared import PreparedArray
from xbar.circuit.source_lines import SourceLines
from xbar.compiler.block import Block
from xbar.compiler.layout import (
    ArrayWires,
    array_wires,
    columns_of,
    crossings_of,
    from_crossings,
    lines_of,
    to_crossings,
)
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.squares import tile_squares
from xbar.compiler.tuned import TunedCells
from xbar.effects.expected import expected_error
from xbar.effects.nonlinearity import cell_law, ohmic, powers
from xbar.effects.readout import MatrixReadout, check_readout
from xbar.effects.selector import selected
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.hardware.spec import Moment
from xbar.tables import Card, Facts, Outline, few

Detail: TypeAlias = Literal["cell", "resistor", "bank"]
DeckReadout: TypeAlias = Literal["nodal", "nonlinear"]
Masks: TypeAlias = NDArray[np.bool_]


def gain_of(own: Floats, effective: Floats) -> Floats:
    """Effective over own conductance of each cell, wires included; 0 if the own one is 0."""
    return np.divide(effective, own, out=np.zeros_like(own), where=own > 0)


def pack(mask: Masks) -> NDArray[np.uint8]:
    """Switches (W, B, K) as bits (W, B, ceil(K / 8)), first resistor first."""
    return np.packbits(mask, axis=-1, bitorder="little")


@dataclass(frozen=True, eq=False, repr=False)
class ProgrammedBlock(Outline):
    """A block's weights and their scales.

    Attributes:
        block: inputs and outputs, and their lines.
        scale: siemens per unit weight of each column (C,).
        source: target weights (R, C), or the layers' matrices (G, outputs, inputs) by name, which
            may be read only when they are asked for.
    """

    block: Block
    scale: Floats
    source: Floats | Mapping[str, Floats]

    @property
    def weight(self) -> Floats:
        """Target weights (R, C)."""
        if isinstance(self.source, Mapping):
            return self.block.of(self.source[self.block.layer])
        return self.source

    @property
    def target(self) -> Floats:
        """(R, C) target of each weight's reading, siemens; its conductance's without a gain."""
        return self.weight * self.scale


@dataclass(frozen=True)
class Reached:
    """Residuals of the weights of one block, wires included after wire-aware programming.

    Attributes:
        worst: largest |achieved - target|, siemens.
        power: sum of squares of achieved - target, siemens².
        largest: largest |target|, siemens.
        switches: number of closed switches; for tuned devices, of those written.
        clipped: number of targets outside their bank's range, due to the scale or to stuck
            resistors.
    """

    worst: float
    power: float
    largest: float
    switches: int
    clipped: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class ProgrammedTile(Card):
    """One array with blocks of layers' weights on it.

    Attributes:
        index: index of the tile on the chip.
        blocks: blocks on the tile.
        packed: closed switches (W, B, ceil(K / 8)) as bits, first resistor first.
        chip: chip of the tile.
        mapping: mapping of signed weights to cells.
        reached: residuals of each block.
        wire_errors: expected relative error of the effective weights, read noise included, before
            wire-aware programming and after each round up to the best one. Empty if wires were
            ignored.
        tuned: model of tuned cells; None for switched resistors.
        aged: whether the chip has aged since switches were chosen, or cells tuned.
        chosen: moment of the chip that they were chosen for, as in ``Options``.
    """

    index: int
    blocks: tuple[ProgrammedBlock, ...]
    packed: NDArray[np.uint8]
    chip: Chip
    mapping: SignedMapping
    reached: tuple[Reached, ...] = ()
    wire_errors: tuple[float, ...] = ()
    tuned: TunedCells | None = None
    aged: bool = False
    chosen: Moment | None = None

    def _facts(self) -> Facts:
        tile, switches = self.chip.hardware.tile, sum(each.switches for each in self.reached)
        return [
            ("tile", f"{self.index}, {tile.word_lines} x {tile.bit_lines}"),
            ("blocks", f"{len(self.blocks)}, of {few([*self.layers()])}"),
            ("switched in", f"{switches:,} of {math.prod(self.mask.shape):,} resistors"),
            ("chip", self.chip.origin),
        ]

    def on(self, chip: Chip, *, aged: bool, chosen: Moment | None = None) -> ProgrammedTile:
        """The same switches on another chip of the same design; arguments as the attributes."""
        return replace(self, chip=chip, aged=aged, chosen=chosen)

    def fresh(self) -> ProgrammedTile:
        """A copy of the tile with empty caches.

        A tile caches its conductances and its solved array. To process the tiles of a large program
        in turn, use a fresh copy of each, so that its memory is released.
        """
        return replace(self)

    @property
    def mask(self) -> Masks:
        """(W, B, K) closed switches."""
        count = self.chip.hardware.bank.resistors
        bits = np.unpackbits(self.packed, axis=-1, count=count, bitorder="little")
        return bits.view(np.bool_)

    @property
    def branch(self) -> Floats:
        """(W, B, K) siemens of each resistor in its switch state; not cached.

        For tuned cells, the weighted conductance of each device (see ``tuned.py``).
        """
        if self.tuned is not None:
            targets = ((placed.block, placed.target) for placed in self.blocks)
            return self.tuned.branch(self.chip, self.index, targets, aged=self.aged)[0]
        return self.chip.branch(self.index, self.mask)

    @cached_property
    def conductance(self) -> Floats:
        """(W, B) siemens of each cell."""
        total: Floats = self.branch.sum(axis=-1)
        return total

    def crossbar(self) -> Crossbar:
        """The array with its wires, drivers and sense amplifiers.

        Raises:
            SpecError: its cells draw their current from source lines (``array``).
        """
        return self._crossbar

    def array(self) -> Crossbar | SourceLines:
        """The array with its lines, of the design's topology."""
        return self._source_lines if self.chip.hardware.tile.separate else self._crossbar

    @cached_property
    def _source_lines(self) -> SourceLines:
        tile = self.chip.hardware.tile
        return SourceLines(
            to_crossings(self.chip.hardware, self.branch),
            tile.source_wire,
            tile.bit_wire,
            tile.source,
            self.chip.hardware.sense_load,
            tile.sense,
            tile.interleaved,
        )

    @cached_property
    def _crossbar(self) -> Crossbar:
        return Crossbar(to_crossings(self.chip.hardware, self.branch), **self._wires)

    def law(self) -> CellLaw:
        """I-V curve of each crossing of the array, by ``bank.nonlinearity`` and ``selector``.

        Raises:
            SpecError: the design has neither.
        """
        check_readout(self.chip.hardware, "nonlinear")
        return selected(self.device_law, self.chip.hardware.selector)

    @cached_property
    def device_law(self) -> CellLaw:
        """The same without selectors; Ohm's law without a law of the bank."""
        crossing = self.array().conductance
        if self.chip.hardware.bank.nonlinearity is None:
            return ohmic(crossing)
        powers = self.powers()
        bends = np.zeros((len(powers), *crossing.shape))
        for bend, power in zip(bends, powers, strict=True):
            bend[:] = to_crossings(self.chip.hardware, power)
        return cell_law(self.nonlinearity, crossing, bends)

    def powers(self) -> Floats:
        """(P, W, B, K) coefficients of each resistor's current, in A/V², A/V³ ...; see ``powers``.

        By ``bank.nonlinearity``; none (P = 0) for its sinh law.

        Raises:
            SpecError: the design has none.
        """
        branch = self.branch
        closed = (
            np.ones(branch.shape, dtype=np.bool_)
            if self.tuned is not None
            else self.chip.closed(self.index, self.mask)
        )
        check_readout(self.chip.hardware, "nonlinear")
        bank = self.chip.hardware.bank
        if self.tuned is not None:  # devices without switches
            law = self.nonlinearity.model_copy(update={"c2_slope": None})
            bank = bank.model_copy(update={"nonlinearity": law})
        return powers(bank, branch, closed, self._thresholds)

    @property
    def _thresholds(self) -> Floats | None:
        """(W, B, K) volts, where the law needs them and the chip tells them."""
        law = self.nonlinearity
        if law.c2_slope is None or self.tuned is not None:
            return None
        return self.chip.thresholds(self.index)

    @property
    def nonlinearity(self) -> Nonlinearity:
        """The design's ``bank.nonlinearity``.

        Raises:
            SpecError: it has none.
        """
        check_readout(self.chip.hardware, "nonlinear")
        law = self.chip.hardware.bank.nonlinearity
        if law is None:
            raise SpecError("the cells obey Ohm's law: the design has no bank.nonlinearity")
        return law

    @property
    def _wires(self) -> ArrayWires:
        return array_wires(self.chip.hardware)

    def prepare(self) -> PreparedArray:
        """The array's wires, prepared for solving with many masks."""
        return PreparedArray(crossings_of(self.chip.hardware), **self._wires)

    def cells(self, readout: MatrixReadout) -> Floats:
        """(W, B) siemens: current of each cell's bit line per volt on its word line alone.

        For the "nodal" read-out these are the effective conductances, wires included.
        """
        return self._to_cells(self._crossbar.transfer.T) if readout == "nodal" else self.conductance

    def difference(self, readout: MatrixReadout) -> list[Floats]:
        """By block, (R, C) siemens: differential current of each column per volt on each row."""
        from xbar.compiler.idle import differences

        return differences(self, readout)

    def residual(self) -> list[Floats]:
        """By block, (R, C) siemens achieved minus target.

        Wires are included after wire-aware programming.
        """
        achieved = self.difference("nodal" if self.wire_errors else "ideal")
        gain = self.reading_gain
        return [gain * a - placed.target for a, placed in zip(achieved, self.blocks, strict=True)]

    @property
    def reading_gain(self) -> float:
        """Ratio of mean reading to conductance that the tile is programmed for; 1 if tuned."""
        return 1.0 if self.tuned is not None else expected_error(self.chip.hardware).gain

    def gain(self) -> Floats:
        """(W, B): each cell's effective over its own conductance; 0 if that is 0."""
        return gain_of(self.conductance, self.cells("nodal"))

    def noise_power(self, readout: MatrixReadout) -> list[Floats]:
        """By block, (R, C) siemens²: ``noise_parts``, with reference cells added to each column."""
        return [
            own if shared is None else own + shared[:, None]
            for own, shared in self.noise_parts(readout)
        ]

    def noise_parts(self, readout: MatrixReadout) -> list[tuple[Floats, Floats | None]]:
        """By block, sums of the squares of the resistors' conductances, in siemens².

        (R, C) for each weight's own cells, and (R,) for the reference cells, whose noise is common
        to all columns; None without reference cells.

        Multiplied by the read noise's variance and the squared voltages it gives a column's current
        variance. For the "nodal" read-out each resistor's contribution is attenuated like its
        current. That is an upper estimate: a cell that conducts more loads its own lines, which
        takes part of the change back (docs/simulation.md, section 7, has figures).
        """
        branch = self.branch
        power = to_crossings(self.chip.hardware, tile_squares(self, branch))
        if readout == "nodal":
            crossing = to_crossings(self.chip.hardware, branch)
            power = power * gain_of(crossing, self._crossbar.transfer.T) ** 2
        cell = self._to_cells(power)
        return [self.mapping.own_and_shared(cell, placed.block) for placed in self.blocks]

    def _to_cells(self, array: Floats) -> Floats:
        return from_crossings(self.chip.hardware, array)

    def voltage(self, inputs: Floats, number: int = 0) -> Floats:
        """(N, W') volts on the word lines, for volts (N, R) on a block's rows; 0 V on others."""
        full = np.zeros((len(inputs), self.chip.hardware.cells[0]))
        full[:, self.blocks[number].block.word_lines] = inputs
        return self.lines(full)

    def lines(self, voltage: Floats) -> Floats:
        """(N, W') volts on the word lines, for volts (N, W) on the rows of cells."""
        return lines_of(self.chip.hardware, voltage)

    def columns(self, current: Floats) -> Floats:
        """(N, B) amperes of the columns of cells, for amperes (N, B') of the bit lines."""
        return columns_of(self.chip.hardware, current)

    def source_of(self, word_line: int, bit_line: int) -> tuple[str, int, int, int, int] | None:
        """The weight of a cell: (layer, group, output, input, sign), or None for an idle cell.

        The output is -1 for a reference cell, shared by all outputs on its word line; layer, group
        and input are then those of the first block that uses it.
        """
        from xbar.compiler.provenance import source_of

        return source_of(self, word_line, bit_line)

    def layers(self) -> Iterator[str]:
        """The layers with weights on the tile, each once."""
        yield from dict.fromkeys(placed.block.layer for placed in self.blocks)

    def netlist(
        self,
        dialect: str = "ngspice",
        voltage: ArrayLike | None = None,
        detail: Detail = "cell",
        readout: DeckReadout = "nodal",
        block: int | None = None,
    ) -> Netlist:
        """The tile as a SPICE deck.

        Args:
            dialect: SPICE dialect.
            voltage: volts (W',) on the word lines; 1 V on each by default.
            detail: one resistor per "cell", every "resistor" of its bank, or the "bank" as a
                subcircuit with its switches; of the layouts "columns" and "rows" all bit lines.
            readout: "nodal" for Ohm's law, or "nonlinear" for that of ``bank.nonlinearity``.
            block: block whose read it is: other lines float if ``tile.idle`` says so. None for
                all lines driven and read at once.

        Raises:
            SpecError: unknown dialect, detail or read-out; "bank" for tuned cells, or with a law
                other than ``c2`` and ``c3``; "nonlinear" without a law.
        """
        from xbar.compiler.deck import tile_netlist

        return tile_netlist(self, dialect, voltage, detail, readout, block)
