"""Full scales of ADCs, from the cells that they read.

Shapes: R inputs and C columns of a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from xbar.arrays import Ints
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


def pools(columns: Iterable[tuple[Key, Ints]], adc: Converter) -> list[list[tuple[Key, int]]]:
    """Which columns share a range: lists of (block, column of it).

    Args:
        columns: of each block of a layer, (C,) the columns of the tile that it lies on.
        adc: says what has a range of its own.
    """
    found: dict[tuple[int, ...], list[tuple[Key, int]]] = {}
    for block, places in columns:
        for column, place in enumerate(places.tolist()):
            key: tuple[int, ...] = () if adc.ranging == "layer" else block
            if adc.ranging == "converter":
                key += (place // adc.shared,)
            found.setdefault(key, []).append((block, column))
    return list(found.values())


def full_scales(
    reaches: Mapping[Key, Array], columns: Mapping[Key, Ints], adc: Converter, xp: Arrays
) -> dict[Key, Array]:
    """By block, (C,) amperes at which each column's ADC clips.

    Args:
        reaches: by block, (C,) see ``reach``.
        columns: by block, (C,) the columns of the tile that it lies on.
        adc: the design's range is taken where it names one; else the largest reach of a pool.
        xp: namespace of the reaches.
    """
    if adc.range is not None:
        return {key: xp.zeros((len(place),)) + adc.range for key, place in columns.items()}
    result = {key: xp.zeros((len(place),)) for key, place in columns.items()}
    for pool in pools(columns.items(), adc):
        largest = not_zero(max(float(reaches[key][column]) for key, column in pool))
        for key, column in pool:
            result[key][column] = largest
    return result


def not_zero(value: Any) -> float:
    """A full scale: 1 where there is nothing to measure."""
    return float(value) if value > 0 else 1.0
