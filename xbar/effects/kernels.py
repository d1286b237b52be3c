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
def squares(x: Reals) -> tuple[NDArray[np.float32], Floats]:
    """Squares (G, N, R) of x (G, N, R) over each vector's largest, and the largest (G, N)."""
    groups, count, inputs = x.shape
    found, peak = np.empty(x.shape, np.float32), np.zeros((groups, count))
    for g in range(groups):
        for n in range(count):
            largest = 0.0
            for i in range(inputs):
                largest = max(largest, abs(float(x[g, n, i])))
            scale = 1.0 / largest if largest > 0.0 else 0.0
            for i in range(inputs):
                each = np.float32(x[g, n, i] * scale)
                found[g, n, i] = each * each
            peak[g, n] = largest
    return found, peak


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
