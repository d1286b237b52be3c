"""Mapping between weights and devices, and weights out of their devices' range."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.passes.set_scales import nominal_resistors
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile
from xbar.errors import SpecError
from xbar.hardware.fabricate import Resistors
from xbar.subset.scaling import Reach, reach_of


@dataclass(frozen=True)
class Device:
    """A cell of a weight.

    Attributes:
        tile: index of the tile.
        word_line: row of cells.
        bit_line: column of cells.
        sign: sign of its contribution to the weight, 1 or -1.
    """

    tile: int
    word_line: int
    bit_line: int
    sign: int


@dataclass(frozen=True)
class Unreachable:
    """A weight whose target is outside its cells' range.

    Attributes:
        layer: name of the layer.
        group: group, index of the layer's matrix.
        output: row of the matrix.
        input: column of the matrix.
        devices: cells of the weight.
        target: total conductance that its cells should have, siemens.
        achieved: total conductance that they have, including wires after wire-aware programming.
        stuck: number of its resistors that are stuck or dead.
    """

    layer: str
    group: int
    output: int
    input: int
    devices: tuple[Device, ...]
    target: float
    achieved: float
    stuck: int

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return asdict(self)


# `input` is the word for a matrix's column, and the name in the public API
def devices_of(program: Program, layer: str, output: int, input: int, group: int) -> list[Device]:  # noqa: A002
    """See ``Program.devices_of``."""
    if layer not in program.weights:
        known = ", ".join(program.weights)
        raise SpecError(f"layer must be one of {known}, not {layer!r}")
    place = []
    for name, value, length in zip(
        ("group", "output", "input"),
        (group, output, input),
        program.plan.shapes[layer],
        strict=True,
    ):
        number = operator.index(value)
        if not 0 <= number < length:
            raise SpecError(f"{layer}: {name} must be from 0 to {length - 1}, not {number}")
        place.append(number)
    for tile, _, placed in program.blocks_of(layer):
        block = placed.block
        rows = np.flatnonzero(block.inputs == place[2])
        columns = np.flatnonzero(block.outputs == place[1])
        if block.group == place[0] and len(rows) and len(columns):
            return list(_devices(tile, block, int(rows[0]), int(columns[0])))
    return []


def source_of(
    tile: ProgrammedTile, word_line: int, bit_line: int
) -> tuple[str, int, int, int, int] | None:
    """See ``ProgrammedTile.source_of``."""
    column, sign = tile.mapping.column_of(bit_line, tile.chip.hardware.cells[1])
    for placed in tile.blocks:
        block = placed.block
        rows = np.flatnonzero(block.word_lines == word_line)
        if not len(rows):
            continue
        row = int(block.inputs[rows[0]])
        if column is None:
            return block.layer, block.group, -1, row, sign
        outputs = np.flatnonzero(block.columns == column)
        if len(outputs):
            return block.layer, block.group, int(block.outputs[outputs[0]]), row, sign
    return None


def unreachable(
    program: Program, tiles: Iterable[ProgrammedTile] | None = None
) -> Iterator[Unreachable]:
    """See ``Program.unreachable``; restricted to some tiles if given."""
    measured = program.options.programming == "subset"
    for tile in program.tiles if tiles is None else tiles:
        if not any(reached.clipped for reached in tile.reached):
            continue
        residuals = tile.fresh().residual()
        resistors = tile.chip.resistors(tile.index) if measured else nominal_resistors(tile.chip)
        for number, placed in enumerate(tile.blocks):
            if tile.reached[number].clipped:
                reach, stuck = _reach(tile, placed.block, resistors)
                yield from _missed(tile, placed, residuals[number], reach, stuck)


def _reach(
    tile: ProgrammedTile, block: Block, resistors: Resistors
) -> tuple[Reach, NDArray[np.int64]]:
    """(R, C) range of each weight's cells, and number of their stuck resistors."""
    if tile.tuned is not None:
        return tile.tuned.reach_of(block.shape), np.zeros(block.shape, dtype=np.int64)
    bank = tile.mapping.bank(*resistors, block, tile.mask)
    return reach_of(bank.element, bank.offset), (bank.element == 0.0).sum(axis=-1)


def _missed(
    tile: ProgrammedTile,
    placed: ProgrammedBlock,
    residual: Floats,
    reach: Reach,
    stuck: NDArray[np.int64],
) -> Iterator[Unreachable]:
    block, target = placed.block, placed.target
    for r, c in np.argwhere(reach.misses(target / tile.reading_gain)).tolist():
        yield Unreachable(
            block.layer,
            block.group,
            int(block.outputs[c]),
            int(block.inputs[r]),
            tuple(_devices(tile, block, r, c)),
            float(target[r, c]),
            float(target[r, c] + residual[r, c]),
            int(stuck[r, c]),
        )


def _devices(tile: ProgrammedTile, block: Block, row: int, column: int) -> Iterator[Device]:
    mapping, bit_lines = tile.mapping, tile.chip.hardware.cells[1]
    word_line, one = int(block.word_lines[row]), block.columns[column : column + 1]
    for line, sign in ((mapping.plus(one), 1), (mapping.minus(one), -1)):
        yield Device(tile.index, word_line, int(line[0]) % bit_lines, sign)
