"""A network in training, whose products are read through a design's converters and read noise.

    x ── unfold ──► rows ── DAC ──► E + read noise, tile by tile ── ADC ──► sum ── fold, + bias ──►

E is what arrives of the conductances, wires included; the effects are those of ``xbar.effects``, of
converters and amplifiers of a chip that is drawn anew in each step. Importing this module imports
PyTorch: import it inside functions.

Shapes: N' products, G groups, M weights of all layers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.placement import Tiles
from xbar.effects.chain import Chain, Reading, Watch
from xbar.effects.ranges import Key
from xbar.effects.stage import Draw, Scaled, Whole
from xbar.effects.torch_namespace import TorchArrays
from xbar.errors import ModelError
from xbar.hardware.chip import Chip
from xbar.model.graph import Graph, Ref
from xbar.model.lower import find_products
from xbar.simulation.calibration import Calibration, find_ranges
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import Watch as Watcher
from xbar.simulation.trim import TRIMMED
from xbar.training.layer_read import ROWS, LayerRead, Part, block_of, piles_of, scaled
from xbar.training.unfolding import Unfolding

TOGETHER = 64
"""Inputs of the calibration set that pass a network together."""

READS = frozenset({"voltage", "drive", "variance", "current"})
"""Hooks of effects that act on what is read, beside conductances."""


@dataclass(frozen=True, eq=False)
class Cells:
    """What is read of all cells in one step; each (M,).

    Attributes:
        conductance: differential siemens that arrive.
        scale: siemens per unit weight.
        power: sum of squares of the resistors that conduct, siemens², wires included; None without
            read noise.
        programmed: siemens that arrived when cells were programmed; None for those of now.
        lines: by block, (C,) mean siemens of each column's two bit lines; None where one cell of
            each pair is open.
    """

    conductance: torch.Tensor
    scale: torch.Tensor
    power: torch.Tensor | None = None
    programmed: torch.Tensor | None = None
    lines: Mapping[Key, Floats] | None = None


@dataclass(frozen=True, eq=False)
class NetworkRead:
    """How the products of a network are read.

    Attributes:
        graph: the network.
        tiles: blocks of each tile, where its weights lie.
        chain: active effects.
        ranges: calibrated ranges; None for those of the design or the cells.
    """

    graph: Graph
    tiles: Tiles
    chain: Chain
    ranges: Ranges | None = None

    @cached_property
    def unfoldings(self) -> dict[str, Unfolding]:
        """Rows of each product, by node."""
        products = find_products(self.graph)
        return {
            node: Unfolding(layer.name, products[node])
            for layer in self.graph.layers
            for node in layer.nodes
        }

    @cached_property
    def blocks(self) -> dict[str, list[tuple[Key, Block]]]:
        """Blocks of each layer."""
        found = defaultdict[str, list[tuple[Key, Block]]](list)
        for tile, placed in enumerate(self.tiles):
            for number, block in enumerate(placed):
                found[block.layer].append(((tile, number), block))
        return dict(found)

    @cached_property
    def places(self) -> dict[str, slice]:
        """Place of each layer among the M weights."""
        ends = np.cumsum([np.prod(layer.shape) for layer in self.graph.layers]).tolist()
        starts = [0, *ends[:-1]]
        names = [layer.name for layer in self.graph.layers]
        return {n: slice(a, b) for n, a, b in zip(names, starts, ends, strict=True)}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Shape (G, outputs, inputs) of each layer."""
        return {layer.name: layer.shape for layer in self.graph.layers}

    def calibrated(self, run: Callable[[NetworkRead, Watcher], object], how: Calibration) -> Ranges:
        """Ranges from data, as the simulation finds them.

        Args:
            run: has the calibration set read in some way, and the converters watched.
            how: the method.
        """
        columns = {
            layer: {key: block.columns for key, block in blocks}
            for layer, blocks in self.blocks.items()
        }

        def read(names: Collection[str], ranges: Ranges | None, watch: Watcher) -> None:
            some = tuple(each for each in self.chain.acting if each.name in names)
            chain = Chain(self.chain.hardware, some)
            run(NetworkRead(self.graph, self.tiles, chain, ranges), watch)

        return find_ranges(self.chain, columns, read, how)

    @property
    def converters(self) -> dict[str, int]:
        """Number of ranges: of inputs, one a layer; of currents, one a column of each block."""
        columns = sum(len(block.columns) for _, block in self._placed)
        return {"range_inputs": len(self.graph.layers), "range_currents": columns}

    def numbers(self, ranges: Ranges) -> dict[str, Floats]:
        """Ranges as arrays, named as ``converters``; NaN for those of the design or the cells."""
        inputs = [ranges.inputs.get(layer.name, np.nan) for layer in self.graph.layers]
        currents = [
            ranges.currents.get(key, np.full(len(block.columns), np.nan))
            for key, block in self._placed
        ]
        return {"range_inputs": np.array(inputs), "range_currents": np.concatenate(currents)}

    def within(self, numbers: Mapping[str, torch.Tensor]) -> NetworkRead:
        """The same with ranges from the arrays of ``numbers``, if it is they that are given."""
        if not self.converters.keys() <= numbers.keys():
            return self
        inputs, currents = (numbers[name].numpy() for name in self.converters)
        ends = np.cumsum([len(block.columns) for _, block in self._placed])
        parts = np.split(currents, ends[:-1])
        known = zip([layer.name for layer in self.graph.layers], inputs.tolist(), strict=True)
        by_block = zip([key for key, _ in self._placed], parts, strict=True)
        ranges = Ranges(
            {name: value for name, value in known if not np.isnan(value)},
            {key: part for key, part in by_block if not np.isnan(part).any()},
        )
        return replace(self, ranges=ranges)

    @property
    def _placed(self) -> list[tuple[Key, Block]]:
        return [each for blocks in self.blocks.values() for each in blocks]


