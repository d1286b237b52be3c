"""Stages of a program's layers, prepared for reads.

What is prepared of a layer is a set of arrays by name, which may as well come from a file; the
rest of a stage follows from its blocks.

Shapes: R inputs, C columns of all blocks of a stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block, Indices
from xbar.compiler.idle import array_for
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile
from xbar.effects.chain import Chain
from xbar.effects.dac import gate_steps
from xbar.effects.drawn import Lines
from xbar.effects.idle import Idle
from xbar.effects.ranges import Key
from xbar.effects.readout import MatrixReadout
from xbar.effects.source_lines import SourceLines
from xbar.effects.stage import Scaled, Solve, Stage, Variance, Whole
from xbar.effects.wires import Wires
from xbar.simulation.blocks import BlockCells
from xbar.simulation.cells import SolvedTiles, shape_of
from xbar.simulation.on_device import CardCells
from xbar.simulation.ranges import Ranges, adc_ranges, arriving, reach_of
from xbar.simulation.scaled import Sums, scaled

Reals: TypeAlias = NDArray[np.floating[Any]]
Named: TypeAlias = Mapping[str, Reals]
"""Arrays of a layer by name, of which each member describes its own."""

MATRIX = "matrix"

COLUMNS = 4096
"""Columns of a stage, so that the currents of its vectors fit in the processor's cache."""


@dataclass(frozen=True, eq=False)
class StageBlock:
    """One block of a stage.

    Attributes:
        program: program of the tile.
        key: index of the tile, and of the block on it.
        placed: the block on its tile.
        columns: slice of the stage's columns.
        wires: whether wires are included.
        idle: whether lines that the read does not use float, if the design says so.
    """

    program: Program
    key: Key
    placed: ProgrammedBlock
    columns: slice
    wires: bool
    idle: bool

    @property
    def tile(self) -> ProgrammedTile:
        """Tile of the block."""
        return self.program.tiles[self.key[0]]

    @property
    def block(self) -> Block:
        """Its weights and lines."""
        return self.placed.block

    def currents(self, voltage: Floats, solve: Solve) -> Floats:
        """(N, C) differential amperes for volts (N, R), by a solver of bit-line currents."""
        tile = self.tile
        array = array_for(tile, self.key[1]) if self.idle else tile.array()
        if not self.wires:
            array = array.with_ideal_lines()
        total = np.zeros((len(voltage), self.block.shape[1]))
        for weight, volts in gate_steps(self.program.hardware, voltage):
            lines = solve(array, tile.device_law, tile.voltage(volts, self.key[1]))
            total += weight * tile.mapping.currents(tile.columns(lines), self.block)
        return total


