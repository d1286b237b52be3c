"""The subset of least expected squared error, against brute force and against sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.parallel import one_thread
from xbar.subset import solve_robust, solve_subset
from xbar.subset.problem import broadcast, check_bank
from xbar.subset.variants import robust
from xbar.subset.variants.robust import quietest_subsets


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
    quiet, plain = solve_robust(bank, target), solve_subset(bank, target)
    np.testing.assert_allclose(np.abs(quiet.residual), np.abs(plain.residual), atol=1e-13)
    assert not quiet.deviation.any()


def test_under_noise_many_small_resistors_beat_few_large_ones():
    rng = np.random.default_rng(2)
    bank = rng.uniform(0.2, 1, (300, 16))
    target = 0.47 * bank.sum(axis=1)
    quiet, plain = solve_robust(bank, target, 0.02), solve_subset(bank, target)
    noise_of_plain = np.sqrt(((plain.mask * bank * 0.02) ** 2).sum(axis=1))
    assert (quiet.expected_error <= np.hypot(plain.residual, noise_of_plain) + 1e-14).all()
    assert quiet.mask.sum() > plain.mask.sum()


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


def hard_banks(rng, elements):
    """Zeros, equal, doubled, tiny and ordinary elements of both signs."""
    plain = np.exp(0.3 * rng.standard_normal((8, elements))) * rng.choice([-1, 1], (8, elements))
    plain[1] = np.abs(plain[1])
    plain[2][rng.random(elements) < 0.4] = 0.0
    plain[3] = 1.0
    plain[4] = rng.choice([-1.0, 1.0], elements)
    plain[5, : elements // 2] = plain[5, elements - elements // 2 :]
    plain[6] *= 10.0 ** rng.uniform(-9, 0, elements)
    plain[7, elements // 2 :] = -plain[7, : elements - elements // 2]
    return plain


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3, 0.01, 0.03, 0.5])
@pytest.mark.parametrize("elements", range(1, 15))
def test_no_subset_of_a_hard_bank_has_less_expected_error(elements, noise):
    rng = np.random.default_rng(elements)
    masks = (np.arange(1 << elements)[:, None] >> np.arange(elements)) & 1 == 1
    for bank in hard_banks(rng, elements):
        span = np.abs(bank).sum()
        target = np.concatenate([rng.uniform(-1.2, 1.2, 6) * span, [0.0, bank[0], 1e5, -1e5]])
        solution = solve_robust(bank, target, noise)
        best = [expected_square(bank, masks, t, noise, 0.0, 1.0).min() for t in target]
        slack = 4 * elements * 2.0**-52 * (span + np.abs(target)) ** 2
        assert (np.abs(solution.expected_error**2 - best) <= slack).all()
        assert not solution.mask[:, bank == 0.0].any()


@pytest.mark.parametrize("elements", [16, 19, 24, 32])
@pytest.mark.parametrize("kind", ["pair", "positive", "mixed"])
def test_the_quick_search_finds_what_the_lower_envelope_does(elements, kind):
    rng = np.random.default_rng(elements)
    count = 40 if elements < 30 else 3
    bank = np.exp(0.3 * rng.standard_normal((count, elements)))
    if kind == "pair":
        bank[:, elements // 2 :] *= -1
    elif kind == "mixed":
        bank *= rng.choice([-1, 1], bank.shape)
    target = rng.uniform(-0.1, 1.1, count) * bank.sum(axis=1)
    for noise in (1e-4, 0.01, 0.1):
        batch = broadcast(check_bank(bank, 40, ""), target, 0.0, "")
        relative, free = np.full(bank.shape, noise), np.zeros(bank.shape, np.int64)
        quick = robust._by_core(batch, free, relative)
        slow = robust._by_envelope(batch, free, relative, np.arange(count))
        assert (quick >= 0).all()
        found, known = (
            expected_square_of(bank, (m[:, None] >> np.arange(elements)) & 1, target, noise)
            for m in (quick, slow)
        )
        np.testing.assert_allclose(found, known, rtol=1e-9)


def expected_square_of(bank, mask, target, noise):
    """(M,) of one subset each."""
    return ((mask * bank).sum(axis=1) - target) ** 2 + noise**2 * (mask * bank**2).sum(axis=1)


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.2])
@pytest.mark.parametrize("elements", [20, 32, 40])
def test_of_equal_resistors_it_takes_as_many_as_the_closed_form_says(elements, noise):
    """Of a pair's equal resistors only one side conducts: n of them cost (n - t)² + n r²."""
    bank = np.ones(elements)
    bank[elements // 2 :] = -1.0
    target = np.array([-3.4, -0.3, 0.0, 2.45, elements / 2 + 4])
    number = np.arange(elements // 2 + 1)
    best = ((number - np.abs(target)[:, None]) ** 2 + number * noise**2).min(axis=1)
    solution = solve_robust(bank, target, noise)
    np.testing.assert_allclose(solution.expected_error**2, best, rtol=1e-9, atol=1e-12)


def test_where_sums_are_alike_the_kernel_leaves_the_bank_to_the_envelope():
    bank = np.random.default_rng(4).choice([1.0, 2.0], (4, 32))
    batch = broadcast(check_bank(bank, 40, ""), np.full(4, 20.37), 0.0, "")
    free, relative = np.zeros(bank.shape, np.int64), np.full(bank.shape, 1e-4)
    assert (robust._by_core(batch, free, relative) == -1).any()
    ones, twos = np.ogrid[:33, :33]
    solution = solve_robust(bank, 20.37, 1e-4)
    for found, row in zip(solution.expected_error, bank, strict=True):
        cost = (ones + 2 * twos - 20.37) ** 2 + 1e-8 * (ones + 4 * twos)
        allowed = (ones <= (row == 1).sum()) & (twos <= (row == 2).sum())
        assert found**2 == pytest.approx(cost[allowed].min(), rel=1e-9)


def test_the_same_bank_gives_the_same_mask_in_any_company_and_on_any_threads():
    rng = np.random.default_rng(5)
    bank = rng.choice([-2.0, -1.0, 0.0, 1.0, 1.5], (5000, 12)) + rng.choice([0, 1e-3], (5000, 12))
    target = rng.uniform(-4, 4, 5000)
    whole = quietest_subsets(bank, target, 0.03)
    with one_thread():
        np.testing.assert_array_equal(quietest_subsets(bank, target, 0.03), whole)
    for i in (0, 2047, 2048, 4999):
        np.testing.assert_array_equal(quietest_subsets(bank[i], target[i], 0.03), whole[i])
    np.testing.assert_array_equal(solve_robust(bank, target, 0.03).mask, whole)


def test_a_gain_makes_the_same_choice_as_a_drift():
    rng = np.random.default_rng(6)
    bank, target = rng.uniform(-1, 1, (50, 10)), rng.uniform(-1, 1, 50)
    np.testing.assert_array_equal(
        quietest_subsets(bank, target, 0.1, gain=0.7),
        solve_robust(bank, target, 0.1, drift=0.7).mask,
    )
