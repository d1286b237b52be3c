"""Batches of ordinary tiles programmed on a card: only weights go up, and masks come down.

Banks are drawn into the solver's buffer; scales, targets, choices and what they add up to are made
where they lie. Results have the bits of those of the passes, one tile after another.

Shapes: T tiles of W x B cells with K resistors, which are B / 2 columns of weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.passes import (
    choose_subsets,
    close_switches,
    form_banks,
    measure_resistors,
    record_reached,
    set_scales,
)
from xbar.compiler.passes.base import TileJob
from xbar.compiler.pipeline import PASSES, in_order
from xbar.device import Buffer, Card, Memory, Source, in_batches
from xbar.effects.expected import expected_error
from xbar.hardware import on_device as drawing
from xbar.subset import on_device as choosing

SOURCE = Source(Path(__file__).parent / "cuda" / "batch.cu", fuse=False)

_STEPS = (
    measure_resistors.PASS,
    form_banks.PASS,
    set_scales.PASS,
    choose_subsets.PASS,
    close_switches.PASS,
    record_reached.PASS,
)
_THREADS = 256
_BLOCKS_EACH = 32  # blocks for each multiprocessor, which take places in turn
_MOST_TILES = 1 << 15


@dataclass(frozen=True, eq=False)
class Programmed:
    """What a card made of one tile.

    Attributes:
        packed: closed switches (W, B, ceil(K / 8)) as bits.
        scales: siemens per unit weight (C,) by block.
        achieved: siemens (R, C) by block.
        clipped: number of targets outside their bank's range, by block.
    """

    packed: NDArray[np.uint8]
    scales: tuple[Floats, ...]
    achieved: tuple[Floats, ...]
    clipped: tuple[int, ...]


def ordinary(job: TileJob) -> bool:
    """Whether a card programs a chip's tiles as a whole, with the passes of ``_STEPS``.

    Pairs of sound resistors without leakage, whose scales are set by column, read as programmed.
    """
    hardware, options = job.chip.hardware, job.options
    bank, error = hardware.bank, expected_error(hardware)
    return (
        not drawing.obstacle(job.chip)
        and not job.chip.may_have_faults
        and bool(np.isinf(bank.on_off_ratios).all())
        and (bank.spread != "uniform" or bool((np.sqrt(3.0) * bank.sigmas < 1.0).all()))
        and isinstance(job.mapping, DifferentialPair)
        and hardware.cells[1] % 2 == 0
        and (error.gain, error.noise) == (1.0, 0.0)
        and (options.programming, options.scale_per) == ("subset", "column")
        and not job.units
        and in_order(PASSES, job) == _STEPS
    )


def fits(job: TileJob) -> bool:
    """Whether the blocks of an ordinary chip's tile lie on neighbouring word lines."""
    return all((np.diff(block.word_lines) == 1).all() for block in job.blocks)


def program(card: Card, batch: Sequence[TileJob]) -> list[Programmed]:
    """Program tiles of an ordinary chip that ``fits``.

    Raises:
        DeviceMemoryError: the card's memory does not hold one tile.
    """
    hardware = batch[0].chip.hardware
    places, k = hardware.cells[0] * hardware.cells[1] // 2, hardware.bank.resistors
    made: dict[int, Programmed] = {}

    def work(part: slice) -> None:
        for at, one in enumerate(_program(card, batch[part]), start=part.start):
            made[at] = one

    each = places * (8 * 2 * k + 8 + 32 + 8 + 4 + 8 + 4 + 8 + 2 * k)
    in_batches(card, len(batch), each, work, _MOST_TILES)
    return [made[at] for at in range(len(batch))]


def _program(card: Card, batch: Sequence[TileJob]) -> Iterator[Programmed]:
    hardware = batch[0].chip.hardware
    (lines, bits), k = hardware.cells, hardware.bank.resistors
    columns = bits // 2
    weight = np.full((len(batch), lines, columns), np.nan)
    for own, job in zip(weight, batch, strict=True):
        for block, values in zip(job.blocks, job.weights, strict=True):
            own[block.place] = values
    column, largest = _columns(batch, lines * columns, columns)
    scale, missed = np.empty(len(column)), np.empty(len(column), np.int32)
    achieved = np.empty((len(batch), lines, columns))
    packed = np.empty((len(batch), lines, bits, -(-k // 8)), np.uint8)
    with card.memory() as memory:
        bank = memory.empty((len(batch), lines, bits, k), np.float64)
        _draw(memory, batch, bank)
        on_card = _Batch(memory, weight, memory.holding(weight), bank, 2 * k)
        aims = on_card.aim(batch[0], column, largest)
        out = on_card.close(aims[2], achieved, packed)
        card.read(aims[0], scale)
        card.read(aims[1], missed)
        card.read(out[0], achieved)
        card.read(out[1], packed)
    ends = [0, *accumulate(len(block.columns) for job in batch for block in job.blocks)]
    parts = iter([slice(*pair) for pair in pairwise(ends)])
    for t, job in enumerate(batch):
        own_parts = [next(parts) for _ in job.blocks]
        yield Programmed(
            packed[t].copy(),
            tuple(scale[part].copy() for part in own_parts),
            tuple(block.cells_of(achieved[t]) for block in job.blocks),
            tuple(int(missed[part].sum()) for part in own_parts),
        )


def _columns(batch: Sequence[TileJob], size: int, across: int) -> tuple[Ints, Floats]:
    """First place and rows of each column of each block, and the weight that its search begins at.

    As in ``xbar.subset.scaling.best_scales``.
    """
    column, largest = [], []
    for t, job in enumerate(batch):
        for block, weight in zip(job.blocks, job.weights, strict=True):
            first = t * size + int(block.word_lines[0]) * across + block.columns
            column.append(np.stack([first, np.full_like(first, len(block.word_lines))], axis=1))
            magnitude = np.abs(weight).max(axis=0)
            least = magnitude.max() if magnitude.any() else 1.0
            largest.append(np.where(magnitude > 0, magnitude, least))
    return np.concatenate(column), np.concatenate(largest)


def _draw(memory: Memory, batch: Sequence[TileJob], bank: Buffer) -> None:
    """Start drawing the banks of tiles, those of consecutive ones together."""
    indices = [job.index for job in batch]
    drawing.draw_listed(memory, batch[0].chip, indices, bank, pairs=True)


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
