from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.subset import MeetInTheMiddle, solve_subset

COUNT = 334  # of each length and kind: 15 x 2 x 334 is over 10,000 instances


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("elements", range(2, 17))
def test_it_equals_exhaustive_search(banks, rounding, elements, signed):
    bank, target = banks(np.random.default_rng(elements), COUNT, elements, signed=signed)
    fast = solve_subset(bank, target, "meet-in-the-middle")
    oracle = solve_subset(bank, target, "exhaustive")
    np.testing.assert_array_less(
        np.abs(np.abs(fast.residual) - np.abs(oracle.residual)),
        rounding(bank, target) + 1e-300,
    )


def halves_by_numpy(bank, target):
    """The smallest |residual| by sorting one half's sums and searching them for the other's."""

    def sums(elements):
        table = np.zeros(1)
        for g in elements:
            table = np.concatenate([table, table + g])
        return table

    first, second = np.sort(sums(bank[: len(bank) // 2])), sums(bank[len(bank) // 2 :])
    at = np.searchsorted(first, target - second)
    below = first[np.maximum(at - 1, 0)] + second - target
    above = first[np.minimum(at, len(first) - 1)] + second - target
    return min(np.abs(below).min(), np.abs(above).min())


@pytest.mark.parametrize("elements", [1, 17, 19, 20, 23, 24, 27, 28, 29, 32])
def test_it_equals_an_independent_method_beyond_exhaustive_search(banks, rounding, elements):
    count = 40 if elements <= 24 else 14 if elements <= 28 else 3
    bank, target = banks(np.random.default_rng(elements), count, elements, signed=True)
    solution = solve_subset(bank, target)
    expected = [halves_by_numpy(b, t) for b, t in zip(bank, target, strict=True)]
    np.testing.assert_array_less(
        np.abs(np.abs(solution.residual) - expected), rounding(bank, target) + 1e-300
    )


@pytest.mark.parametrize("elements", [3, 8, 13, 16, 21])
def test_the_answer_depends_neither_on_threads_nor_on_the_batch(banks, elements):
    bank, target = banks(np.random.default_rng(5), 5000 >> (elements // 4), elements, signed=True)
    one = MeetInTheMiddle(threads=1).prepare(bank).solve(target)
    two = MeetInTheMiddle(threads=2).prepare(bank).solve(target)
    again = MeetInTheMiddle(threads=2).prepare(bank).solve(target)
    for name in ("mask", "achieved", "residual", "bound"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
        assert getattr(two, name).tobytes() == getattr(again, name).tobytes()
    for i in range(4):
        alone = solve_subset(bank[i], target[i])
        assert alone.mask.tobytes() == one.mask[i].tobytes()


def test_one_bank_and_many_targets_is_the_same_as_copies_of_the_bank():
    rng = np.random.default_rng(2)
    bank, targets = rng.uniform(-1, 1, 14), rng.uniform(-3, 3, 3000)
    shared = solve_subset(bank, targets)
    copies = solve_subset(np.tile(bank, (3000, 1)), targets)
    assert shared.mask.tobytes() == copies.mask.tobytes()


def test_elements_of_value_zero_are_never_chosen(banks):
    bank, target = banks(np.random.default_rng(6), 2000, 12, signed=True)
    assert not solve_subset(bank, target).mask[bank == 0].any()


def test_a_sum_that_some_subset_has_is_hit_exactly():
    rng = np.random.default_rng(8)
    bank = rng.integers(-1000, 1000, (500, 20)).astype(float)
    target = (bank * (rng.random(bank.shape) < 0.5)).sum(1)
    assert not solve_subset(bank, target).residual.any()


@pytest.mark.parametrize("scale", [1e-300, 1e-312, 1e-6, 1e300])
def test_the_scale_of_the_numbers_does_not_matter(banks, rounding, scale):
    bank, target = banks(np.random.default_rng(9), 200, 10, signed=True)
    bank, target = bank * scale, target * scale
    fast, oracle = solve_subset(bank, target), solve_subset(bank, target, "exhaustive")
    difference = np.abs(np.abs(fast.residual) - np.abs(oracle.residual))
    assert (difference <= rounding(bank, target)).all()


def test_twelve_decades_in_one_bank_are_resolved():
    bank = 10.0 ** -np.arange(13.0)
    chosen = np.random.default_rng(3).random((300, 13)) < 0.5
    solution = solve_subset(bank, chosen @ bank)
    np.testing.assert_array_equal(solution.mask, chosen)


numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, -1.0, 5e-324])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.lists(numbers, min_size=1, max_size=11), numbers, st.randoms(use_true_random=False))
def test_order_of_the_elements_does_not_change_how_close_it_comes(
    rounding, elements, target, random
):
    shuffled = list(elements)
    random.shuffle(shuffled)
    slack = 2 * rounding(np.array(elements), np.float64(target))
    one, other = solve_subset(elements, target), solve_subset(shuffled, target)
    assert abs(abs(one.residual) - abs(other.residual)) <= slack


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.lists(numbers, min_size=1, max_size=11), numbers)
def test_the_mirrored_problem_has_the_mirrored_residual(rounding, elements, target):
    slack = 2 * rounding(np.array(elements), np.float64(target))
    one, other = solve_subset(elements, target), solve_subset(-np.array(elements), -target)
    assert abs(abs(one.residual) - abs(other.residual)) <= slack


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.lists(numbers, min_size=1, max_size=11), numbers)
def test_any_bank_is_solved_as_well_as_by_exhaustive_search(rounding, elements, target):
    slack = 2 * rounding(np.array(elements), np.float64(target))
    fast = solve_subset(elements, target)
    oracle = solve_subset(elements, target, "exhaustive")
    assert abs(abs(fast.residual) - abs(oracle.residual)) <= slack


def test_threads_must_be_positive():
    with pytest.raises(SpecError, match="threads must be at least 1"):
        MeetInTheMiddle(threads=0)
