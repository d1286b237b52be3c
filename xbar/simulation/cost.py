"""Cost of a program on its chip: devices, area, energy and time per network input.

    counts     resistors, switches and their bits: all of the tiles, and those used by weights
    area       of all parts of the chip (``cost_parts.py``); a layer's in proportion to its cells
    energy     reads: the drivers' power, solved with the wires, for the time of a read
               DACs, ADCs with sample-and-holds, and adders: their number times the energy of each
               data movement between buffers, tiles and layers (``movement.py``)
               leakage of memory and logic, for the time between inputs
    latency    products x steps x (a read and the conversions of the busiest ADC, one after another
               or overlapped), and the time that data take to the layer and from it; layer after
               layer. Tiles work in parallel, blocks on one tile in turn; additions overlap.
    interval   with all layers at work on inputs that follow each other, a pipeline: what the
               busiest tile or bus takes for one input
    operations two a multiply-add of the layers' matrices, zeros included (``peak.py``)

Resistors are assumed to obey Ohm's law. What is left out is told in ``ProgramCost.left_out``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xbar.compiler.block import Block
from xbar.compiler.placed_blocks import PlacedBlocks
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.hardware.cost import Cost
from xbar.simulation.cost_inputs import Reals, driven_volts, uniform_volts, with_constants
from xbar.simulation.cost_parts import (
    chip_area,
    dac_energy,
    filling,
    leakage,
    reading_energy,
    seconds,
)
from xbar.simulation.cost_tables import cost_table, cost_text
from xbar.simulation.left_out import assumed, left_out
from xbar.simulation.movement import Moved, bus_seconds, moved
from xbar.simulation.peak import Peak, cell_energy, peak
from xbar.simulation.power import read_power
from xbar.simulation.programming_cost import ProgrammingCost, programming_cost
from xbar.simulation.ranges import Ranges
from xbar.tables import Card, Facts, count, html_table
from xbar.units import format_quantity

TILES = 32
"""Maximum number of tiles of a layer that are solved; their effect of wires scales the others."""


_COMPUTED = (
    *("energy", "latency", "total_area", "leakage_energy", "operations"),
    *("tops", "tops_per_watt", "tops_per_mm2"),
)


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer per network input.

    Attributes:
        name: name of the layer.
        tiles: number of its tiles.
        products: number of matrix-vector products per input.
        devices: number of resistors of its weights' own cells.
        closed: number of closed switches; for tuned devices, of those written.
        area: area in square metres, its share of its tiles by cells.
        reads: number of array reads, one per block, step and product.
        dac_conversions: number of word lines driven, over all reads.
        adc_conversions: number of ADC readings.
        additions: number of readings added to others of the same output.
        read_energy: energy of the arrays, joules.
        dac_energy: energy of the DACs, joules.
        adc_energy: energy of the ADCs, joules.
        add_energy: energy of the adders, joules.
        move_energy: energy of data movement by component, joules: "registers", "buffers", "buses",
            "routers".
        latency: time for all its products, seconds.
        transfer: time until its first input has arrived and its last output has left, seconds.
        multiply_adds: number of multiply-adds, zeros of its matrix included.
        solved: number of tiles solved for the read energy.
    """

    name: str
    tiles: int
    products: int
    devices: int
    closed: int
    area: float
    reads: int
    dac_conversions: int
    adc_conversions: int
    additions: int
    read_energy: float
    dac_energy: float
    adc_energy: float
    add_energy: float
    move_energy: Mapping[str, float]
    latency: float
    transfer: float
    multiply_adds: int
    solved: int

    @property
    def energy(self) -> float:
        """Total energy in joules."""
        arrays = self.read_energy + self.dac_energy + self.adc_energy + self.add_energy
        return arrays + sum(self.move_energy.values())


