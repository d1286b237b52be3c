"""Kernels of the converters, one pass over an array each.

Values are in units of a level. Adding and subtracting 1.5 2^52 rounds a double to the nearest whole
number, ties to even, as ``numpy.rint`` does, and vectorises.
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
