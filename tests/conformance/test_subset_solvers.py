"""Every registered subset solver against exhaustive search, on the same 100,800 problems.

What a solver promises depends on the status that it returns: "optimal" comes as close as
exhaustive search up to rounding, no status comes closer, and the bound holds. Solvers that are
exact at these lengths must also say "optimal".

700 problems x 12 laws x lengths 1 to 12 for each solver that takes microseconds. "milp" takes
milliseconds, so of each 700 it solves the first 5, 720 in all; with XBAR_CONFORMANCE=full in the
environment it solves them all too, which takes five minutes or so.
"""

from __future__ import annotations

import os
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.subset import Differencing, get_solver, names, solve_subset

EPSILON = float(np.finfo(np.float64).eps)
ORACLE = "exhaustive"
TESTED = [name for name in names() if name != ORACLE]
HEURISTIC = {"greedy"}  # the others are exact for a dozen elements
LENGTHS = range(1, 13)
COUNT = 700
FEW = {} if os.environ.get("XBAR_CONFORMANCE") == "full" else {"milp": 5}


def rounding(bank, target):
    """What float64 sums of a bank's elements and their residuals may err by."""
    return bank.shape[-1] * EPSILON * np.abs(bank).sum(-1) + EPSILON * np.abs(target)


def uniform(rng, shape):
    return rng.random(shape)


def signed(rng, shape):
    return rng.uniform(-1, 1, shape)


def narrow(rng, shape):
    return rng.normal(1.0, 0.02, shape)


def lognormal(rng, shape):
    return rng.lognormal(0.0, 0.5, shape) * rng.choice([-1, 1], shape)


def small_integers(rng, shape):
    return rng.integers(-4, 5, shape).astype(float)


def duplicates(rng, shape):
    few = rng.uniform(-1, 1, (shape[0], 3))
    return np.take_along_axis(few, rng.integers(0, 3, shape), axis=1)


def mostly_zero(rng, shape):
    return signed(rng, shape) * (rng.random(shape) < 0.3)


def twelve_decades(rng, shape):
    return rng.choice([-1, 1], shape) * 10.0 ** rng.uniform(-12, 0, shape)


def denormals(rng, shape):
    return rng.integers(-1000, 1001, shape) * 5e-324


def edge_of_denormals(rng, shape):
    return rng.uniform(-1, 1, shape) * 4e-308


def powers_of_two(rng, shape):
    return 2.0 ** rng.integers(-20, 20, shape)


def ulp_apart(rng, shape):
    return 1.0 + rng.integers(0, 4, shape) * EPSILON


LAWS = [uniform, signed, narrow, lognormal, small_integers, duplicates, mostly_zero, twelve_decades]
LAWS += [denormals, edge_of_denormals, powers_of_two, ulp_apart]


def targets(rng, bank):
    """In reach, out of reach and, one in five, a sum that some subset has."""
    low, high = np.minimum(bank, 0).sum(1), np.maximum(bank, 0).sum(1)
    anywhere = low + (high - low) * rng.uniform(-0.1, 1.1, len(bank))
    some = (bank * (rng.random(bank.shape) < 0.5)).sum(1)
    return np.where(rng.random(len(bank)) < 0.2, some, anywhere)


@cache
def problems(law, elements, count=COUNT):
    """Banks, targets and the distances of the closest subsets."""
    rng = np.random.default_rng([elements, LAWS.index(law)])
    bank = law(rng, (count, elements))
    target = targets(rng, bank)
    return bank, target, np.abs(solve_subset(bank, target, ORACLE).residual)


def assert_it_keeps_its_word(bank, target, solution, least):
    slack = 2 * rounding(bank, target) + 1e-323
    distance = np.abs(solution.residual)
    assert (distance >= least - slack).all()
    assert (solution.bound <= distance).all()
    assert (solution.bound <= least + slack).all()
    # a bound above 0 claims that this problem's answer is the optimum
    assert (distance <= least + slack)[solution.bound > 0].all()
    achieved = np.where(solution.mask, bank, 0.0).sum(1)
    assert (np.abs(achieved - solution.achieved) <= slack).all()
    if solution.status == "optimal":
        assert (distance <= least + slack).all()
    else:
        assert solution.status == "best found"
    low, high = np.minimum(bank, 0).sum(1), np.maximum(bank, 0).sum(1)
    inside = (low <= target) & (target <= high)
    outside = (target < low - slack) | (target > high + slack)
    assert solution.reachable[inside].all()
    assert not solution.reachable[outside].any()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("method", TESTED)
def test_it_keeps_its_word_beside_exhaustive_search(method, law):
    for elements in LENGTHS:
        bank, target, least = (part[: FEW.get(method)] for part in problems(law, elements))
        solution = solve_subset(bank, target, method)
        assert solution.method == method
        assert solution.status == "optimal" or method in HEURISTIC
        assert_it_keeps_its_word(bank, target, solution, least)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("method", TESTED)
def test_it_keeps_its_word_problem_by_problem(method, law):
    """The status of a batch is that of its weakest problem; here each has its own."""
    for elements in (3, 7, 11):
        bank, target, least = (part[:4, None] for part in problems(law, elements))
        for one in zip(bank, target, least, strict=True):
            assert_it_keeps_its_word(*one[:2], solve_subset(*one[:2], method), one[2])


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("method", TESTED)
def test_it_keeps_its_word_on_longer_banks(method, law):
    bank, target, least = problems(law, 15, 20)
    assert_it_keeps_its_word(bank, target, solve_subset(bank, target, method), least)


