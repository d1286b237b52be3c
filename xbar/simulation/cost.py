"""Cost of a program on its chip: devices, area, energy and time per network input.

    counts    resistors, switches and their bits: all of the tiles, and those used by weights
    area      cells, bits, DACs, ADCs and adders of the tiles; a layer's in proportion to its cells
    energy    reads: the drivers' power, solved with the wires, for the time of a read
              DACs, ADCs and adders: conversions and additions by the formulas of ``Cost``
    latency   steps x (a read + the conversions of the busiest ADC), product after product, layer
              after layer; tiles work in parallel, blocks on one tile in turn. Additions overlap
              with the next conversion. Data movement is not included.

Resistors are assumed to obey Ohm's law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.placed_blocks import PlacedBlocks
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.effects.dac import dac_steps, volts_per_unit
from xbar.effects.namespace import NUMPY
from xbar.simulation.data import Data
from xbar.simulation.power import read_power
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import product
from xbar.simulation.tables import cost_table, cost_text
from xbar.tables import Card, Facts, count, html_table
from xbar.units import format_quantity

Reals = NDArray[np.floating[Any]]

INPUTS = 16
"""Number of network inputs whose activations are used."""

VECTORS = 64
"""Maximum number of evenly spaced vectors of a layer whose power is computed."""

TILES = 32
"""Maximum number of tiles of a layer that are solved; their effect of wires scales the others."""


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
        latency: time for all its products, seconds.
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
    latency: float
    solved: int

    @property
    def energy(self) -> float:
        """Total energy in joules."""
        return self.read_energy + self.dac_energy + self.adc_energy + self.add_energy


@dataclass(frozen=True, repr=False)
class ProgramCost(Card):
    """Cost of a program per network input.

    Attributes:
        activity: inputs assumed for the read power: "data", or "uniform" random voltages.
        tiles: number of tiles.
        devices: number of resistors fabricated on them; each has one switch.
        configuration_bits: number of bits, one per switch.
        area: area in square metres by component: "devices", "bits", "dac", "adc", "adders".
        interval: time between inputs with pipelined layers, seconds: that of the busiest tile.
        layers: cost of each layer.
        notes: assumptions made.
    """

    activity: str
    tiles: int
    devices: int
    configuration_bits: int
    area: Mapping[str, float]
    interval: float
    layers: tuple[LayerCost, ...]
    notes: tuple[str, ...] = ()

    @property
    def energy(self) -> float:
        """Energy per input in joules."""
        return sum(layer.energy for layer in self.layers)

    @property
    def latency(self) -> float:
        """Time from an input to its output in seconds."""
        return sum(layer.latency for layer in self.layers)

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
        ]

    def _repr_html_(self) -> str:
        return html_table(*cost_table(self))

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        content = asdict(self)
        content |= {"energy": self.energy, "latency": self.latency, "total_area": self.total_area}
        for layer, entry in zip(self.layers, content["layers"], strict=True):
            entry["energy"] = layer.energy
        return content


def cost(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    ranges: Ranges | None = None,
    seed: int = 0,
) -> ProgramCost:
    """Cost of a program on its chip, with the constants of ``Hardware.cost``.

    Args:
        program: program from ``xbar.compile``.
        inputs: network inputs (N, ...), a stream of tokens, or {layer: (N, inputs)}, of which the
            first are used, also to count products where their number depends on the input; None for
            voltages uniform between minus and plus full scale.
        ranges: calibrated ranges of the DACs, if any.
        seed: seed of the voltages if there are no inputs.

    Raises:
        SpecError: the inputs do not fit.
        SolverError: an array does not fit into memory.
    """
    notes: list[str] = []
    counted: dict[str, int] = {}
    if inputs is None:
        volts = _uniform(program, seed)
    else:
        volts, counted = _driven(program, inputs, ranges)
    products = _products(program, counted, notes)
    area = _tile_area(program)
    layers = []
    for name in program.weights:
        if name not in volts:
            notes.append(f"{name}: is not used for these inputs, so its energy is 0")
        driven = volts.get(name, [])
        layers.append(_layer(program, name, driven, sum(area.values()), products[name]))
    cells = program.chip.hardware.cells
    devices = len(program.tiles) * cells[0] * cells[1] * program.chip.hardware.bank.resistors
    return ProgramCost(
        "uniform" if inputs is None else "data",
        len(program.tiles),
        devices,
        devices,
        {name: len(program.tiles) * each for name, each in area.items()},
        _interval(program, products),
        tuple(layers),
        tuple(notes),
    )


def _tile_area(program: Program) -> dict[str, float]:
    """Area of one tile in square metres, by component."""
    hardware = program.chip.hardware
    constants, (lines, bit_lines) = hardware.cost, hardware.cells
    devices = lines * bit_lines * hardware.bank.resistors
    columns = program.mapping.columns(bit_lines)
    dac = adc = adders = 0.0
    if hardware.dac is not None:
        dac = lines * constants.dac_area * 2 ** (_dac_bits(program) - 1)
    if hardware.adc is not None:
        converters = -(-columns // hardware.adc.shared)
        most = max(_adc_bits(program))
        adc = converters * constants.adc_area * 2.0 ** (most - constants.adc_area_bits)
        adders = converters * constants.add_area
    return {
        "devices": devices * constants.device_area,
        "bits": devices * constants.bit_area,
        "dac": dac,
        "adc": adc,
        "adders": adders,
    }


def _layer(
    program: Program, name: str, volts: list[Reals], tile_area: float, products: int
) -> LayerCost:
    hardware, blocks = program.chip.hardware, program.blocks_of(name)
    constants, steps = hardware.cost, hardware.steps
    rows = sum(placed.block.shape[0] for _, _, placed in blocks)
    columns = sum(placed.block.shape[1] for _, _, placed in blocks)
    readings = columns * steps * products
    outputs = int(np.prod(program.plan.shapes[name][:2])) * products
    energy, solved = _read_energy(blocks, volts, constants.read_time)
    dac, adc = hardware.dac, hardware.adc
    adc_energy = dac_energy = add_energy = 0.0
    additions = max(0, readings - outputs)
    if dac is not None:
        each = constants.dac_energy * 2.0 ** (_dac_bits(program) - 1)
        dac_energy = rows * steps * products * each
    if adc is not None:
        each = constants.adc_step_energy * sum(2.0**bits for bits in _adc_bits(program))
        adc_energy = columns * products * each
        add_energy = additions * constants.add_energy
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
        dac_energy=dac_energy,
        adc_energy=adc_energy,
        add_energy=add_energy,
        latency=products * max(_busy(blocks).values(), default=0.0),
        solved=solved,
    )


def _read_energy(blocks: PlacedBlocks, volts: list[Reals], read_time: float) -> tuple[float, int]:
    """Energy of one product with all its steps in joules, and number of blocks solved for it."""
    if not volts or not blocks:
        return 0.0, 0
    chosen = set(np.linspace(0, len(blocks) - 1, min(TILES, len(blocks))).astype(int).tolist())
    ideal, solved = np.zeros(len(blocks)), 0.0
    for place, (tile, number, placed) in enumerate(blocks):
        for each in volts:
            inputs = each[:, placed.block.group, placed.block.inputs]
            lines = tile.voltage(inputs.astype(np.float64, copy=False), number)
            crossbar = tile.crossbar()
            ideal[place] += float((lines**2 @ crossbar.conductance.sum(axis=1)).mean())
            if place in chosen:
                solved += float(read_power(crossbar, lines).mean())
    here = float(ideal[sorted(chosen)].sum())
    whole = solved * (float(ideal.sum()) / here) if here > 0 else solved
    return whole * read_time, len(chosen)


def _busy(blocks: PlacedBlocks) -> dict[int, float]:
    """By tile, seconds for one product of a layer; its blocks are read in turn."""
    times: dict[int, float] = {}
    for tile, _, placed in blocks:
        hardware = tile.chip.hardware
        constants, busiest = hardware.cost, 0
        if hardware.adc is not None:
            busiest = int(np.bincount(placed.block.columns // hardware.adc.shared).max())
        one = constants.read_time + busiest * constants.adc_time
        times[tile.index] = times.get(tile.index, 0.0) + hardware.steps * one
    return times


def _interval(program: Program, products: Mapping[str, int]) -> float:
    times: dict[int, float] = {}
    for name in program.weights:
        for tile, seconds in _busy(program.blocks_of(name)).items():
            times[tile] = times.get(tile, 0.0) + products[name] * seconds
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


def _dac_bits(program: Program) -> int:
    dac = program.chip.hardware.dac
    assert dac is not None
    return dac.bits if dac.bit_serial is None else dac.bit_serial


def _adc_bits(program: Program) -> list[int]:
    """Resolution after each step."""
    adc = program.chip.hardware.adc
    assert adc is not None
    return list(adc.step_bits or [adc.bits] * program.chip.hardware.steps)


def _cells(tile: ProgrammedTile, block: Block) -> int:
    return block.shape[0] * len(tile.mapping.lines(block))


def _share(tile: ProgrammedTile, number: int) -> float:
    """A block's share of the cells used by weights of its tile."""
    cells = [_cells(tile, placed.block) for placed in tile.blocks]
    return cells[number] / sum(cells)


