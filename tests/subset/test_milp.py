"""Constrained subsets by OR-Tools, against brute force and the kernels where both apply."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.subset import (
    Constraints,
    Milp,
    get_solver,
    solve_constrained,
    solve_fixed_size,
    solve_subset,
    solve_with_stuck,
)


def all_masks(elements):
    return (np.arange(1 << elements)[:, None] >> np.arange(elements)) & 1 == 1


def random_constraints(rng, elements):
    """Constraints of every kind, each with some probability; they may contradict each other."""
    groups = np.array_split(rng.permutation(elements), 4)
    cost = rng.uniform(0, 1, elements).round(3)
    with_cost = rng.random() < 0.5
    return Constraints(
        at_least=int(rng.integers(0, 3)),
        at_most=int(rng.integers(3, elements + 1)) if rng.random() < 0.5 else None,
        exclusive=[groups[0].tolist()] if rng.random() < 0.6 else [],
        exactly_one=[groups[1].tolist()] if rng.random() < 0.6 else [],
        cost=cost.tolist() if with_cost else None,
        budget=float(cost.sum() * rng.uniform(0.05, 0.6)) if with_cost else None,
        stuck=rng.choice([-1, 0, 0, 0, 1], elements).tolist() if rng.random() < 0.5 else None,
    )


@pytest.mark.parametrize(("elements", "count"), [(5, 60), (8, 40), (10, 12), (14, 4)])
def test_constrained_subsets_are_those_of_brute_force(banks, rounding, elements, count):
    rng = np.random.default_rng(elements)
    bank, target = banks(rng, count, elements, signed=True)
    masks = all_masks(elements)
    impossible = 0
    for g, t, slack in zip(bank, target, rounding(bank, target), strict=True):
        constraints = random_constraints(rng, elements)
        solution = solve_constrained(g, t, constraints)
        right = np.array([constraints.met_by(mask) for mask in masks])
        assert solution.feasible == right.any()
        if right.any():
            best = np.abs(masks[right] @ g - t).min()
            assert constraints.met_by(solution.mask)
            assert abs(abs(solution.residual) - best) <= slack
            assert solution.bound <= best
            assert solution.status == "optimal"
        else:
            impossible += 1
            assert solution.status == "infeasible"
    assert impossible > 0 or elements > 8


@pytest.mark.parametrize(("elements", "count"), [(16, 40), (18, 10), (20, 4)])
def test_cp_sat_without_a_hint_finds_the_optimum_of_the_kernels(rounding, elements, count):
    rng = np.random.default_rng(elements)
    bank = rng.uniform(-1, 1, (count, elements))
    target = rng.uniform(-0.25, 0.25, count) * np.abs(bank).sum(axis=1)
    slow = Milp(hint=False, time_limit=120).prepare(bank).solve(target)
    fast = solve_subset(bank, target, "meet-in-the-middle")
    difference = np.abs(np.abs(slow.residual) - np.abs(fast.residual))
    assert (difference <= rounding(bank, target)).all()
    assert slow.status == "optimal"
    assert (slow.bound >= np.abs(slow.residual) - 1.01 * rounding(bank, target)).all()


@pytest.mark.parametrize("elements", [24, 28])
def test_cp_sat_agrees_with_the_kernels_on_long_banks_that_can_be_hit(elements):
    rng = np.random.default_rng(elements)
    bank = rng.integers(1, 2000, elements).astype(float)
    target = bank[rng.random(elements) < 0.5].sum()
    for hint in (False, True):
        solution = Milp(hint=hint, time_limit=120).prepare(bank).solve(target)
        assert solution.residual == 0.0
        assert solution.status == "optimal"


def test_sizes_and_stuck_resistors_agree_with_the_kernels(banks, rounding):
    rng = np.random.default_rng(3)
    bank, target = banks(rng, 20, 13, signed=True)
    stuck = rng.choice([-1, 0, 0, 0, 0, 1], 13)
    size = int((stuck > 0).sum()) + 3
    slack = 2 * rounding(bank, target)
    with_size = Constraints(at_least=size, at_most=size, stuck=stuck.tolist())
    one = solve_constrained(bank, target, with_size)
    other = solve_fixed_size(bank, target, size, stuck)
    assert (np.abs(np.abs(one.residual) - np.abs(other.residual)) <= slack).all()
    one = solve_constrained(bank, target, Constraints(stuck=stuck.tolist()))
    other = solve_with_stuck(bank, target, stuck)
    assert (np.abs(np.abs(one.residual) - np.abs(other.residual)) <= slack).all()


def test_differences_below_the_integers_resolution_are_still_told_apart():
    bank = np.array([1.0, 1.0 + 2.0**-50, 2.0**-49, 0.25])
    solution = Milp(hint=False).prepare(bank).solve([1.0, 1.0 + 2.0**-50, 1.0 + 2.0**-49])
    np.testing.assert_array_equal(solution.residual, np.zeros(3))


def test_many_equal_elements_do_not_drown_the_proof():
    solution = Milp(hint=False).prepare(np.full(24, 0.1)).solve(0.77)
    assert solution.mask.sum() == 8
    assert solution.status == "optimal"


@pytest.mark.parametrize("engine", ["highs", "scip"])
def test_other_engines_come_close_and_claim_nothing_beyond_their_resolution(engine):
    rng = np.random.default_rng(4)
    solver = Milp(engine=engine, time_limit=20)
    for _ in range(4):
        bank, target = rng.uniform(-1, 1, 12), rng.uniform(-1, 1)
        constraints = Constraints(at_most=6, exclusive=[[0, 1, 2]], exactly_one=[[3, 4]])
        exact = solve_constrained(bank, target, constraints)
        solution = solve_constrained(bank, target, constraints, solver=solver)
        assert constraints.met_by(solution.mask)
        assert abs(solution.residual) >= abs(exact.residual) - 1e-14
        assert abs(solution.residual) <= abs(exact.residual) + 1e-5 * np.abs(bank).sum()
        assert solution.bound <= abs(exact.residual)
        assert solution.status == "best found"
        near = solve_constrained(bank, target, constraints, tolerance=1.0, solver=solver)
        assert near.status == "within tolerance"


@pytest.mark.parametrize("engine", ["highs", "scip"])
@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_other_engines_resolve_any_unit(engine, unit):
    bank, constraints = np.array([1.0, 2.3, 3.7, 5.1, 8.2, 9.4]), Constraints(at_most=3)
    masks = all_masks(6)[all_masks(6).sum(axis=1) <= 3]
    best = np.abs(masks @ bank - 14.2).min()
    solver = Milp(engine=engine, hint=False)
    solution = solve_constrained(unit * bank, unit * 14.2, constraints, solver=solver)
    assert abs(solution.residual) == pytest.approx(unit * best, abs=1e-4 * unit)


@pytest.mark.parametrize("engine", ["cp-sat", "highs", "scip"])
def test_what_contradicts_itself_is_infeasible_for_each_engine(engine):
    constraints = Constraints(at_least=2, exclusive=[[0, 1, 2]])
    solution = solve_constrained([1.0, 2.0, 3.0], 3.0, constraints, solver=Milp(engine=engine))
    assert solution.status == "infeasible"
    assert not solution.feasible
    assert not solution.mask.any()


def test_a_long_bank_with_a_tolerance_is_solved_within_it():
    rng = np.random.default_rng(5)
    bank = rng.uniform(0, 1, 120)
    constraints = Constraints(at_most=50, exclusive=[range(20), range(20, 40)])
    solution = solve_constrained(bank, 20.0, constraints, tolerance=1e-3)
    assert abs(solution.residual) <= 1e-3
    assert solution.status in ("within tolerance", "optimal")
    assert constraints.met_by(solution.mask)


def test_a_search_that_was_cut_short_does_not_claim_an_optimum():
    rng = np.random.default_rng(6)
    bank = rng.uniform(0, 1, 40)
    solution = Milp(time_limit=0.3).prepare(bank).solve(bank.sum() * 0.4)
    assert solution.status in ("best found", "nothing found")
    assert solution.bound <= abs(solution.residual)


def test_batches_and_names_are_those_of_the_registry():
    assert get_solver("milp").name == "milp"
    rng = np.random.default_rng(7)
    bank, target = rng.uniform(0, 1, (2, 1, 6)), rng.uniform(0, 2, 3)
    solution = solve_constrained(bank, target, Constraints(at_most=3))
    assert solution.mask.shape == (2, 3, 6)
    assert solution.feasible.shape == (2, 3)
    assert solution.mask.sum(axis=-1).max() <= 3
    assert solve_constrained(bank, np.zeros((0, 2, 3)), Constraints()).mask.shape == (0, 2, 3, 6)


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (Constraints(at_least=3), "at_least must be at most K = 2|at_least must be from 0"),
        (Constraints(at_least=-1), "at_least must be from 0"),
        (Constraints(at_least=2, at_most=1), "at_least must be from 0 to at_most = 1"),
        (Constraints(exclusive=[[0, 2]]), r"from 0 to 1, not \[0, 2\]"),
        (Constraints(exactly_one=[[0, 0]]), "different element numbers"),
        (Constraints(cost=[1.0, 1.0]), "cost and budget go together"),
        (Constraints(cost=[1.0], budget=1.0), "cost must be 2"),
        (Constraints(cost=[1.0, np.nan], budget=1.0), "cost must be 2"),
        (Constraints(cost=[1.0, 1.0], budget=-1.0), "budget must be"),
        (Constraints(stuck=[0, 3]), "stuck must hold"),
    ],
)
def test_constraints_that_do_not_fit_are_refused(constraints, message):
    with pytest.raises(SpecError, match=message):
        solve_constrained([1.0, 2.0], 1.0, constraints)


def test_settings_are_checked():
    with pytest.raises(SpecError, match="engine must be one of cp-sat, highs, scip"):
        Milp(engine="gurobi")
    with pytest.raises(SpecError, match="time_limit"):
        Milp(time_limit=0.0)


def test_importing_the_package_loads_neither_ortools_nor_scipy():
    code = (
        "import sys, xbar.subset as s; [getattr(s, name) for name in s.__all__]; s.names();"
        "assert not {'ortools', 'scipy', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("engine", ["cp-sat", "highs", "scip"])
@pytest.mark.parametrize("at_least", [3, 4])
def test_elements_of_nothing_and_equal_ones_fill_up_a_size(engine, at_least):
    """5 of at least three elements is 5 + 0 + 0; of four 3 + 2 + 0 + 0."""
    bank = [0.0, 5.0, 3.0, 0.0, 2.0, 3.0]
    solution = solve_constrained(
        bank, 5.0, Constraints(at_least=at_least), solver=Milp(engine=engine)
    )
    assert (solution.status, solution.achieved) == ("optimal", 5.0)
    assert solution.mask.sum() >= at_least
