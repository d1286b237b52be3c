"""Scales of least expected error, against closed forms and against what subsets then reach."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from xbar.hardware.bank import Bank
from xbar.sizing.laws import Uniform, draw_banks
from xbar.subset.scaling import (
    ErrorCurve,
    Reach,
    best_scales,
    closest,
    expected_error,
    measure_error,
    reach_of,
)

FORMULA = ErrorCurve.by_formula(24, 5.0)


def reach(shape, low=-5.0, high=5.0, deviation=1.0):
    values = [np.zeros(shape), np.full(shape, deviation), np.full(shape, low), np.full(shape, high)]
    return Reach(np.stack(values))


def pairs(count, resistors, sigma, seed):
    bank = draw_banks(
        Bank(resistors=2 * resistors, nominal=1, sigma=sigma), 2 * resistors, count, seed
    )
    bank[:, resistors:] *= -1
    return bank


def test_reach_is_that_of_all_sums():
    rng = np.random.default_rng(0)
    element, offset = rng.standard_normal((20, 6)), rng.standard_normal(20)
    choices = (np.arange(64)[:, None] >> np.arange(6)) & 1
    sums = offset[:, None] + element @ choices.T
    expected = [sums.mean(1), sums.std(1), sums.min(1), sums.max(1)]
    np.testing.assert_allclose(reach_of(element, offset).values, expected, atol=1e-12)


def test_targets_beyond_the_ends_are_missed_and_those_on_them_are_not():
    r = reach((4,), low=-2.0, high=3.0)
    np.testing.assert_array_equal(
        r.misses(np.array([-2.0, 3.0, 3.001, -2.001])), [False, False, True, True]
    )


def test_a_single_weight_goes_one_deviation_from_the_middle():
    """exp(u²)/u² is least at u = 1, where it is e."""
    scale = best_scales(np.array([[0.1, -7.0]]), reach((1, 2), deviation=0.5), FORMULA)
    u = scale * [0.1, 7.0] / 0.5
    np.testing.assert_allclose(np.exp(u**2) / u**2, np.e, rtol=0.01)


def test_evenly_spread_weights_take_the_scale_of_the_integral():
    weight = np.linspace(-1, 1, 401)[:, None]
    best = minimize_scalar(
        lambda x: quad(lambda w: np.exp((x * w) ** 2), 0, 1)[0] / x**2, (0.5, 1.0, 3.0)
    ).x
    scale = best_scales(weight, reach(weight.shape), FORMULA)[0]
    assert scale == pytest.approx(best, rel=0.03)


def test_an_outlier_is_clipped_as_far_as_all_others_gain():
    """N c x² + (L - x)² with x = 1/scale, of N small weights and one of L: x = L/(1 + N c)."""
    weight = np.full((1001, 1), 0.01)
    weight[500] = 3.0
    curve = ErrorCurve.constant(4e-4)
    scale = best_scales(weight, reach(weight.shape, -1.0, 1.0), curve)[0]
    assert 1 / scale == pytest.approx(3.0 / (1 + 1001 * 4e-4), rel=0.02)
    exact = 1001 * 4e-4 / scale**2 + (3.0 - 1 / scale) ** 2
    found = expected_error(scale, weight[:, 0], reach((1001,), -1.0, 1.0), curve)
    assert found == pytest.approx(exact, rel=1e-12)


def test_a_bank_without_elements_changes_no_scale():
    weight = np.random.default_rng(0).standard_normal((50, 1))
    r = reach(weight.shape)
    alone = best_scales(weight, r, FORMULA)
    r.values[:, 3] = 0.0
    r.values[:, 11] = 0.0
    assert best_scales(weight, r, FORMULA) == pytest.approx(alone, rel=0.05)


def test_columns_of_zeros_and_of_dead_banks_have_finite_scales_too():
    weight = np.array([[0.0, 2.0], [0.0, 0.0]])
    zero, other = best_scales(weight, reach((2, 2)), FORMULA)
    assert zero >= other > 0
    assert np.isfinite(best_scales(np.zeros((2, 2)), reach((2, 2)), FORMULA)).all()
    assert np.isfinite(best_scales(weight, reach((2, 2), 0.0, 0.0, 0.0), FORMULA)).all()


def test_the_measured_curve_is_the_design_formula_where_the_bank_is_wide():
    bank = draw_banks(Uniform(), 16, 400, 1)
    curve = measure_error(bank)
    formula = ErrorCurve.by_formula(16, 3.0).table
    ratio = curve.table[: 64 * 2] / formula[: 64 * 2]
    assert 0.7 < np.exp(np.log(ratio).mean()) < 1.4
    assert (np.abs(np.log(ratio)) < np.log(2.5)).all()


def test_the_curve_of_equal_resistors_is_that_of_rounding():
    """Sums are integers, so a target's error is even within 1/2: 1/12."""
    curve = measure_error(np.ones((400, 12)))
    assert np.mean(curve.table[:128]) * 3 == pytest.approx(1 / 12, rel=0.05)


def test_read_noise_adds_what_the_chosen_resistors_make():
    bank = pairs(64, 6, 0.3, 0)
    quiet, noisy = measure_error(bank), measure_error(bank, read_noise=0.05)
    extra = (noisy.table - quiet.table)[:64]
    # about half of all elements, so 0.05² Σe²/2 = 0.05² 2 s²
    np.testing.assert_allclose(extra, 2 * 0.05**2, rtol=0.15)


@pytest.mark.parametrize(("resistors", "sigma"), [(2, 0.3), (3, 0.3), (5, 0.3), (5, 0.02)])
def test_the_expected_error_is_the_one_that_subsets_leave(resistors, sigma):
    bank = pairs(4000, resistors, sigma, 3)
    weight = np.random.default_rng(0).standard_normal((4000, 1))
    r = reach_of(bank, np.zeros(4000))
    curve = measure_error(bank[:400])
    scale = best_scales(weight, Reach(r.values[:, :, None]), curve)[0]
    target = scale * weight[:, 0]
    achieved = (bank * closest(bank, target)).sum(axis=1)
    found = ((achieved / scale - weight[:, 0]) ** 2).sum()
    assert expected_error(scale, weight[:, 0], r, curve) == pytest.approx(found, rel=0.25)


def test_banks_too_long_to_try_take_the_formula():
    curve = measure_error(pairs(8, 20, 0.3, 0), read_noise=0.01)
    assert curve.table[0] == pytest.approx(2e-4, rel=1e-6)


def test_dead_banks_expect_to_miss_everything():
    assert measure_error(np.zeros((3, 4))).table.tolist() == [1.0]