def chain_of(hardware: Any, calibrated: bool) -> Chain:
    """The effects that training reads with; wires are part of what arrives.

    Offsets and gains that calibration trims are left out with it.
    """
    chain = Chain.of(hardware, "ideal")
    if not calibrated:
        return chain
    return Chain(hardware, tuple(each for each in chain.acting if each.name not in TRIMMED))


@dataclass(frozen=True, eq=False)
class StepRead:
    """The reads of one step: the ``multiply`` of ``LiveGraph``.

    Attributes:
        network: how products are read.
        cells: what is read.
        chip: chip whose converters and amplifiers read.
        normal: generator of standard normal numbers for a layer; None for no noise.
        watch: receiver of the converters' inputs.
        corrections: slope and offset (G, outputs) of each layer's digital correction; None without.
    """

    network: NetworkRead
    cells: Cells
    chip: Chip
    normal: Callable[[str, torch.dtype], Draw] | None = None
    watch: Watcher | None = None
    corrections: Mapping[str, tuple[torch.Tensor, torch.Tensor]] | None = None
    _made: dict[str, Reading] = field(default_factory=dict)

    @property
    def nodes(self) -> Collection[str]:
        """Names of the nodes whose products are read."""
        return self.network.unfoldings

    def __call__(self, node: str, values: Mapping[str, Any]) -> torch.Tensor:
        """A node's value, bias included, for the values of those before."""
        unfolding = self.network.unfoldings[node]
        layer, product = unfolding.layer, unfolding.product
        x = values[product.value.name]
        rows = unfolding.unfold(x)
        watch: Watch | None = None
        if self.watch is not None:
            self.watch.inputs(layer, rows.numpy(force=True).astype(np.float64))
            watch = partial(_watch, self.watch, layer)
        normal = partial(torch.zeros, dtype=rows.dtype)
        draw: Draw = normal if self.normal is None else self.normal(layer, rows.dtype)
        y = self._reading(layer, rows.dtype).product(rows, draw, None, watch)
        out = unfolding.fold(y, tuple(x.shape))
        if not isinstance(product.bias, Ref):
            return out
        return _plus(out, values[product.bias.name], product.bias_axis, layer)

    def _reading(self, layer: str, dtype: torch.dtype) -> Reading:
        """A layer prepared for reads, once a step."""
        if layer not in self._made:
            xp = TorchArrays("float64" if dtype == torch.float64 else "float32")
            by_tile = self.watch is not None or bool(
                {"current", "drive"} & self.network.chain.changed
            )
            found = self._by_tile(layer, xp) if by_tile else self._whole(layer, xp)
            if self.corrections is not None:
                found = replace(found, correction=self.corrections[layer])
            self._made[layer] = found
        return self._made[layer]

    def _of(self, layer: str, values: torch.Tensor) -> torch.Tensor:
        """(G, outputs, inputs) of values (M,)."""
        return values[self.network.places[layer]].reshape(self.network.shapes[layer])

    def _whole(self, layer: str, xp: TorchArrays) -> Reading:
        """A layer as one matrix, where nothing acts on the currents of single tiles."""
        network, cells = self.network, self.cells
        scale = self._of(layer, cells.scale)
        matrix = (self._of(layer, cells.conductance) / scale).to(xp.dtype)
        variance = {}
        if cells.power is not None and self.normal is not None:
            power = self._of(layer, cells.power) / scale.detach() ** 2
            for name, each in network.chain.variances(power).items():
                value, unit = scaled(each.swapaxes(1, 2), xp)
                variance[name] = Scaled(value.swapaxes(1, 2), unit)
        shape = network.shapes[layer]
        inputs = {} if network.ranges is None else network.ranges.inputs
        return Reading(
            network.chain, shape[:2], Whole(matrix, variance), inputs.get(layer), xp, rows=ROWS
        )

    def _by_tile(self, layer: str, xp: TorchArrays) -> Reading:
        network, cells = self.network, self.cells
        blocks = network.blocks[layer]
        read = LayerRead(
            self.chip,
            network.chain,
            network.shapes[layer],
            piles_of(blocks, network.chain),
            network.ranges,
            layer,
        )
        conductance = self._of(layer, cells.conductance)
        scale = self._of(layer, cells.scale)
        power = None if self.normal is None else cells.power
        squares = None if power is None else self._of(layer, power)
        before = None if cells.programmed is None else self._of(layer, cells.programmed)
        parts = {
            key: Part(
                block_of(conductance, block),
                scale[block.group, torch.from_numpy(block.outputs), int(block.inputs[0])],
                None if squares is None else block_of(squares, block),
                None if before is None else block_of(before, block),
                None if cells.lines is None else cells.lines[key],
            )
            for key, block in blocks
        }
        return read.reading(parts, xp)


def normals(draw: torch.Generator | None) -> Callable[[str, torch.dtype], Draw] | None:
    """Standard normal numbers of all layers' reads, one after another; None for none."""
    return (
        None if draw is None else lambda _, dtype: partial(torch.randn, dtype=dtype, generator=draw)
    )


def _watch(watch: Watcher, layer: str, stage: Any, current: torch.Tensor) -> None:
    values: NDArray[np.float64] = current.numpy(force=True)
    watch.currents(layer, stage, values)


def _plus(out: torch.Tensor, bias: Any, axis: int, layer: str) -> torch.Tensor:
    if not isinstance(bias, torch.Tensor):
        raise ModelError(f"{layer}: its bias must be a tensor, not a {type(bias).__name__}")
    if bias.ndim == 1:
        bias = bias.reshape(-1, *[1] * (out.ndim - 1 - axis % out.ndim))
    total: torch.Tensor = out + bias
    return total