@dataclass(frozen=True, repr=False)
class ProgramCost(Card):
    """Cost of a program per network input.

    Attributes:
        activity: inputs assumed for the read power: "data", or "uniform" random voltages.
        tiles: number of tiles.
        devices: number of resistors fabricated on them; each has one switch.
        configuration_bits: number of bits, one per switch; none of tuned devices.
        area: area in square metres by component: "devices", "bits", "dac", "adc", "adders",
            "registers", "buffers", "buses", "routers".
        interval: time between inputs with pipelined layers, seconds: that of the busiest tile or
            bus.
        leakage: power of memory and logic that do nothing, watts.
        layers: cost of each layer.
        peak: peak figures of the chip, its cells at this network's mean energy.
        programming: cost of measuring and writing the chip.
        notes: assumptions made.
        left_out: what is in none of the figures.
    """

    activity: str
    tiles: int
    devices: int
    configuration_bits: int
    area: Mapping[str, float]
    interval: float
    leakage: float
    layers: tuple[LayerCost, ...]
    peak: Peak
    programming: ProgrammingCost
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def energy(self) -> float:
        """Energy per input in joules, inputs following each other every ``interval``."""
        return sum(layer.energy for layer in self.layers) + self.leakage_energy

    @property
    def leakage_energy(self) -> float:
        """Energy in joules that leaks per input."""
        return self.leakage * self.interval

    @property
    def latency(self) -> float:
        """Time from an input to its output in seconds, data movement included."""
        return sum(layer.latency + layer.transfer for layer in self.layers)

    @property
    def operations(self) -> float:
        """Operations per input, two a multiply-add."""
        return 2.0 * sum(layer.multiply_adds for layer in self.layers)

    @property
    def tops(self) -> float:
        """Tera-operations a second of this network, layers pipelined."""
        return self.operations / self.interval / 1e12 if self.interval else 0.0

    @property
    def tops_per_watt(self) -> float:
        """Tera-operations a joule of this network."""
        return self.operations / self.energy / 1e12 if self.energy else 0.0

    @property
    def tops_per_mm2(self) -> float:
        """Tera-operations a second and square millimetre of this network."""
        return self.tops / (self.total_area * 1e6) if self.total_area else 0.0

    @property
    def total_area(self) -> float:
        """Total area in square metres."""
        return sum(self.area.values())

    def __str__(self) -> str:
        return cost_text(self)

    def _facts(self) -> Facts:
        return [
            ("tiles", str(self.tiles)),
            ("devices", f"{self.devices:,}"),
            ("area", f"{self.total_area * 1e6:.3g} mm²"),
            ("energy", f"{format_quantity(self.energy, 'J')} an input ({self.activity})"),
            ("latency", format_quantity(self.latency, "s")),
            ("TOPS", f"{self.tops:.3g}, {self.tops_per_watt:.3g} a watt"),
        ]

    def _repr_html_(self) -> str:
        return html_table(*cost_table(self))

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        content = asdict(self)
        content |= {name: getattr(self, name) for name in _COMPUTED}
        content["peak"] = self.peak.to_json()
        content["programming"] |= {
            name: getattr(self.programming, name) for name in ("energy", "time", "power", "busy")
        }
        for layer, entry in zip(self.layers, content["layers"], strict=True):
            entry["energy"] = layer.energy
        return content


def cost(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    ranges: Ranges | None = None,
    seed: int = 0,
    constants: Cost | None = None,
) -> ProgramCost:
    """Cost of a program on its chip, with the constants of ``Hardware.cost``.

    Args:
        program: program from ``xbar.compile``.
        inputs: network inputs (N, ...), a stream of tokens, or {layer: (N, inputs)}, of which the
            first are used, also to count products where their number depends on the input; None for
            voltages uniform between minus and plus full scale.
        ranges: calibrated ranges of the DACs, if any.
        seed: seed of the voltages if there are no inputs.
        constants: used instead of the design's.

    Raises:
        SpecError: the inputs do not fit, the survey has no such ADC, or programming takes longer
            than ``reprogram``.
        SolverError: an array does not fit into memory.
    """
    if ranges is None and program.corrections is not None:
        ranges = program.corrections.ranges
    constants = program.chip.hardware.cost if constants is None else constants
    tuned = program.options.programming not in ("subset", "nominal")
    if tuned:  # such devices keep what is written
        constants = constants.model_copy(update={"bit_area": 0.0})
    if constants != program.chip.hardware.cost:
        program = with_constants(program, constants)
    notes: list[str] = []
    counted: dict[str, int] = {}
    if inputs is None:
        volts = uniform_volts(program, seed)
    else:
        volts, counted = driven_volts(program, inputs, ranges)
    products = _products(program, counted, notes)
    hardware, tiles = program.chip.hardware, len(program.tiles)
    columns = program.mapping.columns(hardware.cells[1])
    area = chip_area(hardware, columns, tiles)
    moves = moved(program, products)
    layers = []
    for name in program.weights:
        if name not in volts:
            notes.append(f"{name}: is not used for these inputs, so its energy is 0")
        share = sum(area.values()) / max(tiles, 1)
        driven = volts.get(name, [])
        layers.append(_layer(program, name, driven, share, products[name], moves[name]))
    devices = tiles * hardware.cells[0] * hardware.cells[1] * hardware.bank.resistors
    busiest = max(_interval(program, products), bus_seconds(hardware, moves))
    return ProgramCost(
        activity="uniform" if inputs is None else "data",
        tiles=tiles,
        devices=devices,
        configuration_bits=0 if tuned else devices,
        area=area,
        interval=busiest,
        leakage=leakage(hardware, columns, tiles),
        layers=tuple(layers),
        peak=peak(hardware, columns, tiles, _mean_cell(program, layers)),
        programming=programming_cost(program),
        notes=(*notes, *assumed(program)),
        left_out=left_out(program),
    )


def _mean_cell(program: Program, layers: list[LayerCost]) -> float:
    """Joules of a cell in a product, on average over this network's."""
    hardware = program.chip.hardware
    cells = sum(layer.products * layer.devices / hardware.bank.resistors for layer in layers)
    energy = sum(layer.read_energy for layer in layers)
    return energy / cells if energy and cells else cell_energy(hardware)


