"""A chip's own conductances as the weights of a network.

    weight = scale (G+ - G-)      all resistors of both cells of the weight's pair switched in
    pruned = scale (G+ - G-)      all of them switched out: what leaks

Which cells a weight has is the compiler's placement, so that a mask found here is right there.

Shapes: G groups of a layer, (G, outputs, inputs) as the compiler takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.crossbar import Crossbar
from xbar.compiler.checks import check_chip_size, check_hardware
from xbar.compiler.layout import to_array, to_cells
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.placement import Tiles, cut
from xbar.errors import ModelError
from xbar.hardware.chip import Chip
from xbar.model.graph import Graph

Floats = NDArray[np.float64]
Shapes: TypeAlias = Mapping[str, tuple[int, int, int]]
Masks: TypeAlias = Mapping[str, NDArray[np.bool_]]

FAINT = 1e-3
"""Conductance of a cell that has none, over its tile's mean, where its gain is asked for."""


@dataclass(frozen=True, eq=False)
class Cells:
    """One layer's pairs of cells.

    Attributes:
        on: (G, outputs, inputs) siemens, plus minus minus cell, all resistors switched in.
        off: the same, all switched out.
        on_power: (G, outputs, inputs) siemens², the sum of the resistors' squares, switched in.
        off_power: the same, switched out.
    """

    on: Floats
    off: Floats
    on_power: Floats
    off_power: Floats


def placement_of(chip: Chip, shapes: Shapes) -> Tiles:
    """Where matrices (G, outputs, inputs) lie on a chip: the blocks of each tile.

    Raises:
        SpecError: the chip has fewer tiles than they need.
    """
    mapping = DifferentialPair()
    check_hardware(chip.hardware, mapping)
    # placement looks at shapes alone; these arrays take no memory
    matrices = {name: np.broadcast_to(0.0, shape) for name, shape in shapes.items()}
    blocks = cut(matrices, chip.hardware, mapping)
    check_chip_size(chip, len(blocks))
    return tuple((block,) for block in blocks)


def cells_of(chip: Chip, shapes: Shapes, gains: Sequence[Floats] | None = None) -> dict[str, Cells]:
    """What each weight of each layer can be on this chip. Stuck resistors stay as they are.

    Args:
        chip: sampled or measured.
        shapes: (G, outputs, inputs) by layer, in the order of the graph's layers.
        gains: by tile (W, B), what the wires leave of each cell's conductance; None is all.

    Raises:
        SpecError: the chip has fewer tiles than the layers need.
    """
    mapping = DifferentialPair()
    found = {name: Cells(*(np.zeros(shape) for _ in range(4))) for name, shape in shapes.items()}
    for tile, blocks in enumerate(placement_of(chip, shapes)):
        gain = 1.0 if gains is None else gains[tile][..., None]
        shape = (*chip.hardware.cells, chip.hardware.bank.resistors)
        on, off = (gain * chip.branch(tile, np.full(shape, state)) for state in (True, False))
        for block in blocks:
            cells = found[block.layer]
            block.put(cells.on, mapping.difference(on.sum(-1), block))
            block.put(cells.off, mapping.difference(off.sum(-1), block))
            block.put(cells.on_power, mapping.total((on**2).sum(-1), block))
            block.put(cells.off_power, mapping.total((off**2).sum(-1), block))
    return found


def wire_gains(chip: Chip, shapes: Shapes, switches: Masks) -> tuple[Floats, ...]:
    """By tile (W, B): effective over own conductance of each cell, from the exact transfer matrix.

    A cell without conductance is given a thousandth of the tile's mean one, so that the gain that
    it would have, were it switched in, can be told.

    Args:
        chip: sampled or measured.
        shapes: (G, outputs, inputs) by layer, in the order of the graph's layers.
        switches: by layer, which weights are switched in.
    """
    mapping, tile = DifferentialPair(), chip.hardware.tile
    bank = chip.hardware.bank
    gains = []
    for index, blocks in enumerate(placement_of(chip, shapes)):
        mask = np.zeros((*chip.hardware.cells, bank.resistors), np.bool_)
        for block in blocks:
            kept = block.of(switches[block.layer]) > 0
            choice = np.broadcast_to(kept[..., None], (*kept.shape, 2 * bank.resistors))
            mapping.switch(mask, block, choice)
        branch = chip.branch(index, mask)
        branch = np.maximum(branch, FAINT * chip.on(index).mean())
        crossbar = Crossbar(
            to_array(branch, bank.layout),
            word_wire=tile.word_wire,
            bit_wire=tile.bit_wire,
            source=tile.source,
            load=tile.load,
            drive=tile.drive,
            sense=tile.sense,
        )
        effective = to_cells(crossbar.transfer.T, bank.layout, bank.resistors)
        gains.append(effective / branch.sum(-1))
    return tuple(gains)


def units_of(graph: Graph, chip: Chip, masks: Masks) -> dict[str, Floats]:
    """By layer (G, outputs): siemens that stand for a weight of one in a graph.

    Batch norms folded into a layer scale each of its outputs by itself.

    Args:
        graph: of a ticket of this chip: each weight is its conductance times its output's scale.
        chip: whose conductances the weights are.
        masks: by layer (G, outputs, inputs), which weights are switched in.
    """
    layers = {layer.name: layer.matrix for layer in graph.layers}
    found = {}
    for name, cells in cells_of(chip, layer_shapes(graph, list(masks))).items():
        conductance = np.where(masks[name], cells.on, cells.off)
        power, product = (conductance**2).sum(-1), (layers[name] * conductance).sum(-1)
        unit = np.divide(power, product, out=np.full(power.shape, np.nan), where=product > 0)
        # an output without any conductance has no weight either: any scale will do
        found[name] = np.where(np.isnan(unit), np.nanmedian(unit), unit)
    return found


def layer_shapes(graph: Graph, names: list[str]) -> dict[str, tuple[int, int, int]]:
    """(G, outputs, inputs) of the graph's layers, in their order.

    Raises:
        ModelError: the graph has a layer that is not among ``names``, or lacks one.
    """
    shapes: dict[str, tuple[int, int, int]] = {}
    for layer in graph.layers:
        if layer.name not in names:
            raise ModelError(
                f"{layer.name}: every layer must be linear or a convolution to take its weights "
                f"from a chip, but this {layer.kind} is neither"
            )
        groups, outputs, inputs = layer.matrix.shape
        shapes[layer.name] = (groups, outputs, inputs)
    missing = sorted(set(names) - set(shapes))
    if missing:
        raise ModelError(f"{missing[0]}: the network never multiplies by this layer; leave it out")
    return shapes
