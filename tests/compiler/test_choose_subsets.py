"""Choosing for a weight: the closest, the closest of one sign, and the quietest."""

import numpy as np
import pytest

from xbar.compiler.passes.choose_subsets import choose_on_one_side, choose_quiet

CHOICES = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(bool)


def banks(kind):
    element = np.random.default_rng(0).uniform(0.1, 1.0, (200, 6))
    element[np.random.default_rng(1).random(element.shape) < 0.1] = 0.0
    if kind == "pair":
        element[:, 3:] *= -1
    elif kind == "mixed":
        element[:, ::2] *= -1
    return element


@pytest.mark.parametrize("kind", ["pair", "single", "mixed"])
def test_the_closest_of_one_sign_is_that_of_all_its_subsets(kind):
    element = banks(kind)
    goal = np.random.default_rng(2).uniform(-1.5, 1.5, 200)
    goal[:5] = 0.0
    chosen = choose_on_one_side(element, goal)
    assert not (chosen & (element * goal[:, None] <= 0)).any()
    usable = np.where(element * goal[:, None] > 0, element, 0.0)
    best = np.abs(usable @ CHOICES.T - goal[:, None]).min(axis=1)
    np.testing.assert_allclose(np.abs((element * chosen).sum(1) - goal), best, atol=1e-12)


@pytest.mark.parametrize("kind", ["pair", "single"])
def test_without_noise_the_quietest_is_the_closest_and_with_much_it_is_none(kind):
    element = banks(kind)
    goal = np.random.default_rng(2).uniform(-0.5, 1.5, 200)
    chosen = choose_quiet(element, goal, 1e-12)
    best = np.abs(element @ CHOICES.T - goal[:, None]).min(axis=1)
    np.testing.assert_allclose(np.abs((element * chosen).sum(1) - goal), best, atol=1e-9)
    assert not choose_quiet(element, goal, 100.0).any()
