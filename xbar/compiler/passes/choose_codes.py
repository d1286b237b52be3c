"""Choose codes of the nominal values, without measurement: a rival of subsets."""

from __future__ import annotations

from xbar.arrays import Bools, Floats
from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.choose_subsets import choose_on_one_side, chosen_for_tile


def choose_codes(bank: SignedBank, target: Floats) -> Bools:
    """The choice (..., E) of elements with the target's sign: one half of a pair stays open."""
    return choose_on_one_side(bank.element, target - bank.offset)


def run(state: TileState) -> TileState:
    """Choose the nominal subset of one cell closest to each target."""
    return chosen_for_tile(state, choose_codes)


def _applies(job: TileJob) -> bool:
    return job.kept is None and job.options.programming == "nominal"


PASS = Pass("choose_codes", run, ("blocks", "banks", "scales"), ("choices",), _applies)
