"""Choose, for each weight, which resistors are switched in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.base import Pass, TileState
from xbar.subset.solver import solve_subset


def choose_subsets(bank: SignedBank, target: Floats, read_noise: float = 0.0) -> NDArray[np.bool_]:
    """The choice (..., E) of least error for each target (...) in siemens.

    Args:
        bank: of each weight.
        target: siemens.
        read_noise: relative standard deviation of each resistor that is switched in; it counts
            as error, see ``choose_quiet``.
    """
    goal = target - bank.offset
    if read_noise > 0.0:
        return choose_quiet(bank.element, goal, read_noise)
    # a stuck resistor adds nothing when commanded: leave its switch open
    choice: NDArray[np.bool_] = solve_subset(bank.element, goal).mask & (bank.element != 0.0)
    return choice


def choose_quiet(element: Floats, goal: Floats, read_noise: float) -> NDArray[np.bool_]:
    """The elements (..., E) whose sum leaves the least mean square error beside a goal (...).

    Of three: those that come closest, which may be many and noisy; the closest of those of the
    goal's sign alone, so that one half of a pair stays open; and none.

    Args:
        element: siemens.
        goal: siemens.
        read_noise: relative standard deviation of each element that is chosen.
    """
    choice: NDArray[np.bool_] = solve_subset(element, goal).mask & (element != 0.0)
    for other in (choose_on_one_side(element, goal), np.zeros_like(choice)):
        better = _power(element, other, goal, read_noise) <= _power(
            element, choice, goal, read_noise
        )
        choice[better] = other[better]
    return choice


def _power(element: Floats, choice: NDArray[np.bool_], goal: Floats, read_noise: float) -> Floats:
    """(...) siemens²: the mean square error of a choice."""
    chosen = np.where(choice, element, 0.0)
    miss: Floats = chosen.sum(axis=-1) - goal
    noise: Floats = (chosen**2).sum(axis=-1)
    return miss**2 + read_noise**2 * noise


def choose_codes(bank: SignedBank, target: Floats) -> NDArray[np.bool_]:
    """The choice (..., E) of elements of the target's sign alone: of a pair one half stays open."""
    goal = target - bank.offset
    return choose_on_one_side(bank.element, goal)


def choose_on_one_side(element: Floats, goal: Floats) -> NDArray[np.bool_]:
    """The elements (..., E) of each goal's sign whose sum comes closest to it (...)."""
    k = element.shape[-1] // 2
    plus, minus, above = element[..., :k], element[..., k:], (goal > 0.0)[..., None]
    if k == element.shape[-1] - k and plus.min() >= 0.0 >= minus.max():  # a pair's two halves
        half = np.where(above, plus, minus)
        chosen = solve_subset(half, goal).mask & (half != 0.0)
        return np.concatenate([chosen & above, chosen & ~above], axis=-1)
    usable = np.where(element * np.sign(goal)[..., None] > 0.0, element, 0.0)
    choice: NDArray[np.bool_] = solve_subset(usable, goal).mask & (usable != 0.0)
    return choice


def joined(banks: Sequence[SignedBank]) -> SignedBank:
    """The banks of all blocks of a tile in one list: element (M, E), offset (M,)."""
    return SignedBank(
        np.concatenate([bank.element.reshape(-1, bank.element.shape[-1]) for bank in banks]),
        joined_values([bank.offset for bank in banks]),
    )


def joined_values(values: Sequence[Floats]) -> Floats:
    """Values (R, C) of all blocks of a tile in one list (M,)."""
    return np.concatenate([value.ravel() for value in values])


def chosen_for_tile(
    state: TileState, choose: Callable[[SignedBank, Floats], NDArray[np.bool_]]
) -> TileState:
    """The choices of all blocks of a tile, made together."""
    targets = [w * s for w, s in zip(state.job.weights, state.scales, strict=True)]
    choice = choose(joined(state.banks), joined_values(targets))
    ends = np.cumsum([np.prod(block.shape) for block in state.blocks])[:-1]
    choices = tuple(
        part.reshape(*block.shape, -1)
        for part, block in zip(np.split(choice, ends), state.blocks, strict=True)
    )
    return replace(state, choices=choices)


def run(state: TileState) -> TileState:
    """The subset of least error of each weight's bank."""
    noise = state.job.chip.hardware.variation.read_noise
    return chosen_for_tile(state, lambda bank, target: choose_subsets(bank, target, noise))


PASS = Pass(
    "choose_subsets",
    run,
    needs=("blocks", "banks", "scales"),
    makes=("choices",),
    applies=lambda job: job.chooses,
)
