"""Ordinary tiles of one chip as arrays: thousands of them are programmed at once.

A batch has the weights and lines of all blocks on its tiles in a few arrays, from which compiled
loops on the CPU (``on_cpu.py``) or a card's kernels (``on_device.py``) make switches, scales and
records. Results have the bits of those of the passes, one tile after another.

Shapes: T tiles; N blocks of R x C weights on them, M weights in all, S columns in all; W x B cells
of a tile with K resistors, F bytes of a cell's switches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.compiler.job import TileResult
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
from xbar.compiler.tile import Reached
from xbar.effects.expected import expected_error

_STEPS = (
    measure_resistors.PASS,
    form_banks.PASS,
    set_scales.PASS,
    choose_subsets.PASS,
    close_switches.PASS,
    record_reached.PASS,
)


def ordinary(job: TileJob) -> bool:
    """Whether a chip's tiles are programmed together, with the passes of ``_STEPS``.

    Pairs of sound resistors, read as programmed.
    """
    hardware, error = job.chip.hardware, expected_error(job.chip.hardware)
    return (
        not job.chip.may_have_faults
        and isinstance(job.mapping, DifferentialPair)
        and hardware.cells[1] % 2 == 0
        and (error.gain, error.noise) == (1.0, 0.0)
        and job.options.programming == "subset"
        and in_order(PASSES, job) == _STEPS
    )


@dataclass(frozen=True, eq=False)
class Switched:
    """What is made of a batch.

    Attributes:
        packed: closed switches (T, W, B, F) as bits.
        scale: (S,) siemens per unit weight.
        target: (M,) siemens.
        achieved: (M,) siemens.
        missed: (N,) number of targets outside their bank's range.
    """

    packed: NDArray[np.uint8]
    scale: Floats
    target: Floats
    achieved: Floats
    missed: Ints


@dataclass(frozen=True, eq=False)
class Batch:
    """Jobs of one chip's ordinary tiles.

    Attributes:
        jobs: the jobs.
        table: (N, 6) blocks, see ``kernels/whole.py``.
        lines: word lines and columns of each block in turn.
        weight: (M,) weights by block, in the order of its (R, C).
    """

    jobs: tuple[TileJob, ...]
    table: Ints
    lines: Ints
    weight: Floats

    @classmethod
    def of(cls, jobs: Sequence[TileJob]) -> Batch:
        """The jobs as arrays."""
        shapes = [block.shape for job in jobs for block in job.blocks]
        rows, columns = np.array(shapes, dtype=np.int64).reshape(-1, 2).T
        tile = np.repeat(np.arange(len(jobs)), [len(job.blocks) for job in jobs])
        first, lines, scale = (_starts(each) for each in (rows * columns, rows + columns, columns))
        table = np.stack([tile, first[:-1], rows, columns, lines[:-1], scale[:-1]], axis=1)
        batch = cls(tuple(jobs), table, np.empty(lines[-1], np.int64), np.empty(first[-1]))
        every = ((b, w) for job in jobs for b, w in zip(job.blocks, job.weights, strict=True))
        for (_, at, r, c, line, _), (block, weight) in zip(table.tolist(), every, strict=True):
            batch.lines[line : line + r] = block.word_lines
            batch.lines[line + r : line + r + c] = block.columns
            batch.weight[at : at + r * c].reshape(r, c)[:] = weight
        return batch

    @property
    def indices(self) -> list[int]:
        """Numbers of the tiles on the chip."""
        return [job.index for job in self.jobs]

    @property
    def cells(self) -> tuple[int, int]:
        """(W, B)."""
        return self.jobs[0].chip.hardware.cells

    @property
    def resistors(self) -> int:
        """K."""
        return self.jobs[0].chip.hardware.bank.resistors

    @property
    def places(self) -> int:
        """Number of places for weights on all tiles."""
        return len(self.jobs) * self.cells[0] * self.cells[1] // 2

    @cached_property
    def place(self) -> Ints:
        """(M,) place of each weight."""
        from xbar.compiler.kernels import whole

        found = np.empty(len(self.weight), np.int64)
        across = self.cells[1] // 2
        whole.find_places(self.table, self.lines, across, self.cells[0] * across, found)
        return found

    def of_block(self, number: int) -> Floats:
        """(R, C) weights of a block."""
        _, first, rows, columns, _, _ = self.table[number].tolist()
        return self.weight[first : first + rows * columns].reshape(rows, columns)

    def targets(self, scale: Floats) -> Floats:
        """(M,) siemens of all weights at scales (S,)."""
        target = np.empty_like(self.weight)
        for number, (_, first, rows, columns, _, at) in enumerate(self.table.tolist()):
            own = self.of_block(number) * scale[at : at + columns]
            target[first : first + rows * columns] = own.reshape(-1)
        return target

    def results(self, made: Switched) -> Iterator[TileResult]:
        """The results of the tiles."""
        from xbar.compiler.kernels import whole

        record = np.empty((len(self.table), 4))
        flat = made.packed.reshape(2 * self.places, -1)
        whole.record(self.table, self.place, made.target, made.achieved, flat, record)
        ends = self.table[:, whole.SCALE] + self.table[:, whole.COLUMNS]
        scales = iter(np.split(made.scale, ends[:-1]))
        reached = iter(
            Reached(worst, power, largest, int(switches), missed)
            for (worst, power, largest, switches), missed in zip(
                record.tolist(), made.missed.tolist(), strict=True
            )
        )
        for job, packed in zip(self.jobs, made.packed, strict=True):
            own = tuple(next(scales) for _ in job.blocks), packed
            found = tuple(next(reached) for _ in job.blocks)
            yield TileResult(job.index, job.blocks, *own, found, ())


def _starts(sizes: Ints) -> Ints:
    """(N + 1,) where each of N parts begins, and the end."""
    return np.concatenate([[0], np.cumsum(sizes)])