@pytest.mark.parametrize("elements", [33, 36, 40])
@pytest.mark.parametrize("law", [uniform, lognormal, duplicates, small_integers, twelve_decades])
def test_long_banks_are_optimal_beside_sorted_halves(law, elements):
    rng = np.random.default_rng(elements)
    bank = law(rng, (1, elements))[0]
    target = targets(rng, bank[None])[0]
    halves = [np.zeros(1), np.zeros(1)]
    for i, g in enumerate(bank):
        halves[i % 2] = np.concatenate([halves[i % 2], halves[i % 2] + g])
    first = np.sort(halves[0])
    at = np.searchsorted(first, target - halves[1]).clip(1, len(first) - 1)
    least = min(np.abs(first[at - i] + halves[1] - target).min() for i in (0, 1))
    solution = solve_subset(bank, target)
    assert (solution.method, solution.status) == ("schroeppel-shamir", "optimal")
    assert abs(abs(solution.residual) - least) <= 2 * rounding(bank, target)


@pytest.mark.parametrize("method", TESTED)
def test_the_sum_in_fractions_is_the_one_reported(method):
    rng = np.random.default_rng(5)
    for law in LAWS:
        bank = law(rng, (10, 11))
        target = targets(rng, bank)
        solution = solve_subset(bank, target, method)
        for g, t, mask, residual in zip(
            bank, target, solution.mask, solution.residual, strict=True
        ):
            exact = sum((Fraction(x) for x in g[mask].tolist()), Fraction(0)) - Fraction(float(t))
            size = sum(abs(Fraction(x)) for x in g.tolist()) * 11 + abs(Fraction(float(t)))
            assert abs(exact - Fraction(float(residual))) <= size * Fraction(EPSILON)


@pytest.mark.parametrize("method", ["differencing", "window", "greedy"])
@pytest.mark.parametrize("elements", [50, 64, 400])
def test_a_heuristic_calls_a_long_bank_optimal_only_with_a_hit(method, elements):
    rng = np.random.default_rng(elements)
    bank = signed(rng, (3, elements))
    target = bank.sum(1) / 2 + rng.uniform(-2, 2, 3)
    solution = solve_subset(bank, target, method)
    hit = (np.abs(solution.residual) <= rounding(bank, target)).all()
    assert (solution.status == "optimal") == hit
    assert (solution.bound == 0).all()


def test_sixty_four_elements_hit_their_target_up_to_rounding():
    rng = np.random.default_rng(64)
    bank = signed(rng, (2, 64))
    target = bank.sum(1) / 2 + rng.uniform(-2, 2, 2)
    solution = solve_subset(bank, target)
    assert solution.status == "optimal"
    assert (np.abs(solution.residual) <= rounding(bank, target)).all()


@pytest.mark.parametrize(("elements", "method"), [(80, "window"), (500, "differencing")])
def test_auto_takes_a_heuristic_for_long_banks_and_says_why(elements, method):
    rng = np.random.default_rng(0)
    bank = rng.random((4, elements))
    target = bank.sum(1) * rng.uniform(0.3, 0.7, 4)
    solution = solve_subset(bank, target)
    assert solution.method == method
    assert f"K = {elements}" in solution.reason
    assert (np.abs(solution.residual) < 1e-7).all()


def test_ten_thousand_elements_are_hit_up_to_rounding():
    rng = np.random.default_rng(1)
    bank = rng.random(10_000)
    for method in ("window", "differencing"):
        solution = solve_subset(bank, 2500.1, method)
        assert abs(solution.residual) < 1e-9
        if solution.status == "optimal":
            assert abs(solution.residual) <= rounding(bank, 2500.1)


def test_more_nodes_of_differencing_never_do_worse():
    rng = np.random.default_rng(4)
    bank = rng.random((20, 60))
    target = bank.sum(1) * 0.4
    runs = [Differencing(nodes=n).prepare(bank).solve(target) for n in (1, 100, 10_000)]
    few, more, most = (np.abs(run.residual) for run in runs)
    assert (more <= few).all()
    assert (most <= more).all()
    assert most.max() < few.max()


@pytest.mark.parametrize("method", ["schroeppel-shamir", "meet-in-the-middle"])
def test_too_many_elements_are_refused_with_the_method_that_takes_them(method):
    solver = get_solver(method)
    with pytest.raises(ValueError, match=r"at most .* K = 100; method='window' or 'differencing'"):
        solver.prepare(np.ones(100))


numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e-300, 1e300])


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(numbers, min_size=1, max_size=9), numbers, st.sampled_from(TESTED))
def test_no_bank_makes_it_lie(elements, target, method):
    bank = np.array(elements)
    solution = solve_subset(bank, target, method)
    oracle = solve_subset(bank, target, ORACLE)
    slack = 2 * rounding(bank, np.float64(target)) + 1e-323
    distance, least = abs(solution.residual), abs(oracle.residual)
    assert distance >= least - slack
    assert solution.bound <= least + slack
    assert solution.status != "optimal" or distance <= least + slack


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(numbers, min_size=1, max_size=9), numbers, st.floats(0, 10))
def test_within_tolerance_means_within_tolerance(elements, target, tolerance):
    for method in TESTED:
        solution = solve_subset(elements, target, method, tolerance)
        if solution.status == "within tolerance":
            assert abs(solution.residual) <= tolerance
