"""One mask for several targets, and one bank for several targets, against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.subset import solve_many_targets, solve_subset, solve_vector

POWER = {"linf": np.inf, "l2": 2, "l1": 1}


def vector_bank(rng, elements, dimensions):
    bank = rng.uniform(-1, 1, (elements, dimensions))
    bank[rng.random(elements) < 0.1] = 0.0
    if elements > 2:
        bank[0] = bank[1]
    return bank


@pytest.mark.parametrize("norm", POWER)
@pytest.mark.parametrize("elements", [1, 2, 5, 9, 14])
def test_one_mask_serves_several_targets_optimally(elements, norm):
    rng = np.random.default_rng(elements)
    masks = (np.arange(1 << elements)[:, None] >> np.arange(elements)) & 1 == 1
    for _ in range(15):
        dimensions = int(rng.integers(1, 5))
        bank = vector_bank(rng, elements, dimensions)
        target, weights = rng.uniform(-2, 2, dimensions), rng.uniform(0.2, 3, dimensions)
        stuck = rng.choice([-1, 0, 0, 0, 0, 1], elements)
        solution = solve_vector(bank, target, norm, weights, stuck)
        right = ((masks | (stuck <= 0)) & (~masks | (stuck >= 0))).all(axis=1)
        all_of_them = (masks[right] @ bank - target) * weights
        best = np.linalg.norm(all_of_them, ord=POWER[norm], axis=1).min()
        assert solution.distance == pytest.approx(best, abs=1e-13)
        assert solution.bound <= best + 1e-15
        assert ((solution.mask | (stuck <= 0)) & (~solution.mask | (stuck >= 0))).all()
        np.testing.assert_allclose(solution.achieved, solution.mask @ bank, atol=1e-14)
        np.testing.assert_array_equal(solution.residual, solution.achieved - target)
        assert solution.status == "optimal"


@pytest.mark.parametrize("elements", [6, 17, 24])
def test_one_dimension_is_the_plain_problem(banks, rounding, elements):
    bank, target = banks(np.random.default_rng(elements), 20, elements, signed=True)
    vector = solve_vector(bank[..., None], target[..., None])
    plain = solve_subset(bank, target)
    assert (np.abs(vector.distance - np.abs(plain.residual)) <= rounding(bank, target)).all()


def test_batches_of_vectors_broadcast():
    rng = np.random.default_rng(1)
    bank, target = rng.uniform(-1, 1, (3, 1, 8, 2)), rng.uniform(-1, 1, (4, 2))
    solution = solve_vector(bank, target)
    assert solution.mask.shape == (3, 4, 8)
    assert solution.residual.shape == (3, 4, 2)
    assert solution.distance.shape == solution.bound.shape == (3, 4)
    one = solve_vector(bank[2, 0], target[1])
    np.testing.assert_array_equal(solution.mask[2, 1], one.mask)
    assert solve_vector(bank[0, 0], np.zeros((0, 2))).mask.shape == (0, 8)


def test_a_bank_too_long_to_prove_is_answered_honestly_and_better_than_by_rounding():
    rng = np.random.default_rng(2)
    bank, target = rng.uniform(-1, 1, (60, 3)), np.array([0.3, -0.2, 0.1])
    solution = solve_vector(bank, target)
    assert solution.status == "best found"
    assert solution.bound == 0.0
    assert solution.distance < 0.03  # the rounded least-squares solution is off by about 1
    np.testing.assert_array_equal(solution.mask, solve_vector(bank, target).mask)


@pytest.mark.parametrize("norm", POWER)
@pytest.mark.parametrize(("elements", "most"), [(1, 3), (2, 3), (4, 3), (7, 3), (10, 2), (14, 1)])
def test_a_bank_is_shared_out_optimally(elements, most, norm):
    rng = np.random.default_rng(elements)
    for _ in range(15 if elements < 10 else 3):
        count = int(rng.integers(1, 4)) if most == 3 else most
        bank, target = rng.uniform(-1, 1, elements), rng.uniform(-2, 2, count)
        bank[rng.random(elements) < 0.1] = 0.0
        owners = np.array(list(product(range(-1, count), repeat=elements)))
        sums = np.stack([(owners == j) @ bank for j in range(count)], axis=1)
        best = np.linalg.norm(sums - target, ord=POWER[norm], axis=1).min()
        solution = solve_many_targets(bank, target, norm)
        assert solution.distance == pytest.approx(best, abs=1e-13)
        assert solution.bound <= best + 1e-15
        assert solution.mask.sum(axis=0).max() <= 1
        np.testing.assert_allclose(solution.achieved, solution.mask @ bank, atol=1e-14)
        assert solution.status == "optimal"


def test_switches_that_are_stuck_bind_the_partition():
    rng = np.random.default_rng(5)
    for _ in range(30):
        bank, target = rng.uniform(0, 1, 6), rng.uniform(0, 2, 2)
        stuck = rng.choice([-1, 0, 0, 0, 1], (2, 6))
        stuck[1, stuck[0] == 1] = np.minimum(stuck[1, stuck[0] == 1], 0)
        owners = np.array(list(product(range(-1, 2), repeat=6)))
        closed = np.stack([owners == j for j in range(2)], axis=1)
        right = ((closed | (stuck <= 0)) & (~closed | (stuck >= 0))).all(axis=(1, 2))
        best = np.abs(closed[right] @ bank - target).max(axis=1).min()
        solution = solve_many_targets(bank, target, stuck=stuck)
        assert solution.distance == pytest.approx(best, abs=1e-13)
        assert ((solution.mask | (stuck <= 0)) & (~solution.mask | (stuck >= 0))).all()


@pytest.mark.parametrize(("elements", "count"), [(26, 2), (40, 5), (150, 6)])
def test_long_banks_are_shared_out_closely_and_honestly(elements, count):
    rng = np.random.default_rng(elements)
    bank = rng.uniform(0, 1, elements)
    target = rng.uniform(0.3, 1, count)
    target *= 0.4 * bank.sum() / target.sum()
    solution = solve_many_targets(bank, target)
    assert solution.status == "best found"
    assert solution.bound == 0.0
    assert solution.mask.sum(axis=0).max() <= 1
    assert solution.distance < 1e-3
    assert solve_many_targets(bank, target, tolerance=0.01).status == "within tolerance"


numbers = st.floats(-1e3, 1e3, allow_subnormal=False) | st.sampled_from([0.0, 1.0])


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(numbers, min_size=1, max_size=9), numbers)
def test_sharing_out_to_one_target_is_the_plain_problem(rounding, bank, target):
    slack = 2 * rounding(np.array(bank), np.float64(target))
    shared, plain = solve_many_targets(bank, [target]), solve_subset(bank, target)
    assert abs(shared.distance - abs(plain.residual)) <= slack


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9), numbers, numbers)
def test_swapping_the_targets_changes_nothing(bank, first, second):
    slack = 1e-12 * (np.abs(bank).sum() + abs(first) + abs(second))
    one = solve_vector(bank, [first, second])
    other = solve_vector(np.array(bank)[:, ::-1], [second, first])
    assert abs(one.distance - other.distance) <= slack


@pytest.mark.parametrize(
    ("solve", "message"),
    [
        (lambda: solve_vector([[1.0, 2.0]], [1.0]), r"bank must be \(..., K, d\)"),
        (lambda: solve_vector([1.0], [1.0]), r"bank must be \(..., K, d\)"),
        (lambda: solve_vector(np.zeros((0, 2)), [1.0, 1.0]), "an element or more"),
        (lambda: solve_vector(np.zeros((2, 0)), []), "a dimension or more"),
        (lambda: solve_vector([[1.0, np.nan]], [1.0, 1.0]), "bank must be finite"),
        (lambda: solve_vector([[1.0, 1.0]], [np.inf, 1.0]), "target must be finite"),
        (lambda: solve_vector([[1.0]], [1.0], "l3"), "norm must be one of linf, l2, l1"),
        (lambda: solve_vector([[1.0]], [1.0], weights=[0.0]), "positive"),
        (lambda: solve_vector([[1.0]], [1.0], weights=[1.0, 2.0]), "weights must be 1"),
        (lambda: solve_vector([[1.0]], [1.0], stuck=[3]), "stuck must hold"),
        (lambda: solve_many_targets([[1.0]], [1.0]), r"bank must be \(K,\)"),
        (lambda: solve_many_targets([1.0], []), r"m >= 1"),
        (lambda: solve_many_targets([], [1.0]), "an element or more"),
        (lambda: solve_many_targets([np.nan], [1.0]), "bank must be finite"),
        (lambda: solve_many_targets([1.0], [np.nan]), "target must be finite"),
        (lambda: solve_many_targets([1.0], [1.0], "max"), "norm must be"),
        (lambda: solve_many_targets([1.0], [1.0], tolerance=-1.0), "tolerance"),
        (lambda: solve_many_targets([1.0], [1.0, 2.0], stuck=[1]), "closed to two targets"),
    ],
)
def test_what_cannot_be_solved_is_refused(solve, message):
    with pytest.raises(SpecError, match=message):
        solve()
