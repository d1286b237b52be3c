"""Layout of the K resistors of a cell in the array (``Bank.layout``).

    cell      all K at one crossing, in parallel
    columns   on K adjacent bit lines, whose currents are added at the sense amplifier's virtual
              ground, each behind its own load
    rows      on K adjacent word lines with the same voltage, each behind its own source
              resistance

A tile's cells are W x B; its physical array has W' word lines and B' bit lines: W x BK with
"columns", WK x B with "rows".

With interleaved cells, columns 2c and 2c + 1 of cells share a bit line. From word lines
("interleaved-input-source") its cells are W' rows of pairs, 2i and 2i + 1 with the input's voltage
and minus it, so the array has 2W' x B'/2 crossings. From source lines the array has a source line
a column of cells as before, those of a bit line beside each other.

Shapes: N inputs, K resistors per cell. Units: SI.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.bank import Layout
from xbar.hardware.spec import Hardware


class Wires(TypedDict):
    """Wires, drivers and sense amplifiers of an array, as in ``Crossbar``."""

    word_wire: float
    bit_wire: float
    source: float
    load: float
    drive: Literal["left", "right", "both"]
    sense: Literal["bottom", "top", "both"]


class ArrayWires(TypedDict):
    """The same where each segment may be another."""

    word_wire: float
    bit_wire: float | Floats
    source: float
    load: float
    drive: Literal["left", "right", "both"]
    sense: Literal["bottom", "top", "both"]


def array_shape(cells: tuple[int, int], layout: Layout, resistors: int) -> tuple[int, int]:
    """Size (W', B') of the physical array of W x B cells."""
    w, b = cells
    return w * (resistors if layout == "rows" else 1), b * (resistors if layout == "columns" else 1)


def crossings_of(hardware: Hardware) -> tuple[int, int]:
    """Size (W', B') of the physical array of a design's tiles."""
    w, b = array_shape(hardware.cells, hardware.bank.layout, hardware.bank.resistors)
    pairs = hardware.tile.word_lines_per_row
    return w * pairs, b // pairs


def to_crossings(hardware: Hardware, cell: NDArray[Any]) -> NDArray[Any]:
    """Map resistors (W, B, K) to the crossings (W', B') of a design's array."""
    layout, tile = hardware.bank.layout, hardware.tile
    if not tile.interleaved:
        return to_array(cell, layout)
    w, b, k = cell.shape
    pairs = cell.reshape(w, b // 2, 2, k)
    if tile.separate:
        return (
            pairs.swapaxes(2, 3).reshape(w, -1) if layout == "columns" else to_array(cell, layout)
        )
    plus, minus = (to_array(pairs[:, :, side], layout) for side in (0, 1))
    return np.stack([plus, minus], axis=1).reshape(2 * len(plus), -1)


def from_crossings(hardware: Hardware, array: Floats) -> Floats:
    """Map values of crossings (W', B') to cells (W, B), summing the K crossings of a cell."""
    layout, tile, k = hardware.bank.layout, hardware.tile, hardware.bank.resistors
    if not tile.interleaved:
        return to_cells(array, layout, k)
    if tile.separate:
        if layout != "columns":
            return to_cells(array, layout, k)
        w, lines = array.shape
        return _added(array.reshape(w, lines // (2 * k), k, 2), 2).reshape(w, -1)
    halves = [to_cells(array[side::2], layout, k) for side in (0, 1)]
    return np.stack(halves, axis=-1).reshape(len(halves[0]), -1)


def lines_of(hardware: Hardware, voltage: Floats) -> Floats:
    """Volts (N, W') of the physical word lines for volts (N, W) of the cells' rows."""
    lines = to_lines(voltage, hardware.bank.layout, hardware.bank.resistors)
    if hardware.tile.word_lines_per_row == 1:
        return lines
    return np.stack([lines, -lines], axis=-1).reshape(len(lines), -1)


def columns_of(hardware: Hardware, current: Floats) -> Floats:
    """Amperes (N, B) of the cells' columns for amperes (N, ...) of the physical bit lines.

    The difference that arrives on a bit line of interleaved cells counts as the plus column's.
    """
    columns = to_columns(current, hardware.bank.layout, hardware.bank.resistors)
    if not hardware.tile.interleaved:
        return columns
    return np.stack([columns, np.zeros_like(columns)], axis=-1).reshape(len(columns), -1)


def wires_of(hardware: Hardware) -> Wires:
    """Wires, drivers and sense amplifiers of tiles with one cell at each crossing.

    Raises:
        SpecError: the design has another topology.
    """
    tile = hardware.tile
    if tile.topology != "input-source":
        raise SpecError(f"tile.topology must be 'input-source' here, not {tile.topology!r}")
    return Wires(
        word_wire=tile.word_wire,
        bit_wire=tile.bit_wire,
        source=tile.source,
        load=hardware.sense_load,
        drive=tile.drive,
        sense=tile.sense,
    )


def array_wires(hardware: Hardware) -> ArrayWires:
    """Wires, drivers and sense amplifiers of the array (W', B') of a design's tiles.

    Interleaved cells of a weight meet their bit line at one place: no wire lies between them.

    Raises:
        SpecError: cells draw their current from source lines, so there is no such crossbar.
    """
    tile = hardware.tile
    if tile.separate:
        raise SpecError(
            f"there is no crossbar with tile.topology {tile.topology!r}: word lines are gates; "
            "read it as ProgrammedTile.array()"
        )
    bit_wire: float | Floats = tile.bit_wire
    if tile.interleaved and tile.bit_wire:
        lines, columns = crossings_of(hardware)
        place = np.arange(lines + (tile.sense == "both")) + (tile.sense == "bottom")
        bit_wire = np.where(place % 2 == 0, tile.bit_wire, 0.0)[:, None] * np.ones(columns)
    return ArrayWires(
        word_wire=tile.word_wire,
        bit_wire=bit_wire,
        source=tile.source,
        load=hardware.sense_load,
        drive=tile.drive,
        sense=tile.sense,
    )


def to_array(cell: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Map resistors (W, B, K) to the physical array (W', B'); parallel ones are summed.

    >>> to_array(np.array([[[1.0, 2.0], [3.0, 4.0]]]), "columns")
    array([[1., 2., 3., 4.]])
    """
    w, b, k = cell.shape
    if layout == "columns":
        return cell.reshape(w, b * k)
    if layout == "rows":
        return cell.transpose(0, 2, 1).reshape(w * k, b)
    return np.asarray(cell.sum(axis=-1))


def to_cells(array: Floats, layout: Layout, resistors: int) -> Floats:
    """Map the array (W', B') to cells (W, B), summing the K crossings of a cell."""
    w, b = array.shape
    if layout == "columns":
        return _added(array.reshape(w, b // resistors, resistors), 2)
    if layout == "rows":
        return _added(array.reshape(w // resistors, resistors, b), 1)
    return array


def to_lines(voltage: Floats, layout: Layout, resistors: int) -> Floats:
    """Volts (N, W') of the physical word lines for volts (N, W) of the cells' rows."""
    return np.repeat(voltage, resistors, axis=-1) if layout == "rows" else voltage


def to_columns(current: Floats, layout: Layout, resistors: int) -> Floats:
    """Amperes (N, B) of the cells' columns for amperes (N, B') of the physical bit lines."""
    if layout != "columns":
        return current
    return _added(current.reshape(len(current), -1, resistors), 2)


def _added(values: Floats, axis: int) -> Floats:
    total: Floats = values.sum(axis=axis)
    return total