@dataclass(frozen=True, eq=False)
class LayerCells:
    """What a chain of effects reads of the cells of one layer.

    Attributes:
        program: program that is read.
        layer: name of the layer.
        chain: active effects.
        precision: precision of the arrays that grow with the layer.
        solved: source of the tiles' cells.
        card: source of conductances instead, if a card makes them.
    """

    program: Program
    layer: str
    chain: Chain
    precision: str
    solved: SolvedTiles = field(default_factory=SolvedTiles)
    card: CardCells | None = None

    def whole(self) -> dict[str, Reals]:
        """The layer as one matrix (G, outputs, inputs): "matrix", and "variance NAME" by effect.

        In the weights' units; "matrix" is left out if no effect changes the weights. Variances are
        in units of the square of "unit NAME" (G, outputs).
        """
        shape = shape_of(self.program, self.layer)
        found: dict[str, Reals] = {}
        variances: dict[str, Sums] = {}
        if "conductance" in self.chain.changed:
            found[MATRIX] = np.zeros(shape, self.precision)
        for _, placed, read, cells in self._blocks(not found):
            if read is not None:
                placed.block.add(found[MATRIX], read / placed.scale)
            for name, each in self._variances(cells).items():
                total = variances.setdefault(name, Sums(shape))
                total.add(placed.block, each / placed.scale**2)
        for name, total in variances.items():
            found |= {f"variance {name}": total.value, f"unit {name}": total.unit}
        return found

    def stacked(self, piles: Sequence[Sequence[Key]]) -> dict[str, Reals]:
        """The arrays of stages, named by their number: "0 conductance" and so on.

        Args:
            piles: blocks of each stage.

        Returns:
            (R, C) "conductance" in siemens; (R, C) "own NAME" and (R, S) "shared NAME", variances
            of the effect NAME in units of the squares of "own-unit NAME" (C,) and "shared-unit
            NAME" (S,), siemens; (C,) "reach" in amperes, for an ADC whose range its cells define.
        """
        places = {key: (n, i) for n, pile in enumerate(piles) for i, key in enumerate(pile)}
        parts: dict[str, dict[int, Reals]] = {}
        references: set[tuple[int, int, bytes]] = set()
        for key, placed, read, cells in self._blocks():
            stage, i = places[key]
            own: dict[str, Reals] = {}
            if read is not None:
                own["conductance"] = read.astype(self.precision, copy=False)
            lines = stage, key[0], placed.block.word_lines.tobytes()
            if self._needs_reach and read is not None:
                found = arriving(cells, read, wires=Wires.name in self.chain.names)
                own["reach"] = reach_of(self.program, self.layer, found)
            if cells is not None:
                own |= self._parts(cells, shared=lines not in references)
            references.add(lines)
            for name, each in own.items():
                parts.setdefault(f"{stage} {name}", {})[i] = each
        return {
            name: np.concatenate([each[i] for i in sorted(each)], axis=-1)
            for name, each in parts.items()
        }

    def _parts(self, cells: BlockCells, *, shared: bool) -> dict[str, Reals]:
        """A block's arrays besides its conductances, with or without reference cells."""
        found: dict[str, Reals] = {}
        if self.chain.needs_lines:
            found["lines"] = cells.lines(wired(self.chain))
        if "variance" in self.chain.changed:
            own, common = cells.noise_parts(wired(self.chain))
            for name, each in self.chain.variances(own).items():
                found[f"own {name}"], found[f"own-unit {name}"] = scaled(each)
            if common is not None and shared:
                for name, each in self.chain.variances(common[:, None]).items():
                    found[f"shared {name}"], found[f"shared-unit {name}"] = scaled(each)
        return found

    @property
    def _needs_reach(self) -> bool:
        adc = self.program.hardware.adc
        return self.chain.needs_range and adc is not None and adc.range is None

    def _variances(self, cells: BlockCells | None) -> Named:
        """By effect, variances (R, C) of a block's weights, siemens²."""
        if cells is None or "variance" not in self.chain.changed:
            return {}
        own, shared = cells.noise_parts(wired(self.chain))
        found: Named = self.chain.variances(own if shared is None else own + shared[:, None])
        return found

    def _blocks(
        self, quiet: bool = False
    ) -> Iterator[tuple[Key, ProgrammedBlock, Floats | None, BlockCells | None]]:
        """By block: key, the block, signed siemens (R, C) as read, and its cells.

        No siemens if ``quiet``; no cells if a card makes the siemens, which are not aged then.
        """
        chain, layer = self.chain, self.layer
        power = "variance" in chain.changed
        wires = bool({Wires.name, Idle.name} & chain.names)
        if self.card is not None:
            for tile, number, found in self.card.each(layer, chain):
                yield (tile.index, number), tile.blocks[number], found, None
            return
        for solved, number in self.solved.each(self.program, layer, wires=wires, power=power):
            cells = BlockCells(solved, number)
            read = None if quiet else chain.conductance(cells)
            yield (solved.tile.index, number), solved.tile.blocks[number], read, cells


def piles_of(program: Program, layer: str, chain: Chain) -> list[list[Key]]:
    """The blocks of each stage of a layer, by key.

    Stages of many columns are cut, unless they draw the noise of reference cells: blocks that share
    those are read together. Where drivers deviate, those of a stage have the same.
    """
    alone = "drive" in chain.changed
    together = "variance" in chain.changed and program.mapping.shared_bit_lines > 0
    keys, blocks = [], []
    for tile, number, placed in program.blocks_of(layer):
        keys.append((tile.index, number))
        blocks.append(placed.block)
    found = []
    for pile in piles(blocks):
        columns, start = 0, 0
        for i, place in enumerate(pile):
            columns += blocks[place].shape[1]
            others = alone and _drivers(keys, blocks, pile[start]) != _drivers(keys, blocks, place)
            if i > start and (others or (columns > COLUMNS and not together)):
                found.append([keys[each] for each in pile[start:i]])
                columns, start = blocks[place].shape[1], i
        found.append([keys[each] for each in pile[start:]])
    return found


def _drivers(keys: Sequence[Key], blocks: Sequence[Block], place: int) -> tuple[int, bytes]:
    return keys[place][0], blocks[place].word_lines.tobytes()


