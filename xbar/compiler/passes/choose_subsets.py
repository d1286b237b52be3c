"""Choose, for each weight, which resistors are switched in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.mapping import Floats, SignedBank
from xbar.subset.solver import solve_subset


def choose_subsets(bank: SignedBank, target: Floats) -> NDArray[np.bool_]:
    """The choice (..., E) whose sum comes closest to each target (...) in siemens."""
    solution = solve_subset(bank.element, target - bank.offset)
    # a stuck resistor adds nothing when commanded: leave its switch open
    choice: NDArray[np.bool_] = solution.mask & (bank.element != 0.0)
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
