"""Fixed sizes, cheapest subsets, the best few and stuck resistors, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.subset import (
    Constraints,
    best_subsets,
    solve_constrained,
    solve_fixed_size,
    solve_many_targets,
    solve_network,
    solve_robust,
    solve_series,
    solve_smallest,
    solve_subset,
    solve_vector,
    solve_with_stuck,
)

LENGTHS = [1, 2, 3, 5, 8, 11, 14]
COUNT = 40  # random banks of each length


def all_masks(elements):
    return (np.arange(1 << elements)[:, None] >> np.arange(elements)) & 1 == 1


def draw(banks, elements, count=COUNT):
    """Signed banks with zeros and duplicates, targets, stuck resistors."""
    rng = np.random.default_rng(elements)
    bank, target = banks(rng, count, elements, signed=True)
    stuck = rng.choice([-1, 0, 0, 0, 0, 1], bank.shape)
    return rng, bank, target, stuck


def allowed(masks, stuck):
    return ((masks | (stuck <= 0)) & (~masks | (stuck >= 0))).all(axis=1)


@pytest.mark.parametrize("elements", LENGTHS)
def test_a_subset_of_fixed_size_is_the_closest_of_that_size(banks, rounding, elements):
    rng, bank, target, stuck = draw(banks, elements)
    masks = all_masks(elements)
    for g, t, s, slack in zip(bank, target, stuck, rounding(bank, target), strict=True):
        size = int(rng.integers((s > 0).sum(), (s >= 0).sum() + 1))
        solution = solve_fixed_size(g, t, size, s)
        right = allowed(masks, s) & (masks.sum(axis=1) == size)
        assert abs(abs(solution.residual) - np.abs(masks @ g - t)[right].min()) <= slack
        assert solution.mask.sum() == size
        assert allowed(solution.mask[None], s)
        assert solution.status == "optimal"


@pytest.mark.parametrize("cost", ["count", "current", "given"])
@pytest.mark.parametrize("elements", LENGTHS)
def test_the_cheapest_subset_within_a_tolerance_is_found(banks, elements, cost):
    rng, bank, target, stuck = draw(banks, elements)
    masks = all_masks(elements)
    for g, t, s in zip(bank, target, stuck, strict=True):
        tolerance = 10 ** rng.uniform(-3, 0)
        each = {"count": np.ones_like(g), "current": np.abs(g)}.get(
            cost, rng.uniform(-1, 1, g.shape)
        )
        asked = {"count": None, "current": "current"}.get(cost, each)
        solution = solve_smallest(g, t, tolerance, asked, s)
        distance, right = np.abs(masks @ g - t), allowed(masks, s)
        near = right & (distance <= tolerance)
        assert solution.feasible == near.any()
        assert solution.status == ("optimal" if near.any() else "infeasible")
        assert allowed(solution.mask[None], s)
        assert solution.cost == pytest.approx(each[solution.mask].sum(), abs=1e-14)
        assert solution.size == solution.mask.sum()
        if near.any():
            assert abs(solution.residual) <= tolerance
            assert solution.cost == pytest.approx((masks @ each)[near].min(), abs=1e-13)
        else:
            assert abs(solution.residual) == pytest.approx(distance[right].min(), abs=1e-13)


def test_of_the_smallest_subsets_the_closest_is_taken():
    solution = solve_smallest([1.0, 1.2, 1.1, 0.4], 1.09, 0.2)
    np.testing.assert_array_equal(solution.mask, [False, False, True, False])


def test_a_tolerance_that_a_subset_meets_exactly_is_met():
    rng = np.random.default_rng(4)
    bank = rng.integers(-500, 500, (200, 13)).astype(float)
    target = (bank * (rng.random(bank.shape) < 0.5)).sum(axis=1)
    for cost in (None, "current"):
        assert solve_smallest(bank, target, 0.0, cost).feasible.all()
        assert solve_smallest(bank, target + 0.25, 0.25, cost).feasible.all()


def test_a_tolerance_wider_than_the_bank_costs_nothing():
    solution = solve_smallest([3.0, 4.0, -1.0], [100.0, -50.0], 1e6, "current")
    assert not solution.mask.any()
    cheap = solve_smallest([3.0, 4.0, -1.0], 100.0, 1e6, cost=[-1.0, -2.0, 0.5])
    np.testing.assert_array_equal(cheap.mask, [True, True, False])


@pytest.mark.parametrize("elements", LENGTHS)
def test_the_best_subsets_are_the_closest_ones_in_order(banks, rounding, elements):
    rng, bank, target, stuck = draw(banks, elements)
    masks = all_masks(elements)
    for g, t, s, slack in zip(bank, target, stuck, rounding(bank, target), strict=True):
        right = allowed(masks, s) & ~(masks & (g == 0) & (s == 0)).any(axis=1)
        count = int(rng.integers(1, min(right.sum(), 50) + 1))
        solution = best_subsets(g, t, count, s)
        expected = np.sort(np.abs(masks @ g - t)[right])[:count]
        assert (np.diff(np.abs(solution.residual)) >= 0).all()
        assert (np.abs(np.abs(solution.residual) - expected) <= slack).all()
        assert (solution.bound <= expected).all()
        assert len({mask.tobytes() for mask in solution.mask}) == count
        assert allowed(solution.mask, s).all()


def test_many_equal_sums_are_no_obstacle_to_the_best_subsets():
    solution = best_subsets(np.ones(24), 12.0, 50)
    assert not solution.residual.any()
    assert len({mask.tobytes() for mask in solution.mask}) == 50


@pytest.mark.parametrize("elements", LENGTHS)
def test_stuck_resistors_stay_as_they_are_and_the_rest_is_optimal(banks, rounding, elements):
    _, bank, target, stuck = draw(banks, elements)
    solution = solve_with_stuck(bank, target, stuck)
    masks = all_masks(elements)
    for i, (g, t, s) in enumerate(zip(bank, target, stuck, strict=True)):
        best = np.abs(masks @ g - t)[allowed(masks, s)].min()
        assert allowed(solution.mask[i][None], s)
        assert abs(abs(solution.residual[i]) - best) <= 2 * rounding(g, t)
        assert solution.bound[i] <= best + rounding(g, t)


def test_batches_broadcast_like_single_problems():
    rng = np.random.default_rng(0)
    bank, target = rng.uniform(-1, 1, (4, 1, 9)), rng.uniform(-1, 1, 5)
    stuck = rng.choice([-1, 0, 0, 1], 9)
    size = int((stuck > 0).sum()) + 2
    solvers = {
        "fixed": lambda g, t: solve_fixed_size(g, t, size, stuck),
        "few": lambda g, t: solve_smallest(g, t, 0.1, None, stuck),
        "cheap": lambda g, t: solve_smallest(g, t, 0.1, "current", stuck),
        "best": lambda g, t: best_subsets(g, t, 4, stuck),
        "stuck": lambda g, t: solve_with_stuck(g, t, stuck),
    }
    for name, solver in solvers.items():
        batch, one = solver(bank, target), solver(bank[2, 0], target[3])
        assert batch.mask.shape[:2] == (4, 5), name
        assert batch.residual.shape[:2] == (4, 5), name
        np.testing.assert_array_equal(batch.mask[2, 3], one.mask, err_msg=name)
        empty = solver(bank, np.zeros((0, 4, 5)))
        assert empty.mask.shape[:3] == (0, 4, 5), name


@pytest.mark.parametrize("elements", [20, 27, 32, 36])
def test_long_banks_agree_with_the_unconstrained_optimum(rounding, elements):
    rng = np.random.default_rng(elements)
    bank = rng.uniform(-1, 1, elements)
    target = 0.3
    best = solve_subset(bank[:32], target)
    open_beyond = np.where(np.arange(elements) < 32, 0, -1)
    size = int(best.mask.sum())
    fixed = solve_fixed_size(bank, target, size, open_beyond)
    few = best_subsets(bank, target, 3, open_beyond)
    for value in (fixed.residual, few.residual[0]):
        assert abs(abs(value) - abs(best.residual)) <= rounding(bank, target)


numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, -1.0, 5e-324])


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(numbers, min_size=1, max_size=10), numbers)
def test_the_best_over_all_sizes_is_the_best_subset(rounding, elements, target):
    best = solve_subset(elements, target)
    every = [solve_fixed_size(elements, target, k) for k in range(len(elements) + 1)]
    slack = 2 * rounding(np.array(elements), np.float64(target))
    assert abs(min(abs(s.residual) for s in every) - abs(best.residual)) <= slack
    assert abs(abs(best_subsets(elements, target, 1).residual[0]) - abs(best.residual)) <= slack


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(numbers, min_size=1, max_size=10), numbers, st.floats(0, 1e6))
def test_a_wider_tolerance_never_costs_more(elements, target, tolerance):
    tight = solve_smallest(elements, target, tolerance)
    wide = solve_smallest(elements, target, 2 * tolerance)
    if tight.feasible:
        assert wide.feasible
        assert wide.size <= tight.size


SOLVERS = {
    "fixed": lambda g, t: solve_fixed_size(g, t, 1),
    "smallest": lambda g, t: solve_smallest(g, t, 0.1),
    "best": lambda g, t: best_subsets(g, t, 1),
    "stuck": lambda g, t: solve_with_stuck(g, t, 0),
}


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    ("bank", "target", "message"),
    [
        ([1.0, np.nan], 1.0, "bank must be finite, not nan"),
        ([1.0, np.inf], 1.0, "bank must be finite, not inf"),
        ([1.0], np.nan, "target must be finite"),
        ([], 1.0, "an element or more"),
        (np.ones((3, 2)), np.ones(4), "must broadcast"),
    ],
)
def test_what_cannot_be_solved_is_refused(name, bank, target, message):
    with pytest.raises(SpecError, match=message):
        SOLVERS[name](bank, target)


@pytest.mark.parametrize("name", ["fixed", "smallest", "best"])
def test_a_bank_over_the_limit_is_refused(name):
    with pytest.raises(SpecError, match="at most 40 elements, not K = 41"):
        SOLVERS[name](np.ones(41), 1.0)


@pytest.mark.parametrize(
    ("solve", "message"),
    [
        (lambda: solve_fixed_size([1.0, 2.0], 1.0, 3), "size must be from 0 to 2, .* not 3"),
        (lambda: solve_fixed_size([1.0, 2.0], 1.0, -1), "size must be from 0"),
        (lambda: solve_fixed_size([1.0, 2.0], 1.0, 2, [0, -1]), "from 0 to 1"),
        (lambda: solve_fixed_size([1.0, 2.0], 1.0, 0, [1, 0]), "from 1 to 2"),
        (lambda: solve_fixed_size([1.0, 2.0], 1.0, 1.5), "whole number"),
        (lambda: solve_smallest([1.0], 1.0, -0.1), "tolerance"),
        (lambda: solve_smallest([1.0], 1.0, np.nan), "tolerance"),
        (lambda: solve_smallest([1.0], 1.0, 0.1, "power"), "'current', not 'power'"),
        (lambda: solve_smallest([1.0], 1.0, 0.1, [np.inf]), "finite real"),
        (lambda: solve_smallest([1.0], 1.0, 0.1, [1.0, 2.0]), "must broadcast"),
        (lambda: best_subsets([1.0, 2.0], 1.0, 5), "at most 4"),
        (lambda: best_subsets([1.0, 0.0], 1.0, 3), "at most 2"),
        (lambda: best_subsets([1.0, 2.0], 1.0, 0), "at least 1"),
        (lambda: solve_with_stuck([1.0, 2.0], 1.0, [2, 0]), "-1 .open., 0"),
        (lambda: solve_with_stuck([1.0, 2.0], 1.0, [0, 0, 0]), "must broadcast to the bank"),
    ],
)
def test_impossible_wishes_are_refused_with_what_is_possible(solve, message):
    with pytest.raises(SpecError, match=message):
        solve()


DRAWS = {
    "all of float64's range": lambda rng, k: (
        rng.choice([-1, 1], k) * 10.0 ** rng.uniform(-320, 300, k)
    ),
    "smallest denormals": lambda rng, k: rng.integers(-5, 6, k) * 5e-324,
    "near overflow": lambda rng, k: rng.uniform(-1, 1, k) * 1e306,
    "ties up to one ulp": lambda rng, k: (
        rng.integers(-4, 5, k) / 4 * (1 + rng.integers(0, 3, k) * 2.0**-52)
    ),
    "nothing but zeros": lambda rng, k: np.zeros(k),
}


@pytest.mark.parametrize("draw_bank", DRAWS)
def test_numbers_of_any_size_are_taken(rounding, draw_bank):
    rng = np.random.default_rng(21)
    for _ in range(60):
        bank = DRAWS[draw_bank](rng, int(rng.integers(1, 7)))
        masks = all_masks(len(bank))
        sums = np.array([sum(bank[mask].tolist()) for mask in masks])
        target = float(rng.choice(sums)) * rng.choice([1, 1 + 2.0**-52, 1.1, -3])
        distance, slack = np.abs(sums - target), 4 * rounding(bank, target)
        size = int(rng.integers(0, len(bank) + 1))
        fixed = solve_fixed_size(bank, target, size)
        assert abs(abs(fixed.residual) - distance[masks.sum(axis=1) == size].min()) <= slack
        best = distance.min()
        for solution in (
            solve_with_stuck(bank, target, 0),
            solve_vector(bank[:, None], [target], "l2"),
            solve_many_targets(bank, [target], "l2"),
            solve_robust(bank, target),
        ):
            assert abs(np.abs(solution.residual).max() - best) <= slack
            assert np.all(solution.bound <= best)
        few = solve_smallest(bank, target, best + slack)
        assert few.feasible
        assert few.size <= masks.sum(axis=1)[distance <= best].min()
        assert solve_smallest(bank, target, 1e308, np.ones(len(bank))).size == 0


def ends(masks, right, bank):
    """The lowest and highest sums of the masks that are allowed."""
    sums = masks[right] @ bank
    return sums.min(), sums.max()


def check_reach(reachable, target, low, high, slack):
    assert reachable or not low <= target <= high
    assert not reachable or low - slack <= target <= high + slack


@pytest.mark.parametrize("elements", [1, 3, 6, 9])
def test_reachable_is_between_the_ends_of_what_the_constraints_allow(banks, rounding, elements):
    rng, bank, target, stuck = draw(banks, elements)
    masks = all_masks(elements)
    seen = set()
    for g, t, s in zip(bank, target, stuck, strict=True):
        slack = 4 * rounding(g, t)
        right = allowed(masks, s)
        size = int(rng.integers((s > 0).sum(), (s >= 0).sum() + 1))
        of_size = right & (masks.sum(axis=1) == size)
        check_reach(solve_fixed_size(g, t, size, s).reachable, t, *ends(masks, of_size, g), slack)
        drift = 0.5
        for solution, wanted in (
            (solve_smallest(g, t, 0.1, None, s), t),
            (solve_smallest(g, t, 0.1, "current", s), t),
            (best_subsets(g, t, 1, s), t),
            (solve_with_stuck(g, t, s), t),
            (solve_robust(g, t * drift, 0.1, 0.0, drift, s), t),
            (solve_constrained(g, t, Constraints(at_most=elements, stuck=s.tolist())), t),
            (solve_vector(g[:, None], [t], stuck=s), t),
            (solve_many_targets(g, [t], stuck=s[None]), t),
        ):
            reachable = bool(np.ravel(solution.reachable)[0])
            check_reach(reachable, wanted, *ends(masks, right, g), slack)
            seen.add(reachable)
    assert seen == {True, False}


def test_each_target_of_several_has_its_own_reach():
    bank = [[1.0, 4.0], [2.0, -1.0]]
    solution = solve_vector([bank, bank], [[3.5, 0.0], [2.0, -1.5]])
    np.testing.assert_array_equal(solution.reachable, [[False, True], [True, False]])
    shared = solve_many_targets([1.0, 2.0, 4.0], [6.5, 8.0, 0.5], stuck=[[0], [0], [-1]])
    np.testing.assert_array_equal(shared.reachable, [True, False, False])
    few = best_subsets([1.0, 2.0], [2.5, 3.5], 3)
    np.testing.assert_array_equal(few.reachable, [[True] * 3, [False] * 3])


TOLD = {
    "fixed": (lambda g, t: solve_fixed_size(g, t, 3), "meet-in-the-middle", "grouped by size"),
    "few": (lambda g, t: solve_smallest(g, t, 0.1), "meet-in-the-middle", "grouped by size"),
    "cheap": (lambda g, t: solve_smallest(g, t, 0.1, "current"), "meet-in-the-middle", "cheapest"),
    "best": (lambda g, t: best_subsets(g, t, 2), "meet-in-the-middle", "bisect"),
    "robust": (lambda g, t: solve_robust(g, t, 0.1), "meet-in-the-middle", "parabolas"),
    "stuck": (lambda g, t: solve_with_stuck(g, t, 0), "meet-in-the-middle", "K = 7"),
    "series": (lambda g, t: solve_series(g, t, 0.01), "meet-in-the-middle", "K = 7"),
    "vector": (lambda g, t: solve_vector(g[:, None], [t]), "meet-in-the-middle", "k-d tree"),
    "shared": (lambda g, t: solve_many_targets(g, [t]), "meet-in-the-middle", "1 targets"),
    "cp-sat": (lambda g, t: solve_constrained(g, t, Constraints(at_most=4)), "milp", "CP-SAT"),
    "network": (lambda g, t: solve_network(lambda m: m @ g, 7, t), "exhaustive", "all settings"),
    "long": (
        lambda g, t: solve_vector(np.ones((40, 1)) * g[0], [t]), "neighbourhood search", "K = 40",
    ),
    "long shared": (
        lambda g, t: solve_many_targets(np.resize(g, 60), [t, t]), "neighbourhood search", "K = 60",
    ),
    "long network": (
        lambda g, t: solve_network(lambda m: m @ np.resize(g, 20), 20, t), "local search", "K = 20",
    ),
    "long monotone": (
        lambda g, t: solve_network(lambda m: m @ np.resize(g, 20), 20, t, "rising"),
        "local search, then best-first",
        "K = 20",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_each_solution_says_by_which_method_it_was_found_and_why(name):
    solve, method, part_of_reason = TOLD[name]
    bank = np.random.default_rng(6).uniform(0.2, 1, 7)
    solution = solve(bank, 1.9)
    assert solution.method == method
    assert part_of_reason in solution.reason
    assert np.shape(solution.reachable) == np.shape(solution.residual)
    assert np.all(solution.reachable)
    assert not np.any(solve(bank, 1000.0).reachable) or name == "long network"


def test_the_stuck_and_the_series_bank_name_the_method_that_was_asked_for():
    for solve in (solve_with_stuck, lambda g, t, s, how: solve_series(g, t, 0.0, how, s)):
        solution = solve([1.0, 2.0, 4.0], 5.2, [0, 0, 1], "greedy")
        assert (solution.method, solution.reason) == ("greedy", "as asked")
