"""Blocks of a layer that are driven alike, made ready to be read side by side.

Shapes: R inputs, C columns of all blocks of a stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block, Indices
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile, Readout
from xbar.simulation.effects import Effect, Precision
from xbar.simulation.ranges import Ranges, adc_ranges


@dataclass(frozen=True, eq=False)
class Part:
    """One block of a stage: on which tile, and which of the stage's columns are its own."""

    tile: ProgrammedTile
    number: int
    columns: slice

    @property
    def block(self) -> Block:
        """Which weights."""
        return self.tile.blocks[self.number].block


@dataclass(frozen=True, eq=False)
class Stage:
    """Blocks of one layer with the same inputs.

    Attributes:
        group: of the layer.
        inputs: (R,) which inputs, a slice where they are neighbours.
        outputs: (C,) which outputs, likewise; no output twice.
        conductance: (R, C) siemens, what differential current a volt gives.
        noise_power: (R, C) siemens², see ``ProgrammedTile.noise_parts``; None without noise.
        shared_noise: (R, S) siemens² of reference cells, and (C,) which of the S each column is
            read against; None without noise or references.
        scale: (C,) siemens per unit weight.
        full_scale: (C,) amperes of the ADC that reads each column; None without ADC.
        parts: the blocks.
    """

    group: int
    inputs: Indices | slice
    outputs: Indices | slice
    conductance: NDArray[np.floating[Any]]
    noise_power: NDArray[np.floating[Any]] | None
    shared_noise: tuple[NDArray[np.floating[Any]], Indices] | None
    scale: Floats
    full_scale: Floats | None
    parts: tuple[Part, ...]


@dataclass
class _Pile:
    """Blocks that will be one stage."""

    members: list[tuple[ProgrammedTile, int]] = field(default_factory=list)
    outputs: set[int] = field(default_factory=set)


def stages(
    program: Program,
    layer: str,
    effects: frozenset[Effect],
    ranges: Ranges | None,
    precision: Precision,
) -> list[Stage]:
    """A layer's blocks, those with the same inputs together."""
    full_scale = adc_ranges(program, layer, ranges) if "adc" in effects else None
    return [_stage(pile.members, effects, full_scale, precision) for pile in _piles(program, layer)]


def effective(tile: ProgrammedTile, effects: frozenset[Effect]) -> list[Floats]:
    """By block, (R, C) siemens: differential current per volt, with and without parts of the error.

    Without selection's error a block that was programmed for its wires is its target, and another
    one loses what the subsets miss, attenuated by wires like the cells that it lies on.
    """
    wires = "wires" in effects
    difference = tile.difference("nodal" if wires else "ideal")
    if "selection" in effects:
        return difference
    if not wires or tile.wire_errors:
        return [part.target for part in tile.blocks]
    own, read = tile.cells("ideal"), tile.cells("nodal")
    result = []
    for part, found, ideal in zip(tile.blocks, difference, tile.difference("ideal"), strict=True):
        total = tile.mapping.total(own, part.block)
        left = np.divide(
            tile.mapping.total(read, part.block), total, out=np.ones_like(total), where=total > 0
        )
        result.append(found - (ideal - part.target) * left)
    return result


def _piles(program: Program, layer: str) -> Iterator[_Pile]:
    piles: dict[tuple[int, bytes, int], _Pile] = {}
    for tile, number, part in program.blocks_of(layer):
        block, copy = part.block, 0
        mine = set(block.outputs.tolist())
        while True:  # blocks that add up to the same output can't be written side by side
            pile = piles.setdefault((block.group, block.inputs.tobytes(), copy), _Pile())
            if not pile.outputs & mine:
                break
            copy += 1
        pile.members.append((tile, number))
        pile.outputs |= mine
    yield from piles.values()


def _stage(
    members: list[tuple[ProgrammedTile, int]],
    effects: frozenset[Effect],
    full_scale: dict[tuple[int, int], Floats] | None,
    precision: Precision,
) -> Stage:
    ends = np.cumsum([tile.blocks[number].block.shape[1] for tile, number in members])
    parts = tuple(
        Part(tile, number, slice(int(end) - tile.blocks[number].block.shape[1], int(end)))
        for (tile, number), end in zip(members, ends, strict=True)
    )
    blocks = [part.block for part in parts]
    physics: Readout = "nodal" if "wires" in effects else "ideal"
    dtype = np.dtype(precision)
    noise = shared = reach = None
    if "noise" in effects:
        power = [part.tile.noise_parts(physics)[part.number] for part in parts]
        noise = np.concatenate([own for own, _ in power], axis=1).astype(dtype)
        shared = _shared(parts, [common for _, common in power], dtype)
    if full_scale is not None:
        reach = np.concatenate([full_scale[part.tile.index, part.number] for part in parts])
    conductance = [effective(part.tile, effects)[part.number] for part in parts]
    return Stage(
        blocks[0].group,
        as_slice(blocks[0].inputs),
        as_slice(np.concatenate([block.outputs for block in blocks])),
        np.ascontiguousarray(np.concatenate(conductance, axis=1), dtype=dtype),
        noise,
        shared,
        np.concatenate([part.tile.blocks[part.number].scale for part in parts]),
        reach,
        parts,
    )


def _shared(
    parts: Sequence[Part], powers: Sequence[Floats | None], dtype: np.dtype[Any]
) -> tuple[NDArray[np.floating[Any]], Indices] | None:
    """``Stage.shared_noise``: blocks on the same word lines of a tile share its reference cells."""
    found: dict[tuple[int, bytes], tuple[int, Floats]] = {}
    columns = []
    for part, power in zip(parts, powers, strict=True):
        if power is None:
            return None
        key = part.tile.index, part.block.word_lines.tobytes()
        number, _ = found.setdefault(key, (len(found), power))
        columns += [number] * part.block.shape[1]
    shared = np.stack([power for _, power in found.values()], axis=1)
    return shared.astype(dtype), np.array(columns, dtype=np.int64)


def as_slice(indices: Indices) -> Indices | slice:
    """The same as a slice where each index is one more than the one before, which is quicker."""
    first, count = int(indices[0]), len(indices)
    if np.array_equal(indices, np.arange(first, first + count)):
        return slice(first, first + count)
    return indices
