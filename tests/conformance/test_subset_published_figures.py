"""Known statistics of the random subset sum problem."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.subset import solve_subset


@pytest.mark.parametrize(("elements", "median"), [(10, 1.2e-3), (15, 4.6e-5)])
def test_the_median_error_is_that_of_uniform_elements(elements, median):
    """X ~ U[-1, 1]^n and z ~ U[-1/2, 1/2]; 0.97 bit per element."""
    rng = np.random.default_rng(20221)
    bank = rng.uniform(-1, 1, (40_000, elements))
    target = rng.uniform(-0.5, 0.5, len(bank))
    error = np.abs(solve_subset(bank, target).residual)
    assert np.median(error) == pytest.approx(median, rel=0.1)


@pytest.mark.parametrize("elements", [12, 16])
def test_the_median_error_is_that_of_independent_random_sums(elements):
    """Near the centre the sums are a Poisson process: the median is ln 2 / (2 density).

    Borgs, Chayes, Mertens, Nair, "Proof of the local REM conjecture for number partitioning",
    2009: with m = sum(x)/2 and s^2 = sum(x^2)/4, the density at z is 2^n phi((z - m)/s) / s.
    """
    rng = np.random.default_rng(7)
    bank = rng.uniform(0, 1, (20_000, elements))
    centre, spread = bank.sum(1) / 2, np.sqrt((bank**2).sum(1)) / 2
    target = centre + spread * rng.uniform(-0.5, 0.5, len(bank))
    density = np.exp(-(((target - centre) / spread) ** 2) / 2) / np.sqrt(2 * np.pi) / spread
    error = np.abs(solve_subset(bank, target).residual) * 2.0**elements * density
    assert np.median(error) == pytest.approx(np.log(2) / 2, rel=0.1)
