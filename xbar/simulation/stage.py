"""Stages of a program's layers, prepared for reads.

Shapes: R inputs, C columns of all blocks of a stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.compiler.block import Block, Indices
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.effects.adc import Adc
from xbar.effects.chain import Chain
from xbar.effects.namespace import Arrays
from xbar.effects.ranges import Key
from xbar.effects.readout import MatrixReadout
from xbar.effects.stage import Solve, Stage, Variance, Whole
from xbar.effects.wires import Wires
from xbar.simulation.blocks import BlockCells
from xbar.simulation.on_device import CardCells
from xbar.simulation.ranges import Ranges, adc_ranges


@dataclass(frozen=True, eq=False)
class StageBlock:
    """One block of a stage.

    Attributes:
        tile: tile of the block.
        number: index of the block on the tile.
        columns: slice of the stage's columns.
        wires: whether wires are included.
    """

    tile: ProgrammedTile
    number: int
    columns: slice
    wires: bool

    @property
    def block(self) -> Block:
        """Its weights and lines."""
        return self.tile.blocks[self.number].block

    @property
    def key(self) -> Key:
        """Index of the tile, and of the block on it."""
        return self.tile.index, self.number

    def currents(self, voltage: Floats, solve: Solve) -> Floats:
        """(N, C) differential amperes for volts (N, R), by a solver of bit-line currents."""
        tile, crossbar = self.tile, self.tile.crossbar()
        if not self.wires:
            crossbar = Crossbar(crossbar.conductance)
        lines = solve(crossbar, tile.law(), tile.voltage(voltage, self.number))
        return tile.mapping.currents(tile.columns(lines), self.block)


def conductances(
    program: Program, layer: str, chain: Chain, card: CardCells | None
) -> Iterator[tuple[ProgrammedTile, int, Floats]]:
    """A layer's blocks: (tile, index of the block on it, signed siemens (R, C) as read)."""
    if card is not None:
        yield from card.each(layer, chain)
        return
    for tile, number, _ in program.blocks_of(layer):
        yield tile, number, chain.conductance(BlockCells(tile, number))


def stages(
    program: Program,
    layer: str,
    chain: Chain,
    ranges: Ranges | None,
    xp: Arrays,
    card: CardCells | None = None,
) -> list[Stage]:
    """A layer's blocks, stacked by common inputs; what they conduct may come from a card."""
    full_scale = None
    if Adc.name in chain.names:
        full_scale = adc_ranges(program, layer, ranges)
    placed = list(conductances(program, layer, chain, card))
    blocks = [tile.blocks[number].block for tile, number, _ in placed]
    return [
        _stage([placed[place] for place in pile], chain, full_scale).on(xp)
        for pile in piles(blocks)
    ]


def whole(
    program: Program, layer: str, chain: Chain, xp: Arrays, card: CardCells | None = None
) -> Whole:
    """A layer as one matrix, with the variance of its weights; it may come from a card."""
    weights = program.weights[layer]
    matrix = np.zeros_like(weights) if "conductance" in chain.changed else weights
    variance: dict[str, Floats] = {}
    if "conductance" in chain.changed:
        for tile, number, found in conductances(program, layer, chain, card):
            placed = tile.blocks[number]
            placed.block.add(matrix, found / placed.scale)
    if "variance" in chain.changed:
        for tile, number, placed in program.blocks_of(layer):
            power = tile.noise_power(_wired(chain))[number]
            for name, each in chain.variances(power).items():
                total = variance.setdefault(name, np.zeros_like(weights))
                placed.block.add(total, each / placed.scale**2)
    return Whole(matrix, variance).on(xp)


def piles(blocks: Sequence[Block]) -> list[list[int]]:
    """Group a layer's blocks into stages: lists of their indices.

    Blocks of a stage have the same inputs, and no output twice.
    """
    found: dict[tuple[int, bytes, int], tuple[list[int], set[int]]] = {}
    for place, block in enumerate(blocks):
        copy, mine = 0, set(block.outputs.tolist())
        while True:  # partial sums of one output can't be in one stage
            key = block.group, block.inputs.tobytes(), copy
            pile, outputs = found.setdefault(key, ([], set()))
            if not outputs & mine:
                break
            copy += 1
        pile.append(place)
        outputs |= mine
    return [pile for pile, _ in found.values()]


def _stage(
    members: list[tuple[ProgrammedTile, int, Floats]],
    chain: Chain,
    full_scale: dict[Key, Floats] | None,
) -> Stage:
    ends = np.cumsum([tile.blocks[number].block.shape[1] for tile, number, _ in members])
    wires = Wires.name in chain.names
    placed = tuple(
        StageBlock(tile, n, slice(int(end) - tile.blocks[n].block.shape[1], int(end)), wires)
        for (tile, n, _), end in zip(members, ends, strict=True)
    )
    conductance = [found for _, _, found in members]
    reach = None
    if full_scale is not None:
        reach = np.concatenate([full_scale[each.key] for each in placed])
    return Stage(
        placed[0].block.group,
        as_slice(placed[0].block.inputs),
        as_slice(np.concatenate([each.block.outputs for each in placed])),
        np.ascontiguousarray(np.concatenate(conductance, axis=1)),
        _variance(placed, chain) if "variance" in chain.changed else {},
        np.concatenate([each.tile.blocks[each.number].scale for each in placed]),
        reach,
        placed,
    )


def _variance(blocks: Sequence[StageBlock], chain: Chain) -> dict[str, Variance]:
    """``Stage.variance``: blocks on the same word lines of a tile share its reference cells."""
    powers = [each.tile.noise_parts(_wired(chain))[each.number] for each in blocks]
    own = chain.variances(np.concatenate([power for power, _ in powers], axis=1))
    found: dict[tuple[int, bytes], tuple[int, Floats]] = {}
    columns: list[int] = []
    for each, (_, power) in zip(blocks, powers, strict=True):
        if power is None:
            return {name: Variance(value) for name, value in own.items()}
        key = each.tile.index, each.block.word_lines.tobytes()
        number, _ = found.setdefault(key, (len(found), power))
        columns += [number] * each.block.shape[1]
    shared = chain.variances(np.stack([power for _, power in found.values()], axis=1))
    column = np.array(columns, dtype=np.int64)
    return {name: Variance(own[name], shared[name], column) for name in own}


def _wired(chain: Chain) -> MatrixReadout:
    return "nodal" if Wires.name in chain.names else "ideal"


def as_slice(indices: Indices) -> Indices | slice:
    """Consecutive indices as a slice, which is faster; others unchanged."""
    first, count = int(indices[0]), len(indices)
    if np.array_equal(indices, np.arange(first, first + count)):
        return slice(first, first + count)
    return indices
