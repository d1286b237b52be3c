"""A chip's own conductances as the weights of a network.

    weight = scale (G+ - G-)      all resistors of both cells of the weight's pair switched in
    pruned = scale (G+ - G-)      all of them switched out: what leaks

Which cells a weight has is the compiler's placement, so that a mask found here is right there.

Shapes: G groups of a layer, (G, outputs, inputs) as the compiler takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.compiler.checks import check_chip_size, check_hardware
from xbar.compiler.layout import to_array, to_cells
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.placement import Tiles, cut
from xbar.errors import ModelError
from xbar.hardware.chip import Chip
from xbar.model.graph import Graph

Shapes: TypeAlias = Mapping[str, tuple[int, int, int]]
Masks: TypeAlias = Mapping[str, NDArray[np.bool_]]

FAINT = 1e-6
"""What an open crossing is given to tell its share of voltage and current, over the largest."""


@dataclass(frozen=True, eq=False)
class Cells:
    """One layer's pairs of cells.

    Attributes:
        on: (G, outputs, inputs) siemens, plus minus minus cell, all resistors switched in.
        off: the same, all switched out.
    """

    on: Floats
    off: Floats


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


def cells_of(
    chip: Chip, shapes: Shapes, readings: Sequence[Reading] | None = None
) -> dict[str, Cells]:
    """What each weight of each layer can be on this chip. Stuck resistors stay as they are.

    Args:
        chip: sampled or measured.
        shapes: (G, outputs, inputs) by layer, in the order of the graph's layers.
        readings: by tile, how its wires let its cells be read; None is ideal wires.

    Raises:
        SpecError: the chip has fewer tiles than the layers need.
    """
    mapping, bank = DifferentialPair(), chip.hardware.bank
    found = {name: Cells(np.zeros(shape), np.zeros(shape)) for name, shape in shapes.items()}
    for tile, blocks in enumerate(placement_of(chip, shapes)):
        for state in (True, False):
            branch = chip.branch(tile, np.full((*chip.hardware.cells, bank.resistors), state))
            array = to_array(branch, bank.layout)
            if readings is not None:
                array = readings[tile].effective(array)
            cell = to_cells(array, bank.layout, bank.resistors)
            for block in blocks:
                cells = found[block.layer]
                block.put(cells.on if state else cells.off, mapping.difference(cell, block))
    return found


def powers_of(chip: Chip, shapes: Shapes) -> dict[str, Floats]:
    """By layer (2, G, outputs, inputs) siemens²: sum of both cells' resistors' squares.

    The first half with all resistors switched out, the second with all switched in. Times the
    relative variance of the read noise and a voltage's square it is the current's variance.
    """
    mapping, bank = DifferentialPair(), chip.hardware.bank
    found = {name: np.zeros((2, *shape)) for name, shape in shapes.items()}
    for tile, blocks in enumerate(placement_of(chip, shapes)):
        for state in (False, True):
            branch = chip.branch(tile, np.full((*chip.hardware.cells, bank.resistors), state))
            for block in blocks:
                total = mapping.total((branch**2).sum(axis=-1), block)
                block.put(found[block.layer][int(state)], total)
    return found


@dataclass(frozen=True, eq=False)
class Reading:
    """How one tile's wires let its array be read under some mask.

    Attributes:
        transfer: (W', B') siemens, exact: current of a bit line per volt on a word line.
        slope: (W', B') what a siemens more at a crossing adds to its transfer: the voltage on the
            word line there, from ideal bit lines, times the share of a current into the bit line
            there that is read, from ideal word lines.
        conductance: (W', B') siemens of each crossing.
    """

    transfer: Floats
    slope: Floats
    conductance: Floats

    def effective(self, conductance: Floats) -> Floats:
        """(W', B') siemens that each crossing would count as, were it alone changed to these."""
        return self.transfer + self.slope * (conductance - self.conductance)


def read_tiles(chip: Chip, shapes: Shapes, switches: Masks) -> tuple[Reading, ...]:
    """How each tile is read while these weights are switched in.

    Args:
        chip: sampled or measured.
        shapes: (G, outputs, inputs) by layer, in the order of the graph's layers.
        switches: by layer, which weights are switched in.
    """
    mapping, tile, bank = DifferentialPair(), chip.hardware.tile, chip.hardware.bank
    found = []
    for index, blocks in enumerate(placement_of(chip, shapes)):
        mask = np.zeros((*chip.hardware.cells, bank.resistors), np.bool_)
        for block in blocks:
            kept = block.of(switches[block.layer]) > 0
            choice = np.broadcast_to(kept[..., None], (*kept.shape, 2 * bank.resistors))
            mapping.switch(mask, block, choice)
        array = to_array(chip.branch(index, mask), bank.layout)
        # without wires on one side no current goes astray, and any conductance tells its share
        probed = np.maximum(array, FAINT * array.max())
        words: dict[str, Any] = {"word_wire": tile.word_wire, "source": tile.source}
        bits: dict[str, Any] = {"bit_wire": tile.bit_wire, "load": tile.load}
        ends: dict[str, Any] = {"drive": tile.drive, "sense": tile.sense}
        share = [Crossbar(probed, **side, **ends).transfer.T / probed for side in (words, bits)]
        transfer = Crossbar(array, **words, **bits, **ends).transfer.T
        found.append(Reading(transfer, share[0] * share[1], array))
    return tuple(found)


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
