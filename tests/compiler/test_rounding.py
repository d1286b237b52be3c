"""Rounding keeps 23 bits, whatever the magnitude, and swallows what a BLAS library adds."""

import numpy as np

from xbar.compiler.rounding import rounded


def test_a_number_of_23_bits_stays_and_others_go_to_the_nearest():
    assert float(rounded(1.0 + 2.0**-22)) == 1.0 + 2.0**-22
    assert float(rounded(1.0 + 2.0**-24)) == 1.0
    assert float(rounded(1.0 + 3.0 * 2.0**-24)) == 1.0 + 2.0**-22
    assert float(rounded(-(2.0**23) - 0.7)) == -(2.0**23)
    assert float(rounded(2.0**22 + 0.7)) == 2.0**22 + 1.0


def test_the_error_is_at_most_half_a_step_at_every_magnitude():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(10_000) * 10.0 ** rng.integers(-200, 200, 10_000)
    assert np.abs(rounded(values) / values - 1).max() <= 2.0**-23
    np.testing.assert_array_equal(rounded(rounded(values)), rounded(values))
    np.testing.assert_array_equal(rounded(2.0**40 * values), 2.0**40 * rounded(values))


def test_last_bits_change_nothing_but_near_a_boundary():
    values = np.random.default_rng(1).standard_normal(100_000)
    assert (rounded(values * (1 + 1e-13)) != rounded(values)).sum() <= 2
