"""The independent per-tile compilation job: inputs and result.

A job can run in another thread, process or machine; the program stores its result. ``pipeline.py``
executes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.passes.base import TileJob
from xbar.compiler.passes.set_scales import Expected, expect, layer_scale
from xbar.compiler.pipeline import program_tile
from xbar.compiler.placement import Tiles
from xbar.compiler.plan import Plan
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile, Reached
from xbar.compiler.tuned import TunedCells


@dataclass(frozen=True, eq=False)
class Kept:
    """The switches of a ticket, decided before the compilation.

    Attributes:
        switches: masks (G, outputs, inputs) of the weights switched in, by layer.
        units: siemens per unit weight by layer, one number or (G, outputs).
    """

    switches: Mapping[str, NDArray[np.bool_]]
    units: Mapping[str, float] | Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Jobs:
    """The jobs of all tiles, created on demand.

    Attributes:
        plan: network, chip and options.
        blocks: blocks of each tile.
        kept: switches of a ticket; None to choose subsets.
    """

    plan: Plan
    blocks: Tiles
    kept: Kept | None

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> TileJob:
        plan, blocks = self.plan, self.blocks[index]
        weights = tuple(block.of(plan.raw(block.layer)) for block in blocks)
        job = partial(TileJob, index, blocks, weights, plan.chip, plan.options)
        if self.kept is None:
            scales = tuple(self._scales[block.layer] for block in blocks) if self._scales else ()
            return job(units=scales, expected=self._expected)
        kept = self.kept
        switches = tuple(block.of(kept.switches[block.layer]) > 0 for block in blocks)
        units = tuple(self._units(kept.units[block.layer], block) for block in blocks)
        return job(kept=switches, units=units)

    def _units(self, unit: float | Floats, block: Block) -> Floats:
        every = np.broadcast_to(unit, self._shapes[block.layer][:2])
        return np.array(every[block.group, block.outputs], dtype=np.float64)

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, int, int]]:
        return self.plan.shapes

    @cached_property
    def _expected(self) -> Expected:
        return expect(self.plan.chip, self.plan.options)

    @cached_property
    def _scales(self) -> dict[str, float]:
        """By layer, if each has one scale for all its tiles."""
        if self.plan.options.scale_per != "layer":
            return {}
        weights = self.plan.weights
        return {name: layer_scale(weight, self._expected) for name, weight in weights.items()}


@dataclass(frozen=True, eq=False)
class TileResult:
    """The data of a tile that a program stores; see ``ProgrammedTile``."""

    index: int
    blocks: tuple[Block, ...]
    scales: tuple[Floats, ...]
    packed: NDArray[np.uint8]
    reached: tuple[Reached, ...]
    wire_errors: tuple[float, ...]

    @classmethod
    def of(cls, tile: ProgrammedTile) -> TileResult:
        """The stored data of a tile."""
        return cls(
            tile.index,
            tuple(placed.block for placed in tile.blocks),
            tuple(placed.scale for placed in tile.blocks),
            tile.packed,
            tile.reached,
            tile.wire_errors,
        )

    def tile(self, plan: Plan) -> ProgrammedTile:
        """The tile, with the plan's chip and its weights of the plan's matrices."""
        blocks = tuple(
            ProgrammedBlock(block, scale, plan.weights)
            for block, scale in zip(self.blocks, self.scales, strict=True)
        )
        return ProgrammedTile(
            self.index,
            blocks,
            self.packed,
            plan.chip,
            plan.mapping,
            self.reached,
            self.wire_errors,
            TunedCells.of(plan.options, plan.chip),
            plan.options.aged,
            plan.options.chosen,
        )


def run_job(job: TileJob) -> TileResult:
    """Program one tile."""
    return TileResult.of(program_tile(job))
