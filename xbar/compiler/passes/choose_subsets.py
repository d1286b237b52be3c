"""Choose, for each weight, which resistors are switched in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.mapping import Floats, SignedBank
from xbar.subset.solver import solve_subset


def choose_subsets(bank: SignedBank, target: Floats) -> NDArray[np.bool_]:
    """The choice (W, C, 2K) whose sum comes closest to each target (W, C) in siemens."""
    solution = solve_subset(bank.element, target - bank.offset)
    # a stuck resistor adds nothing when commanded: leave its switch open
    choice: NDArray[np.bool_] = solution.mask & (bank.element != 0.0)
    return choice
