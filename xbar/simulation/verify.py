"""Verification of programmed tiles' currents against a SPICE engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats, as_indices, one_number, real
from xbar.circuit.engines.registry import get_engine
from xbar.compiler.deck import tile_netlist
from xbar.compiler.idle import array_for, float_idle
from xbar.compiler.program import Program
from xbar.compiler.tile import DeckReadout, Detail, ProgrammedTile
from xbar.effects.converters import quantise
from xbar.effects.nonlinearity import line_currents
from xbar.errors import SpecError
from xbar.hardware.draw import check_seed
from xbar.parallel import Progress
from xbar.simulation.data import Data
from xbar.simulation.readout import product
from xbar.simulation.tables import verification_text
from xbar.simulation.tokens import leading
from xbar.tables import Card, Facts

TOLERANCE = 1e-9


@dataclass(frozen=True)
class TileCheck:
    """One tile's comparison.

    Attributes:
        tile: index of the tile.
        layer: names of its layers.
        error: largest difference of a bit line's current, relative to the largest current.
        passed: whether the error is within the tolerance.
    """

    tile: int
    layer: str
    error: float
    passed: bool


@dataclass(frozen=True, repr=False)
class Verification(Card):
    """Comparison with a SPICE engine.

    Attributes:
        engine: name of the engine.
        tolerance: tolerance of the relative error.
        tiles: one check per tile.
    """

    engine: str
    tolerance: float
    tiles: tuple[TileCheck, ...]

    @property
    def worst(self) -> float:
        """The largest error of all tiles."""
        return max(check.error for check in self.tiles)

    @property
    def passed(self) -> bool:
        """Whether every tile is within the tolerance."""
        return all(check.passed for check in self.tiles)

    def __str__(self) -> str:
        return verification_text(self)

    def _facts(self) -> Facts:
        failed = [str(check.tile) for check in self.tiles if not check.passed]
        return [
            ("engine", self.engine),
            ("tiles", f"{len(self.tiles)}, {len(failed)} of them differ"),
            ("worst error", f"{self.worst:.2e} of full scale" if self.tiles else ""),
            ("tolerance", f"{self.tolerance:g} of full scale"),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return {**asdict(self), "worst": self.worst, "passed": self.passed}


def verify(
    program: Program,
    tiles: Sequence[int] | None = None,
    *,
    engine: str = "ngspice",
    inputs: ArrayLike | None = None,
    seed: int = 0,
    detail: Detail = "cell",
    readout: DeckReadout = "nodal",
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> Verification:
    """Compare the currents of tiles, wires included, with those of a SPICE engine.

    Args:
        program: program from ``xbar.compile``.
        tiles: indices of tiles; by default the first tile of each layer.
        engine: "ngspice", or "pyspice" for ngspice as a library within PySpice.
        inputs: network inputs (N, ...): each tile is driven with the strongest activation vectors
            of the first input. By default random voltages from ``seed``.
        seed: seed of the random voltages.
        detail: detail of the netlist: one resistor per "cell", every "resistor" of its bank, or the
            "bank" as a subcircuit with its switches.
        readout: "nodal" for resistors that obey Ohm's law, or "nonlinear" for those that follow
            ``bank.nonlinearity``.
        tolerance: largest relative error that passes.
        progress: called with the tiles done and their total.

    Raises:
        SpecError: unknown tile or engine, or inputs that do not fit.
        ToolError: the engine is not installed.
        EngineError: the engine gave no usable answer.
    """
    simulator = get_engine(engine)
    tolerance, seed = one_number(tolerance, "tolerance", 0), check_seed(seed)
    chosen = _choose(program, tiles)
    vectors = None if inputs is None else activations(program, inputs)
    checks = []
    for tile in chosen:
        voltage = _voltage(tile, vectors, seed)
        # one of the reads that float the lines of other blocks; else all blocks at once
        block = 0 if float_idle(program.hardware) else None
        array = tile.array() if block is None else array_for(tile, block)
        deck = tile_netlist(tile, simulator.dialect, voltage, detail, readout, block)
        theirs = simulator.run(deck)
        if readout == "nonlinear":
            ours = line_currents(array, tile.law(), voltage[None])[0]
        else:
            ours = array.read(voltage[None])[0]
        scale = float(np.abs(ours).max()) or 1.0
        error = float(np.abs(theirs - ours).max()) / scale
        checks.append(TileCheck(tile.index, ", ".join(tile.layers()), error, error <= tolerance))
        if progress is not None:
            progress(len(checks), len(chosen))
    return Verification(engine, tolerance, tuple(checks))


def first_inputs(program: Program, inputs: ArrayLike, most: int = 1) -> NDArray[Any]:
    """The first inputs (N, ...) as a network takes them, at most so many; of tokens, windows.

    Raises:
        SpecError: there is no network, or the inputs do not fit it.
    """
    if program.graph is None:
        raise SpecError("inputs need a network; bare matrices are verified with random voltages")
    some = leading(real(inputs, "inputs"), program.graph, most)
    fitted: NDArray[Any] = Data.of(program, some, None).inputs[:most]
    return fitted


def activations(program: Program, inputs: ArrayLike) -> dict[str, Floats]:
    """By layer, its strongest input vector (G, inputs) for the first network input.

    Raises:
        SpecError: as of ``first_inputs``.
    """
    some = first_inputs(program, inputs)
    found: dict[str, Floats] = {}

    def record(layer: str, x: Floats) -> Floats:
        if len(x):
            found[layer] = x[int(np.argmax((x**2).sum(axis=(1, 2))))]
        return product(x, program.weights[layer])

    assert program.graph is not None  # else there are no inputs
    program.graph.run(some, record)
    return found


def real_voltage(tile: ProgrammedTile, vectors: dict[str, Floats], number: int = 0) -> Floats:
    """(W',) volts on a tile for a read of one block with its layer's ``activations``.

    Raises:
        SpecError: the network did not use the block's layer.
    """
    layer = tile.blocks[number].block.layer
    if layer not in vectors:
        raise SpecError(f"{layer}: is not used by the network for these inputs")
    return tile_voltage(tile, vectors[layer], number)


def real_voltages(tile: ProgrammedTile, vectors: dict[str, Floats]) -> Floats:
    """(W',) volts on a tile with all its blocks driven at once, each as in ``real_voltage``.

    Shared word lines have the voltage of the first block; blocks whose layer the network did not
    use have 0 V.

    Raises:
        SpecError: the network used none of the blocks' layers.
    """
    used = [i for i, placed in enumerate(tile.blocks) if placed.block.layer in vectors]
    volts = real_voltage(tile, vectors, used[0] if used else 0)
    taken = _lines(tile, used[0])
    for number in used[1:]:
        lines = _lines(tile, number) & ~taken
        volts = np.where(lines, real_voltage(tile, vectors, number), volts)
        taken |= lines
    return volts


def _lines(tile: ProgrammedTile, number: int) -> NDArray[np.bool_]:
    """(W',) mask of a block's word lines."""
    rows = len(tile.blocks[number].block.word_lines)
    lines: NDArray[np.bool_] = tile.voltage(np.ones((1, rows)), number)[0] != 0
    return lines


def tile_voltage(tile: ProgrammedTile, vector: Floats, number: int = 0) -> Floats:
    """(W',) volts of the DACs on a tile for its layer's input vector (G, inputs).

    Where word lines are gates, those of positive inputs are on.

    Args:
        tile: tile to drive.
        vector: input vector of the block's layer.
        number: index of the block on the tile.
    """
    hardware, block = tile.chip.hardware, tile.blocks[number].block
    peak = float(np.abs(vector).max()) or 1.0
    volts = vector[block.group, block.inputs] * (hardware.read_voltage / peak)
    if hardware.tile.separate:  # word lines are on or off
        volts = np.where(volts > 0, hardware.read_voltage, 0.0)
    elif hardware.dac is not None:
        volts = quantise(volts, hardware.read_voltage, hardware.dac.bits)
    full: Floats = tile.voltage(volts[None], number)[0]
    return full


def _voltage(tile: ProgrammedTile, vectors: dict[str, Floats] | None, seed: int) -> Floats:
    if vectors is not None:
        return real_voltages(tile, vectors)
    hardware = tile.chip.hardware
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, tile.index])))
    volts = rng.uniform(0.0, hardware.read_voltage, hardware.cells[0])
    if hardware.tile.separate:
        volts = np.where(volts > hardware.read_voltage / 2, hardware.read_voltage, 0.0)
    lines: Floats = tile.lines(volts[None])[0]
    return lines


def _choose(program: Program, tiles: Sequence[int] | None) -> list[ProgrammedTile]:
    if tiles is None:
        first = {name: tile for tile in program.tiles[::-1] for name in tile.layers()}
        return list(dict.fromkeys(first[name] for name in program.weights if name in first))
    chosen = as_indices(tiles, "tiles", None, "numbers").tolist()
    if not chosen:
        raise SpecError("there must be at least one tile to verify")
    return [program.tile(index) for index in chosen]
