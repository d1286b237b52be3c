"""Lines of a tile that a read does not use: those of other blocks, spare ones, and the rest.

By ``tile.idle`` they are at 0 V, or float and so let currents through from line to line.

Shapes: W' word lines and B' bit lines of the array, see ``layout.py``; R inputs and C outputs of a
block. Units: siemens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from xbar.arrays import Bools, Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.source_lines import SourceLines
from xbar.compiler.layout import from_crossings
from xbar.effects.readout import MatrixReadout
from xbar.hardware.spec import Hardware

if TYPE_CHECKING:
    from xbar.compiler.tile import ProgrammedTile


def float_idle(hardware: Hardware) -> bool:
    """Whether lines that are not read float and it matters: with ideal wires it does not."""
    return hardware.tile.idle == "float" and hardware.wired


def array_for(tile: ProgrammedTile, number: int) -> Crossbar | SourceLines:
    """The array as a read of one of the tile's blocks finds it."""
    array = tile.array()
    if not (float_idle(tile.chip.hardware) and isinstance(array, Crossbar)):
        return array
    word, bit = used_lines(tile, number)
    return attrs.evolve(
        array,
        source=np.where(word, array.source, np.inf),
        load=np.where(bit, array.load, np.inf),
    )


def used_lines(tile: ProgrammedTile, number: int) -> tuple[Bools, Bools]:
    """(W',) word lines and (B',) bit lines that a read of a block uses."""
    hardware, block = tile.chip.hardware, tile.blocks[number].block
    word = tile.voltage(np.ones((1, len(block.word_lines))), number)[0] != 0
    columns = np.zeros(hardware.cells[1], dtype=np.bool_)
    columns[tile.mapping.plus(block.columns)] = True
    columns[tile.mapping.minus(block.columns)] = True
    if hardware.tile.interleaved:
        columns = columns[0::2] | columns[1::2]
    wide = hardware.bank.resistors if hardware.bank.layout == "columns" else 1
    return word, np.repeat(columns, wide)


def differences(tile: ProgrammedTile, readout: MatrixReadout) -> list[Floats]:
    """See ``ProgrammedTile.difference``."""
    if readout == "nodal" and float_idle(tile.chip.hardware):
        return [floating(tile, number) for number in range(len(tile.blocks))]
    cell = tile.cells(readout)
    return [tile.mapping.difference(cell, placed.block) for placed in tile.blocks]


def floating(tile: ProgrammedTile, number: int) -> Floats:
    """(R, C) effective siemens of a block that is read while the other lines float."""
    array = array_for(tile, number)
    assert isinstance(array, Crossbar)  # arrays with source lines have no idle ones
    cell = from_crossings(tile.chip.hardware, array.transfer.T)
    return tile.mapping.difference(cell, tile.blocks[number].block)
