"""Variances in float32 with a unit a column, against sums in float64."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.compiler.block import Block
from xbar.effects.namespace import NUMPY
from xbar.simulation.scaled import Sums, scaled

RNG = np.random.default_rng(0)


def test_columns_of_any_size_keep_seven_digits():
    variance = RNG.uniform(0.1, 1.0, (6, 5)) * 10.0 ** np.array([-290, -60, 0, 60, 200])
    variance[:, 2] = 0.0
    value, unit = scaled(variance)
    np.testing.assert_allclose(value * unit**2, variance, rtol=1e-7)
    np.testing.assert_array_equal(np.log2(unit), np.rint(np.log2(unit)))


@pytest.mark.parametrize("order", [1, -1])
def test_blocks_add_up_whatever_their_size(order):
    """Four blocks of one layer, each ten digits above the one before, or below."""
    shape = (2, 3, 8)
    sums, expected = Sums(shape), np.zeros(shape)
    for number in range(4)[::order]:
        inputs, outputs = np.arange(2) + 2 * number, np.array([2, 0])
        block = Block("fc", 1, inputs, outputs, inputs, outputs)
        variance = RNG.uniform(0.1, 1.0, (2, 2)) * 10.0 ** (10 * number - 20)
        sums.add(block, variance)
        expected[1, outputs[:, None], inputs] = variance.T
    found = sums.value * sums.unit[..., None] ** 2
    np.testing.assert_allclose(found, expected, rtol=2e-7)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_noise_grows_with_what_it_is_of(size):
    """Volts and siemens far from 1, whose squares are no float32 numbers."""
    x, variance = RNG.standard_normal((1, 5, 4)), RNG.uniform(0.0, 1.0, (1, 4, 3))
    value, unit = scaled(variance[0] * size**2)
    ones = NUMPY.add_noise(
        np.zeros((1, 5, 3)), x * size, value[None], unit[None], lambda shape: np.ones(shape, "f4")
    )
    np.testing.assert_allclose(ones, size**2 * np.sqrt(x**2 @ variance), rtol=1e-6)


@pytest.mark.parametrize("adc", [None, xbar.Converter(bits=12)])
def test_both_precisions_have_the_same_noise(adc):
    design = xbar.Hardware(
        tile=xbar.Tile(word_lines=16, bit_lines=16),
        adc=adc,
        variation=xbar.Variation(read_noise=0.05),
    )
    program = xbar.compile(RNG.standard_normal((10, 40)), design, seed=0)
    x = RNG.standard_normal((300, 40))
    double, single = (program.run(x, precision=kind) for kind in ("float64", "float32"))
    quiet = x @ program.matrices()["matrix"].T
    noise = np.abs(double - quiet).mean()
    assert np.abs(double - single).mean() < (1e-4 if adc is None else 0.02) * noise
