"""Record the residuals of each block, as stored in the program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.passes.base import Pass, TileState
from xbar.compiler.rounding import rounded
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile, Reached
from xbar.subset.scaling import Reach


def run(state: TileState) -> TileState:
    """The tile with one ``Reached`` per block and empty caches."""
    tile = state.tile
    found = zip(tile.blocks, state.achieved, state.reach, strict=True)
    reached = tuple(
        reached_of(tile, placed, achieved, _clipped(tile, placed, reach))
        for placed, achieved, reach in found
    )
    return state.having(tile=replace(tile, reached=reached))


def _clipped(tile: ProgrammedTile, placed: ProgrammedBlock, reach: Reach) -> int:
    return int(reach.misses(placed.target / tile.reading_gain).sum())


def reached_of(
    tile: ProgrammedTile, placed: ProgrammedBlock, achieved: Floats, clipped: int
) -> Reached:
    """What achieved conductances (R, C) leave of a block's targets, ``clipped`` of them."""
    gain, target = tile.reading_gain, placed.target
    residual = gain * achieved - target
    if tile.wire_errors:  # of a solved array
        residual = rounded(residual)
    switches = tile.mapping.choice(tile.packed, placed.block)
    return Reached(
        float(np.abs(residual).max()),
        float((residual**2).sum()),
        float(np.abs(target).max()),
        int(np.bitwise_count(switches).sum()),
        clipped,
    )


PASS = Pass("record_reached", run, ("tile", "achieved", "reach"), ("tile",))