def _layer(
    program: Program, name: str, volts: list[Reals], tile_area: float, products: int, move: Moved
) -> LayerCost:
    hardware, blocks = program.chip.hardware, program.blocks_of(name)
    constants, steps = hardware.cost, hardware.steps
    rows = sum(placed.block.shape[0] for _, _, placed in blocks)
    columns = sum(placed.block.shape[1] for _, _, placed in blocks)
    readings = columns * steps * products
    shape = program.plan.shapes[name]
    additions = max(0, readings - int(np.prod(shape[:2])) * products)
    energy, solved = _read_energy(blocks, volts, constants.read_time)
    dac, adc = hardware.dac, hardware.adc
    return LayerCost(
        name=name,
        tiles=len(program.tiles_of(name)),
        products=products,
        devices=sum(_cells(tile, placed.block) for tile, _, placed in blocks)
        * hardware.bank.resistors,
        closed=sum(tile.reached[number].switches for tile, number, _ in blocks),
        area=sum(tile_area * _share(tile, number) for tile, number, _ in blocks),
        reads=len(blocks) * steps * products,
        dac_conversions=0 if dac is None else rows * steps * products,
        adc_conversions=0 if adc is None else readings,
        additions=0 if adc is None else additions,
        read_energy=energy * products,
        dac_energy=0.0 if dac is None else rows * steps * products * dac_energy(hardware),
        adc_energy=0.0 if adc is None else columns * products * reading_energy(hardware),
        add_energy=0.0 if adc is None else additions * constants.add_energy,
        move_energy=move.energy(hardware),
        latency=products * max(_busy(blocks).values(), default=0.0)
        + filling(hardware, _busiest(blocks)),
        transfer=move.latency,
        multiply_adds=products * int(np.prod(shape)),
        solved=solved,
    )


def _read_energy(blocks: PlacedBlocks, volts: list[Reals], read_time: float) -> tuple[float, int]:
    """Energy of one product with all its steps in joules, and number of blocks solved for it."""
    if not volts or not blocks:
        return 0.0, 0
    chosen = set(np.linspace(0, len(blocks) - 1, min(TILES, len(blocks))).astype(int).tolist())
    ideal, solved = np.zeros(len(blocks)), 0.0
    for place, (tile, number, placed) in enumerate(blocks):
        steps = [each[:, placed.block.group, placed.block.inputs] for each in volts]
        inputs = np.concatenate(steps).astype(np.float64, copy=False)
        lines, crossbar = tile.voltage(inputs, number), tile.array()
        # a sum over steps of means over as many vectors
        ideal[place] = len(steps) * (lines**2 @ crossbar.conductance.sum(axis=1)).mean()
        if place in chosen:
            solved += len(steps) * float(read_power(crossbar, lines).mean())
    here = float(ideal[sorted(chosen)].sum())
    whole = solved * (float(ideal.sum()) / here) if here > 0 else solved
    return whole * read_time, len(chosen)


def _busy(blocks: PlacedBlocks) -> dict[int, float]:
    """By tile, seconds for one product of a layer; its blocks are read in turn."""
    times: dict[int, float] = {}
    for tile, _, placed in blocks:
        one = seconds(tile.chip.hardware, _conversions(tile, placed.block))
        times[tile.index] = times.get(tile.index, 0.0) + one
    return times


def _busiest(blocks: PlacedBlocks) -> int:
    return max((_conversions(tile, placed.block) for tile, _, placed in blocks), default=0)


def _conversions(tile: ProgrammedTile, block: Block) -> int:
    """Conversions of the busiest ADC for one reading of a block."""
    adc = tile.chip.hardware.adc
    return 0 if adc is None else int(np.bincount(block.columns // adc.shared).max())


def _interval(program: Program, products: Mapping[str, int]) -> float:
    times: dict[int, float] = {}
    for name in program.weights:
        for tile, each in _busy(program.blocks_of(name)).items():
            times[tile] = times.get(tile, 0.0) + products[name] * each
    return max(times.values(), default=0.0)


def _products(program: Program, counted: Mapping[str, int], notes: list[str]) -> dict[str, int]:
    """By layer, its products per input: of the network, or as counted where that varies."""
    if program.graph is None:
        return dict.fromkeys(program.weights, 1)
    known = {layer.name: layer.positions for layer in program.graph.layers}
    varying = sum(known[name] is None for name in program.weights)
    if varying:
        told = "they are counted for these" if counted else "one is assumed"
        layers = count(varying, "layer")
        notes.append(f"{layers}: the number of products depends on the size of an input; {told}")
    return {name: known[name] or counted.get(name, 1) for name in program.weights}


def _cells(tile: ProgrammedTile, block: Block) -> int:
    return block.shape[0] * len(tile.mapping.lines(block))


def _share(tile: ProgrammedTile, number: int) -> float:
    """A block's share of the cells used by weights of its tile."""
    cells = [_cells(tile, placed.block) for placed in tile.blocks]
    return cells[number] / sum(cells)
