"""Constrained subset sums by a mixed-integer program: HiGHS or SCIP through OR-Tools' MathOpt.

For banks too long for CP-SAT. These solvers work in float64 with tolerances of 1e-9 to 1e-6, on
integrality too: they resolve about 20 bits, and have claimed optima that were not. So a solution
is rounded to a mask and scored anew, and their bound is trusted up to 2**-18 of sum|g| only.
"""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SolverError
from xbar.subset.constraints import Constraints
from xbar.subset.cp_sat import Found

_RESOLUTION = 2.0**-18


def search(
    bank: NDArray[np.float64],
    target: float,
    constraints: Constraints,
    engine: str,
    hint: NDArray[np.bool_] | None,
    limits: tuple[float, int],
) -> Found:
    """A close subset of a bank (K,) that the constraints allow; never claims an optimum.

    Args:
        bank: (K,) finite.
        target: in the bank's unit.
        constraints: checked.
        engine: "highs" or "scip".
        hint: a subset to begin with; only SCIP does.
        limits: seconds, and the seed.

    Raises:
        SolverError: the engine ended in an unforeseen state.
    """
    from ortools.math_opt.python import mathopt

    unit = float(np.abs(bank).sum()) or 1.0
    low, high = float(np.minimum(bank, 0).sum()), float(np.maximum(bank, 0).sum())
    clamped = min(max(target, low), high)
    model = mathopt.Model()
    chosen = [model.add_binary_variable() for _ in bank]
    distance = model.add_variable(lb=0.0, ub=2.0)
    total = mathopt.fast_sum(float(g) * one for g, one in zip(bank / unit, chosen, strict=True))
    model.add_linear_constraint(total - clamped / unit <= distance)
    model.add_linear_constraint(clamped / unit - total <= distance)
    _constrain(model, chosen, constraints)
    model.minimize(distance)
    if engine == "highs" or (hint is not None and not constraints.met_by(hint)):
        hint = None  # from some hints HiGHS does not recover
    result = _run(model, engine, limits, _start(chosen, hint))
    reason = result.termination.reason
    if reason == mathopt.TerminationReason.INFEASIBLE:
        return Found(None, True, math.inf)
    outside = abs(target - clamped)
    nearest = max(result.termination.objective_bounds.dual_bound - _RESOLUTION, 0.0)
    bound = outside + nearest * unit
    if result.has_primal_feasible_solution():
        mask = np.array(result.variable_values(chosen)) > 0.5
        return Found(mask if constraints.met_by(mask) else None, False, bound)
    if reason != mathopt.TerminationReason.NO_SOLUTION_FOUND:
        raise SolverError(f"{engine} ended with {reason.name}: {result.termination.detail}")
    return Found(None, False, bound)


def _run(model: Any, engine: str, limits: tuple[float, int], start: Any) -> Any:
    from ortools.math_opt.python import mathopt

    types = {"highs": mathopt.SolverType.HIGHS, "scip": mathopt.SolverType.GSCIP}
    parameters = mathopt.SolveParameters(
        time_limit=datetime.timedelta(seconds=limits[0]), random_seed=limits[1]
    )
    try:
        return mathopt.solve(model, types[engine], params=parameters, model_params=start)
    except (AttributeError, RuntimeError, ValueError) as error:
        # AttributeError: OR-Tools 9.15 stumbles over the error that it means to report
        raise SolverError(f"{engine} failed: {error}; take engine='cp-sat'") from error


def _constrain(model: Any, chosen: list[Any], constraints: Constraints) -> None:
    from ortools.math_opt.python import mathopt

    size = mathopt.fast_sum(chosen)
    if constraints.at_least > 0:
        model.add_linear_constraint(size >= float(constraints.at_least))
    if constraints.at_most is not None:
        model.add_linear_constraint(size <= float(constraints.at_most))
    for group in constraints.exclusive:
        model.add_linear_constraint(mathopt.fast_sum(chosen[e] for e in group) <= 1.0)
    for group in constraints.exactly_one:
        model.add_linear_constraint(mathopt.fast_sum(chosen[e] for e in group) == 1.0)
    if constraints.cost is not None and constraints.budget is not None:
        scale = sum(constraints.cost) or 1.0
        terms = (c / scale * one for c, one in zip(constraints.cost, chosen, strict=True))
        model.add_linear_constraint(mathopt.fast_sum(terms) <= constraints.budget / scale)
    for one, state in zip(chosen, constraints.fixed(len(chosen)), strict=True):
        if state != 0:
            model.add_linear_constraint(one == float(state > 0))


def _start(chosen: list[Any], hint: NDArray[np.bool_] | None) -> Any:
    from ortools.math_opt.python import mathopt

    if hint is None:
        return mathopt.ModelSolveParameters()
    values = dict(zip(chosen, hint.astype(float).tolist(), strict=True))
    return mathopt.ModelSolveParameters(
        solution_hints=[mathopt.SolutionHint(variable_values=values)]
    )
