"""The error to be expected of a choice is the mean square of many noisy readings' errors."""

import numpy as np
import pytest

import xbar
from xbar.effects.expected import ExpectedError, expected_error


@pytest.mark.parametrize("gain", [1.0, 0.8])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("target", [0.0, 20e-6, 31e-6])
def test_it_is_the_mean_square_of_readings_of_shaking_resistors(gain, noise, target):
    rng = np.random.default_rng(3)
    conductance = np.array([12e-6, 9e-6, -4e-6, 7e-6])
    shaken = conductance * (1 + noise * rng.standard_normal((200_000, 4)))
    measured = ((gain * shaken.sum(axis=1) - target) ** 2).mean()
    found = ExpectedError(gain, noise).of(
        conductance.sum(), np.float64(target), (conductance**2).sum()
    )
    assert found == pytest.approx(measured, rel=0.02)


def test_without_gain_and_noise_it_is_the_square_of_what_is_missed():
    found = ExpectedError().of(np.array([3.0, -1.0]), np.array([1.0, 1.0]), np.array([9.0, 1.0]))
    np.testing.assert_array_equal(found, [4.0, 4.0])


def test_a_designs_read_noise_is_its_resistors():
    noisy = xbar.Hardware(variation=xbar.Variation(read_noise=0.03))
    quiet, noisy = expected_error(xbar.Hardware()), expected_error(noisy)
    nothing = np.zeros(1)
    assert quiet.of(nothing, nothing, np.ones(1)) == 0
    assert noisy.of(nothing, nothing, np.ones(1)) == pytest.approx(0.0009)
