"""How many random numbers a weight takes, against published figures and independent draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.pruning import width
from xbar.subset import solve_subset


def test_failure_shares_are_the_published_ones():
    """Burkholz and others (2022), n = 15, eps = 0.01: uniform 0.404 %, products 3.55 %."""
    for law, published in (("uniform", 0.00404), ("products", 0.0355)):
        size = width(0.01, 1e-3, law=law, samples=20_000, seed=1)
        share = {n: misses.value for n, misses, _ in size.curve}[15]
        error = math.sqrt(published * (1 / 20_000 + 1 / 100_000))
        assert share == pytest.approx(published, abs=3 * error)


def test_a_simulated_width_keeps_its_promise_on_numbers_drawn_elsewhere():
    size = width(0.02, delta=0.02, samples=10_000, seed=2)
    rng = np.random.default_rng(3)
    bank = rng.uniform(-1, 1, (20_000, size.simulated)) * rng.random((20_000, size.simulated))
    residual = solve_subset(bank, rng.uniform(-1, 1, 20_000)).residual
    assert (np.abs(residual) > 0.02).mean() < 0.02


def test_counting_formula_simulation_and_theorem_stand_in_that_order():
    for law in ("uniform", "products"):
        size = width(0.01, delta=0.05, law=law, samples=4000)
        assert size.counting < size.formula < size.simulated
        assert abs(size.extrapolated - size.simulated) <= 2
        assert size.theorem > 15 * size.simulated


def test_products_take_more_numbers_than_uniform_ones():
    uniform, products = (width(0.02, law=law, samples=4000) for law in ("uniform", "products"))
    assert uniform.simulated < products.simulated
    assert uniform.theorem < products.theorem


def test_many_weights_share_the_chance_of_failing():
    size = width(0.05, delta=0.1, weights=1000, samples=4000)
    assert size.failure == pytest.approx(1 - 0.9 ** (1 / 1000))
    assert size.simulated is None  # 4,000 samples can't confirm one in 10,000
    assert size.extrapolated > width(0.05, delta=0.1, samples=4000).simulated + 5


def test_small_weights_need_fewer_numbers_than_any_weight():
    small = np.random.default_rng(4).normal(0, 0.04, 1000)
    arguments = {"epsilon": 0.01, "delta": 0.01, "samples": 4000}
    assert width(targets=small, **arguments).simulated < width(**arguments).simulated - 4


def test_figures_are_json():
    import json

    content = json.loads(json.dumps(width(0.05, samples=1000).to_json()))
    assert content["curve"][0]["n"] == 1
    assert content["law"] == "products"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be above 0"),
        ({"epsilon": 0.3}, "epsilon must be above 0 and at most 1/4"),
        ({"delta": 1.0}, "delta must lie between 0 and 1"),
        ({"weights": 0}, "weights and samples must be at least 1"),
        ({"law": "normal"}, "law must be 'uniform' or 'products'"),
        ({"targets": [2.0]}, "targets must be numbers within -1 and 1"),
        ({"targets": []}, "targets must be numbers within -1 and 1"),
        ({"seed": -1}, "seed must be from 0"),
    ],
)
def test_arguments_that_are_not_allowed(arguments, message):
    with pytest.raises(SpecError, match=message):
        width(**{"epsilon": 0.1, **arguments})
