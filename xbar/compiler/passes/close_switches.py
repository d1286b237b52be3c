"""Close the chosen switches, which programs the tile."""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.passes.base import Pass, TileState
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile, pack


def run(state: TileState) -> TileState:
    """Program the tile; achieved conductances are those with ideal wires."""
    job, mask = state.job, state.mask.copy()
    for block, choice in zip(state.blocks, state.choices, strict=True):
        job.mapping.switch(mask, block, choice)
    blocks = tuple(map(ProgrammedBlock, state.blocks, state.scales, job.weights))
    tile = ProgrammedTile(job.index, blocks, pack(mask), job.chip, job.mapping)
    return state.having(tile=tile, achieved=_achieved(state, tile))


def _achieved(state: TileState, tile: ProgrammedTile) -> tuple[Floats, ...]:
    options = state.job.options  # the banks may not be the chip's own
    if options.programming == "nominal" or options.whole_life is not None:
        return tuple(tile.difference("ideal"))
    return tuple(
        bank.offset + np.where(choice, bank.element, 0.0).sum(axis=-1)
        for bank, choice in zip(state.banks, state.choices, strict=True)
    )


PASS = Pass(
    "close_switches",
    run,
    needs=("blocks", "mask", "banks", "scales", "choices"),
    makes=("tile", "achieved"),
    applies=lambda job: job.tuned is None,
)
