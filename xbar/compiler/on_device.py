"""Batches of ordinary tiles programmed on a card: only weights go up, and masks come down.

Banks are drawn into the solver's buffer; scales, targets, choices and what they add up to are made
where they lie. Results have the bits of those of the passes, one tile after another.

Shapes: T tiles of W x B cells with K resistors, which are B / 2 columns of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.compiler import batch
from xbar.compiler.batch import Batch, Switched
from xbar.compiler.passes import set_scales
from xbar.compiler.passes.base import TileJob
from xbar.device import Buffer, Card, Memory, Source, in_batches
from xbar.hardware import on_device as drawing
from xbar.subset import on_device as choosing

SOURCE = Source(Path(__file__).parent / "cuda" / "batch.cu", fuse=False)

_THREADS = 256
_BLOCKS_EACH = 32  # blocks for each multiprocessor, which take places in turn
_MOST_TILES = 1 << 15


def ordinary(job: TileJob) -> bool:
    """Whether a card programs a chip's tiles as a whole.

    Pairs of sound resistors without leakage, whose scales are set by column.
    """
    bank = job.chip.hardware.bank
    return (
        batch.ordinary(job)
        and not drawing.obstacle(job.chip)
        and bool(np.isinf(bank.on_off_ratios).all())
        and (bank.spread != "uniform" or bool((np.sqrt(3.0) * bank.sigmas < 1.0).all()))
        and job.options.scale_per == "column"
    )


def fits(job: TileJob) -> bool:
    """Whether the blocks of an ordinary chip's tile lie on neighbouring word lines."""
    return all((np.diff(block.word_lines) == 1).all() for block in job.blocks)


def program(card: Card, jobs: Sequence[TileJob]) -> list[tuple[Batch, Switched]]:
    """Program tiles of an ordinary chip that ``fits``, in batches that fit in the card's memory.

    Raises:
        DeviceMemoryError: the card's memory does not hold one tile.
    """
    hardware = jobs[0].chip.hardware
    places, k = hardware.cells[0] * hardware.cells[1] // 2, hardware.bank.resistors
    made: list[tuple[Batch, Switched]] = []

    def work(part: slice) -> None:
        tiles = Batch.of(jobs[part])
        made.append((tiles, _program(card, tiles)))

    each = places * (8 * 2 * k + 8 + 32 + 8 + 4 + 8 + 4 + 8 + 2 * k)
    in_batches(card, len(jobs), each, work, _MOST_TILES)
    return made


def _program(card: Card, tiles: Batch) -> Switched:
    (lines, bits), k, count = tiles.cells, tiles.resistors, len(tiles.jobs)
    weight = np.full((count, lines, bits // 2), np.nan)
    weight.reshape(-1)[tiles.place] = tiles.weight
    column, block, largest = _columns(tiles)
    scale, missed = np.empty(len(column)), np.empty(len(column), np.int32)
    achieved = np.empty((count, lines, bits // 2))
    packed = np.empty((count, lines, bits, -(-k // 8)), np.uint8)
    with card.memory() as memory:
        bank = memory.empty((count, lines, bits, k), np.float64)
        _draw(memory, tiles, bank)
        on_card = _Batch(memory, weight, memory.holding(weight), bank, 2 * k)
        aims = on_card.aim(tiles.jobs[0], column, largest)
        out = on_card.close(aims[2], achieved, packed)
        card.read(aims[0], scale)
        card.read(aims[1], missed)
        card.read(out[0], achieved)
        card.read(out[1], packed)
    return Switched(
        packed,
        scale,
        tiles.targets(scale),
        achieved.reshape(-1)[tiles.place],
        np.bincount(block, missed, len(tiles.table)).astype(np.int64),
    )


def _columns(tiles: Batch) -> tuple[Ints, Ints, Floats]:
    """First place and rows (S, 2) of each column, its block, and the weight that begins its search.

    As in ``xbar.subset.scaling.best_scales``.
    """
    from xbar.compiler.kernels.whole import COLUMNS, FIRST, ROWS, SCALE

    table = tiles.table
    block = np.repeat(np.arange(len(table)), table[:, COLUMNS])
    within = np.arange(len(block)) - np.repeat(table[:, SCALE], table[:, COLUMNS])
    first = tiles.place[table[block, FIRST] + within]
    largest = np.concatenate([_largest(tiles.of_block(number)) for number in range(len(table))])
    return np.stack([first, table[block, ROWS]], axis=1), block, largest


def _largest(weight: Floats) -> Floats:
    magnitude = np.abs(weight).max(axis=0)
    least = magnitude.max() if magnitude.any() else 1.0
    return np.where(magnitude > 0, magnitude, least)


def _draw(memory: Memory, tiles: Batch, bank: Buffer) -> None:
    """Start drawing the banks of tiles, those of consecutive ones together."""
    drawing.draw_listed(memory, tiles.jobs[0].chip, tiles.indices, bank, pairs=True)


class _Batch:
    """The places of a batch of tiles, on a card."""

    def __init__(
        self, memory: Memory, weights: Floats, weight: Buffer, bank: Buffer, elements: int
    ) -> None:
        self.memory, self.weight, self.bank, self.elements = memory, weight, bank, elements
        self.places, self.across = weights.size, weights.shape[2]

    def _start(self, name: str, count: int, threads: int, *arguments: Buffer | np.generic) -> None:
        card = self.memory.card
        blocks = min(-(-count // threads), card.processors * _BLOCKS_EACH)
        card.kernel(SOURCE, name).launch((blocks, 1), threads, *arguments)

    def aim(self, job: TileJob, column: Ints, largest: Floats) -> tuple[Buffer, Buffer, Buffer]:
        """Start making scales and misses of each column, and the targets of all places."""
        from xbar.subset.kernels import scaling

        memory, places = self.memory, np.int64(self.places)
        reach = memory.empty((4, self.places), np.float64)
        target = memory.empty(self.places, np.float64)
        elements = np.int32(self.elements)
        self._start("reaches", self.places, _THREADS, self.bank, places, elements, reach, target)
        curve = set_scales.expected_of(job).curve
        powers = np.empty(scaling.OCTAVES * scaling.STEPS + 1)
        scaling.trials(powers)
        scale = memory.empty(len(column), np.float64)
        missed = memory.empty(len(column), np.int32)
        sizes = places, np.int64(self.across)
        listed = memory.holding(column), np.int64(len(column)), memory.holding(largest)
        table = memory.holding(curve.table), np.int32(len(curve.table) - 1)
        search = memory.holding(powers), *table, np.float64(curve.per_unit)
        out = scale, missed, target
        self._start("aims", len(column), 128, self.weight, reach, *sizes, *listed, *search, *out)
        return out

    def close(
        self, target: Buffer, achieved: Floats, packed: NDArray[np.uint8]
    ) -> tuple[Buffer, Buffer]:
        """Start choosing subsets; what they add up to, and the switches, on the card."""
        memory = self.memory
        mask = memory.empty(self.places, np.uint32), memory.empty(self.places, np.float64)
        choosing.Chooser(memory.card, self.elements).run(memory, self.bank, target, mask)
        out = memory.empty(achieved.shape, np.float64), memory.empty(packed.shape, np.uint8)
        sizes = np.int64(self.places), np.int32(self.elements)
        self._start("closed", self.places, _THREADS, self.bank, self.weight, mask[0], *sizes, *out)
        return out
