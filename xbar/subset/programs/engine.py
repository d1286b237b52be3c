"""Constrained subset sums as integer programs: common base of CP-SAT and the MILP solvers.

The program minimises d over subsets S with sum over S of g_i - t <= d and t - sum over S of
g_i <= d, where t is the target or, if that is outside the bank's range, the nearest limit.
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
        bank: (K,) finite elements.
        target: target in the bank's unit.
        constraints: validated constraints.
        tolerance: sufficient |residual|, which ends the search.
        hint: (K,) initial subset, or None.
    """

    bank: NDArray[np.float64]
    target: float
    constraints: Constraints
    tolerance: float
    hint: NDArray[np.bool_] | None

    @property
    def span(self) -> float:
        """Sum of absolute values."""
        return float(np.abs(self.bank).sum())

    @property
    def clamped(self) -> float:
        """The target, clipped to the bank's range."""
        low = float(np.minimum(self.bank, 0.0).sum())
        return min(max(self.target, low), float(np.maximum(self.bank, 0.0).sum()))

    @property
    def outside(self) -> float:
        """Distance of the target from the bank's range."""
        return abs(self.target - self.clamped)


@dataclass(frozen=True, eq=False)
class Found:
    """Result of a search.

    Attributes:
        mask: (K,) best subset found, or None.
        proven: whether it is proved optimal up to float64 rounding; without a mask, whether the
            problem is proved infeasible.
        bound: lower bound on the distance of any feasible subset, in the bank's unit.
    """

    mask: NDArray[np.bool_] | None
    proven: bool
    bound: float


@dataclass(frozen=True)
class Engine(ABC):
    """A solver of such programs.

    Attributes:
        title: name in messages.
        seconds: time limit of each search.
        seed: seed of the solver's random choices.
    """

    title: ClassVar[str]

    seconds: float
    seed: int

    @abstractmethod
    def search(self, problem: ConstrainedProblem) -> Found:
        """The closest feasible subset, to the engine's accuracy.

        Raises:
            SolverError: the engine ended in an unexpected state.
        """
