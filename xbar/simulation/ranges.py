"""Ranges of converters: what value is full scale.

Where nothing else is said each input vector is scaled to the DAC's range by its own largest value,
and each ADC's range comes from the programmed cells. ``calibration.py`` finds fixed ranges from
data instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.hardware.converter import Converter
from xbar.tables import Outline

CREST = 4.0
"""Automatic ADC range: a column's root-sum-square current at full-scale inputs, times this."""


@dataclass(frozen=True, eq=False, repr=False)
class Ranges(Outline):
    """Full scales that were found from data.

    Attributes:
        inputs: by layer, the input value that the DAC's full scale stands for; empty where each
            vector is scaled by its own largest value.
        currents: by (tile, number of the block on it), (C,) amperes of the ADC of each column;
            empty where the design or the cells say it.
    """

    inputs: Mapping[str, float]
    currents: Mapping[tuple[int, int], Floats]


def adc_range(tile: ProgrammedTile, number: int = 0) -> float:
    """Amperes at which the ADC clips that reads a block of a tile.

    The design's range; or, where it names none, V max over columns of min(Σ|G|, CREST √ΣG²) with
    the realised differences G and the read voltage V: no more than any input can give, and a
    multiple of what inputs of random sign give.
    """
    hardware = tile.chip.hardware
    if hardware.adc is not None and hardware.adc.range is not None:
        return hardware.adc.range
    return not_zero(float(_reach(tile, number).max()))


def pools(program: Program, layer: str, adc: Converter) -> list[list[tuple[int, int, int]]]:
    """Which columns share a range: lists of (tile, number of the block on it, column of it)."""
    found: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for tile, number, part in program.blocks_of(layer):
        for column, place in enumerate(part.block.columns.tolist()):
            key: tuple[int, ...] = ()
            if adc.ranging != "layer":
                key = (tile.index, number)
            if adc.ranging == "converter":
                key += (place // adc.shared,)
            found.setdefault(key, []).append((tile.index, number, column))
    return list(found.values())


def adc_ranges(
    program: Program, layer: str, ranges: Ranges | None
) -> dict[tuple[int, int], Floats]:
    """By (tile, number of the block on it), (C,) amperes at which each column's ADC clips."""
    adc = program.chip.hardware.adc
    assert adc is not None
    blocks = list(program.blocks_of(layer))
    if ranges is not None and ranges.currents:
        return {(tile.index, n): ranges.currents[tile.index, n] for tile, n, _ in blocks}
    if adc.range is not None:
        return {
            (tile.index, n): np.full(part.block.shape[1], adc.range) for tile, n, part in blocks
        }
    reach = {(tile.index, n): _reach(tile, n) for tile, n, _ in blocks}
    result = {key: np.zeros_like(values) for key, values in reach.items()}
    for pool in pools(program, layer, adc):
        largest = not_zero(max(float(reach[tile, n][column]) for tile, n, column in pool))
        for tile, n, column in pool:
            result[tile, n][column] = largest
    return result


def not_zero(value: float) -> float:
    """A full scale: 1 where there is nothing to measure."""
    return value if value > 0 else 1.0


def _reach(tile: ProgrammedTile, number: int) -> Floats:
    """(C,) amperes that each column of a block can be expected to give at most."""
    difference = tile.difference("ideal")[number]
    worst = np.abs(difference).sum(axis=0)
    typical = CREST * np.sqrt((difference**2).sum(axis=0))
    reach: Floats = tile.chip.hardware.read_voltage * np.minimum(worst, typical)
    return reach
