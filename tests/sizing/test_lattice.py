"""Claims: the formulas for whole numbers and tiers agree with the enumeration of all sums."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.sizing.density import density
from xbar.sizing.lattice import (
    exact_chance,
    partition_chance,
    reachable,
    threshold_bits,
    tiered_density,
)
from xbar.statistics import wilson_interval


def counted(bank):
    """Number of subsets of each sum, by adding one element after the other."""
    counts = np.zeros(int(np.sum(bank)) + 1)
    counts[0] = 1
    for element in bank:
        counts[element:] += counts[: len(counts) - element].copy()
    return counts


def test_reachable_sums_are_those_of_all_subsets():
    bank = np.random.default_rng(0).integers(0, 40, 9)
    sums = {sum(chosen) for size in range(10) for chosen in combinations(bank.tolist(), size)}
    assert set(np.flatnonzero(reachable(bank)).tolist()) == sums
    assert len(reachable(bank)) == bank.sum() + 1


@pytest.mark.parametrize(("reach", "elements"), [(17, 100), (35, 60), (87, 30)])
def test_sums_between_tiers_are_as_many_as_enumeration_counts(reach, elements):
    bank = 1000 + np.random.default_rng(1).integers(-reach, reach + 1, elements)
    counts = counted(bank)
    tier = elements // 2 * 1000
    for target in (tier, tier + 250):
        near = counts[target - 20 : target + 21].mean()
        assert tiered_density(bank, [target])[0] == pytest.approx(near, rel=0.6)
    # one normal distribution for all sums does not know the tiers
    between = counts[tier + 460 : tier + 541].mean()
    assert density(bank, tier + 500.0) > 3 * between


def test_no_sums_are_expected_where_no_tier_reaches():
    bank = 1000 + np.random.default_rng(2).integers(-9, 10, 20)
    assert not counted(bank)[10_400:10_600].any()
    np.testing.assert_array_equal(tiered_density(bank, [10_400, 10_500, 10_600]), 0)
    np.testing.assert_array_equal(tiered_density([5.0] * 8, [20.0, 22.0]), 0)


def test_banks_reach_a_target_exactly_as_often_as_the_formula_says():
    hits, chances = [], []
    for seed in range(300):
        bank = 1000 + np.random.default_rng(seed).integers(-173, 174, 14)
        hits.append(reachable(bank)[7500])
        chances.append(exact_chance(bank, [7500])[0])
    low, high = wilson_interval(sum(hits), 300)
    assert 0.2 < low < np.mean(chances) < high < 0.95


@pytest.mark.parametrize(("elements", "bits"), [(16, 13), (16, 15)])
def test_perfect_partitions_follow_the_window_of_number_partitioning(elements, bits):
    found = [[], []]
    for seed in range(400):
        bank = np.random.default_rng(seed).integers(1, 2**bits + 1, elements)
        found[bank.sum() % 2].append(reachable(bank)[bank.sum() // 2])
    for hits, chance in zip(found, partition_chance(elements, bits), strict=True):
        # the window is a limit of many elements: at 16 it is off by a few points
        low, high = wilson_interval(sum(hits), len(hits))
        assert low - 0.05 < chance < high + 0.05


def test_far_from_the_window_a_partition_is_certain_or_impossible():
    assert partition_chance(2000, 1.0) == (1.0, 1.0)
    assert partition_chance(5, np.inf) == (0.0, 0.0)


def test_the_threshold_is_a_bit_an_element_less_half_a_bit_a_doubling():
    assert [threshold_bits(n) for n in (1, 4, 16, 64)] == [1, 3, 14, 61]
    even = [partition_chance(n, threshold_bits(n))[0] for n in (4, 16, 64)]
    np.testing.assert_allclose(even, 1 - np.exp(-np.sqrt(3 / (2 * np.pi))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tiered_density([1.0], [1.0]), "at least 2"),
        (lambda: tiered_density([[1.0, 2.0]], [1.0]), "one row"),
        (lambda: tiered_density([1.0, np.nan], [1.0]), "finite"),
        (lambda: tiered_density([1.0, 2.0], [np.nan]), "finite"),
        (lambda: reachable([1.5, 2]), "whole numbers"),
        (lambda: reachable([np.nan, 2]), "whole numbers"),
        (lambda: reachable([np.inf, 2]), "at most"),
        (lambda: reachable([2**40]), "at most"),
        (lambda: reachable([-1, 2]), "at least 0"),
        (lambda: partition_chance(0, 3.0), "positive"),
        (lambda: threshold_bits(0), "at least 1"),
        (lambda: threshold_bits(np.nan), "at least 1"),
    ],
)
def test_banks_without_a_lattice_are_refused(call, message):
    with pytest.raises(SpecError, match=message):
        call()
