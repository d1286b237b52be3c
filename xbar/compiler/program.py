"""The program: which resistors are switched in, on which chip, for which network.

Shapes: W x B cells of a tile, K resistors a cell; W' word lines and B' bit lines of its array (see
``layout.py``; the same as W and B where a cell's resistors lie at one crossing); R inputs and C
outputs of a tile's block.
Units: siemens, and siemens per unit weight for scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.netlist import Netlist, crossbar_netlist
from xbar.circuit.switches import SwitchedBank
from xbar.compiler.layout import to_array, to_cells, to_columns, to_lines
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.placement import Block
from xbar.errors import SpecError
from xbar.hardware.bank import Layout
from xbar.hardware.chip import Chip
from xbar.model.graph import Graph

Floats = NDArray[np.float64]
Readout: TypeAlias = Literal["ideal", "nodal"]
Detail: TypeAlias = Literal["cell", "resistor", "bank"]


@dataclass(frozen=True, eq=False)
class ProgrammedTile:
    """One array with a block of a layer's weights on it.

    Attributes:
        index: which tile of the chip.
        block: which weights, and where they lie.
        mask: (W, B, K) switches that are closed.
        scale: (C,) siemens that stand for a weight of one, by column.
        weight: (R, C) what was to be programmed.
        chip: what it is programmed on.
        wire_errors: where it was programmed for its wires: the relative error of the effective
            weights before, and after each round up to the best one. Empty where wires were
            ignored.
    """

    index: int
    block: Block
    mask: NDArray[np.bool_]
    scale: Floats
    weight: Floats
    chip: Chip
    wire_errors: tuple[float, ...] = ()

    mapping = DifferentialPair()

    @property
    def branch(self) -> Floats:
        """(W, B, K) siemens of each resistor as it is switched; made anew from the chip."""
        return self.chip.branch(self.index, self.mask)

    @cached_property
    def conductance(self) -> Floats:
        """(W, B) siemens of each cell."""
        total: Floats = self.branch.sum(axis=-1)
        return total

    @property
    def target(self) -> Floats:
        """(R, C) siemens that each pair's difference should have."""
        return self.weight * self.scale

    @property
    def residual(self) -> Floats:
        """(R, C) siemens achieved minus target; wires count where it was programmed for them."""
        return self.difference("nodal" if self.wire_errors else "ideal") - self.target

    def crossbar(self) -> Crossbar:
        """The array with its wires, drivers and sense amplifiers."""
        return self._crossbar

    @cached_property
    def _crossbar(self) -> Crossbar:
        tile = self.chip.hardware.tile
        return Crossbar(
            to_array(self.branch, self._layout),
            word_wire=tile.word_wire,
            bit_wire=tile.bit_wire,
            source=tile.source,
            load=tile.load,
            drive=tile.drive,
            sense=tile.sense,
        )

    @property
    def _layout(self) -> Layout:
        return self.chip.hardware.bank.layout

    def difference(self, readout: Readout) -> Floats:
        """(R, C) siemens: differential current of each column per volt on each row.

        With the "nodal" read-out these are the effective conductances, wires included.
        """
        cell = self._to_cells(self._crossbar.transfer.T) if readout == "nodal" else self.conductance
        return self.mapping.difference(cell[self.cells])

    def gain(self) -> Floats:
        """(W, B): each cell's effective over its own conductance; 0 where that is 0."""
        effective, own = self._to_cells(self._crossbar.transfer.T), self.conductance
        return np.divide(effective, own, out=np.zeros_like(own), where=own > 0)

    def noise_power(self, readout: Readout) -> Floats:
        """(R, C) siemens²: sum of the squares of the resistors' conductances, both cells.

        Multiplied by the read noise's variance and the voltages' squares it gives a column's
        current variance. For the "nodal" read-out each resistor's share is attenuated as its
        current is (first order in the noise).
        """
        branch = self.branch
        power = to_array(branch**2, self._layout)
        if readout == "nodal":
            crossing = to_array(branch, self._layout)
            gain = np.divide(
                self._crossbar.transfer.T,
                crossing,
                out=np.zeros_like(crossing),
                where=crossing > 0,
            )
            power = power * gain**2
        return self.mapping.total(self._to_cells(power)[self.cells])

    def _to_cells(self, array: Floats) -> Floats:
        return to_cells(array, self._layout, self.chip.hardware.bank.resistors)

    @property
    def cells(self) -> tuple[slice, slice]:
        """The rows and columns of cells that the block lies on."""
        return self.block.lines, self.block.bit_lines(self.mapping)

    def voltage(self, inputs: Floats) -> Floats:
        """(N, W') volts on the word lines, for volts (N, R) on the block's rows; others at 0 V."""
        full = np.zeros((len(inputs), self.chip.hardware.cells[0]))
        full[:, self.block.lines] = inputs
        return self.lines(full)

    def lines(self, voltage: Floats) -> Floats:
        """(N, W') volts on the word lines, for volts (N, W) on the rows of cells."""
        return to_lines(voltage, self._layout, self.chip.hardware.bank.resistors)

    def columns(self, current: Floats) -> Floats:
        """(N, B) amperes of the columns of cells, for amperes (N, B') of the bit lines."""
        return to_columns(current, self._layout, self.chip.hardware.bank.resistors)

    def source_of(self, word_line: int, bit_line: int) -> tuple[str, int, int, int, int] | None:
        """What a cell stands for: (layer, group, output, input, sign), or None for an idle cell."""
        lines, bits = self.cells
        if not (lines.start <= word_line < lines.stop and bits.start <= bit_line < bits.stop):
            return None
        column, minus = divmod(bit_line - bits.start, self.mapping.bit_lines_per_column)
        block = self.block
        return (
            block.layer,
            block.group,
            block.outputs[0] + column,
            block.inputs[0] + word_line - lines.start,
            -1 if minus else 1,
        )

    def netlist(
        self,
        dialect: str = "ngspice",
        voltage: ArrayLike | None = None,
        detail: Detail = "cell",
    ) -> Netlist:
        """The tile as a SPICE deck.

        Args:
            dialect: whose input it is.
            voltage: (W',) volts on the word lines; 1 V on each where nothing is said.
            detail: one resistor a "cell", every "resistor" of the cell's bank, or the "bank" as a
                subcircuit with its switches. Where a cell's resistors lie on lines of their own
                the deck is the physical array, with a sense amplifier on each bit line.
        """
        if detail not in get_args(Detail):
            raise SpecError(f"detail must be one of {', '.join(get_args(Detail))}, not {detail!r}")
        return crossbar_netlist(
            self._crossbar,
            None if voltage is None else np.asarray(voltage, dtype=np.float64),
            dialect=dialect,
            title=f"{self.block.layer} tile {self.index}",
            branch=self._cells(detail),
        )

    def _cells(self, detail: Detail) -> Floats | SwitchedBank | None:
        """What each crossing of the array consists of, (W', B', resistors at one crossing)."""
        if detail == "bank":
            on, off = self.chip.on(self.index), self.chip.off(self.index)
            closed = self.chip.closed(self.index, self.mask)
            return SwitchedBank(self._crossings(on), self._crossings(off), self._crossings(closed))
        return self._crossings(self.branch) if detail == "resistor" else None

    def _crossings(self, resistor: NDArray[Any]) -> NDArray[Any]:
        return resistor if self._layout == "cell" else to_array(resistor, self._layout)[..., None]


