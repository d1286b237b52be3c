"""Data that moves between the layers of a program, in bits and joules.

    buffer of a cluster ── bus ── input registers, DACs ▷ array ▷ ADCs, adders, output registers
            ▲                                                                          │ bus
            └──────────── routers of a mesh ◄── home cluster of the layer ◄────────────┘

For each product of a layer every cluster with some of its tiles reads the inputs that these take
from its buffer, once, and its bus brings them to all of them. Each block's readings go by bus to
the layer's home cluster, that of its first tile, where readings of the same output are added up.
From there each output goes to the buffers of all clusters of the next layer. Layers are taken as a
chain, in their order. A convolution's window is read from the buffer anew at each position.

Clusters are numbered along the tiles; their routers are a square mesh in reading order. A way takes
one hop for each router on it, the first and the last included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xbar.compiler.placed_blocks import PlacedBlocks
from xbar.compiler.program import Program
from xbar.hardware.spec import Hardware
from xbar.simulation.cost_parts import Words, routers


@dataclass(frozen=True)
class Moved:
    """What moves for a layer per network input.

    Attributes:
        registers: bits that the registers of its tiles take in or give out.
        buffer: bits written to buffers and read from them.
        bus: bits on buses, by cluster.
        hops: bits times routers that they pass.
        latency: seconds until its first input has arrived and its last output has left.
    """

    registers: float
    buffer: float
    bus: Mapping[int, float]
    hops: float
    latency: float

    def energy(self, hardware: Hardware) -> dict[str, float]:
        """Joules by component."""
        constants = hardware.cost
        return {
            "registers": self.registers * constants.register_energy,
            "buffers": self.buffer * constants.buffer_energy,
            "buses": math.fsum(self.bus.values()) * constants.bus_energy,
            "routers": self.hops * constants.hop_energy,
        }


@dataclass(frozen=True)
class _Layer:
    """Numbers of a layer per product: of inputs and readings, by cluster."""

    rows: int
    readings: int
    inputs: Mapping[int, int]
    columns: Mapping[int, int]
    outputs: int
    home: int


def moved(program: Program, products: Mapping[str, int]) -> dict[str, Moved]:
    """By layer, what moves per network input.

    Args:
        program: the program.
        products: by layer, its products per network input.
    """
    hardware = program.chip.hardware
    layers = {name: _layer(program, name) for name in program.weights}
    place = _Mesh(hardware, len(program.tiles))
    order = [*layers]
    after = dict(pairwise(order))
    return {
        name: _moved(hardware, place, products[name], layer, layers.get(after.get(name, "")))
        for name, layer in layers.items()
    }


def bus_seconds(hardware: Hardware, moves: Mapping[str, Moved]) -> float:
    """Duration of what the busiest bus moves per network input."""
    bits: dict[int, float] = {}
    for move in moves.values():
        for cluster, number in move.bus.items():
            bits[cluster] = bits.get(cluster, 0.0) + number
    return max(bits.values(), default=0.0) / (hardware.cost.bus_bits * hardware.cost.clock)


def _layer(program: Program, name: str) -> _Layer:
    blocks = program.blocks_of(name)
    size, shape = program.chip.hardware.cost.cluster, program.plan.shapes[name]
    inputs = _distinct(blocks, size, shape[2])
    columns: dict[int, int] = {}
    rows = readings = 0
    for tile, _, placed in blocks:
        r, c = placed.block.shape
        rows, readings = rows + r, readings + c
        columns[tile.index // size] = columns.get(tile.index // size, 0) + c
    home = min(columns, default=0)
    return _Layer(rows, readings, inputs, columns, math.prod(shape[:2]), home)


def _distinct(blocks: PlacedBlocks, size: int, width: int) -> dict[int, int]:
    """By cluster, number of different inputs that its blocks take."""
    taken: dict[int, list[np.ndarray]] = {}
    for tile, _, placed in blocks:
        block = placed.block
        taken.setdefault(tile.index // size, []).append(block.group * width + block.inputs)
    return {cluster: len(np.unique(np.concatenate(each))) for cluster, each in taken.items()}


def _moved(
    hardware: Hardware, mesh: _Mesh, products: int, layer: _Layer, after: _Layer | None
) -> Moved:
    words, constants = Words.of(hardware), hardware.cost
    bus = {
        cluster: products * (number * words.input + layer.columns[cluster] * words.sum)
        for cluster, number in layer.inputs.items()
    }
    hops = float(
        sum(
            number * words.sum * mesh.hops(cluster, layer.home)
            for cluster, number in layer.columns.items()
        )
    )
    targets = [] if after is None else [*after.columns]
    ways = [mesh.hops(layer.home, target) for target in targets]
    hops += layer.outputs * words.output * sum(ways)
    written = layer.outputs * words.output * len(targets)
    read = sum(layer.inputs.values()) * words.input
    longest = max(ways, default=0)
    flits = layer.outputs * words.output / constants.link_bits if longest else 0.0
    first = max((bits / products for bits in bus.values()), default=0.0) / constants.bus_bits
    return Moved(
        registers=products * (layer.rows * words.input + layer.readings * words.sum),
        buffer=products * float(read + written),
        bus=bus,
        hops=products * hops,
        latency=(first + longest + flits) / constants.clock,
    )


class _Mesh:
    """Routers in a square mesh."""

    def __init__(self, hardware: Hardware, tiles: int) -> None:
        self.each = hardware.cost.router_clusters
        self.wide = max(1, math.isqrt(max(0, routers(hardware, tiles) - 1)) + 1)

    def hops(self, start: int, end: int) -> int:
        """Routers on the way from one cluster to another; none within a cluster."""
        if start == end:
            return 0
        row, column = divmod(start // self.each, self.wide)
        other_row, other_column = divmod(end // self.each, self.wide)
        return 1 + abs(row - other_row) + abs(column - other_column)
