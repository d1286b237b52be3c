"""Subset sums with side constraints, by OR-Tools: CP-SAT, HiGHS or SCIP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.subset.methods.base import Method, PreparedBanks, check_time_limit
from xbar.subset.problem import AS_ASKED, Batch, SubsetSolution, broadcast, check_bank
from xbar.subset.programs.constraints import Constraints
from xbar.subset.programs.engine import ConstrainedProblem, Engine, Found
from xbar.subset.variants.common import optimal, reach_of, reachable, sums_of

ENGINES = ("cp-sat", "highs", "scip")

_EPSILON = float(np.finfo(np.float64).eps)
_HINTED = 32  # largest bank whose unconstrained optimum is used as a hint
_FREE = Constraints()


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ConstrainedSolution(SubsetSolution):
    """Subsets that satisfy constraints.

    The status may also be "infeasible", if no subset satisfies the constraints for a problem of
    the batch, or "nothing found", if the time limit came first. Masks are then empty. reachable
    takes stuck elements into account, but no other constraint.

    Attributes:
        feasible: (...) bool, True where mask satisfies the constraints.
    """

    feasible: NDArray[np.bool_] | np.bool_


@dataclass(frozen=True)
class Milp(Method):
    """Constrained subset sums as integer programs.

    "cp-sat" proves optimality up to float64 rounding, for K up to about 30 in seconds, and far more
    elements with a tolerance. "highs" and "scip" resolve about 20 bits and never claim optimality:
    see `xbar.subset.programs.mip`. For unconstrained banks meet-in-the-middle is 10,000 times
    faster.

    Attributes:
        engine: "cp-sat", "highs" or "scip".
        time_limit: seconds per search; CP-SAT makes two.
        hint: whether to start from the unconstrained optimum where that is fast to compute.
        seed: seed of the engine.
    """

    name: ClassVar[str] = "milp"
    max_elements: ClassVar[int] = 4096

    engine: str = "cp-sat"
    time_limit: float = 30.0
    hint: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise SpecError(f"engine must be one of {', '.join(ENGINES)}, not {self.engine!r}")
        check_time_limit(self.time_limit)

    def prepare(self, bank: ArrayLike) -> PreparedMilp:
        """Validate a bank (..., K).

        Raises:
            SpecError: it is empty, too large, not real or not finite.
        """
        return PreparedMilp(check_bank(bank, self.max_elements, self.name), self)

    def within(self, time_limit: float) -> Milp:
        """The same method with a time limit.

        Raises:
            SpecError: the limit is not finite and positive.
        """
        return replace(self, time_limit=time_limit)

    def solve_batch(self, batch: Batch, tolerance: float) -> ConstrainedSolution:
        """The closest subset of each problem, without constraints."""
        return self.solve_constrained(batch, tolerance, _FREE)

    def solve_constrained(
        self, batch: Batch, tolerance: float, constraints: Constraints
    ) -> ConstrainedSolution:
        """The closest feasible subset of each problem, for validated constraints."""
        engine = self._engine()
        found = []
        for r, t in zip(batch.row, batch.target.tolist(), strict=True):
            bank = batch.bank[r]
            hint = _unconstrained(bank, t) if self.hint and len(bank) <= _HINTED else None
            found.append(engine.search(ConstrainedProblem(bank, t, constraints, tolerance, hint)))
        return _solution(batch, found, tolerance, constraints, engine)

    def _engine(self) -> Engine:
        from xbar.subset.programs import cp_sat, mip

        engines: dict[str, Callable[[float, int], Engine]] = {
            "cp-sat": cp_sat.CpSat,
            "highs": mip.Highs,
            "scip": mip.Scip,
        }
        return engines[self.engine](self.time_limit, self.seed)


@dataclass(frozen=True, eq=False, repr=False)
class PreparedMilp(PreparedBanks):
    """Validated banks.

    Attributes:
        banks: R banks.
        method: solver settings.
    """

    method: Milp

    def solve(
        self, targets: ArrayLike, tolerance: float = 0.0, constraints: Constraints = _FREE
    ) -> ConstrainedSolution:
        """The closest feasible subsets for targets (...).

        Raises:
            SpecError: targets are not finite or do not broadcast, the tolerance is negative, or
                the constraints do not fit the bank.
            SolverError: an engine ended in an unexpected state.
        """
        constraints.check(self.banks.elements.shape[1])
        batch = broadcast(self.banks, targets, tolerance, self.method.name)
        return self.method.solve_constrained(batch, tolerance, constraints)


def solve_constrained(
    bank: ArrayLike,
    target: ArrayLike,
    constraints: Constraints,
    tolerance: float = 0.0,
    solver: Milp | None = None,
) -> ConstrainedSolution:
    """Choose the feasible subset closest to a target.

    Args:
        bank: elements (..., K) in siemens, or any signed numbers.
        target: targets (...) in the bank's unit, broadcast against the bank's leading axes.
        constraints: sizes, groups, a budget, stuck elements; the same for every problem.
        tolerance: sufficient |residual|, which ends the search.
        solver: solver settings; None for CP-SAT with a time limit of 30 s.

    Returns:
        The solution, with a flag where it is feasible.

    Raises:
        SpecError: as for `xbar.subset.solve_subset`; or the constraints do not fit the bank.
        SolverError: an engine ended in an unexpected state.

    >>> one_of_each = Constraints(exactly_one=[(0, 1, 2), (3, 4)])
    >>> solution = solve_constrained([4.0, 2.0, 1.0, 0.5, 0.25], 4.0, one_of_each)
    >>> solution.mask.astype(int), solution.status
    (array([1, 0, 0, 0, 1]), 'optimal')
    """
    return (solver or Milp()).prepare(bank).solve(target, tolerance, constraints)


def _unconstrained(bank: NDArray[np.float64], target: float) -> NDArray[np.bool_]:
    from xbar.subset.methods.meet_in_the_middle import MeetInTheMiddle

    return MeetInTheMiddle(threads=1).prepare(bank).solve(target).mask


def _solution(
    batch: Batch,
    found: list[Found],
    tolerance: float,
    constraints: Constraints,
    engine: Engine,
) -> ConstrainedSolution:
    elements = batch.bank.shape[1]
    empty = np.zeros(elements, np.bool_)
    masks = [empty if one.mask is None else one.mask for one in found]
    mask = np.array(masks, np.bool_).reshape(len(found), elements)
    achieved = sums_of(batch.bank[batch.row], mask)
    feasible = np.array([one.mask is not None for one in found], np.bool_)
    stuck = np.broadcast_to(constraints.fixed(elements), batch.bank.shape)
    reached = reachable(batch, *reach_of(batch.bank, stuck))
    exact = optimal(batch, mask, achieved, f"{AS_ASKED}, by {engine.title}", reached)
    distance, tight = np.abs(np.ravel(exact.residual)), np.ravel(exact.bound)
    rounding = distance - tight
    bound = np.array([one.bound for one in found], np.float64) - rounding
    proven = np.array([one.proven for one in found], np.bool_)
    # no subset beats the bound, and an exact sum can't be improved
    proven |= feasible & (distance <= np.maximum(bound, 0.0) + rounding)
    bound = np.where(proven & feasible, tight, np.maximum(bound, 0.0))
    return ConstrainedSolution(
        mask=exact.mask,
        achieved=exact.achieved,
        residual=exact.residual,
        status=_status(feasible, proven, distance <= tolerance),
        bound=bound.reshape(batch.shape)[()],
        method=Milp.name,
        reason=exact.reason,
        reachable=exact.reachable,
        feasible=feasible.reshape(batch.shape)[()],
    )


def _status(feasible: NDArray[np.bool_], proven: NDArray[np.bool_], near: NDArray[np.bool_]) -> str:
    if (~feasible & proven).any():
        return "infeasible"
    if not feasible.all():
        return "nothing found"
    if proven.all():
        return "optimal"
    return "within tolerance" if (proven | near).all() else "best found"
