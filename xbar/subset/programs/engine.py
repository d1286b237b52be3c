"""Constrained subset sums as integer programs: what CP-SAT and the MILP solvers have in common.

The program minimises d over subsets S with sum over S of g_i - t <= d and t - sum over S of
g_i <= d, where t is the target or, if that is out of the bank's reach, the nearest end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xbar.subset.programs.constraints import Constraints


@dataclass(frozen=True, eq=False)
class ConstrainedProblem:
    """One problem.

    Attributes:
        bank: (K,) finite.
        target: in the bank's unit.
        constraints: checked.
        tolerance: a |residual| that ends the search.
        hint: (K,) a subset to begin with, or None.
    """

    bank: NDArray[np.float64]
    target: float
    constraints: Constraints
    tolerance: float
    hint: NDArray[np.bool_] | None

    @property
    def span(self) -> float:
        """The sum of absolute values."""
        return float(np.abs(self.bank).sum())

    @property
    def clamped(self) -> float:
        """The target, or the nearest end of what the bank reaches."""
        low = float(np.minimum(self.bank, 0.0).sum())
        return min(max(self.target, low), float(np.maximum(self.bank, 0.0).sum()))

    @property
    def outside(self) -> float:
        """How far the target is out of reach."""
        return abs(self.target - self.clamped)


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found out about one problem.

    Attributes:
        mask: (K,) the best subset that was found, or None.
        proven: it is optimal up to float64's rounding; without a mask, that there is none.
        bound: no subset allowed is closer, in the bank's unit.
    """

    mask: NDArray[np.bool_] | None
    proven: bool
    bound: float


@dataclass(frozen=True)
class Engine(ABC):
    """A solver of such programs.

    Attributes:
        title: its name in messages to users.
        seconds: time limit of each search.
        seed: of its random choices.
    """

    title: ClassVar[str]

    seconds: float
    seed: int

    @abstractmethod
    def search(self, problem: ConstrainedProblem) -> Found:
        """The closest subset that the constraints allow, as far as the engine can tell.

        Raises:
            SolverError: the engine ended in an unforeseen state.
        """
