"""Constrained subset sums as a mixed-integer program: HiGHS or SCIP through OR-Tools' MathOpt.

For banks too large for CP-SAT. These solvers work in float64 with tolerances of 1e-9 to 1e-6, also
on integrality: they resolve about 20 bits, and have claimed wrong optima. So a solution is rounded
to a mask and re-evaluated, and their bound is trusted only to 2**-18 of sum|g|.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SolverError
from xbar.subset.programs.constraints import Constraints
from xbar.subset.programs.engine import ConstrainedProblem, Engine, Found

_RESOLUTION = 2.0**-18


@dataclass(frozen=True)
class MathOpt(Engine):
    """A solver behind OR-Tools' MathOpt; never claims optimality."""

    kind: ClassVar[str]
    takes_hints: ClassVar[bool]

    def search(self, problem: ConstrainedProblem) -> Found:
        """A close subset."""
        from ortools.math_opt.python import mathopt

        unit = problem.span or 1.0
        model = mathopt.Model()
        chosen = [model.add_binary_variable() for _ in problem.bank]
        distance = model.add_variable(lb=0.0, ub=2.0)
        total = _weighted(problem.bank / unit, chosen)
        model.add_linear_constraint(total - problem.clamped / unit <= distance)
        model.add_linear_constraint(problem.clamped / unit - total <= distance)
        _constrain(model, chosen, problem.constraints)
        model.minimize(distance)
        result = self._run(model, self._start(chosen, problem))
        reason = result.termination.reason
        if reason == mathopt.TerminationReason.INFEASIBLE:
            return Found(None, True, math.inf)
        nearest = max(result.termination.objective_bounds.dual_bound - _RESOLUTION, 0.0)
        bound = problem.outside + nearest * unit
        if result.has_primal_feasible_solution():
            mask = np.array(result.variable_values(chosen)) > 0.5
            return Found(mask if problem.constraints.met_by(mask) else None, False, bound)
        if reason != mathopt.TerminationReason.NO_SOLUTION_FOUND:
            why = f"{self.title} ended with {reason.name}: {result.termination.detail}"
            raise SolverError(why)
        return Found(None, False, bound)

    def _run(self, model: Any, start: Any) -> Any:
        from ortools.math_opt.python import mathopt

        parameters = mathopt.SolveParameters(
            time_limit=datetime.timedelta(seconds=self.seconds), random_seed=self.seed
        )
        kind = mathopt.SolverType[self.kind]
        try:
            return mathopt.solve(model, kind, params=parameters, model_params=start)
        except (AttributeError, RuntimeError, ValueError) as error:
            # AttributeError: a bug of OR-Tools 9.15 in reporting an error
            raise SolverError(f"{self.title} failed: {error}; take engine='cp-sat'") from error

    def _start(self, chosen: list[Any], problem: ConstrainedProblem) -> Any:
        from ortools.math_opt.python import mathopt

        hint = problem.hint
        if hint is None or not self.takes_hints or not problem.constraints.met_by(hint):
            return mathopt.ModelSolveParameters()
        values = dict(zip(chosen, hint.astype(float).tolist(), strict=True))
        return mathopt.ModelSolveParameters(
            solution_hints=[mathopt.SolutionHint(variable_values=values)]
        )


@dataclass(frozen=True)
class Highs(MathOpt):
    """HiGHS; it does not recover from some hints."""

    title: ClassVar[str] = "HiGHS"
    kind: ClassVar[str] = "HIGHS"
    takes_hints: ClassVar[bool] = False


@dataclass(frozen=True)
class Scip(MathOpt):
    """SCIP."""

    title: ClassVar[str] = "SCIP"
    kind: ClassVar[str] = "GSCIP"
    takes_hints: ClassVar[bool] = True


def _constrain(model: Any, chosen: list[Any], constraints: Constraints) -> None:
    from ortools.math_opt.python import mathopt

    for group, least, most in constraints.counts(len(chosen)):
        total = mathopt.fast_sum(chosen[e] for e in group)
        model.add_linear_constraint(expr=total, lb=float(least), ub=float(most))
    if constraints.cost is not None and constraints.budget is not None:
        scale = sum(constraints.cost) or 1.0
        spent = _weighted(np.asarray(constraints.cost) / scale, chosen)
        model.add_linear_constraint(spent <= constraints.budget / scale)


def _weighted(weights: NDArray[np.float64], chosen: list[Any]) -> Any:
    from ortools.math_opt.python import mathopt

    return mathopt.fast_sum(w * one for w, one in zip(weights.tolist(), chosen, strict=True))
