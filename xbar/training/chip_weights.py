"""A chip's own conductances as the weights of a network.

    weight = scale (G+ - G-)      all resistors of both cells of the weight's pair switched in
    pruned = scale (G+ - G-)      all of them switched out: leakage

Weights are assigned to cells by the compiler's placement, so a mask found here is valid there.

Shapes: G groups of a layer, (G, outputs, inputs) as the compiler takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.compiler.checks import check_chip_size, check_hardware
from xbar.compiler.layout import to_array, to_cells
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.placement import Tiles, cut
from xbar.compiler.squares import squares
from xbar.errors import ModelError, SpecError
from xbar.hardware.chip import Chip
from xbar.model.graph import Graph

Shapes: TypeAlias = Mapping[str, tuple[int, int, int]]
Masks: TypeAlias = Mapping[str, NDArray[np.bool_]]

FAINT = 1e-6
"""Probe conductance for open cells, relative to the largest."""


@dataclass(frozen=True, eq=False)
class Cells:
    """One layer's pairs of cells.

    Attributes:
        on: differential conductance (G, outputs, inputs), siemens, all resistors switched in.
        off: differential conductance, all resistors switched out.
    """

    on: Floats
    off: Floats


def placement_of(chip: Chip, shapes: Shapes) -> Tiles:
    """The blocks of each tile, for matrices (G, outputs, inputs) placed on a chip.

    Raises:
        SpecError: the chip has fewer tiles than they need.
    """
    mapping = DifferentialPair()
    check_hardware(chip.hardware, mapping)
    # placement uses shapes only; these arrays take no memory
    matrices = {name: np.broadcast_to(0.0, shape) for name, shape in shapes.items()}
    blocks = cut(matrices, chip.hardware, mapping)
    check_chip_size(chip, len(blocks))
    return tuple((block,) for block in blocks)


def cells_of(
    chip: Chip, shapes: Shapes, readings: Sequence[Reading] | None = None
) -> dict[str, Cells]:
    """The two conductances of each weight on this chip; stuck resistors keep their state.

    Args:
        chip: sampled or measured chip.
        shapes: shapes (G, outputs, inputs) by layer, in the order of the graph's layers.
        readings: wire model of each tile; None for ideal wires.

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
    """By layer, (2, G, outputs, inputs) siemens²: sum of squares of both cells' resistors.

    Index 0 has all resistors switched out, index 1 all switched in. Multiplied by the relative
    variance of the read noise and the squared voltage it is the variance of the current.
    """
    mapping, bank = DifferentialPair(), chip.hardware.bank
    found = {name: np.zeros((2, *shape)) for name, shape in shapes.items()}
    for tile, blocks in enumerate(placement_of(chip, shapes)):
        for state in (False, True):
            mask = np.full((*chip.hardware.cells, bank.resistors), state)
            own = squares(
                chip, chip.branch(tile, mask), partial(chip.programmed.branch, tile, mask)
            )
            for block in blocks:
                total = mapping.total(own.sum(axis=-1), block)
                block.put(found[block.layer][int(state)], total)
    return found


@dataclass(frozen=True, eq=False)
class Reading:
    """Wire model of one tile, linearised around a mask.

    Attributes:
        transfer: exact transfer matrix (W', B'), siemens: bit-line current per volt on a word line.
        slope: derivative (W', B') of a crossing's transfer with respect to its conductance: the
            voltage on the word line there, for ideal bit lines, times the fraction of a current
            into the bit line there that is sensed, for ideal word lines.
        conductance: conductance (W', B') of each crossing, siemens.
    """

    transfer: Floats
    slope: Floats
    conductance: Floats

    def effective(self, conductance: Floats) -> Floats:
        """(W', B') effective siemens of each crossing if only it is set to this conductance."""
        return self.transfer + self.slope * (conductance - self.conductance)


def read_tiles(chip: Chip, shapes: Shapes, switches: Masks) -> tuple[Reading, ...]:
    """Wire model of each tile with these weights switched in.

    Args:
        chip: sampled or measured chip.
        shapes: shapes (G, outputs, inputs) by layer, in the order of the graph's layers.
        switches: masks of the weights switched in, by layer.
    """
    mapping, tile, bank = DifferentialPair(), chip.hardware.tile, chip.hardware.bank
    if (tile.topology, tile.idle) != ("input-source", "ground"):
        raise SpecError(
            "training behind wires needs tile.topology 'input-source' and tile.idle 'ground', not "
            f"{tile.topology!r} and {tile.idle!r}; train with ideal wires"
        )
    found = []
    for index, blocks in enumerate(placement_of(chip, shapes)):
        mask = np.zeros((*chip.hardware.cells, bank.resistors), np.bool_)
        for block in blocks:
            kept = block.of(switches[block.layer]) > 0
            choice = np.broadcast_to(kept[..., None], (*kept.shape, 2 * bank.resistors))
            mapping.switch(mask, block, choice)
        array = to_array(chip.branch(index, mask), bank.layout)
        # with ideal lines on one side no current goes astray: any conductance gives the fraction
        probed = np.maximum(array, FAINT * array.max())
        words: dict[str, Any] = {"word_wire": tile.word_wire, "source": tile.source}
        bits: dict[str, Any] = {"bit_wire": tile.bit_wire, "load": chip.hardware.sense_load}
        ends: dict[str, Any] = {"drive": tile.drive, "sense": tile.sense}
        share = [Crossbar(probed, **side, **ends).transfer.T / probed for side in (words, bits)]
        transfer = Crossbar(array, **words, **bits, **ends).transfer.T
        found.append(Reading(transfer, share[0] * share[1], array))
    return tuple(found)


def units_of(graph: Graph, chip: Chip, masks: Masks) -> dict[str, Floats]:
    """By layer, (G, outputs) siemens per unit weight of a graph.

    Batch norms folded into a layer scale each of its outputs by itself.

    Args:
        graph: graph of a ticket of this chip: each weight is its conductance times its output's
            scale.
        chip: chip of the ticket.
        masks: masks (G, outputs, inputs) of the weights switched in, by layer.
    """
    layers = {layer.name: layer.matrix for layer in graph.layers}
    found = {}
    for name, cells in cells_of(chip, layer_shapes(graph, list(masks))).items():
        conductance = np.where(masks[name], cells.on, cells.off)
        power, product = (conductance**2).sum(-1), (layers[name] * conductance).sum(-1)
        unit = np.divide(power, product, out=np.full(power.shape, np.nan), where=product > 0)
        # an output without conductance has no weight either, so its scale is arbitrary
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
        groups, outputs, inputs = layer.shape
        shapes[layer.name] = (groups, outputs, inputs)
    missing = sorted(set(names) - set(shapes))
    if missing:
        raise ModelError(f"{missing[0]}: the network never multiplies by this layer; leave it out")
    return shapes
