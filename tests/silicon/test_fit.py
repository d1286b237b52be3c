"""The laws of a branch, found again from data that was made by them."""

import numpy as np
import pytest

from xbar.errors import SolverError
from xbar.silicon.fit import (
    SwitchLaw,
    fit_bend,
    fit_c2_slope,
    fit_matching,
    fit_switch,
    fit_temperature,
)


@pytest.mark.parametrize("law", [(-1.3, -0.7, -0.2), (-0.24, 0.0, 0.0), (2.0, 1.0, 3.0)])
def test_the_law_of_a_switch_is_found_again(law):
    slope, bend, cubic = law
    shift = np.linspace(-0.08, 0.08, 7)
    ohms = 1200 / (1 + slope * shift + bend * shift**2 + cubic * shift**3)
    law = fit_switch(shift, ohms)
    assert law == pytest.approx((1200, slope, bend, cubic), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(1 / law.conductance(shift), ohms, rtol=1e-12)


def test_a_switch_of_another_law_keeps_its_resistance_without_deviation():
    shift = np.linspace(-0.08, 0.08, 9)
    law = fit_switch(shift, 1000 * np.exp(1.5 * shift))
    assert law.resistance == 1000
    # exp(-x) = 1 - x + x²/2 - ...
    assert law.slope == pytest.approx(-1.5, rel=0.01)
    assert law.bend == pytest.approx(1.5**2 / 2, rel=0.05)


@pytest.mark.parametrize("cubic", [0.0, -0.3, 4.0])
@pytest.mark.parametrize("bend", [-0.7, 0.0, 1e-9, 0.7])
def test_the_threshold_of_a_resistance_is_the_inverse_of_the_law(bend, cubic):
    law = SwitchLaw(1200.0, -1.3, bend, cubic)
    shift = np.linspace(-0.1, 0.1, 11)
    np.testing.assert_allclose(law.threshold(1 / law.conductance(shift)), shift, atol=1e-14)


def test_a_resistance_that_no_threshold_gives_is_refused():
    with pytest.raises(SolverError, match="not 400 ohm where 1000 is typical"):
        SwitchLaw(1000.0, -1.0, -0.5).threshold(np.array([900.0, 400.0]))


@pytest.mark.parametrize("test", [0.0, 0.1])
@pytest.mark.parametrize("kink", [0.0, -7e-4])
def test_the_bend_is_found_again_behind_an_offset(kink, test):
    volts = np.linspace(-0.2, 0.2, 21)
    law = 1 - 1.2e-3 * volts - 6e-4 * volts**2 + kink * np.abs(volts)
    amps = 3e-5 * volts * law + 2e-14
    # the slope of a chord between plus and minus test, to which coefficients are relative
    chord = 1 - 6e-4 * test**2 + kink * test
    found = fit_bend(volts, amps, 3e-5 * chord, test)
    assert found.c2 * chord == pytest.approx(-1.2e-3, rel=1e-9)
    assert found.c3 * chord == pytest.approx(-6e-4, rel=1e-9)
    assert found.kink * chord == pytest.approx(kink, rel=1e-9, abs=1e-12)
    assert found.error < 1e-12


def test_a_c2_that_goes_with_the_threshold_has_its_slope_found_again():
    shift = np.linspace(-0.08, 0.08, 9)
    assert fit_c2_slope(shift, -2.0 * (1 + 2.5 * shift + 4 * shift**2)) == pytest.approx(2.5)
    assert fit_c2_slope(shift, np.zeros(9)) == 0


def test_the_error_of_the_bend_is_what_the_law_leaves_of_the_largest_current():
    volts = np.linspace(-0.2, 0.2, 21)
    # a fifth power: the best law in its place leaves something, which is found by brute force
    amps = 1e-5 * volts * (1 + 0.5 * volts**4)
    found = fit_bend(volts, amps, 1e-5, 0.0)
    law = found.c3 * volts**3 + found.kink * volts * np.abs(volts)
    left = np.abs(0.5 * volts**5 - law).max() / np.abs(amps / 1e-5).max()
    assert found.error == pytest.approx(left, rel=1e-6)
    cubes, kinks = np.meshgrid(np.linspace(0, 0.1, 401), np.linspace(-0.02, 0.02, 401))
    tried = np.zeros(cubes.shape)
    for v in volts:
        tried += (0.5 * v**5 - cubes * v**3 - kinks * v * abs(v)) ** 2
    best = np.unravel_index(np.argmin(tried), tried.shape)
    assert found.c3 == pytest.approx(cubes[best], abs=1e-3)
    assert found.kink == pytest.approx(kinks[best], abs=3e-4)


def test_temperature_coefficients_are_found_again():
    celsius = np.array([-40.0, 0, 27, 85, 125])
    away = celsius - 27
    linear, square = np.array([1e-4, -2e-3]), np.array([1e-7, 3e-6])
    siemens = np.array([2e-5, 3e-5]) * (1 + np.outer(away, linear) + np.outer(away**2, square))
    found = fit_temperature(celsius, siemens, 27.0)
    np.testing.assert_allclose(found, [linear, square], rtol=1e-8)


def test_the_area_law_smooths_the_deviations_of_few_devices():
    rng = np.random.default_rng(0)
    length = np.array([2e-6, 4e-6, 8e-6, 16e-6])
    ohms = 500 + 7e9 * length
    true = np.sqrt(8.0**2 + (2.5e5 * np.sqrt(length)) ** 2) / ohms
    np.testing.assert_allclose(fit_matching(length, ohms, true), true, rtol=1e-9)
    few, smooth = [], []
    for _ in range(200):
        drawn = (true[:, None] * rng.standard_normal((4, 200))).std(axis=1, ddof=1)
        few.append(drawn / true - 1)
        smooth.append(fit_matching(length, ohms, drawn) / true - 1)
    assert np.std(smooth) < 0.75 * np.std(few)
    assert np.max(np.abs(np.mean(smooth, axis=0))) < 0.02


def test_equal_lengths_share_one_deviation_and_none_stays_none():
    sigma = fit_matching(np.full(3, 4e-6), np.full(3, 1e4), np.array([0.03, 0.04, 0.05]))
    np.testing.assert_allclose(sigma, np.sqrt((9 + 16 + 25) / 3) / 100)
    np.testing.assert_array_equal(fit_matching(np.ones(2), np.ones(2), np.zeros(2)), 0)
