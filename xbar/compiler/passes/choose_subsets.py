"""Choose the resistors of each weight that are switched in.

Without noise: the closest subset sum. With read noise: the subset of least expected squared error,
bias² + variance (``xbar.effects.expected``), exact for banks of up to EXACT elements (20 resistors
per cell of a differential pair). Longer noisy banks use the best of three heuristics, see
``_best_of_three``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np

from xbar.arrays import Bools, Floats
from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.base import Pass, TileState
from xbar.effects.expected import ExpectedError, expected_error
from xbar.subset.solver import solve_subset
from xbar.subset.variants.common import MAX_ELEMENTS
from xbar.subset.variants.robust import quietest_subsets

EXACT = MAX_ELEMENTS
"""Maximum number of elements for an exact choice on a noisy chip."""

_NO_ERROR = ExpectedError()


def choose_subsets(bank: SignedBank, target: Floats, error: ExpectedError = _NO_ERROR) -> Bools:
    """The choice (..., E) of least expected error for each target (...) in siemens.

    Args:
        bank: bank of each weight.
        target: target conductances (...), siemens.
        error: error to minimise. The offset's own noise is the same for every choice.
    """
    return choose_least_error(bank.element, target - error.gain * bank.offset, error)


def choose_least_error(
    element: Floats, goal: Floats, error: ExpectedError, device: str = "cpu"
) -> Bools:
    """The elements (..., E) whose reading has the least expected squared error from a goal (...).

    The minimum over all subsets up to EXACT elements, and for any number without noise.

    Args:
        element: conductances, siemens; those that are 0 (stuck or missing) stay open.
        goal: target of the sum, siemens.
        error: error to minimise.
        device: where closest subsets are chosen, without noise.
    """
    if error.noise > 0.0:
        if element.shape[-1] <= EXACT:
            return quietest_subsets(element, goal, error.noise, error.gain)
        return _best_of_three(element, goal, error)
    # the switch of a stuck resistor has no effect: leave it open
    found = solve_subset(error.gain * element, goal, device=device)
    choice: Bools = found.mask & (element != 0.0)
    return choice


def _best_of_three(element: Floats, goal: Floats, error: ExpectedError) -> Bools:
    """Heuristic for banks too long for the exact choice.

    The least expected error of three choices: the closest subset, which may have many noisy
    elements; the closest subset of elements with the goal's sign, so that one half of a pair stays
    open; and the empty subset.
    """
    read = error.gain * element
    found = [
        solve_subset(read, goal).mask & (element != 0.0),
        choose_on_one_side(read, goal),
        np.zeros(element.shape, np.bool_),
    ]
    chosen = [np.where(choice, element, 0.0) for choice in found]
    costs = [error.of(c.sum(axis=-1), goal, (c**2).sum(axis=-1)) for c in chosen]
    best = np.argmin(costs[::-1], axis=0)[..., None]  # the fewest elements among equals
    choice: Bools = np.choose(best, found[::-1])
    return choice


def choose_on_one_side(element: Floats, goal: Floats) -> Bools:
    """The elements (..., E) with each goal's sign whose sum is closest to it (...)."""
    k = element.shape[-1] // 2
    plus, minus, above = element[..., :k], element[..., k:], (goal > 0.0)[..., None]
    if k == element.shape[-1] - k and plus.min() >= 0.0 >= minus.max():  # a pair's two halves
        half = np.where(above, plus, minus)
        chosen = solve_subset(half, goal).mask & (half != 0.0)
        return np.concatenate([chosen & above, chosen & ~above], axis=-1)
    usable = np.where(element * np.sign(goal)[..., None] > 0.0, element, 0.0)
    choice: Bools = solve_subset(usable, goal).mask & (usable != 0.0)
    return choice


def joined(banks: Sequence[SignedBank]) -> SignedBank:
    """The banks of all blocks of a tile, concatenated: element (M, E), offset (M,)."""
    if len(banks) == 1:
        element = banks[0].element
        return SignedBank(element.reshape(-1, element.shape[-1]), banks[0].offset.reshape(-1))
    return SignedBank(
        np.concatenate([bank.element.reshape(-1, bank.element.shape[-1]) for bank in banks]),
        joined_values([bank.offset for bank in banks]),
    )


def joined_values(values: Sequence[Floats]) -> Floats:
    """Values (R, C) of all blocks of a tile, concatenated to (M,)."""
    return np.concatenate([value.ravel() for value in values])


def problems_of(state: TileState, error: ExpectedError) -> tuple[Floats, Floats]:
    """The problems of a tile: elements (M, E) of its banks, and goals (M,) of their sums."""
    bank = joined(state.banks)
    return bank.element, joined_targets(state) - error.gain * bank.offset


def joined_targets(state: TileState) -> Floats:
    """The targets (R, C) of all blocks of a tile, concatenated to (M,), in siemens."""
    return joined_values([w * s for w, s in zip(state.job.weights, state.scales, strict=True)])


def chosen_for_tile(state: TileState, choose: Callable[[SignedBank, Floats], Bools]) -> TileState:
    """The choices of all blocks of a tile, made together."""
    return with_choices(state, choose(joined(state.banks), joined_targets(state)))


def with_choices(state: TileState, choice: Bools) -> TileState:
    """A tile with the choices (M, E) of all its blocks."""
    ends = [*accumulate(math.prod(block.shape) for block in state.blocks)]
    choices = tuple(
        choice[end - math.prod(block.shape) : end].reshape(*block.shape, -1)
        for end, block in zip(ends, state.blocks, strict=True)
    )
    return state.having(choices=choices)


def run(state: TileState) -> TileState:
    """Choose the subset of least error of each weight's bank."""
    error = expected_error(state.job.chip.hardware)
    return chosen_for_tile(state, lambda bank, target: choose_subsets(bank, target, error))


PASS = Pass(
    "choose_subsets",
    run,
    needs=("blocks", "banks", "scales"),
    makes=("choices",),
    applies=lambda job: job.chooses and job.options.whole_life is None,
)
