"""Kernels of the converters and of noise, one pass over an array each.

Levels are the converters' units. Adding and subtracting 1.5 2^52 rounds a double to the nearest
whole number, ties to even, as ``numpy.rint`` does, and vectorises.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.jit import jit

Reals: TypeAlias = NDArray[np.floating[Any]]

_ROUND = 1.5 * 2.0**52
_SMALLEST = 1e-300  # what has a reciprocal


@jit
def quantise_columns(value: Reals, gain: Floats, limits: tuple[float, float], step: Floats) -> int:
    """Quantise values (N, C) in place; returns the number clipped.

    Args:
        value: values to convert.
        gain: (C,) levels per unit of the value.
        limits: outermost level, and the level above which a conversion counts as clipped.
        step: (C,) size of a level.
    """
    top, limit = limits
    rows, columns = value.shape
    clipped = 0
    for i in range(rows):
        for j in range(columns):
            level = value[i, j] * gain[j]
            clipped += abs(level) > limit
            level = top if level > top else level
            level = -top if level < -top else level
            value[i, j] = ((level + _ROUND) - _ROUND) * step[j]
    return clipped


@jit
def add_scaled(total: Reals, value: Reals, factor: Reals) -> None:
    """Add values (N, C) times a factor (C,) to a total (N, C), in place."""
    rows, columns = value.shape
    for i in range(rows):
        for j in range(columns):
            total[i, j] += value[i, j] * factor[j]


@jit
def quantise(value: Reals, gain: float, limits: tuple[float, float], step: float) -> int:
    """Quantise values (n,) in place; returns the number clipped."""
    top, limit = limits
    clipped = 0
    for i in range(value.size):
        level = value[i] * gain
        clipped += abs(level) > limit
        level = top if level > top else level
        level = -top if level < -top else level
        value[i] = ((level + _ROUND) - _ROUND) * step
    return clipped


@jit
def digits(code: Reals, low: float, base: float, wrap: float, out: Reals) -> None:
    """Digits of whole numbers (n,) over the largest digit, in exact operations.

    Args:
        code: whole numbers; of those below zero the digits are negative.
        low: weight of the digit.
        base: base of the digits; ``low`` and ``base`` are powers of two.
        wrap: if not 0, what is added to numbers below zero, whose digits are positive then.
        out: (n,) result.
    """
    most = out.dtype.type(base - 1.0)
    over, into = 1.0 / low, 1.0 / base
    for i in range(code.size):
        whole = float(code[i])
        size = whole + wrap if whole < 0.0 else whole
        left = np.floor(abs(size) * over)
        digit = out.dtype.type(left - np.floor(left * into) * base) / most
        out[i] = -digit if size < 0.0 else digit


@jit
def largest(bits: NDArray[Any], mask: int, out: NDArray[Any]) -> None:
    """Largest magnitudes (N,) of vectors (N, L), all as the integers of the numbers' bits.

    Those of numbers without their sign, which the mask removes, are in the numbers' order.
    """
    for n in range(len(bits)):
        found = bits[n, 0] & mask
        for i in range(bits.shape[1]):
            found = max(found, bits[n, i] & mask)
        out[n] = found


@jit
def squares(x: Reals, peak: Reals, out: NDArray[np.float32]) -> None:
    """Squares (N, L) of vectors (N, L) over their largest magnitudes (N,); 0 if that is 0."""
    for n in range(len(x)):
        scale = x.dtype.type(1.0 / peak[n] if peak[n] > _SMALLEST else 0.0)
        for i in range(x.shape[1]):
            each = np.float32(x[n, i] * scale)
            out[n, i] = each * each


@jit
def add_noise(
    total: Reals,
    variance: NDArray[np.float32],
    size: tuple[Floats, Floats],
    normal: NDArray[np.float32],
    first: int,
) -> None:
    """Add normal numbers (L,) to values (G, N, C), from the ``first`` on, in place.

    Args:
        total: values.
        variance: (G, N, C) variance in units of the size's square.
        size: sizes (G, N) and (G, C), of which the product counts.
        normal: standard normal numbers.
        first: place of the first value among all.
    """
    _, count, columns = total.shape
    done = 0
    while done < len(normal):
        row, column = divmod(first + done, columns)
        g, n = divmod(row, count)
        length = min(columns - column, len(normal) - done)
        own, noise = total[g, n, column : column + length], normal[done : done + length]
        spread, unit = variance[g, n, column : column + length], size[1][g, column:]
        scale = size[0][g, n]
        for i in range(length):
            own[i] += np.sqrt(spread[i]) * noise[i] * (scale * unit[i])
        done += length