@dataclass(frozen=True, eq=False)
class Program:
    """A network on a chip.

    Attributes:
        chip: the chip.
        graph: the network; None where bare matrices were compiled.
        weights: by layer, (G, outputs, inputs): what was to be programmed.
        tiles: by index.
        wire_aware: whether subsets were chosen for the tiles' wires.
    """

    chip: Chip
    graph: Graph | None
    weights: Mapping[str, Floats]
    tiles: tuple[ProgrammedTile, ...]
    wire_aware: bool = False

    def matrices(self, readout: Readout = "ideal") -> dict[str, Floats]:
        """The matrix (outputs, inputs) that the chip realises, by layer, in the weights' units.

        With G > 1 groups it is (G, outputs, inputs). "nodal" includes the wires: one exact
        solution a tile, done once.
        """
        check_readout(readout)
        result = {name: np.zeros_like(weight) for name, weight in self.weights.items()}
        for tile in self.tiles:
            block = tile.block
            realised = tile.difference(readout) / tile.scale
            result[block.layer][block.group, block.columns, block.rows] = realised.T
        return {name: m[0] if len(m) == 1 else m for name, m in result.items()}

    def tiles_of(self, layer: str) -> tuple[ProgrammedTile, ...]:
        """The tiles that a layer lies on."""
        return tuple(tile for tile in self.tiles if tile.block.layer == layer)

    @property
    def resistors_per_weight(self) -> int:
        """2K for differential pairs: both cells are counted."""
        return DifferentialPair.bit_lines_per_column * self.chip.hardware.bank.resistors

    @overload
    def run(
        self, inputs: Mapping[str, ArrayLike], readout: Readout = "ideal", seed: int = 0
    ) -> dict[str, Floats]: ...

    @overload
    def run(self, inputs: ArrayLike, readout: Readout = "ideal", seed: int = 0) -> Floats: ...

    def run(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        readout: Readout = "ideal",
        seed: int = 0,
    ) -> Floats | dict[str, Floats]:
        """The network's outputs (N, ...) through this chip for inputs (N, ...).

        Converters and read noise act where the hardware has them; ``seed`` is for the noise. A
        program of bare matrices takes {layer: inputs (N, inputs)} and gives {layer: (N,
        outputs)}; with one matrix the arrays alone do.

        Raises:
            SpecError: the inputs do not fit the network.
        """
        from xbar.simulation.run import run_program

        return run_program(self, inputs, readout, seed)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the program as a directory (zarr v3 arrays and a manifest), whole or not at all.

        Raises:
            FileError: the path exists and ``force`` is not set, or can't be written.
        """
        from xbar.compiler.store import save_program

        save_program(self, Path(path), force=force)

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read a program that ``save`` wrote; every file's checksum is compared.

        Raises:
            FileError: it is no program, incomplete, or a file was changed.
        """
        from xbar.compiler.store import load_program

        return load_program(Path(path))


def check_readout(readout: str) -> None:
    """Only known read-outs.

    Raises:
        SpecError: it is another word.
    """
    if readout not in ("ideal", "nodal"):
        raise SpecError(f"readout must be 'ideal' or 'nodal', not {readout!r}")
