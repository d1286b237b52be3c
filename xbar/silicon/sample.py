"""The cells of a tile that stand for it in a circuit of transistors.

Shapes: R inputs and C outputs sampled from one block; w word lines and b bit lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, as_indices
from xbar.compiler.block import Block
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile
from xbar.errors import SpecError
from xbar.hardware.draw import check_seed
from xbar.tables import Outline, count

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class SampledCells(Outline):
    """Some weights of one block of a tile, and their cells.

    Attributes:
        block: the block with the sampled inputs and outputs alone.
        target: (R, C) weights.
        scale: (C,) siemens per unit weight.
        largest: largest |weight| of the whole block.
        word_lines: (w,) indices of their word lines, ascending.
        bit_lines: (b,) indices of their bit lines, ascending, those of reference cells included.
        notes: what was assumed, one sentence each.
    """

    block: Block
    target: Floats
    scale: Floats
    largest: float
    word_lines: Indices
    bit_lines: Indices
    notes: tuple[str, ...]

    def weights(self, mapping: SignedMapping, cells: Floats, shape: tuple[int, ...]) -> Floats:
        """(R, C) weights that cells (w, b) siemens hold, on a tile of ``shape`` (W, B) cells."""
        full = np.zeros(shape)
        full[np.ix_(self.word_lines, self.bit_lines)] = cells
        return mapping.difference(full, self.block) / self.scale


def sample_cells(tile: ProgrammedTile, cells: Sequence[int], seed: int | None) -> SampledCells:
    """Choose weights whose cells lie on ``cells`` word lines and bit lines of a tile.

    They are from the tile's block with the most weights: its first inputs and outputs, or some at
    random. A block that has fewer gives what it has.

    Args:
        tile: the tile.
        cells: word lines and bit lines; with differential pairs a weight takes two bit lines, with
            a reference column its line is one of them.
        seed: seed of a random choice; None for the first ones.

    Raises:
        SpecError: the numbers are not two, or are too few for one weight.
    """
    sizes = as_indices(cells, "cells", None, "numbers").tolist()
    if len(sizes) != 2:
        raise SpecError(f"cells must be word lines and bit lines, two numbers, not {len(sizes)}")
    mapping = tile.mapping
    step, shared = mapping.bit_lines_per_column, mapping.shared_bit_lines
    rows, (columns, over) = sizes[0], divmod(sizes[1] - shared, step)
    if rows < 1 or columns < 1 or over:
        need = "an even number from 2" if step == 2 else f"at least {step + shared}"
        raise SpecError(
            f"cells must be word lines x bit lines, at least 1 and, with the mapping "
            f"{mapping.name!r}, {need}, not {sizes[0]} x {sizes[1]}"
        )
    placed = max(tile.blocks, key=lambda each: each.weight.size)
    inputs, outputs = placed.weight.shape
    notes = []
    if rows > inputs or columns > outputs:
        rows, columns = min(rows, inputs), min(columns, outputs)
        notes.append(
            f"the block has {count(inputs, 'input')} and {count(outputs, 'output')}: "
            f"{rows} x {columns * step + shared} cells instead of {sizes[0]} x {sizes[1]}"
        )
    return _part(
        placed,
        _choose(inputs, rows, seed, 0),
        _choose(outputs, columns, seed, 1),
        (mapping, tile.chip.hardware.cells[1]),
        tuple(notes),
    )


def _choose(total: int, number: int, seed: int | None, stream: int) -> Indices:
    if seed is None:
        return np.arange(number, dtype=np.int64)
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([check_seed(seed), stream])))
    return np.sort(rng.choice(total, number, replace=False)).astype(np.int64)


def _part(
    placed: ProgrammedBlock,
    rows: Indices,
    columns: Indices,
    lines: tuple[SignedMapping, int],
    notes: tuple[str, ...],
) -> SampledCells:
    block, (mapping, bit_lines) = placed.block, lines
    part = replace(
        block,
        inputs=block.inputs[rows],
        outputs=block.outputs[columns],
        word_lines=block.word_lines[rows],
        columns=block.columns[columns],
    )
    used = np.concatenate([mapping.plus(part.columns), mapping.minus(part.columns)])
    return SampledCells(
        block=part,
        target=placed.weight[np.ix_(rows, columns)],
        scale=placed.scale[columns],
        largest=float(np.abs(placed.weight).max()),
        word_lines=np.unique(part.word_lines),
        bit_lines=np.unique(used % bit_lines),
        notes=notes,
    )
