"""The array operations of both namespaces against the formulas that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.effects.converters import ClipCount, quantise
from xbar.effects.namespace import NUMPY

VALUES = np.random.default_rng(0).standard_normal((50, 7))
FULL = np.linspace(0.5, 3.0, 7)


def torch_arrays():
    pytest.importorskip("torch")
    from xbar.effects.torch_namespace import TorchArrays

    return TorchArrays()


@pytest.fixture(params=["numpy", "torch"])
def xp(request):
    return NUMPY if request.param == "numpy" else torch_arrays()


@pytest.mark.parametrize("full", [1.2, FULL], ids=["one range", "a range a column"])
def test_levels_are_the_quantisers(xp, full):
    count = ClipCount()
    top = 2**4 - 1
    gain, step = top / full, full / top
    if np.ndim(full):
        gain, step = xp.asarray(gain), xp.asarray(step)
    found = xp.to_numpy(xp.levels(xp.asarray(VALUES.copy()), gain, top, step, count))
    np.testing.assert_allclose(found, quantise(VALUES, full, 5), rtol=1e-12, atol=1e-15)
    assert (count.clipped, count.conversions) == ((np.abs(VALUES) > full).sum(), VALUES.size)
    assert 0 < count.share < 1


def test_every_other_array_is_converted_too(xp):
    """A transposed array is no block of memory."""
    values = np.asfortranarray(VALUES)
    found = xp.to_numpy(xp.levels(xp.asarray(values), 7 / 2.0, 7, 2.0 / 7))
    np.testing.assert_allclose(found, quantise(VALUES, 2.0, 4), rtol=1e-12, atol=1e-15)


def test_sums_and_products_are_numpys(xp):
    total, factor = np.ones((50, 7)), np.arange(7.0)
    found = xp.asarray(total.copy())
    xp.add(found, xp.asarray(VALUES.copy()), xp.asarray(factor))
    np.testing.assert_allclose(xp.to_numpy(found), total + VALUES * factor, rtol=1e-15)
    rng = np.random.default_rng(1)
    x, matrix = rng.standard_normal((5, 3, 4)), rng.standard_normal((3, 2, 4))
    y = xp.to_numpy(xp.product(xp.asarray(x), xp.asarray(matrix)))
    np.testing.assert_allclose(y, np.einsum("ngi,goi->ngo", x, matrix), rtol=1e-12)
    peak = xp.to_numpy(xp.peak(xp.asarray(x)))
    np.testing.assert_array_equal(peak[:, 0, 0], np.abs(x).max(axis=(1, 2)))


@pytest.mark.parametrize("wrap", [0, 2**31])
def test_digits_are_those_of_whole_numbers(xp, wrap):
    """Of up to 32 bits: the digits of Python's integers, with the sign or wrapped."""
    code = np.array([0, 1, -1, 5, -6, 2**31 - 1, 1 - 2**31, 123456789, -987654321])
    for low, base in [(1, 2), (4, 4), (2**16, 2**8), (2**30, 2)]:
        found = xp.to_numpy(xp.digits(xp.asarray(code.astype(float)), low, base, wrap))
        sizes = [int(each) + wrap if each < 0 else int(each) for each in code]
        expected = [
            (1 if each >= 0 else -1) * (abs(each) // low % base) / (base - 1) for each in sizes
        ]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_the_largest_magnitude_is_of_any_number(kind):
    x = np.random.default_rng(2).standard_normal((6, 2, 37)).astype(kind)
    x[1, 1, 5], x[2, 0, 36], x[3] = np.nan, -np.inf, 0.0
    x[4] *= 1e-37
    x.flags.writeable = False  # as of a file that is mapped
    peak = NUMPY.peak(x)
    assert peak.dtype == kind
    np.testing.assert_array_equal(peak[:, 0, 0], np.abs(x).max(axis=(1, 2)))
