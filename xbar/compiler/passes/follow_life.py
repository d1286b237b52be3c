"""Form each weight's banks at all points of the chip's life, and their mean for the scales."""

from __future__ import annotations

from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.set_scales import expected_of
from xbar.subset.scaling import reach_of


def follows(job: TileJob) -> bool:
    """Whether a mask is chosen for several points."""
    return job.chooses and job.options.whole_life is not None


def run(state: TileState) -> TileState:
    """The banks by point; ``banks`` and ``reach`` become those of their mean."""
    job = state.job
    ahead = expected_of(job).ahead
    assert ahead is not None  # that of a life
    life = ahead.banks(job.index, job.mapping, state.blocks, state.mask)
    banks = tuple(bank.mean() for bank in life)
    reach = tuple(reach_of(bank.element, bank.offset) for bank in banks)
    return state.having(life=life, banks=banks, reach=reach)


PASS = Pass(
    "follow_life",
    run,
    needs=("blocks", "mask", "banks", "reach"),
    makes=("life", "banks", "reach"),
    applies=follows,
)
