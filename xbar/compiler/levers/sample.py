"""The error to be expected of a tile, by programming it on chips that are drawn for that.

A tile's error after wire-aware programming depends on its weights, on where its blocks lie, and on
the design; on the chip the less, the more weights there are. So a tile of each layer is programmed
on another chip of the design, with all passes, or several of few weights, each on a chip of its
own. What is chosen by that holds for every chip.

Only the lines up to the last one in use are drawn and solved: beyond it a tile has open cells, and
little of their leakage matters here. A line that is driven or sensed at both ends keeps its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from xbar.blas import one_blas_thread
from xbar.compiler.block import Block
from xbar.compiler.mapping import SignedMapping, get_mapping
from xbar.compiler.options import Options
from xbar.compiler.passes.base import TileJob
from xbar.compiler.passes.set_scales import Expected, expect
from xbar.compiler.passes.wires.array import Array
from xbar.compiler.passes.wires.score import Score
from xbar.compiler.pipeline import program_tile
from xbar.compiler.placement import Matrices
from xbar.compiler.rounding import rounded
from xbar.compiler.tile import ProgrammedTile
from xbar.compiler.weights import raw_of
from xbar.effects.expected import ExpectedError, expected_error
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.parallel import cpus, one_thread

ENOUGH, MOST = 4096, 8
"""Weights that tell an error, and tiles that are programmed for it at most."""


@dataclass(frozen=True, eq=False)
class Sampler:
    """Programs tiles of a network for what to expect of them; each is programmed once.

    Attributes:
        matrices: target weights (G, outputs, inputs) by layer.
        hardware: design of the tiles.
        options: options of the compilation.
        threads: number of threads; None for one per CPU.
    """

    matrices: Matrices
    hardware: Hardware
    options: Options
    threads: int | None = None
    _known: dict[Key, float] = field(default_factory=dict)

    @cached_property
    def _expected(self) -> Expected:
        return expect(Chip.sample(self.hardware, 0), self.options)

    def errors(
        self, layers: Sequence[Sequence[Blocks]], *, swap: bool = True, seed: int = 0
    ) -> list[float]:
        """Relative error of the effective weights of some layers, after wire-aware programming.

        Args:
            layers: of each, blocks of its tiles, the largest first.
            swap: inputs and outputs may change places within their block.
            seed: of the first chip of each.
        """
        asked = [_some(tiles, seed) for tiles in layers]
        keys = [[(swap, one, *map(_key, blocks)) for blocks, one in each] for each in asked]
        fresh = {
            key: question
            for own, each in zip(keys, asked, strict=True)
            for key, question in zip(own, each, strict=True)
            if key not in self._known
        }

        def work(question: tuple[Blocks, int]) -> float:
            with one_thread():
                return self._error(*question, swap=swap)

        count = min(self.threads or cpus(), len(fresh))
        with one_blas_thread():
            if count <= 1:
                found = [self._error(*each, swap=swap) for each in fresh.values()]
            else:
                _ = self._expected  # once, before threads ask for it
                with ThreadPoolExecutor(count) as pool:
                    found = list(pool.map(work, fresh.values()))
        self._known.update(zip(fresh, found, strict=True))
        power = [[self._known[key] ** 2 for key in own] for own in keys]
        return [float(rounded(np.sqrt(np.mean(each)))) for each in power]

    def without_wires(self) -> Sampler:
        """The same where every wire, source and load is 0 ohm: what no layout is better than."""
        ideal = {"word_wire": 0.0, "bit_wire": 0.0, "source": 0.0, "load": 0.0}
        tile = self.hardware.tile.model_copy(update=ideal)
        hardware = self.hardware.model_copy(update={"tile": tile})
        options = self.options.model_copy(update={"wire_aware": False})
        return Sampler(self.matrices, hardware, options, self.threads)

    def _error(self, blocks: Blocks, seed: int, *, swap: bool) -> float:
        options = self.options.model_copy(update={"extents": (), "fitted": None})
        if not swap:
            options = options.model_copy(update={"swap_lines": "never"})
        design, moved = cropped(self.hardware, get_mapping(options.mapping), blocks)
        weights = tuple(block.of(raw_of(self.matrices, block.layer)) for block in blocks)
        chip = Chip.sample(design, seed)
        tile = program_tile(TileJob(0, moved, weights, chip, options, expected=self._expected))
        return float(rounded(tile.wire_errors[-1] if tile.wire_errors else _missed(tile)))


def _some(tiles: Sequence[Blocks], seed: int) -> list[tuple[Blocks, int]]:
    """Tiles from all over a layer that tell its error, each with the seed of its chip."""
    weights = sum(len(block.inputs) * len(block.outputs) for block in tiles[0])
    count = min(MOST, -(-ENOUGH // weights))
    return [(tiles[i * len(tiles) // count], seed + i) for i in range(count)]


Blocks = Sequence[Block]
Key = tuple[object, ...]


def _key(block: Block) -> Key:
    axes = (block.inputs, block.outputs, block.word_lines, block.columns)
    return (block.layer, block.group, *(axis.tobytes() for axis in axes))


def _missed(tile: ProgrammedTile) -> float:
    """Relative error of weights that no wire disturbs, of each block as many as it has."""
    weights = tuple(placed.weight for placed in tile.blocks)
    error = expected_error(tile.chip.hardware)
    scales = [placed.scale / error.gain for placed in tile.blocks]
    expected = ExpectedError(noise=error.noise)
    score = Score.of(weights, scales, expected, alike=False)
    reading = Array(tile, noisy=error.noise > 0.0).read(None, wires=False)
    return score.error(reading, score.first)


def cropped(
    hardware: Hardware, mapping: SignedMapping, blocks: Iterable[Block]
) -> tuple[Hardware, tuple[Block, ...]]:
    """A design whose tiles end with the last lines that blocks use, and the blocks on them.

    Lines that are driven or sensed at both ends, and a line that all columns share, stay.
    """
    blocks, tile = tuple(blocks), hardware.tile
    high, wide, shared = hardware.lines_of_a_cell
    rows, columns = hardware.cells[0], mapping.columns(hardware.cells[1])
    first, last = _span([block.word_lines for block in blocks])
    left, right = _span([block.columns for block in blocks])
    low, top = (first, rows) if tile.sense == "bottom" else (0, last + 1)
    start, end = (left, columns) if tile.drive == "right" else (0, right + 1)
    if tile.sense == "both":
        low, top = 0, rows
    lines = tile.word_lines if (low, top) == (0, rows) else (top - low) * high
    bits = tile.bit_lines
    if tile.drive == "both" or mapping.shared_bit_lines:
        start, end = 0, columns
    elif (start, end) != (0, columns):
        bits = -(-(end - start) * mapping.bit_lines_per_column // shared) * wide
    size = {"word_lines": lines, "bit_lines": bits, "spare_word_lines": 0, "spare_bit_lines": 0}
    design = hardware.model_copy(update={"tile": tile.model_copy(update=size)})
    moved = [
        replace(block, word_lines=block.word_lines - low, columns=block.columns - start)
        for block in blocks
    ]
    return design, tuple(moved)


def _span(lines: Sequence[np.ndarray]) -> tuple[int, int]:
    return min(int(each.min()) for each in lines), max(int(each.max()) for each in lines)
