"""Full scales of a program's converters.

By default each input vector is scaled to the DAC's range by its own largest value, and each ADC's
range fits the currents that the cells are expected to send through their wires.
``calibration.py`` finds fixed ranges from data instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from xbar.arrays import Floats, Ints
from xbar.compiler.corrections import Ranges as Ranges
from xbar.compiler.program import Program
from xbar.effects.namespace import NUMPY
from xbar.effects.ranges import Key, full_scales, reach
from xbar.simulation.blocks import BlockCells
from xbar.simulation.cells import SolvedTiles, shape_of


def columns_of(program: Program, layer: str) -> dict[Key, Ints]:
    """By block of a layer, its (C,) columns of the tile."""
    return {(tile.index, n): placed.block.columns for tile, n, placed in program.blocks_of(layer)}


def adc_ranges(
    program: Program,
    layer: str,
    ranges: Ranges | None,
    reaches: Mapping[Key, Floats] | None = None,
) -> dict[Key, Floats]:
    """By block of a layer, (C,) amperes at which each column's ADC clips.

    Args:
        program: the program.
        layer: name of the layer.
        ranges: ranges from data; those of the design, or of the cells, where it has none.
        reaches: expected peak currents (C,) by block, if they are known already.
    """
    adc = program.chip.hardware.adc
    assert adc is not None
    columns = columns_of(program, layer)
    if ranges is not None and ranges.currents:
        return {key: ranges.currents[key] for key in columns}
    if adc.range is not None:
        return full_scales({}, columns, adc)
    if reaches is None:
        found = SolvedTiles().each(program, layer, wires=False, power=False)
        reaches = {
            (cells.tile.index, n): reach_of(program, layer, BlockCells(cells, n).programmed)
            for cells, n in found
        }
    return full_scales(reaches, columns, adc)


def reach_of(program: Program, layer: str, difference: Floats) -> Floats:
    """(C,) expected peak currents in amperes of differences (R, C) in siemens, see ``reach``."""
    groups, _, inputs = shape_of(program, layer)
    volts = program.hardware.read_voltage
    found: Floats = reach(difference, volts, groups * inputs, NUMPY)
    return found


def arriving(cells: BlockCells | None, read: Floats, *, wires: bool) -> Floats:
    """(R, C) siemens that a block's converters see, for which their ranges are made.

    Those that are read; of an aged chip, whose converters do not age, those of its programming.

    Args:
        cells: the block's cells; None if they are not aged.
        read: (R, C) siemens as read now.
        wires: whether those of the array are read, too.
    """
    if cells is None or not cells.is_aged:
        return read
    return cells.programmed * cells.attenuation if wires else cells.programmed
