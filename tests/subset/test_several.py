"""One subset for several points: the least of all subsets, beside an exhaustive search."""

from itertools import product

import numpy as np
import pytest

from xbar.subset import solve_subset, solve_vector
from xbar.subset.variants import several
from xbar.subset.variants.several import choose_for_several


def problems(seed, number, points, elements, noise):
    """Signed banks that move a little from point to point, half of a pair's elements negative."""
    rng = np.random.default_rng(seed)
    first = rng.lognormal(0, 0.4, (number, 1, elements)) * rng.choice([-1, 1], elements)
    bank = first * rng.lognormal(0, 0.15, (number, points, elements))
    target = rng.normal(0, 1.5, (number, 1)) * rng.uniform(0.8, 1.2, (number, points))
    variance = (noise * bank) ** 2 * rng.uniform(0.2, 3, bank.shape)
    return bank, target, variance


def cost(bank, target, variance, mask, over):
    each = (np.einsum("mde,me->md", bank, mask) - target) ** 2
    each = each + np.einsum("mde,me->md", variance, mask)
    return each.max(axis=1) if over == "worst" else each.mean(axis=1)


@pytest.mark.parametrize("over", ["worst", "mean"])
@pytest.mark.parametrize(("points", "elements", "noise"), [(1, 7, 0.0), (3, 10, 0.0), (4, 9, 0.1)])
def test_no_subset_has_a_smaller_error(over, points, elements, noise):
    bank, target, variance = problems(1, 20, points, elements, noise)
    found = choose_for_several(bank, target, variance, over)
    every = np.array(list(product([0.0, 1.0], repeat=elements)))
    least = np.min(
        [cost(bank, target, variance, np.tile(one, (20, 1)), over) for one in every], axis=0
    )
    np.testing.assert_allclose(found.power, least, rtol=1e-9, atol=1e-24)
    np.testing.assert_allclose(cost(bank, target, variance, found.mask, over), least, rtol=1e-9)
    np.testing.assert_array_equal(found.bound, found.power)


@pytest.mark.parametrize(("over", "norm"), [("worst", "linf"), ("mean", "l2")])
def test_without_variance_it_is_the_vector_solver(over, norm):
    bank, target, _ = problems(2, 6, 3, 18, 0.0)
    found = choose_for_several(bank, target, over=over)
    solved = solve_vector(np.swapaxes(bank, 1, 2), target, norm=norm)
    points = 1.0 if over == "worst" else 3.0
    np.testing.assert_allclose(found.power, solved.distance**2 / points, rtol=1e-9)


def test_one_point_without_variance_is_the_closest_subset():
    bank, target, _ = problems(3, 50, 1, 12, 0.0)
    found = choose_for_several(bank, target)
    closest = solve_subset(bank[:, 0], target[:, 0])
    np.testing.assert_allclose(np.sqrt(found.power), np.abs(closest.residual), atol=1e-13)


@pytest.mark.parametrize("over", ["worst", "mean"])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_long_bank_is_near_its_bound_or_near_the_best(monkeypatch, over, noise):
    """Of banks that are short in truth: the heuristic beside the exact choice."""
    bank, target, variance = problems(4, 30, 3, 18, noise)
    exact = choose_for_several(bank, target, variance, over)
    monkeypatch.setattr(several, "EXACT", 10)
    found = choose_for_several(bank, target, variance, over)
    np.testing.assert_allclose(
        cost(bank, target, variance, found.mask, over), found.power, rtol=1e-9
    )
    assert (found.bound <= exact.power * (1 + 1e-9)).all()
    assert (found.power >= exact.power * (1 - 1e-9)).all()
    if noise:  # what variance costs at least is told
        assert (found.bound > 0.2 * exact.power).mean() > 0.7
        assert np.median(found.power / exact.power) < 1.01
    assert np.median(np.sqrt(found.power / exact.power)) < 2.5


def test_dead_elements_stay_open_and_do_not_count():
    bank, target, variance = problems(5, 10, 2, 30, 0.05)
    bank[:, :, 8:] = 0.0  # eight are left: the choice is exact
    found = choose_for_several(bank, target, variance)
    short = choose_for_several(bank[:, :, :8], target, variance[:, :, :8])
    assert not found.mask[:, 8:].any()
    np.testing.assert_array_equal(found.mask[:, :8], short.mask)
    np.testing.assert_array_equal(found.bound, found.power)


def test_a_bank_without_elements_keeps_its_target_as_error():
    found = choose_for_several(np.zeros((1, 2, 4)), np.array([[3.0, -1.0]]))
    assert found.power[0] == 9.0
    assert not found.mask.any()


def test_the_same_problems_give_the_same_subsets():
    bank, target, variance = problems(6, 5, 3, 40, 0.1)
    one, other = (choose_for_several(bank, target, variance, "mean") for _ in range(2))
    np.testing.assert_array_equal(one.mask, other.mask)
