"""Compiled kernels of aged devices, with the operations of ``draw.py``: the same bits everywhere.

Shapes: L numbers.
"""

from __future__ import annotations

from math import factorial
from typing import TypeAlias

import numpy as np

from xbar.hardware.as241 import LN2_HIGH, LN2_LOW
from xbar.hardware.curve import POLYNOMIAL
from xbar.hardware.draw_kernel import normal, philox
from xbar.jit import Floats, jit

Three: TypeAlias = tuple[Floats, Floats, Floats]

_BLOCK = 1024
_INVERSE_LN2 = 1.0 / (LN2_HIGH + LN2_LOW)
_SERIES = np.array([1.0 / factorial(n) for n in range(13, -1, -1)])


@jit
def normals(key: tuple[np.uint64, np.uint64], tile: np.uint64, out: Floats) -> None:
    """Standard normal numbers (L,) of a stream, two from the 52 bits of each uniform number."""
    whole, u = np.empty(_BLOCK // 2), np.empty(_BLOCK)
    for start in range(0, len(out), _BLOCK):
        n = min(_BLOCK, len(out) - start)
        half = (n + 1) // 2
        philox(key, tile, start // 8, whole[:half])
        halves(whole[:half], u[: 2 * half])
        normal(u[:n], out[start : start + n])


@jit
def halves(u: Floats, out: Floats) -> None:
    """Numbers (2 L,) in (0, 1), two from the 52 bits of each (L,): midpoints of 2^26 parts."""
    for i in range(len(u)):
        upper = np.floor(u[i] * 2.0**26)
        out[2 * i] = (upper + 0.5) * 2.0**-26
        out[2 * i + 1] = (np.floor((u[i] * 2.0**26 - upper) * 2.0**26) + 0.5) * 2.0**-26


@jit
def curve(g: Floats, numbers: Floats, out: Floats) -> None:
    """Values (L,) of a curve at conductances (L,), see ``Curve.numbers``."""
    per, scale, low, high = numbers[1], numbers[2], numbers[3], numbers[4]
    x, rest, power = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, len(g), _BLOCK):
        n = min(_BLOCK, len(g) - start)
        part, result = g[start : start + n], out[start : start + n]
        constant = numbers[0] == POLYNOMIAL and len(numbers) == 6
        for i in range(0 if constant else n):
            x[i] = part[i] / per
        if numbers[0] == POLYNOMIAL:
            _polynomial(x[:n], numbers, result)
        else:
            a, slope = numbers[5], -1.0 / numbers[6]
            for i in range(n):
                each = x[i] * slope
                x[i] = -690.0 if each < -690.0 else each
            exponential(x[:n], rest[:n], power[:n])
            for i in range(n):
                result[i] = x[i] * -a + a
        for i in range(n):  # what is no number stays so
            value = low if result[i] < low else result[i]
            result[i] = (high if value > high else value) * scale


@jit
def _polynomial(x: Floats, numbers: Floats, out: Floats) -> None:
    """Values of c0 + c1 x + c2 x² + ... at numbers x (n,), by Horner's rule; c0 is the sixth."""
    c = len(numbers) - 1
    for i in range(len(x)):
        out[i] = numbers[c]
    while c >= 9:  # four at a time, so that less is loaded and stored
        first, second, third, fourth = (
            numbers[c - 1],
            numbers[c - 2],
            numbers[c - 3],
            numbers[c - 4],
        )
        for i in range(len(x)):
            out[i] = (((out[i] * x[i] + first) * x[i] + second) * x[i] + third) * x[i] + fourth
        c -= 4
    for left in range(c - 1, 4, -1):
        each = numbers[left]
        for i in range(len(x)):
            out[i] = out[i] * x[i] + each


@jit
def exponential(x: Floats, rest: Floats, power: Floats) -> None:
    """Replace numbers x (n,) of size below 700 by their exponentials; the others are scratch.

    exp(x) is 2^k exp(r) for the whole number k that leaves abs(r) at most ln(2) / 2, where fourteen
    terms of the series suffice.
    """
    bits = power.view(np.int64)
    for i in range(len(x)):
        k = np.rint(x[i] * _INVERSE_LN2)
        rest[i] = (x[i] - k * LN2_HIGH) - k * LN2_LOW
        bits[i] = (np.int64(k) + 1023) << 52
    for i in range(len(x)):  # in two parts: a chain of half the length lets more run side by side
        r, series = rest[i], _SERIES[0]
        for c in range(1, 7):
            series = series * r + _SERIES[c]
        x[i] = series
    for i in range(len(x)):
        r, series = rest[i], x[i]
        for c in range(7, 14):
            series = series * r + _SERIES[c]
        x[i] = series * power[i]


@jit
def retain(
    g: Floats, z: Floats, curves: Three, limits: tuple[float, float, float], out: Floats
) -> None:
    """Conductances (L,) of devices that moved; 0 stays 0.

    Args:
        g: (L,) siemens before.
        z: (L,) standard normal numbers.
        curves: numbers of the curves of standard deviation from the target, now and before, and of
            mean change; siemens by siemens.
        limits: least and largest conductance of the law, and least result over ``g``.
        out: (L,) result; may be ``z``.
    """
    low, high, floor = limits
    state, now, drawn = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    sigma, first, shift = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, len(g), _BLOCK):
        n = min(_BLOCK, len(g) - start)
        part, result = g[start : start + n], out[start : start + n]
        for i in range(n):
            drawn[i] = z[start + i]  # as ``out`` may be ``z``, which would keep vectors away
            state[i] = min(max(part[i], low), high)
        curve(state[:n], curves[2], shift[:n])
        for i in range(n):
            now[i] = max(state[i] + shift[i], 0.0)
        curve(now[:n], curves[0], sigma[:n])
        curve(state[:n], curves[1], first[:n])
        move(part, drawn[:n], sigma[:n], first[:n], shift[:n], floor, result)


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
    x, rest, power = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, len(g), _BLOCK):
        n = min(_BLOCK, len(g) - start)
        before, result, part = g[start : start + n], out[start : start + n], exponent[start:]
        for i in range(n):
            each = -span * abs(part[i])
            x[i] = least if each < least else each
        exponential(x[:n], rest[:n], power[:n])
        for i in range(n):
            result[i] = before[i] * x[i]
