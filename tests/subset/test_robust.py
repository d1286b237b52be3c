"""The subset of least expected squared error, against brute force and against sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.subset import solve_robust, solve_subset


def expected_square(bank, masks, target, noise, spread, drift):
    variance = (drift * bank) ** 2 * ((1 + noise**2) * (1 + spread**2) - 1)
    return (drift * (masks @ bank) - target) ** 2 + masks @ variance


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-300, 1e150])
@pytest.mark.parametrize("elements", [1, 2, 5, 9, 13])
def test_it_minimises_the_expected_squared_error(banks, elements, scale):
    rng = np.random.default_rng(elements)
    masks = (np.arange(1 << elements)[:, None] >> np.arange(elements)) & 1 == 1
    bank, target = banks(rng, 40, elements, signed=True)
    for g, t in zip(bank, target * rng.choice([1, 1, 10, 1e6], 40), strict=True):
        stuck = rng.choice([-1, 0, 0, 0, 0, 1], elements)
        noise, spread, drift = rng.choice([0, 0.01, 0.5], elements), rng.choice([0, 0.1]), 0.9
        solution = solve_robust(g * scale, t * scale, noise, spread, drift, stuck)
        right = ((masks | (stuck <= 0)) & (~masks | (stuck >= 0))).all(axis=1)
        best = expected_square(g, masks[right], t, noise, spread, drift).min()
        slack = 4 * elements * 2.0**-52 * (np.abs(g).sum() + abs(t)) ** 2
        assert abs((solution.expected_error / scale) ** 2 - best) <= slack
        assert solution.bound / scale <= np.sqrt(best) * (1 + 1e-12)
        assert ((solution.mask | (stuck <= 0)) & (~solution.mask | (stuck >= 0))).all()


def test_the_expected_error_is_what_sampling_measures():
    rng = np.random.default_rng(0)
    bank, noise, spread, drift = rng.uniform(0, 1, 10), 0.1, 0.2, 0.8
    solution = solve_robust(bank, 2.0, noise, spread, drift)
    drifted = drift * (1 + spread * rng.standard_normal((200_000, 10)))
    reads = drifted * (1 + noise * rng.standard_normal((200_000, 10))) * bank
    error = reads[:, solution.mask].sum(axis=1) - 2.0
    assert np.sqrt((error**2).mean()) == pytest.approx(solution.expected_error, rel=0.01)
    assert error.mean() == pytest.approx(solution.residual, abs=0.005)


def test_without_noise_it_is_the_closest_subset(banks):
    bank, target = banks(np.random.default_rng(1), 200, 12, signed=True)
    robust, plain = solve_robust(bank, target), solve_subset(bank, target)
    np.testing.assert_allclose(np.abs(robust.residual), np.abs(plain.residual), atol=1e-13)
    assert not robust.deviation.any()


def test_under_noise_many_small_resistors_beat_few_large_ones():
    rng = np.random.default_rng(2)
    bank = rng.uniform(0.2, 1, (300, 16))
    target = 0.47 * bank.sum(axis=1)
    robust, plain = solve_robust(bank, target, 0.02), solve_subset(bank, target)
    noise_of_plain = np.sqrt(((plain.mask * bank * 0.02) ** 2).sum(axis=1))
    assert (robust.expected_error <= np.hypot(plain.residual, noise_of_plain) + 1e-14).all()
    assert robust.mask.sum() > plain.mask.sum()


def test_batches_broadcast_and_long_banks_are_taken():
    rng = np.random.default_rng(3)
    bank, target = rng.uniform(-1, 1, (4, 1, 9)), rng.uniform(-1, 1, 5)
    solution = solve_robust(bank, target, 0.05)
    assert solution.mask.shape == (4, 5, 9)
    assert solution.expected_error.shape == solution.deviation.shape == (4, 5)
    np.testing.assert_array_equal(
        solution.mask[2, 3], solve_robust(bank[2, 0], target[3], 0.05).mask
    )
    assert solve_robust(bank, np.zeros((0, 1, 1)), 0.1).mask.shape == (0, 4, 1, 9)
    long = solve_robust(rng.uniform(0, 1, 34), 8.0, 0.01)
    assert long.status == "optimal"
    assert long.expected_error >= long.bound > 0


numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, 5e-324])


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.lists(numbers, min_size=1, max_size=9), numbers, st.floats(0, 2), st.floats(0, 2))
def test_more_noise_never_helps(bank, target, noise, more):
    slack = 1e-6 * (np.abs(bank).sum() + abs(target))
    quiet, noisy = solve_robust(bank, target, noise), solve_robust(bank, target, noise + more)
    assert quiet.expected_error <= noisy.expected_error + slack


@pytest.mark.parametrize(
    ("solve", "message"),
    [
        (lambda: solve_robust([1.0], 1.0, -0.1), "read_noise must be finite and not negative"),
        (lambda: solve_robust([1.0], 1.0, np.nan), "read_noise"),
        (lambda: solve_robust([1.0], 1.0, 0.1, np.inf), "drift_spread"),
        (lambda: solve_robust([1.0], 1.0, [0.1, 0.2]), "read_noise of shape"),
        (lambda: solve_robust([1.0], 1.0, drift=0.0), "drift of solve_robust"),
        (lambda: solve_robust([np.nan], 1.0), "bank must be finite"),
        (lambda: solve_robust([1.0], np.nan), "target must be finite"),
        (lambda: solve_robust([], 1.0), "an element or more"),
        (lambda: solve_robust([1.0], 1.0, stuck=[7]), "stuck must hold"),
    ],
)
def test_what_cannot_be_solved_is_refused(solve, message):
    with pytest.raises(SpecError, match=message):
        solve()
