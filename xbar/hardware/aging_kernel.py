"""Compiled kernels of aged devices, with the operations of ``draw.py``: the same bits everywhere.

Shapes: L numbers.
"""

from __future__ import annotations

import numpy as np

from xbar.hardware.as241 import LN2_HIGH, LN2_LOW
from xbar.jit import Floats, jit

_BLOCK = 1024
_INVERSE_LN2 = 1.0 / (LN2_HIGH + LN2_LOW)
_SQRT_HALF = float(np.sqrt(0.5))
_FRACTION = (1 << 52) - 1  # the bits of a double's fraction
_HALF = 1022 << 52  # the exponent of a double in [1/2, 1)


@jit
def log(x: Floats, out: Floats) -> None:
    """Natural logarithms (L,) of positive normal numbers (L,): ``draw.log``."""
    k, ratio, series = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    bits = ratio.view(np.int64)
    for start in range(0, len(x), _BLOCK):
        n = min(_BLOCK, len(x) - start)
        result = out[start : start + n]
        ratio[:n] = x[start : start + n]
        for i in range(n):
            k[i] = np.float64((bits[i] >> 52) - 1022)
            bits[i] = (bits[i] & _FRACTION) | _HALF
            low = ratio[i] < _SQRT_HALF
            k[i] = k[i] - 1.0 if low else k[i]
            fraction = 2.0 * ratio[i] if low else ratio[i]
            ratio[i] = (fraction - 1.0) / (fraction + 1.0)
            series[i] = 0.0
        for odd in range(25, 0, -2):  # atanh(s) / s
            for i in range(n):
                series[i] = series[i] * (ratio[i] * ratio[i]) + 1.0 / odd
        for i in range(n):
            result[i] = k[i] * LN2_HIGH + (2.0 * ratio[i] * series[i] + k[i] * LN2_LOW)


@jit
def halves(u: Floats, out: Floats) -> None:
    """Numbers (2 L,) in (0, 1), two from the 52 bits of each (L,): midpoints of 2^26 parts."""
    for i in range(len(u)):
        upper = np.floor(u[i] * 2.0**26)
        out[2 * i] = (upper + 0.5) * 2.0**-26
        out[2 * i + 1] = (np.floor((u[i] * 2.0**26 - upper) * 2.0**26) + 0.5) * 2.0**-26


@jit
def polynomial(x: Floats, coefficients: Floats, out: Floats) -> None:
    """Values (L,) of c0 + c1 x + c2 x² + ... at numbers (L,), by Horner's rule."""
    for start in range(0, len(x), _BLOCK):
        n = min(_BLOCK, len(x) - start)
        part, result = x[start : start + n], out[start : start + n]
        last = coefficients[len(coefficients) - 1]
        for i in range(n):
            result[i] = last
        for c in range(len(coefficients) - 2, -1, -1):
            each = coefficients[c]
            for i in range(n):
                result[i] = result[i] * part[i] + each


@jit
def move(
    g: Floats, z: Floats, sigma: Floats, first: Floats, shift: Floats, floor: float, out: Floats
) -> None:
    """Conductances (L,) of devices that moved; 0 stays 0.

    Args:
        g: (L,) siemens before.
        z: (L,) standard normal numbers.
        sigma: (L,) standard deviation from the target now, siemens.
        first: (L,) the same before.
        shift: (L,) mean change, siemens.
        floor: least result over ``g``.
        out: (L,) result.
    """
    for i in range(len(g)):
        grown = np.sqrt(max(sigma[i] * sigma[i] - first[i] * first[i], 0.0))
        moved = g[i] + (z[i] * grown + shift[i])
        out[i] = max(moved, floor * g[i]) if g[i] > 0.0 else 0.0


@jit
def decay(g: Floats, exponent: Floats, span: float, least: float, out: Floats) -> None:
    """Conductances (L,) after a power law: g exp(-span |exponent|), for exponents (L,).

    Args:
        g: (L,) siemens before.
        exponent: (L,) exponents of the power law, of which the absolute values count.
        span: logarithm of the time over the law's first.
        least: logarithm of the least result over ``g``, above -700.
        out: (L,) result; may be ``exponent``.
    """
    rest, series, power = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    bits = power.view(np.int64)
    for start in range(0, len(g), _BLOCK):
        n = min(_BLOCK, len(g) - start)
        before, result, part = g[start : start + n], out[start : start + n], exponent[start:]
        for i in range(n):
            x = -span * abs(part[i])
            x = max(x, least)
            k = np.rint(x * _INVERSE_LN2)
            rest[i] = (x - k * LN2_HIGH) - k * LN2_LOW
            bits[i] = (np.int64(k) + 1023) << 52
            series[i] = 1.0
        for c in range(15, 0, -1):
            for i in range(n):
                series[i] = series[i] * rest[i] / c + 1.0
        for i in range(n):
            result[i] = before[i] * (series[i] * power[i])
