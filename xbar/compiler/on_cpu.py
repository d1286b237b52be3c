"""Batches of ordinary tiles programmed by compiled loops on the CPU, one thread a batch.

The chip is drawn for all tiles of a batch at once; scales, targets, choices and switches are made
by a few calls, so that Python runs by batch and not by tile.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler import batch
from xbar.compiler.batch import Batch, Switched
from xbar.compiler.job import TileResult
from xbar.compiler.passes import set_scales
from xbar.compiler.passes.base import TileJob

RESISTORS = 1 << 19
"""Resistors of a batch: its banks stay in the processor's cache."""

MOST_ELEMENTS = 32
"""Elements of the banks that one solver takes."""


def ordinary(job: TileJob) -> bool:
    """Whether a chip's tiles are programmed in batches."""
    return batch.ordinary(job) and 2 * job.chip.hardware.bank.resistors <= MOST_ELEMENTS


def tiles_of_a_batch(job: TileJob) -> int:
    """Number of tiles of a batch."""
    hardware = job.chip.hardware
    return max(1, RESISTORS // (hardware.cells[0] * hardware.cells[1] * hardware.bank.resistors))


class Workspace(threading.local):
    """Arrays that each thread uses for one batch after another: new memory would cost more."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.uint8]] = {}

    def empty(self, name: str, shape: tuple[int, ...]) -> Floats:
        """An array of this shape, which is valid until the next one of this name."""
        size = 8 * math.prod(shape)
        if name not in self._kept or len(self._kept[name]) < size:
            self._kept[name] = np.empty(size, np.uint8)
        return self._kept[name][:size].view(np.float64).reshape(shape)


def run_batch(jobs: Sequence[TileJob], workspace: Workspace) -> list[TileResult]:
    """Program ordinary tiles."""
    whole = Batch.of(jobs)
    return list(whole.results(program(whole, workspace)))


def program(tiles: Batch, workspace: Workspace) -> Switched:
    """Switches and scales of a batch of ordinary tiles."""
    from xbar.compiler.kernels import whole
    from xbar.subset.methods.meet_in_the_middle import closest_subsets

    chip, k, place = tiles.jobs[0].chip, tiles.resistors, tiles.place
    drawn = workspace.empty("bank", (len(tiles.jobs), *tiles.cells, k))
    bank = chip.on_each(tiles.indices, drawn).reshape(tiles.places, 2 * k)
    offset = workspace.empty("offset", (tiles.places,))
    whole.form_banks(bank, np.array(chip.hardware.bank.on_off_ratios), offset)
    reach = workspace.empty("reach", (4, len(place)))
    whole.reach_at(bank, offset, place, reach)
    scale = _scales(tiles, reach)
    target, missed = np.empty(len(place)), np.empty(len(tiles.table), np.int64)
    whole.aim(tiles.table, tiles.weight, scale, reach, target, missed)
    mask, total = np.empty((len(place), 2 * k), np.bool_), np.empty(len(place))
    closest_subsets(bank, place, target - offset[place], mask, total)
    packed = np.zeros((len(tiles.jobs), *tiles.cells, -(-k // 8)), np.uint8)
    whole.close(bank, offset, place, mask, packed.reshape(2 * tiles.places, -1), total)
    return Switched(packed, scale, target, total, missed)


def _scales(tiles: Batch, reach: Floats) -> Floats:
    """(S,) siemens per unit weight of the columns of a batch, for banks of a ``reach`` (4, M)."""
    from xbar.compiler.kernels import whole

    job, table = tiles.jobs[0], tiles.table
    columns = table[:, whole.COLUMNS]
    if job.units:
        units = [unit for job in tiles.jobs for unit in job.units]
        return np.repeat(np.array(units, dtype=np.float64), columns)
    if alike := job.options.scale_per != "column":  # each block is searched as one long column
        table = table.copy()
        table[:, whole.ROWS] *= columns
        table[:, whole.COLUMNS], table[:, whole.SCALE] = 1, np.arange(len(table))
    scale = np.empty(int(table[:, whole.COLUMNS].sum()))
    curve = set_scales.expected_of(job).curve
    whole.set_scales(table, tiles.weight, reach, curve.table, curve.per_unit, scale)
    return np.repeat(scale, columns) if alike else scale
