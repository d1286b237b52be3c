"""Choose codes of the nominal values, without measurement: a rival of subsets."""

from __future__ import annotations

from functools import partial

from xbar.arrays import Bools, Floats
from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.choose_subsets import choose_on_one_side, chosen_for_tile
from xbar.effects.expected import expected_error


def choose_codes(bank: SignedBank, target: Floats, gain: float = 1.0) -> Bools:
    """The choice (..., E) of elements with the target's sign: one half of a pair stays open.

    Args:
        bank: bank of each weight.
        target: reading (...) in siemens.
        gain: mean reading over conductance.
    """
    return choose_on_one_side(gain * bank.element, target - gain * bank.offset)


def run(state: TileState) -> TileState:
    """Choose the nominal subset of one cell closest to each target."""
    gain = expected_error(state.job.chip.hardware).gain
    return chosen_for_tile(state, partial(choose_codes, gain=gain))


def _applies(job: TileJob) -> bool:
    return job.kept is None and job.options.programming == "nominal"


PASS = Pass("choose_codes", run, ("blocks", "banks", "scales"), ("choices",), _applies)
