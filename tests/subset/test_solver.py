"""What every solver of the registry promises."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.subset import get_solver, names, solve_subset

EPSILON = float(np.finfo(np.float64).eps)

pytestmark = pytest.mark.parametrize("method", names())


def exact_sum(bank, mask):
    return sum((Fraction(float(g)) for g, m in zip(bank, mask, strict=True) if m), Fraction(0))


def test_achieved_and_residual_are_those_of_the_mask(banks, method):
    bank, target = banks(np.random.default_rng(1), 100, 11, signed=True)
    solution = solve_subset(bank, target, method)
    for i in range(100):
        total = 0.0
        for g, chosen in zip(bank[i], solution.mask[i], strict=True):
            total += g if chosen else 0.0
        assert solution.achieved[i] == total
        assert solution.residual[i] == total - target[i]
        slack = Fraction(EPSILON) * 11 * Fraction(np.abs(bank[i]).sum())
        assert abs(exact_sum(bank[i], solution.mask[i]) - Fraction(total)) <= slack


def test_the_bound_holds_in_exact_arithmetic_and_is_as_tight_as_the_status_says(banks, method):
    bank, target = banks(np.random.default_rng(4), 60, 7, signed=True)
    solution = solve_subset(bank, target, method)
    for i in range(60):
        goal = Fraction(target[i])
        best = min(abs(exact_sum(bank[i], m) - goal) for m in product((0, 1), repeat=7))
        rounding = EPSILON * (7 * np.abs(bank[i]).sum() + abs(target[i]))
        assert Fraction(solution.bound[i]) <= best
        if solution.status == "optimal":
            assert abs(solution.residual[i]) - solution.bound[i] <= rounding * 1.01


DRAWS = {
    "all of float64's range": lambda rng, k: (
        rng.choice([-1, 1], k) * 10.0 ** rng.uniform(-320, 300, k)
    ),
    "smallest denormals": lambda rng, k: rng.integers(-5, 6, k) * 5e-324,
    "edge of the denormals": lambda rng, k: rng.uniform(-1, 1, k) * 1e-308,
    "twenty decades": lambda rng, k: rng.choice([-1, 1], k) * 10.0 ** rng.uniform(-20, 0, k),
    "near overflow": lambda rng, k: rng.uniform(-1, 1, k) * 1e306,
    "ties up to one ulp": lambda rng, k: (
        rng.integers(-4, 5, k) / 4 * (1 + rng.integers(0, 3, k) * EPSILON)
    ),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_the_bound_and_the_optimum_hold_for_numbers_of_any_size(method, draw):
    rng = np.random.default_rng(21)
    for _ in range(60):
        bank = DRAWS[draw](rng, int(rng.integers(1, 7)))
        masks = list(product((0, 1), repeat=len(bank)))
        near = float(exact_sum(bank, masks[rng.integers(len(masks))]))
        target = near * rng.choice([1, 1 + EPSILON, 1.1, -3])
        solution = solve_subset(bank, target, method)
        goal = Fraction(float(target))
        best = min(abs(exact_sum(bank, m) - goal) for m in masks)
        slack = Fraction(EPSILON) * len(bank) * sum(abs(Fraction(g)) for g in bank.tolist())
        assert Fraction(float(solution.bound)) <= best
        if solution.status == "optimal":
            assert abs(exact_sum(bank, solution.mask) - goal) - best <= slack


def test_a_target_out_of_reach_gets_the_nearest_end(method):
    solution = solve_subset([2.0, -1.0, 0.5], [-1e9, -1.5, 2.7, 1e300], method)
    np.testing.assert_array_equal(solution.achieved, [-1.0, -1.0, 2.5, 2.5])


def test_a_differential_pair_reaches_what_neither_half_does(method):
    plus, minus = [1.0, 4.0], [3.0, 1.5]
    bank = np.concatenate([plus, np.negative(minus)])
    assert solve_subset(bank, -0.5, method).achieved == -0.5
    assert solve_subset(bank, 2.5, method).achieved == 2.5


def test_a_finite_on_off_ratio_is_a_bank_of_differences(method):
    on, off = np.array([9.0, 5.0, 3.0]), np.array([0.9, 0.5, 0.3])
    solution = solve_subset(on - off, 8.5 - off.sum(), method)
    assert np.where(solution.mask, on, off).sum() == pytest.approx(8.9)


def test_batch_axes_broadcast_in_both_directions(method):
    rng = np.random.default_rng(0)
    bank, target = rng.uniform(-1, 1, (4, 1, 6)), rng.uniform(-1, 1, 5)
    solution = solve_subset(bank, target, method)
    assert solution.mask.shape == (4, 5, 6)
    for name in ("achieved", "residual", "bound"):
        assert getattr(solution, name).shape == (4, 5)
    one = solve_subset(bank[2, 0], target[3], method)
    assert one.achieved == solution.achieved[2, 3]
    many = get_solver(method).prepare(bank[2, 0]).solve(target.reshape(5, 1))
    np.testing.assert_array_equal(many.achieved[:, 0], solution.achieved[2])
    columns = solve_subset(bank[:, 0], target[:, None], method)
    np.testing.assert_array_equal(columns.achieved, solution.achieved.T)


def test_a_single_problem_has_numpy_scalars(method):
    solution = solve_subset([1.0, 2.0], 2.2, method)
    assert solution.mask.shape == (2,)
    for value in (solution.achieved, solution.residual, solution.bound):
        assert type(value) is np.float64


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2)])
def test_an_empty_batch_has_an_empty_answer(method, shape):
    solution = solve_subset([1.0, 2.0], np.zeros(shape), method)
    assert solution.mask.shape == (*shape, 2)
    assert solution.achieved.shape == shape
    assert solve_subset(np.zeros((0, 3)), 1.0, method).mask.shape == (0, 3)


def test_a_bank_of_zeros_achieves_zero(method):
    solution = solve_subset(np.zeros((20, 5)), [1e-3], method)
    assert not solution.mask.any()
    np.testing.assert_array_equal(solution.residual, np.full(20, -1e-3))
    assert (solution.bound <= 1e-3).all()


def test_one_element_is_taken_when_that_is_closer(method):
    solution = solve_subset([[1.0], [-1.0]], [0.6, 0.6], method)
    np.testing.assert_array_equal(solution.mask, [[True], [False]])


def test_a_tolerance_is_met_if_any_subset_meets_it(banks, method):
    bank, target = banks(np.random.default_rng(7), 200, 9, signed=False)
    oracle = solve_subset(bank, target, "exhaustive")
    solution = solve_subset(bank, target, method, tolerance=0.02)
    if method == "greedy":  # promises nothing
        return
    reachable = np.abs(oracle.residual) <= 0.02
    assert (np.abs(solution.residual[reachable]) <= 0.02).all()
    assert solution.status in ("optimal", "within tolerance")


def test_the_same_problem_gives_the_same_bytes_twice(banks, method):
    bank, target = banks(np.random.default_rng(12), 300, 8, signed=True)
    one, two = (solve_subset(bank, target, method) for _ in range(2))
    for name in ("mask", "achieved", "residual", "bound"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_the_arguments_are_left_alone(banks, method):
    bank, target = banks(np.random.default_rng(13), 50, 6, signed=True)
    copies = bank.copy(), target.copy()
    bank.flags.writeable = target.flags.writeable = False
    solve_subset(bank, target, method)
    np.testing.assert_array_equal(bank, copies[0])
    np.testing.assert_array_equal(target, copies[1])


def test_banks_of_any_layout_and_real_type_are_taken(method):
    bank = np.arange(24).reshape(4, 6)
    expected = solve_subset(bank.astype(float), 33.3, method).mask
    for other in (bank, np.asfortranarray(bank), bank.astype(np.float32), bank.tolist()):
        np.testing.assert_array_equal(solve_subset(other, 33.3, method).mask, expected)


@pytest.mark.parametrize(
    ("bank", "target", "message"),
    [
        ([[1.0, np.nan]], 1.0, r"bank must be finite, not nan at \[0, 1\]"),
        ([1.0, np.inf], 1.0, r"bank must be finite, not inf at \[1\]"),
        ([1.0, 2.0], [0.0, np.nan], r"target must be finite, not nan at \[1\]"),
        ([], 1.0, r"an element or more on its last axis \(..., K\), not shape \(0,\)"),
        (3.0, 1.0, r"not shape \(\)"),
        (np.ones((3, 2)), np.ones(4), r"target of shape \(4,\) must broadcast .* axes \(3,\)"),
        ([1.0, 2.0j], 1.0, "real numbers, not complex128"),
        (["a"], 1.0, "bank must hold real numbers"),
        ([[1.0], [1.0, 2.0]], 1.0, "bank must be one rectangular array"),
        ([1e308, 1e308], 1.0, "sum of a bank's absolute values must be finite"),
        ([1e308], 1e308, r"plus \|target\| must be finite"),
    ],
)
def test_what_cannot_be_solved_is_refused_with_the_place(method, bank, target, message):
    with pytest.raises(SpecError, match=message):
        solve_subset(bank, target, method)


@pytest.mark.parametrize("tolerance", [-1e-9, np.nan, np.inf])
def test_a_tolerance_must_be_finite_and_not_negative(method, tolerance):
    with pytest.raises(SpecError, match="tolerance"):
        solve_subset([1.0], 1.0, method, tolerance)


def test_a_bank_over_the_limit_is_refused_with_the_limit(method):
    limit = get_solver(method).max_elements
    with pytest.raises(SpecError, match=f"at most {limit} elements, not K = {limit + 1}; "):
        solve_subset(np.ones(limit + 1), 1.0, method)


@pytest.mark.parametrize("target", [0.0, 3.0, 7.0])
def test_a_target_that_is_hit_is_optimal_with_a_bound_of_zero_whoever_hits_it(method, target):
    solution = solve_subset([1.0, 2.0, 4.0], target, method)
    assert (solution.status, solution.residual, solution.bound) == ("optimal", 0.0, 0.0)
