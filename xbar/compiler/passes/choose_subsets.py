"""Choose, for each weight, which resistors are switched in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.mapping import Floats, SignedBank
from xbar.subset.solver import solve_subset


def choose_subsets(bank: SignedBank, target: Floats, read_noise: float = 0.0) -> NDArray[np.bool_]:
    """The choice (..., E) whose sum comes closest to each target (...) in siemens.

    With read noise no resistor is switched in where that leaves less error, noise included.

    Args:
        bank: of each weight.
        target: siemens.
        read_noise: relative standard deviation of each resistor that is switched in.
    """
    goal = target - bank.offset
    solution = solve_subset(bank.element, goal)
    # a stuck resistor adds nothing when commanded: leave its switch open
    choice: NDArray[np.bool_] = solution.mask & (bank.element != 0.0)
    if read_noise > 0.0:
        noise = read_noise**2 * np.where(choice, bank.element**2, 0.0).sum(axis=-1)
        choice[goal**2 <= solution.residual**2 + noise] = False
    return choice


def choose_codes(bank: SignedBank, target: Floats) -> NDArray[np.bool_]:
    """The choice (..., E) of elements of the target's sign alone: of a pair one half stays open."""
    goal = target - bank.offset
    return choose_on_one_side(bank.element, goal)


def choose_on_one_side(element: Floats, goal: Floats) -> NDArray[np.bool_]:
    """The elements (..., E) of each goal's sign whose sum comes closest to it (...)."""
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
