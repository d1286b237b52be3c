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
"""Automatic ADC range: a column's expected root-mean-square current, times this."""

EQUAL = 12
"""Inputs up to which a vector is expected to have magnitudes all as large as its largest."""

Key: TypeAlias = tuple[int, int]
"""A block: index of its tile, and of the block on it."""


def spread(inputs: int) -> float:
    """Expected root mean square of a vector of n inputs, relative to its largest: at most 1.

    (EQUAL / n)^(1/4): between that of equal magnitudes, 1, which patches of images come close to,
    and that of normal numbers, about 1 / sqrt(2 ln n). An empirical rule, see docs/benchmarks.md.

    >>> round(spread(9), 3), round(spread(784), 3)
    (1.0, 0.352)
    """
    return float(min(1.0, (EQUAL / inputs) ** 0.25))


def reach(difference: Array, voltage: float, inputs: int, xp: Arrays) -> Array:
    """(C,) expected peak current of each column of a block, in amperes.

    V min(Σ|G|, CREST s √ΣG²) with differences G (R, C) as read, wires included, the read voltage V
    and the ``spread`` s of the inputs: the maximum over all inputs, or CREST times the root mean
    square for inputs of random sign.

    Args:
        difference: siemens (R, C).
        voltage: volts of the largest input.
        inputs: number of inputs of a vector of the layer, of which the block has R.
        xp: namespace of the differences.
    """
    worst = abs(difference).sum(0)
    typical = CREST * spread(inputs) * (difference**2).sum(0) ** 0.5
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
