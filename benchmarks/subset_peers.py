"""Peer methods for subset problems, each from banks (M, K) and targets (M,) to |residual|."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CP_SAT_BITS = 40


@dataclass(frozen=True)
class Peer:
    """A method to compare with.

    Attributes:
        solve: the method.
        instances: function from K to the number of instances in about a second; 0 for none.
        exact: whether it finds the optimum up to its resolution.
        resolution: resolution of its numbers, relative to a bank's sum.
    """

    solve: Callable[[Floats, Floats], Floats]
    instances: Callable[[int], int]
    exact: bool = True
    resolution: float = 2.0**-50


def all_sums(bank: Floats) -> Floats:
    """(M, 2**K) subset sums in the order of masks."""
    sums = np.zeros((len(bank), 1))
    for g in bank.T:
        sums = np.concatenate([sums, sums + g[:, None]], axis=1)
    return sums


def numpy_meet_in_the_middle(bank: Floats, target: Floats) -> Floats:
    """Sort both halves' sums together in batches; take the closest mixed neighbours."""
    half = bank.shape[1] // 2
    block = max((1 << 18) >> half, 1)
    best = np.empty(len(target))
    for start in range(0, len(target), block):
        part = slice(start, start + block)
        first, rest = all_sums(bank[part, :half]), target[part, None] - all_sums(bank[part, half:])
        both = np.concatenate([first, rest], axis=1)
        order = np.argsort(both, axis=1)
        gap = np.diff(np.take_along_axis(both, order, axis=1), axis=1)
        mixed = np.diff(order < first.shape[1], axis=1)
        at = np.where(mixed, gap, np.inf).argmin(axis=1)[:, None]
        pair = np.sort(np.take_along_axis(order, np.hstack([at, at + 1]), axis=1), axis=1)
        mask = pair[:, 0] | ((pair[:, 1] - first.shape[1]) << half)
        chosen = (mask[:, None] >> np.arange(bank.shape[1])) & 1
        best[part] = np.abs((chosen * bank[part]).sum(axis=1) - target[part])
    return best


def numpy_all_subsets(bank: Floats, target: Floats) -> Floats:
    """All 2**K sums, one instance at a time."""
    pairs = zip(bank, target, strict=True)
    return np.array([np.abs(all_sums(g[None])[0] - t).min() for g, t in pairs])


def cp_sat(bank: Floats, target: Floats) -> Floats:
    """OR-Tools CP-SAT with one worker on integers of 40 bits."""
    return np.array([_cp_sat(g, t) for g, t in zip(bank, target, strict=True)])


def _cp_sat(bank: Floats, target: float) -> float:
    from ortools.sat.python import cp_model

    scale = 2.0**_CP_SAT_BITS / bank.sum()
    model = cp_model.CpModel()
    chosen = [model.new_bool_var(f"x{i}") for i in range(len(bank))]
    excess = sum(round(g * scale) * x for g, x in zip(bank.tolist(), chosen, strict=True))
    excess -= round(target * scale)
    distance = model.new_int_var(0, 2**_CP_SAT_BITS, "distance")
    model.add(distance >= excess)
    model.add(distance >= -excess)
    model.minimize(distance)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) != cp_model.OPTIMAL:
        raise SystemExit("CP-SAT did not prove its optimum")
    mask = np.array([solver.value(x) for x in chosen])
    return float(abs((mask * bank).sum() - target))


def scip(bank: Floats, target: Floats) -> Floats:
    """SCIP as a mixed-integer program through OR-Tools MathOpt, one thread, no gap allowed."""
    return np.array([_scip(g, t) for g, t in zip(bank, target, strict=True)])


def _scip(bank: Floats, target: float) -> float:
    from ortools.math_opt.python import mathopt

    model = mathopt.Model()
    chosen = [model.add_binary_variable() for _ in bank]
    distance = model.add_variable(lb=0.0)
    excess = sum(g * x for g, x in zip(bank.tolist(), chosen, strict=True)) - target
    model.add_linear_constraint(distance >= excess)
    model.add_linear_constraint(distance >= -excess)
    model.minimize(distance)
    exact = mathopt.SolveParameters(
        threads=1, relative_gap_tolerance=0.0, absolute_gap_tolerance=0.0
    )
    values = mathopt.solve(model, mathopt.SolverType.GSCIP, params=exact).variable_values(chosen)
    return float(abs((np.round(values) * bank).sum() - target))


def highs(bank: Floats, target: Floats) -> Floats:
    """HiGHS as a mixed-integer program through SciPy, no gap allowed."""
    return np.array([_highs(g, t) for g, t in zip(bank, target, strict=True)])


def _highs(bank: Floats, target: float) -> float:
    from scipy.optimize import Bounds, LinearConstraint, milp

    k = len(bank)
    rows = np.array([[*bank, -1.0], [*(-bank), -1.0]])
    result = milp(
        np.array([0.0] * k + [1.0]),
        constraints=LinearConstraint(rows, ub=np.array([target, -target])),
        integrality=np.array([1] * k + [0]),
        bounds=Bounds(0.0, np.array([1.0] * k + [np.inf])),
        options={"mip_rel_gap": 0.0},
    )
    if result.x is None:
        raise SystemExit(f"HiGHS found nothing: {result.message}")
    return float(abs((np.round(result.x[:k]) * bank).sum() - target))


METHODS = {
    "numpy meet-in-the-middle": Peer(
        numpy_meet_in_the_middle,
        lambda k: max((1 << 17) >> (k // 2), 1) if k <= 40 else 0,
    ),
    "numpy, all 2^K sums": Peer(
        numpy_all_subsets, lambda k: 0 if k > 24 else 100 if k <= 16 else max(100 >> (k - 16), 1)
    ),
    "OR-Tools CP-SAT": Peer(
        cp_sat,
        lambda k: {8: 20, 12: 20, 16: 10, 20: 4, 24: 1}.get(k, 0),
        resolution=2.0 ** -(_CP_SAT_BITS - 1),
    ),
    "MILP, SCIP": Peer(scip, lambda k: {8: 10, 12: 10, 16: 4, 20: 2}.get(k, 0), exact=False),
    "MILP, HiGHS": Peer(highs, lambda k: {8: 10, 12: 10, 16: 4, 20: 2}.get(k, 0), exact=False),
}