def _uniform(program: Program, seed: int) -> dict[str, list[Reals]]:
    """By layer, volts (N, G, inputs) of each step."""
    hardware = program.chip.hardware
    result: dict[str, list[Reals]] = {}
    for number, (name, shape) in enumerate(program.plan.shapes.items()):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
        values = rng.uniform(-1.0, 1.0, (VECTORS, shape[0], shape[2]))
        values *= hardware.read_voltage
        result[name] = [step.copy() for _, step in dac_steps(hardware, values)]
    return result


def _driven(
    program: Program, inputs: ArrayLike | Mapping[str, ArrayLike], ranges: Ranges | None
) -> tuple[dict[str, list[Reals]], dict[str, int]]:
    """By layer, volts (N, G, inputs) of each step, and vectors per input, rounded up."""
    data = Data.of(program, inputs, None)
    watch = _Activations(program)
    some = data.first(program, INPUTS if program.graph is not None else VECTORS)
    some.run(program, watch)
    hardware = program.chip.hardware
    result: dict[str, list[Reals]] = {}
    for name, x in watch.seen.items():
        few = x[np.linspace(0, len(x) - 1, min(VECTORS, len(x))).astype(int)]
        full_input = None if ranges is None else ranges.inputs.get(name)
        volts = few * volts_per_unit(hardware, few, full_input, NUMPY)
        result[name] = [step.copy() for _, step in dac_steps(hardware, volts)]
    return result, {name: -(-len(x) // some.size) for name, x in watch.seen.items()}


@dataclass
class _Activations:
    """Exact products; records the inputs of each layer."""

    program: Program
    seen: dict[str, Floats] = field(default_factory=dict)

    def __call__(self, layer: str, x: Floats) -> Floats:
        self.seen[layer] = np.concatenate([self.seen[layer], x]) if layer in self.seen else x
        return product(x, self.program.weights[layer])
