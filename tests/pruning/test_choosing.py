"""Which random numbers are kept, against exhaustive search."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.pruning.constructions.choosing import check_minimise, single, subset, sums


def _instances(seed, count=300, elements=9):
    rng = np.random.default_rng(seed)
    bank = rng.uniform(-1, 1, (count, elements))
    bank[rng.random(bank.shape) < 0.25] = 0.0
    bank[:3] = 0.0
    return bank, rng.uniform(-1, 1, count)


def _all_sums(bank):
    masks = (np.arange(1 << bank.shape[1])[:, None] >> np.arange(bank.shape[1])) & 1
    return masks.sum(axis=1), bank @ masks.T


def test_the_closest_subset_is_that_of_exhaustive_search():
    bank, target = _instances(0)
    mask = subset(bank, target, 0.05, "error")
    _, every = _all_sums(bank)
    best = np.abs(every - target[:, None]).min(axis=1)
    assert np.abs(sums(bank, mask) - target) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("tolerance", [0.004, 0.05])
def test_the_smallest_subset_is_that_of_exhaustive_search_and_the_closest_of_its_size(tolerance):
    bank, target = _instances(1)
    bank = np.where(bank == 0.0, 2.0, bank)  # so that a size counts numbers and not zeros
    mask = subset(bank, target, tolerance, "size")
    count, every = _all_sums(bank)
    distance = np.abs(every - target[:, None])
    near = distance <= tolerance
    size = np.where(near, count, 99).min(axis=1)
    met = near.any(axis=1)
    assert 0.1 < met.mean() < 1.0
    assert (size[met] > 3).any()
    assert np.array_equal(mask.sum(axis=1)[met], size[met])
    same = np.where(count == size[:, None], distance, np.inf).min(axis=1)
    wanted = np.where(met, same, distance.min(axis=1))
    assert np.abs(sums(bank, mask) - target) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("minimise", ["error", "size"])
def test_numbers_of_zero_are_never_kept(minimise):
    bank, target = _instances(2)
    mask = subset(bank, target, 0.05, minimise)
    assert not mask[bank == 0.0].any()
    assert not mask[:3].any()


def test_a_single_path_is_the_nearest_or_none_where_none_is_nearer():
    bank, target = _instances(3)
    mask = single(bank, target, 0.05, "error")
    options = np.concatenate([np.zeros((len(bank), 1)), bank], axis=1)
    best = np.abs(options - target[:, None]).min(axis=1)
    assert mask.sum(axis=1).max() == 1
    assert np.array_equal(np.abs(sums(bank, mask) - target), best)


def test_a_single_path_is_saved_where_zero_is_close_enough():
    bank, target = _instances(4)
    mask = single(bank, target, 0.3, "size")
    assert np.array_equal(mask.any(axis=1), np.abs(target) > 0.3)


def test_only_error_and_size_can_be_minimised():
    with pytest.raises(SpecError, match="minimise must be 'error' or 'size', not 'time'"):
        check_minimise("time")
