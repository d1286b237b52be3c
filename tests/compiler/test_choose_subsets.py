"""Choosing for a weight: the closest, the closest of one sign, and the least expected error."""

import numpy as np
import pytest

import xbar
from xbar.compiler.mapping import SignedBank, get_mapping
from xbar.compiler.passes.choose_subsets import (
    EXACT,
    choose_least_error,
    choose_on_one_side,
    choose_subsets,
)
from xbar.effects.expected import ExpectedError
from xbar.subset import solve_subset

CHOICES = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(bool)


def banks(kind):
    element = np.random.default_rng(0).uniform(0.1, 1.0, (200, 6))
    element[np.random.default_rng(1).random(element.shape) < 0.1] = 0.0
    if kind == "pair":
        element[:, 3:] *= -1
    elif kind == "mixed":
        element[:, ::2] *= -1
    return element


def cost(element, choice, goal, error):
    chosen = np.where(choice, element, 0.0)
    bias = error.gain * chosen.sum(axis=-1) - goal
    return bias**2 + (error.gain * error.noise) ** 2 * (chosen**2).sum(axis=-1)


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


@pytest.mark.parametrize("kind", ["pair", "single", "mixed"])
@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.03, 0.3])
@pytest.mark.parametrize("gain", [1.0, 0.8])
def test_no_subset_has_less_expected_error_than_the_choice(kind, noise, gain):
    element, error = banks(kind), ExpectedError(gain, noise)
    goal = np.random.default_rng(2).uniform(-1.5, 2.5, 200)
    chosen = choose_least_error(element, goal, error)
    best = cost(element[:, None], CHOICES, goal[:, None], error).min(axis=1)
    np.testing.assert_allclose(cost(element, chosen, goal, error), best, rtol=1e-9, atol=1e-14)
    assert not (chosen & (element == 0.0)).any()


@pytest.mark.parametrize("kind", ["pair", "single"])
def test_with_much_noise_nothing_is_switched_in(kind):
    goal = np.random.default_rng(2).uniform(-0.5, 1.5, 200)
    assert not choose_least_error(banks(kind), goal, ExpectedError(noise=100.0)).any()


def test_leakage_is_part_of_the_reading():
    element, offset = banks("pair"), np.linspace(-0.3, 0.3, 200)
    goal = np.random.default_rng(3).uniform(-1.0, 1.0, 200)
    error = ExpectedError(0.9, 0.02)
    chosen = choose_subsets(SignedBank(element, offset), goal, error)
    left = goal - 0.9 * offset
    best = cost(element[:, None], CHOICES, left[:, None], error).min(axis=1)
    np.testing.assert_allclose(cost(element, chosen, left, error), best, rtol=1e-9, atol=1e-14)


def test_banks_beyond_the_exact_reach_get_the_best_of_three():
    rng = np.random.default_rng(4)
    element = rng.uniform(0.1, 1.0, (6, EXACT + 2))
    element[:, EXACT // 2 + 1 :] *= -1
    goal, error = rng.uniform(-3, 3, 6), ExpectedError(noise=0.05)
    goal[0] = 0.001
    found = cost(element, choose_least_error(element, goal, error), goal, error)
    three = [
        solve_subset(element, goal).mask,
        choose_on_one_side(element, goal),
        np.zeros(element.shape, bool),
    ]
    np.testing.assert_array_equal(found, np.min([cost(element, c, goal, error) for c in three], 0))


@pytest.mark.parametrize("mapping", ["pair", "reference"])
def test_every_weight_of_a_noisy_program_has_the_least_expected_error_of_all_subsets(mapping):
    noise = 0.02
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=4, on_off_ratio=50.0, stuck_open=0.05, stuck_closed=0.02),
        tile=xbar.Tile(word_lines=12, bit_lines=12),
        variation=xbar.Variation(read_noise=noise),
    )
    weight = np.random.default_rng(5).standard_normal((9, 12))
    options = xbar.Options(mapping=mapping)
    program = xbar.compile({"fc": weight}, hardware, seed=3, options=options)
    for tile in program.tiles:
        for part in tile.blocks:
            mask = tile.mask
            bank = get_mapping(mapping).bank(*tile.chip.resistors(tile.index), part.block, mask)
            count = bank.element.shape[-1]
            choices = ((np.arange(1 << count)[:, None] >> np.arange(count)) & 1).astype(bool)
            goal, error = part.target - bank.offset, ExpectedError(noise=noise)
            chosen = get_mapping(mapping).choice(mask, part.block)
            best = cost(bank.element[..., None, :], choices, goal[..., None], error).min(axis=-1)
            found = cost(bank.element, chosen, goal, error)
            np.testing.assert_allclose(found, best, rtol=1e-9, atol=1e-12 * (goal**2).max())


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("resistors", [8, 21])  # 42 elements of a pair are beyond the exact choice
def test_the_switch_of_a_stuck_resistor_stays_open(resistors, noise):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=resistors, stuck_open=0.2, stuck_closed=0.1),
        tile=xbar.Tile(word_lines=6, bit_lines=8),
        variation=xbar.Variation(read_noise=noise),
    )
    chip = xbar.Chip.sample(hardware, 0)
    weights = np.random.default_rng(0).standard_normal((4, 6))
    (tile,) = xbar.compile({"fc": weights}, chip, options=xbar.Options(swap_lines="never")).tiles
    assert (chip.stuck(0) != 0).any()
    assert not tile.mask[chip.stuck(0) != 0].any()
