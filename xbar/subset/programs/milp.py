"""Subset sums where side constraints rule, by OR-Tools: CP-SAT, HiGHS or SCIP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.subset.methods.base import Method, PreparedBanks, check_time_limit
from xbar.subset.problem import AS_ASKED, Batch, SubsetSolution, check_bank, pair
from xbar.subset.programs.constraints import Constraints
from xbar.subset.programs.engine import ConstrainedProblem, Engine, Found
from xbar.subset.variants.common import optimal, reach_of, reachable, sums_of

ENGINES = ("cp-sat", "highs", "scip")

_EPSILON = float(np.finfo(np.float64).eps)
_HINTED = 32  # longest bank whose unconstrained optimum is looked up as a start
_FREE = Constraints()


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ConstrainedSolution(SubsetSolution):
    """Subsets that satisfy constraints.

    The status may also be "infeasible": no subset satisfies the constraints for a problem of the
    batch; or "nothing found": the time limit came first. Masks are empty there. reachable heeds
    what is stuck, but no other constraint.

    Attributes:
        feasible: (...) bool, whether mask satisfies the constraints.
    """

    feasible: NDArray[np.bool_] | np.bool_


@dataclass(frozen=True)
class Milp(Method):
    """Constrained subset sums as integer programs.

    "cp-sat" proves optima up to float64's rounding; K to about 30 in seconds if nothing else
    helps, and far more elements with a tolerance. "highs" and "scip" resolve about 20 bits and
    never claim an optimum: see `xbar.subset.programs.mip`. For unconstrained banks
    meet-in-the-middle is 10,000 times faster.

    Attributes:
        engine: "cp-sat", "highs" or "scip".
        time_limit: seconds for each search; of two, with CP-SAT.
        hint: start from the unconstrained optimum, where that is quickly known.
        seed: of the engine.
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
        """Checks a bank (..., K).

        Raises:
            SpecError: it is empty, too long, not of real numbers or not finite.
        """
        return PreparedMilp(check_bank(bank, self.max_elements, self.name), self)

    def within(self, time_limit: float) -> Milp:
        """The same with that limit.

        Raises:
            SpecError: the limit is not finite and positive.
        """
        return replace(self, time_limit=time_limit)

    def solve_batch(self, batch: Batch, tolerance: float) -> ConstrainedSolution:
        """The closest subset of each, with no constraints."""
        return self.solve_constrained(batch, tolerance, _FREE)

    def solve_constrained(
        self, batch: Batch, tolerance: float, constraints: Constraints
    ) -> ConstrainedSolution:
        """The closest subset of each that the constraints, which were checked, allow."""
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
    """Banks that were checked.

    Attributes:
        banks: R of them.
        method: how to solve.
    """

    method: Milp

    def solve(
        self, targets: ArrayLike, tolerance: float = 0.0, constraints: Constraints = _FREE
    ) -> ConstrainedSolution:
        """The closest subsets that the constraints allow, for targets (...).

        Raises:
            SpecError: targets are not finite or do not broadcast, the tolerance is negative, or
                the constraints do not fit the bank.
            SolverError: an engine ended in an unforeseen state.
        """
        constraints.check(self.banks.elements.shape[1])
        batch = pair(self.banks, targets, tolerance, self.method.name)
        return self.method.solve_constrained(batch, tolerance, constraints)


def solve_constrained(
    bank: ArrayLike,
    target: ArrayLike,
    constraints: Constraints,
    tolerance: float = 0.0,
    solver: Milp | None = None,
) -> ConstrainedSolution:
    """Chooses the elements that come closest to a target among the subsets that are allowed.

    Args:
        bank: (..., K) siemens, or any signed numbers.
        target: (...) in the bank's unit, broadcast against the bank's leading axes.
        constraints: sizes, groups, a budget, stuck elements; the same for every problem.
        tolerance: a |residual| that is good enough and ends the search.
        solver: engine, time limit and the like; None for CP-SAT with 30 s.

    Returns:
        The solution and where it is feasible.

    Raises:
        SpecError: as `xbar.subset.solve_subset`; or the constraints do not fit the bank.
        SolverError: an engine ended in an unforeseen state.

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
    # nothing comes closer than the bound, nor can a sum without residual be improved
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
