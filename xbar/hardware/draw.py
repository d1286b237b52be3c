"""Random numbers that are identical on every machine, in any order.

The bits come from Philox-4x64 (Salmon et al., SC 2011), a counter-based generator: the numbers of
tile t are a function of (seed, stream, t) only. They become normal and lognormal numbers
with additions, multiplications, divisions and square roots only, for which IEEE 754 defines the
rounding; a library's ``exp`` or ``log`` differs in the last bit between machines.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.as241 import CENTRE, LN2_HIGH, LN2_LOW, MIDDLE, TAIL


def check_seed(seed: SupportsIndex) -> int:
    """Check a seed; returns it as an integer.

    Raises:
        SpecError: it is not an integer from 0 to 2^64 - 1.
    """
    try:
        number = operator.index(seed)
    except TypeError as error:
        raise SpecError(f"seed must be an integer, not {seed!r}") from error
    if not 0 <= number < 2**64:
        raise SpecError(f"seed must be from 0 to 2^64 - 1, not {number}")
    return number


def uniform(seed: int, stream: int, tile: int, shape: tuple[int, ...]) -> Floats:
    """Numbers from U(0, 1), excluding 0 and 1, as a function of the arguments only."""
    one: Floats = uniform_each(seed, stream, [tile], shape)[0]
    return one


def uniform_each(
    seed: int,
    stream: int,
    tiles: Sequence[int],
    shape: tuple[int, ...],
    out: Floats | None = None,
) -> Floats:
    """(T, *shape): ``uniform`` of each of T tiles, in ``out`` if it is given."""
    from xbar.hardware import draw_kernel

    number = np.empty((len(tiles), *shape)) if out is None else out
    key = np.uint64(seed), np.uint64(stream)
    for own, tile in zip(number.reshape(len(tiles), -1), tiles, strict=True):
        draw_kernel.philox(key, np.uint64(tile), 0, own)
    return number


def normal(u: Floats) -> Floats:
    """The standard normal quantile of u in (0, 1), elementwise (Wichura's AS 241).

    >>> normal(np.array([0.5, 0.975])).round(6)
    array([0.      , 1.959964])
    """
    q = u - 0.5
    result = np.empty_like(q)
    centre = np.abs(q) <= 0.425
    near = q[centre]
    result[centre] = near * _ratio(CENTRE, 0.180625 - near * near)
    far = q[~centre]
    tail = np.where(far < 0, u[~centre], 0.5 - far)
    r = np.sqrt(-log(tail))
    magnitude = np.where(r <= 5.0, _ratio(MIDDLE, r - 1.6), _ratio(TAIL, r - 5.0))
    result[~centre] = np.where(far < 0, -magnitude, magnitude)
    return result


def log(x: Floats) -> Floats:
    """The natural logarithm of positive numbers, within 2 ulp."""
    fraction, exponent = np.frexp(x)
    low = fraction < np.sqrt(0.5)
    fraction = np.where(low, 2.0 * fraction, fraction)
    k = exponent - low.astype(np.float64)
    s = (fraction - 1.0) / (fraction + 1.0)
    square = s * s
    series = np.zeros_like(s)
    for odd in range(25, 0, -2):  # atanh(s) / s
        series = series * square + 1.0 / odd
    result: Floats = k * LN2_HIGH + (2.0 * s * series + k * LN2_LOW)
    return result


def exp(x: Floats) -> Floats:
    """The exponential, within 2 ulp, for |x| < 700."""
    k = np.rint(x * (1.0 / (LN2_HIGH + LN2_LOW)))
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    series = np.ones_like(r)
    for n in range(15, 0, -1):
        series = series * r / n + 1.0
    return np.ldexp(series, k.astype(np.int64))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Floats) -> Floats:
    top = np.zeros_like(x)
    bottom = np.zeros_like(x)
    for a, b in zip(*coefficients, strict=True):
        top = top * x + a
        bottom = bottom * x + b
    return top / bottom
