"""Constrained subset sums by OR-Tools' CP-SAT, on integers, and proven in float64.

Scaled by a power of two and rounded, sum|g| is 2**45 at most, as larger integers slow CP-SAT down
or overflow. A sum then errs by half a step for each element and the target, so CP-SAT's optimum
may not be the true one. But the true one lies within K + 1 steps of it: a second search lists all
subsets there, and the closest in float64 is the optimum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.subset.constraints import Constraints

_BITS = 45
_COST_BITS = 40
_LISTED = 2000  # subsets that the second search lists at most


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


@dataclass(frozen=True, eq=False)
class Scaled:
    """One problem in integers.

    Attributes:
        values: (K,) signed.
        goal: the target, or the nearest end of all sums.
        step: what 1 stands for, as a power of two.
        clamped: the target, or the nearest end, in the bank's unit.
    """

    values: NDArray[np.int64]
    goal: int
    step: int
    clamped: float


def scaled(bank: NDArray[np.float64], target: float) -> Scaled:
    """A bank (K,) and a target in integers."""
    low, high = float(np.minimum(bank, 0).sum()), float(np.maximum(bank, 0).sum())
    clamped = min(max(target, low), high)
    step = int(np.frexp(high - low)[1]) - _BITS
    values = np.rint(np.ldexp(bank, -step)).astype(np.int64)
    return Scaled(values, round(math.ldexp(clamped, -step)), step, clamped)


def search(
    bank: NDArray[np.float64],
    target: float,
    constraints: Constraints,
    tolerance: float,
    hint: NDArray[np.bool_] | None,
    limits: tuple[float, int],
) -> Found:
    """The closest subset of a bank (K,) that the constraints allow.

    Args:
        bank: (K,) finite.
        target: in the bank's unit.
        constraints: checked.
        tolerance: a |residual| that ends the search.
        hint: a subset to begin with.
        limits: seconds for each of two searches, and the seed.
    """
    from ortools.sat.python import cp_model

    problem = scaled(bank, target)
    model, chosen = _model(problem, bank, constraints)
    steps = len(bank) + 1
    distance = model.new_int_var(0, 1 << (_BITS + 1), "distance")
    excess = cp_model.LinearExpr.weighted_sum(chosen, problem.values.tolist()) - problem.goal
    model.add(excess <= distance)
    model.add(-excess <= distance)
    model.minimize(distance)
    if hint is not None:
        for variable, value in zip(chosen, hint.tolist(), strict=True):
            model.add_hint(variable, value)
    outside = abs(target - problem.clamped)
    solver = _solver(limits, constraints)
    status = solver.solve(model, _stop_at(_steps(tolerance - outside, problem.step) - steps))
    if status == cp_model.INFEASIBLE:
        return Found(None, True, math.inf)
    nearest = max(math.floor(solver.best_objective_bound) - steps / 2, 0.0)
    bound = outside + math.ldexp(nearest, problem.step)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Found(None, False, bound)
    mask = np.array([solver.boolean_value(one) for one in chosen], np.bool_)
    if status != cp_model.OPTIMAL:
        return Found(mask, False, bound)
    model.clear_objective()
    model.clear_hints()
    model.add(distance == int(solver.objective_value) + steps)
    listed, complete = _list_all(model, chosen, bank, target, _solver(limits, constraints))
    best = min([mask, *listed], key=lambda one: _distance(bank, one, target))
    return Found(best, complete, bound)


def _model(
    problem: Scaled, bank: NDArray[np.float64], constraints: Constraints
) -> tuple[Any, list[Any]]:
    """A CP-SAT model with a Boolean for each element and the constraints on them."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    chosen = [model.new_bool_var(f"element {e}") for e in range(len(bank))]
    total = cp_model.LinearExpr.sum(chosen)
    if constraints.at_least > 0:
        model.add(total >= constraints.at_least)
    if constraints.at_most is not None:
        model.add(total <= constraints.at_most)
    for group in constraints.exclusive:
        model.add_at_most_one(chosen[e] for e in group)
    for group in constraints.exactly_one:
        model.add_exactly_one(chosen[e] for e in group)
    if constraints.cost is not None and constraints.budget is not None:
        cost = np.asarray(constraints.cost, np.float64)
        shift = _COST_BITS - int(np.frexp(cost.sum())[1])
        whole = np.rint(np.ldexp(cost, shift)).astype(np.int64)
        most = math.floor(math.ldexp(min(constraints.budget, float(cost.sum())), shift))
        model.add(cp_model.LinearExpr.weighted_sum(chosen, whole.tolist()) <= most)
    for e, state in enumerate(constraints.fixed(len(bank))):
        if state != 0:
            model.add(chosen[e] == int(state > 0))
    if constraints.symmetric:
        _break_symmetry(model, chosen, bank, constraints)
    return model, chosen


def _break_symmetry(
    model: Any, chosen: list[Any], bank: NDArray[np.float64], constraints: Constraints
) -> None:
    """Of equal elements the first are switched in, those of value 0 only to reach a size."""
    order = np.argsort(bank, kind="stable")
    for first, second in pairwise(order):
        if bank[first] == bank[second]:
            model.add_implication(chosen[second], chosen[first])
    if constraints.at_least == 0:
        for e in np.flatnonzero(bank == 0):
            model.add(chosen[e] == 0)


def _list_all(
    model: Any, chosen: list[Any], bank: NDArray[np.float64], target: float, solver: Any
) -> tuple[list[NDArray[np.bool_]], bool]:
    """All subsets that the model allows, and whether that is all that matter."""
    from ortools.sat.python import cp_model

    listed: list[NDArray[np.bool_]] = []

    class Collect(cp_model.CpSolverSolutionCallback):
        """Keeps each solution; an exact hit or too many of them end the search."""

        def on_solution_callback(self) -> None:
            mask = np.array([self.boolean_value(one) for one in chosen], np.bool_)
            listed.append(mask)
            if len(listed) >= _LISTED or _distance(bank, mask, target) == 0:
                self.stop_search()

    solver.parameters.enumerate_all_solutions = True
    status = solver.solve(model, Collect())
    exact = any(_distance(bank, mask, target) == 0 for mask in listed)
    return listed, status == cp_model.OPTIMAL or exact


def _stop_at(distance: float) -> Any:
    """A callback that ends the search once the objective is no greater."""
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


def _solver(limits: tuple[float, int], constraints: Constraints) -> Any:
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1  # more would make the answer depend on their race
    # a sum's linear relaxation says nothing: nearly every target is a mixture of two elements
    solver.parameters.linearization_level = 0 if constraints.symmetric else 1
    solver.parameters.max_time_in_seconds, solver.parameters.random_seed = limits
    return solver


def _distance(bank: NDArray[np.float64], mask: NDArray[np.bool_], target: float) -> float:
    total = 0.0
    for g in bank[mask].tolist():
        total += g
    return abs(total - target)
