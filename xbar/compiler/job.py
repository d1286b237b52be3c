"""The work on one tile, apart from all others: what goes in, what comes out.

    measure the banks (─► assign_lines) ─► set_scales ─► choose_subsets (─► correct_wires)
    ─► ProgrammedTile

A job can go to another thread, process or machine; its result is what the program stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.mapping import SignedBank, get_mapping
from xbar.compiler.options import Options
from xbar.compiler.passes.assign_lines import Resistors, assign_lines
from xbar.compiler.passes.choose_subsets import (
    choose_codes,
    choose_subsets,
    joined,
    joined_values,
)
from xbar.compiler.passes.correct_wires import correct_wires
from xbar.compiler.passes.set_scales import (
    Expected,
    expect,
    layer_scale,
    nominal_resistors,
    set_scales,
)
from xbar.compiler.placement import Tiles
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile, Reached, pack
from xbar.compiler.tuned import TunedCells
from xbar.hardware.chip import Chip
from xbar.subset.scaling import Reach, reach_of


@dataclass(frozen=True, eq=False)
class TileJob:
    """What there is to do on one tile.

    Attributes:
        index: which tile of the chip.
        blocks: what lies on it.
        weights: by block, (R, C) what is to be programmed.
        chip: what it is programmed on.
        options: how.
        kept: by block, (R, C) which weights are switched in with all their resistors, where that
            was decided already (a ticket of this chip); None to choose subsets.
        units: by block, siemens per unit weight, of all columns or (C,), where ``kept`` is given or
            a layer has one scale.
        expected: what error to expect of the chip's banks; None to find out.
    """

    index: int
    blocks: tuple[Block, ...]
    weights: tuple[Floats, ...]
    chip: Chip
    options: Options
    kept: tuple[NDArray[np.bool_], ...] | None = None
    units: tuple[float | Floats, ...] = ()
    expected: Expected | None = None


@dataclass(frozen=True, eq=False)
class Kept:
    """Which weights are switched in, decided before the compilation.

    Attributes:
        switches: by layer, (G, outputs, inputs).
        units: by layer, siemens that stand for a weight of one: of all, or (G, outputs).
    """

    switches: Mapping[str, NDArray[np.bool_]]
    units: Mapping[str, float] | Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Jobs:
    """The jobs of all tiles, each made when it is asked for.

    Attributes:
        program: network, chip and options; its tiles are what the jobs make.
        placement: the blocks of each tile.
        kept: what was decided already; None to choose subsets.
    """

    program: Program
    placement: Tiles
    kept: Kept | None

    def __len__(self) -> int:
        return len(self.placement)

    def __getitem__(self, index: int) -> TileJob:
        program, blocks = self.program, self.placement[index]
        weights = tuple(block.of(program.weights[block.layer]) for block in blocks)
        job = TileJob(index, blocks, weights, program.chip, program.options)
        if self.kept is None:
            scales = tuple(self._scales[block.layer] for block in blocks) if self._scales else ()
            return replace(job, units=scales, expected=self._expected)
        kept = self.kept
        switches = tuple(block.of(kept.switches[block.layer]) > 0 for block in blocks)
        units = tuple(self._units(kept.units[block.layer], block) for block in blocks)
        return replace(job, kept=switches, units=units)

    def _units(self, unit: float | Floats, block: Block) -> Floats:
        every = np.broadcast_to(unit, self.program.weights[block.layer].shape[:2])
        return np.array(every[block.group, block.outputs], dtype=np.float64)

    @cached_property
    def _expected(self) -> Expected:
        return expect(self.program.chip, self.program.options)

    @cached_property
    def _scales(self) -> dict[str, float]:
        """By layer, where each has one for all its tiles."""
        if self.program.options.scale_per != "layer":
            return {}
        weights = self.program.weights
        return {name: layer_scale(weight, self._expected) for name, weight in weights.items()}


@dataclass(frozen=True, eq=False)
class TileResult:
    """What a program stores of a tile; see ``ProgrammedTile``."""

    index: int
    blocks: tuple[Block, ...]
    scales: tuple[Floats, ...]
    packed: NDArray[np.uint8]
    reached: tuple[Reached, ...]
    wire_errors: tuple[float, ...]

    @classmethod
    def of(cls, tile: ProgrammedTile) -> TileResult:
        """What is stored of a tile."""
        return cls(
            tile.index,
            tuple(part.block for part in tile.blocks),
            tuple(part.scale for part in tile.blocks),
            tile.packed,
            tile.reached,
            tile.wire_errors,
        )

    def tile(
        self, weights: Mapping[str, NDArray[np.float64]], chip: Chip, options: Options
    ) -> ProgrammedTile:
        """The tile, on its chip and with its part of the layers' matrices (G, outputs, inputs)."""
        parts = tuple(
            ProgrammedBlock(block, scale, block.of(weights[block.layer]))
            for block, scale in zip(self.blocks, self.scales, strict=True)
        )
        mapping = get_mapping(options.mapping)
        return ProgrammedTile(
            self.index,
            parts,
            self.packed,
            chip,
            mapping,
            self.reached,
            self.wire_errors,
            TunedCells.of(options, chip),
        )


