"""Two halves with a wish for their sum, against every pair of subsets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.subset.variants.pair import solve_pair


def all_sums(half):
    masks = (np.arange(2 ** len(half))[:, None] >> np.arange(len(half))) & 1
    return masks @ half


@pytest.mark.parametrize("elements", [1, 2, 5, 7])
@pytest.mark.parametrize("zeros", [False, True])
def test_without_a_weight_the_difference_is_the_best_of_all(elements, zeros):
    rng = np.random.default_rng(elements)
    plus, minus = rng.random((2, 200, elements))
    if zeros:
        plus[rng.random(plus.shape) < 0.3] = 0.0
    target = rng.uniform(-elements, elements, 200)
    solution = solve_pair(plus, minus, target, 0.0, weight=0.0)
    for m in range(200):
        differences = np.subtract.outer(all_sums(plus[m]), all_sums(minus[m]))
        best = np.abs(differences - target[m]).min()
        assert abs(abs(solution.difference[m] - target[m]) - best) < 1e-12


@given(
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
    st.floats(0, 2),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_no_pair_of_subsets_costs_less(elements, seed, weight):
    rng = np.random.default_rng(seed)
    plus, minus = rng.random((2, elements))
    target, total = rng.uniform(-1, 1), rng.uniform(0, elements)
    solution = solve_pair(plus, minus, target, total, weight)
    p, m = all_sums(plus), all_sums(minus)
    miss = np.abs(np.subtract.outer(p, m) - target)
    cost = miss + weight * np.abs(np.add.outer(p, m) - total)
    got = abs(solution.difference - target) + weight * abs(solution.total - total)
    assert abs(got - cost.min()) < 1e-12


@pytest.mark.parametrize("weight", [0.0, 2.0**-9, 2.0**-6, 0.5, 3.0])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("read_noise", [0.0, 0.003, 0.03, 0.3])
def test_the_search_that_stops_early_finds_what_a_full_one_finds(weight, whole, read_noise):
    rng = np.random.default_rng(7)
    plus, minus = rng.uniform(0.5, 1.5, (2, 300, 6))
    target, total = rng.uniform(-8, 8, 300), rng.uniform(-2, 14, 300)
    if whole:  # many pairs are equally good
        plus, minus, target, total = (np.round(2 * each) for each in (plus, minus, target, total))
    solution = solve_pair(plus, minus, target, total, weight, read_noise)
    squares = (plus**2 * solution.plus).sum(-1) + (minus**2 * solution.minus).sum(-1)
    got = abs(solution.difference - target) + weight * abs(solution.total - total)
    got = got**2 + read_noise**2 * squares
    for m in range(300):
        p, q = all_sums(plus[m])[:, None], all_sums(minus[m])
        power = all_sums(plus[m] ** 2)[:, None] + all_sums(minus[m] ** 2)
        cost = np.abs(p - q - target[m]) + weight * np.abs(p + q - total[m])
        assert abs(got[m] - (cost**2 + read_noise**2 * power).min()) < 1e-12


def test_the_wish_trades_a_little_difference_for_the_total():
    rng = np.random.default_rng(0)
    plus, minus = rng.uniform(0.5, 1.5, (2, 500, 8))
    target = rng.uniform(-2, 2, 500)
    plain = solve_pair(plus, minus, target, 8.0, weight=0.0)
    wished = solve_pair(plus, minus, target, 8.0, weight=2.0**-9)
    assert np.abs(wished.total - 8).mean() < 0.2 * np.abs(plain.total - 8).mean()
    assert np.abs(wished.difference - target).max() < 0.05


def test_sums_are_those_of_the_masks():
    rng = np.random.default_rng(1)
    plus, minus = rng.random((2, 3, 4, 6))
    solution = solve_pair(plus, minus, 0.5, 2.0, 0.01)
    assert solution.plus.shape == (3, 4, 6)
    p, m = (plus * solution.plus).sum(-1), (minus * solution.minus).sum(-1)
    np.testing.assert_allclose(solution.difference, p - m, atol=1e-15)
    np.testing.assert_allclose(solution.total, p + m, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plus": [1.0, np.nan]}, "plus must be finite and not negative"),
        ({"minus": [-1.0, 1.0]}, "minus must be finite and not negative"),
        ({"minus": [1.0]}, "must have one shape"),
        ({"plus": []}, "K from 1 to 16"),
        ({"plus": np.ones(17), "minus": np.ones(17)}, "K from 1 to 16"),
        ({"target": np.inf}, "target must be finite"),
        ({"total": [1.0, 2.0]}, "total must broadcast"),
        ({"weight": -1.0}, "weight must be a finite number from 0, not -1.0"),
        ({"read_noise": -0.1}, "read_noise must be a finite number from 0, not -0.1"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"plus": [1.0, 2.0], "minus": [1.0, 2.0], "target": 1.0, "total": 1.0}
    with pytest.raises(SpecError, match=message):
        solve_pair(**{**arguments, "weight": 0.1, **change})
