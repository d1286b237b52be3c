"""Constrained subset sums by OR-Tools' CP-SAT on integers, proven in float64.

Elements are scaled by a power of two and rounded so that sum|g| is at most 2**45; larger integers
slow CP-SAT down or overflow. The error of a sum is then half a step per element and for the target,
so CP-SAT's optimum may not be the true one. But that lies within K + 1 steps of it: a second search
enumerates all subsets there, and the closest in float64 is the optimum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xbar.subset.programs.constraints import Constraints
from xbar.subset.programs.engine import ConstrainedProblem, Engine, Found

_BITS = 45
_COST_BITS = 40
_LISTED = 2000  # maximum number of subsets enumerated by the second search


@dataclass(frozen=True, eq=False)
class Scaled:
    """One problem as integers.

    Attributes:
        values: (K,) signed elements.
        goal: target, or the nearest limit of the range.
        step: exponent of the step size, a power of two.
    """

    values: NDArray[np.int64]
    goal: int
    step: int


def scaled(problem: ConstrainedProblem) -> Scaled:
    """Convert a problem to integers."""
    step = int(np.frexp(problem.span)[1]) - _BITS
    values = np.rint(np.ldexp(problem.bank, -step)).astype(np.int64)
    return Scaled(values, round(math.ldexp(problem.clamped, -step)), step)


@dataclass(frozen=True)
class CpSat(Engine):
    """CP-SAT with one worker; proves optimality."""

    title: ClassVar[str] = "CP-SAT"

    def search(self, problem: ConstrainedProblem) -> Found:
        """The closest subset, by two searches."""
        from ortools.sat.python import cp_model

        whole = scaled(problem)
        model, chosen, distance = _model(whole, problem)
        steps = len(problem.bank) + 1
        solver = self._solver(problem)
        enough = _steps(problem.tolerance - problem.outside, whole.step) - steps
        status = solver.solve(model, _stop_at(enough))
        if status == cp_model.INFEASIBLE:
            return Found(None, True, math.inf)
        nearest = max(math.floor(solver.best_objective_bound) - steps / 2, 0.0)
        bound = problem.outside + math.ldexp(nearest, whole.step)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Found(None, False, bound)
        mask = np.array([solver.boolean_value(one) for one in chosen], np.bool_)
        if status != cp_model.OPTIMAL:
            return Found(mask, False, bound)
        model.clear_objective()
        model.clear_hints()
        model.add(distance == int(solver.objective_value) + steps)
        listed, complete = _list_all(model, chosen, problem, self._solver(problem))
        best = min([mask, *listed], key=lambda one: _distance(problem, one))
        return Found(best, complete, bound)

    def _solver(self, problem: ConstrainedProblem) -> Any:
        from ortools.sat.python import cp_model

        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1  # with more, results would depend on timing
        # the linear relaxation is useless: nearly every target is a mixture of two elements
        solver.parameters.linearization_level = 0 if problem.constraints.symmetric else 1
        # on presolved models of nearly equal elements it raises its bound one by one, endlessly
        solver.parameters.cp_model_presolve = False
        solver.parameters.max_time_in_seconds = self.seconds
        solver.parameters.random_seed = self.seed
        return solver


def _model(whole: Scaled, problem: ConstrainedProblem) -> tuple[Any, list[Any], Any]:
    """A CP-SAT model, a Boolean per element, and the distance to minimise."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    chosen = [model.new_bool_var(f"element {e}") for e in range(len(problem.bank))]
    _constrain(model, chosen, problem)
    distance = model.new_int_var(0, 1 << (_BITS + 1), "distance")
    excess = cp_model.LinearExpr.weighted_sum(chosen, whole.values.tolist()) - whole.goal
    model.add(excess <= distance)
    model.add(-excess <= distance)
    model.minimize(distance)
    if problem.hint is not None:
        for variable, value in zip(chosen, problem.hint.tolist(), strict=True):
            model.add_hint(variable, value)
    return model, chosen, distance


def _constrain(model: Any, chosen: list[Any], problem: ConstrainedProblem) -> None:
    from ortools.sat.python import cp_model

    constraints = problem.constraints
    for group, least, most in constraints.counts(len(chosen)):
        total = cp_model.LinearExpr.sum([chosen[e] for e in group])
        model.add_linear_constraint(total, least, most)
    if constraints.cost is not None and constraints.budget is not None:
        cost = np.asarray(constraints.cost, np.float64)
        shift = _COST_BITS - int(np.frexp(cost.sum())[1])
        whole = np.rint(np.ldexp(cost, shift)).astype(np.int64)
        most = math.floor(math.ldexp(min(constraints.budget, float(cost.sum())), shift))
        model.add(cp_model.LinearExpr.weighted_sum(chosen, whole.tolist()) <= most)
    if constraints.symmetric:
        _break_symmetry(model, chosen, problem.bank, constraints)


def _break_symmetry(
    model: Any, chosen: list[Any], bank: NDArray[np.float64], constraints: Constraints
) -> None:
    """Among equal elements choose the first; zeros only to reach a size."""
    order = np.argsort(bank, kind="stable")
    for first, second in pairwise(order):
        if bank[first] == bank[second]:
            model.add_implication(chosen[second], chosen[first])
    if constraints.at_least == 0:
        for e in np.flatnonzero(bank == 0):
            model.add(chosen[e] == 0)


def _list_all(
    model: Any, chosen: list[Any], problem: ConstrainedProblem, solver: Any
) -> tuple[list[NDArray[np.bool_]], bool]:
    """All feasible subsets, and whether the enumeration is complete."""
    from ortools.sat.python import cp_model

    listed: list[NDArray[np.bool_]] = []

    class Collect(cp_model.CpSolverSolutionCallback):
        """Collects solutions; an exact one or too many of them end the search."""

        def on_solution_callback(self) -> None:
            mask = np.array([self.boolean_value(one) for one in chosen], np.bool_)
            listed.append(mask)
            if len(listed) >= _LISTED or _distance(problem, mask) == 0:
                self.stop_search()

    solver.parameters.enumerate_all_solutions = True
    status = solver.solve(model, Collect())
    exact = any(_distance(problem, mask) == 0 for mask in listed)
    return listed, status == cp_model.OPTIMAL or exact


def _stop_at(distance: float) -> Any:
    """A callback that ends the search once the objective is at most this."""
    from ortools.sat.python import cp_model

    class Stop(cp_model.CpSolverSolutionCallback):
        """Ends the search at a solution that is close enough."""

        def on_solution_callback(self) -> None:
            if self.objective_value <= distance:
                self.stop_search()

    return Stop()


def _steps(distance: float, step: int) -> float:
    """A distance in integer steps; infinite rather than too large for a float."""
    with np.errstate(over="ignore"):
        return float(np.ldexp(distance, -step))


def _distance(problem: ConstrainedProblem, mask: NDArray[np.bool_]) -> float:
    total = 0.0
    for g in problem.bank[mask].tolist():
        total += g
    return abs(total - problem.target)