def run_job(job: TileJob) -> TileResult:
    """Program one tile."""
    return TileResult.of(program_tile(job))


def program_tile(job: TileJob) -> ProgrammedTile:
    """One tile with its weights on it."""
    tuned = TunedCells.of(job.options, job.chip)
    if tuned is not None:
        return _tuned_tile(job, tuned)
    measured = job.options.programming == "subset"
    mapping, chip = get_mapping(job.options.mapping), job.chip
    on, off, stuck = chip.resistors(job.index) if measured else nominal_resistors(chip)
    if job.kept is None and measured:
        job = _with_lines(job, (on, off, stuck))
    mask = np.zeros(on.shape, dtype=np.bool_)
    mapping.close_references(mask, on, off, stuck, job.blocks)
    banks = [mapping.bank(on, off, stuck, block, mask) for block in job.blocks]
    scales = _scales(job, banks)
    if job.kept is not None:
        choices = [
            kept[..., None] & (bank.element != 0.0)
            for kept, bank in zip(job.kept, banks, strict=True)
        ]
    else:
        choices = _choices(job, banks, scales)
    for block, choice in zip(job.blocks, choices, strict=True):
        mapping.switch(mask, block, choice)
    parts = tuple(map(ProgrammedBlock, job.blocks, scales, job.weights))
    tile = ProgrammedTile(job.index, parts, pack(mask), chip, mapping)
    if job.options.wire_aware and job.kept is None:
        alike = job.options.scale_per != "column"
        tile = correct_wires(tile, banks, _expected(job), alike=alike)
    reach = [reach_of(bank.element, bank.offset) for bank in banks]
    if tile.wire_errors or not measured:
        return replace(tile, reached=_reached(tile, tile.mask, tile.residual(), reach))
    achieved = [
        bank.offset + np.where(choice, bank.element, 0.0).sum(axis=-1) - part.target
        for bank, choice, part in zip(banks, choices, parts, strict=True)
    ]
    return replace(tile, reached=_reached(tile, mask, achieved, reach))


def _with_lines(job: TileJob, resistors: Resistors) -> TileJob:
    """The job with its blocks on the lines that suit them."""
    when = job.options.swap_lines
    if when == "never" or (when == "faults" and not job.chip.may_have_faults):
        return job
    blocks = assign_lines(
        job.blocks, job.weights, resistors, job.options, _expected(job), job.units
    )
    return replace(job, blocks=blocks)


def _tuned_tile(job: TileJob, tuned: TunedCells) -> ProgrammedTile:
    """One tile whose cells are tuned: a rival."""
    scales = _scales(job, [tuned] * len(job.blocks))
    parts = tuple(map(ProgrammedBlock, job.blocks, scales, job.weights))
    targets = ((part.block, part.target) for part in parts)
    _, mask = tuned.branch(job.chip, job.index, targets)
    mapping = get_mapping(job.options.mapping)
    tile = ProgrammedTile(job.index, parts, pack(mask), job.chip, mapping, tuned=tuned)
    reach = [tuned.reach_of(block.shape) for block in job.blocks]
    return replace(tile, reached=_reached(tile, mask, tile.residual(), reach))


def _scales(job: TileJob, banks: Sequence[SignedBank | TunedCells]) -> list[Floats]:
    if job.units:
        return [np.full(b.shape[1], u) for b, u in zip(job.blocks, job.units, strict=True)]
    alike = job.options.scale_per != "column"
    return [
        set_scales(bank, weight, _expected(job), alike=alike)
        for bank, weight in zip(banks, job.weights, strict=True)
    ]


def _expected(job: TileJob) -> Expected:
    return expect(job.chip, job.options) if job.expected is None else job.expected


def _choices(
    job: TileJob, banks: Sequence[SignedBank], scales: Sequence[Floats]
) -> list[NDArray[np.bool_]]:
    target = joined_values([w * s for w, s in zip(job.weights, scales, strict=True)])
    if job.options.programming == "nominal":
        choice = choose_codes(joined(banks), target)
    else:
        noise = job.chip.hardware.variation.read_noise
        choice = choose_subsets(joined(banks), target, noise)
    ends = np.cumsum([np.prod(block.shape) for block in job.blocks])[:-1]
    return [
        part.reshape(*block.shape, -1)
        for part, block in zip(np.split(choice, ends), job.blocks, strict=True)
    ]


def _reached(
    tile: ProgrammedTile,
    mask: NDArray[np.bool_],
    residuals: Sequence[Floats],
    reaches: Sequence[Reach],
) -> tuple[Reached, ...]:
    return tuple(
        Reached(
            float(np.abs(residual).max()),
            float((residual**2).sum()),
            float(np.abs(part.target).max()),
            int(tile.mapping.choice(mask, part.block).sum()),
            int(reach.misses(part.target).sum()),
        )
        for part, residual, reach in zip(tile.blocks, residuals, reaches, strict=True)
    )
