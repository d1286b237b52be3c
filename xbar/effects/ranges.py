"""Full scales of ADCs, derived from their columns' cells.

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
"""A block: index of its tile, and of the block on it."""


def reach(difference: Array, voltage: float, xp: Arrays) -> Array:
    """(C,) expected peak current of each column of a block, in amperes.

    V min(Σ|G|, CREST √ΣG²) with differences G (R, C) and the read voltage V: the maximum over all
    inputs, or CREST times the root mean square for inputs of random sign.
    """
    worst = abs(difference).sum(0)
    typical = CREST * (difference**2).sum(0) ** 0.5
    return voltage * xp.minimum(worst, typical)


def pools(columns: Mapping[Key, Ints], adc: Converter) -> dict[Key, Ints]:
    """Group columns by range: by block, (C,) the pool of each column.

    Args:
        columns: columns (C,) of the tile, by block of a layer.
        adc: converter, whose ``ranging`` defines what shares a range.
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

    The design's range if it defines one, else the largest reach of the columns that share it.

    Args:
        reaches: expected peak currents (C,) by block, see ``reach``; ignored if the design defines
            a range.
        columns: columns (C,) of the tile, by block.
        adc: converter of the design.
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
    """A full scale; 1 if the signal is zero."""
    return float(value) if value > 0 else 1.0
