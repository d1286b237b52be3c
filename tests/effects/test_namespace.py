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