def stages(
    program: Program, layer: str, chain: Chain, ranges: Ranges | None, arrays: Named
) -> list[Stage]:
    """A layer's blocks, stacked by common inputs, from the arrays of ``LayerCells.stacked``."""
    piles = piles_of(program, layer, chain)
    blocks = {(tile.index, number): placed for tile, number, placed in program.blocks_of(layer)}
    full_scale = None
    if chain.needs_range:
        full_scale = adc_ranges(program, layer, ranges, _reaches(piles, blocks, arrays))
    made = []
    for number, pile in enumerate(piles):
        own = {
            name.partition(" ")[2]: each
            for name, each in arrays.items()
            if name.startswith(f"{number} ")
        }
        made.append(_stage(_placed(program, pile, blocks, chain), own, full_scale, chain))
    return made


def _reaches(
    piles: Sequence[Sequence[Key]], blocks: Mapping[Key, ProgrammedBlock], arrays: Named
) -> dict[Key, Floats] | None:
    """By block, (C,) expected peak currents; None if they are not among the arrays."""
    if "0 reach" not in arrays:
        return None
    found: dict[Key, Floats] = {}
    for number, pile in enumerate(piles):
        ends = np.cumsum([blocks[key].block.shape[1] for key in pile])
        found |= dict(zip(pile, np.split(arrays[f"{number} reach"], ends[:-1]), strict=True))
    return found


def _placed(
    program: Program, pile: Sequence[Key], blocks: Mapping[Key, ProgrammedBlock], chain: Chain
) -> tuple[StageBlock, ...]:
    ends = np.cumsum([blocks[key].block.shape[1] for key in pile])
    wires = bool({Wires.name, SourceLines.name} & chain.names)
    idle = Idle.name in chain.names
    starts = [0, *ends[:-1].tolist()]
    return tuple(
        StageBlock(program, key, blocks[key], slice(start, int(end)), wires, idle)
        for key, start, end in zip(pile, starts, ends, strict=True)
    )


def _stage(
    placed: tuple[StageBlock, ...],
    arrays: Named,
    full_scale: Mapping[Key, Floats] | None,
    chain: Chain,
) -> Stage:
    reach = None
    if full_scale is not None:
        reach = np.concatenate([full_scale[each.key] for each in placed])
    lines = Lines(
        placed[0].program.chip,
        [(each.key[0], each.block.columns) for each in placed],
        placed[0].block.word_lines,
        reach,
        None if "lines" not in arrays else arrays["lines"].astype(np.float64, copy=False),
    )
    return Stage(
        placed[0].block.group,
        as_slice(placed[0].block.inputs),
        as_slice(np.concatenate([each.block.outputs for each in placed])),
        arrays["conductance"],
        _variance(placed, arrays),
        np.concatenate([each.placed.scale for each in placed]),
        reach,
        placed,
        lines.drawn(chain),
    )


def _variance(blocks: Sequence[StageBlock], arrays: Named) -> dict[str, Variance]:
    """``Stage.variance``: blocks on the same word lines of a tile share its reference cells."""
    found: dict[tuple[int, bytes], int] = {}
    columns: list[int] = []
    for each in blocks:
        lines = each.key[0], each.block.word_lines.tobytes()
        columns += [found.setdefault(lines, len(found))] * each.block.shape[1]
    column = np.array(columns, dtype=np.int64)
    result = {}
    for name in arrays:
        kind, _, effect = name.partition(" ")
        if kind == "own":
            own = Scaled(arrays[name], arrays[f"own-unit {effect}"])
            shared = arrays.get(f"shared {effect}")
            if shared is None:
                result[effect] = Variance(own)
            else:
                unit = arrays[f"shared-unit {effect}"]
                result[effect] = Variance(own, Scaled(shared, unit), column)
    return result


def wired(chain: Chain) -> MatrixReadout:
    """The linear read-out that tells how a chain's cells are read."""
    return "nodal" if Wires.name in chain.names else "ideal"


def whole(program: Program, layer: str, arrays: Named) -> Whole:
    """A layer as one matrix, with the variance of its weights, from ``LayerCells.whole``."""
    names = [name.partition(" ")[2] for name in arrays if name.startswith("variance ")]
    variance = {name: Scaled(arrays[f"variance {name}"], arrays[f"unit {name}"]) for name in names}
    matrix = arrays[MATRIX] if MATRIX in arrays else program.weights[layer]
    return Whole(matrix, variance)


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


def as_slice(indices: Indices) -> Indices | slice:
    """Consecutive indices as a slice, which is faster; others unchanged."""
    first, count = int(indices[0]), len(indices)
    if np.array_equal(indices, np.arange(first, first + count)):
        return slice(first, first + count)
    return indices
