"""Write tunable cells instead of closing switches: a rival of subsets, see ``tuned.py``."""

from __future__ import annotations

from xbar.compiler.passes.base import Pass, TileState
from xbar.compiler.passes.set_scales import scales_of
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile, pack


def run(state: TileState) -> TileState:
    """Write the tile's cells; achieved conductances are those with ideal wires."""
    job, tuned = state.job, state.job.tuned
    assert tuned is not None  # the pass applies to no other job
    scales = scales_of(job, state.blocks, [tuned] * len(state.blocks))
    blocks = tuple(map(ProgrammedBlock, state.blocks, scales, job.weights))
    targets = ((placed.block, placed.target) for placed in blocks)
    _, mask = tuned.branch(job.chip, job.index, targets)
    tile = ProgrammedTile(job.index, blocks, pack(mask), job.chip, job.mapping, tuned=tuned)
    return state.having(
        reach=tuple(tuned.reach_of(block.shape) for block in state.blocks),
        scales=scales,
        tile=tile,
        achieved=tuple(tile.difference("ideal")),
    )


PASS = Pass(
    "tune_cells",
    run,
    needs=("blocks",),
    makes=("reach", "scales", "tile", "achieved"),
    applies=lambda job: job.tuned is not None,
)
