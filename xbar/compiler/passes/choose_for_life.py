"""Choose the resistors of each weight once, for all points of the chip's life.

Exact for banks of up to EXACT elements, by ``choose_for_several``; of longer ones a heuristic, of
which ``compiler/life_record.py`` tells a lower bound.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.passes.base import Pass, TileState
from xbar.compiler.passes.follow_life import follows
from xbar.compiler.whole_life import LifeBank
from xbar.effects.expected import expected_error
from xbar.subset.variants.several import ForSeveral, Over, choose_for_several


def choose_for_life(bank: LifeBank, target: Floats, over: Over, gain: float = 1.0) -> ForSeveral:
    """The choice of least expected error over the points.

    Args:
        bank: bank of each weight, flat.
        target: (M,) readings in siemens.
        over: which error counts.
        gain: mean reading over conductance.
    """
    element, goal, variance = problems_for_life(bank, target, gain)
    return choose_for_several(element, goal, variance, over)


def problems_for_life(bank: LifeBank, target: Floats, gain: float) -> tuple[Floats, Floats, Floats]:
    """Elements (M, D, E), goals (M, D) and variances (M, D, E) of readings; arguments as above."""
    element, variance = (np.swapaxes(each, 0, 1) for each in (bank.element, bank.variance))
    return gain * element, (target - gain * bank.offset).T, gain**2 * variance


def run(state: TileState) -> TileState:
    """Choose each weight's subset for the life."""
    job = state.job
    life, gain = job.options.whole_life, expected_error(state.job.chip.hardware).gain
    assert life is not None  # the pass applies to no other job
    choices = []
    for bank, weight, scale in zip(state.life, job.weights, state.scales, strict=True):
        found = choose_for_life(bank.flat(), (weight * scale).ravel(), life.over, gain)
        choices.append(found.mask.reshape(*weight.shape, -1))
    return state.having(choices=tuple(choices))


PASS = Pass(
    "choose_for_life",
    run,
    needs=("blocks", "life", "scales"),
    makes=("choices",),
    applies=follows,
)
