"""Full scales of ADCs, from the cells that they read.

Shapes: R inputs and C columns of a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from xbar.arrays import Floats, Ints
from xbar.effects.namespace import Array, Arrays
from xbar.hardware.converter import Converter

CREST = 4.0
"""Automatic ADC range: a column's root-sum-square current at full-scale inputs, times this."""

Key: TypeAlias = tuple[int, int]
"""A block: its tile, and its number on it."""


def reach(difference: Array, voltage: float, xp: Arrays) -> Array:
    """(C,) amperes that each column of a block can be expected to give at most.

    V min(Σ|G|, CREST √ΣG²) with differences G (R, C) and the read voltage V: no more than any input
    can give, and a multiple of what inputs of random sign give.
    """
    worst = abs(difference).sum(0)
    typical = CREST * (difference**2).sum(0) ** 0.5
    return voltage * xp.minimum(worst, typical)


def pools(columns: Mapping[Key, Ints], adc: Converter) -> dict[Key, Ints]:
    """Which columns share a range: by block, (C,) the number of each column's pool.

    Args:
        columns: by block of a layer, (C,) the columns of the tile that it lies on.
        adc: says what has a range of its own.
    """
    found: dict[Key, Ints] = {}
    first = 0
    for key, places in columns.items():
        own = np.zeros(len(places), np.int64)
        if adc.ranging == "converter":
            own = np.unique(places // adc.shared, return_inverse=True)[1].astype(np.int64)
        found[key] = first + own
        if adc.ranging != "layer":
            first += int(own.max()) + 1
    return found


def full_scales(
    reaches: Mapping[Key, Floats], columns: Mapping[Key, Ints], adc: Converter
) -> dict[Key, Floats]:
    """By block, (C,) amperes at which each column's ADC clips.

    The design's range where it names one; else the largest reach of the columns that share it.

    Args:
        reaches: by block, (C,) see ``reach``; not looked at where the design names a range.
        columns: by block, (C,) the columns of the tile that it lies on.
        adc: the design's.
    """
    if adc.range is not None:
        return {key: np.full(len(places), adc.range) for key, places in columns.items()}
    pool = pools(columns, adc)
    largest = np.zeros(1 + max((int(each.max()) for each in pool.values()), default=0))
    for key, each in pool.items():
        np.maximum.at(largest, each, reaches[key])
    largest[largest == 0] = 1.0
    return {key: largest[each] for key, each in pool.items()}


def not_zero(value: Any) -> float:
    """A full scale: 1 where there is nothing to measure."""
    return float(value) if value > 0 else 1.0
