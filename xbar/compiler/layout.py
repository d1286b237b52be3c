"""Where the K resistors of a cell lie in the array (``Bank.layout``).

    cell      all K at one crossing, in parallel
    columns   each on a bit line of its own, K neighbouring ones, whose currents are added at the
              sense amplifier's virtual ground, behind each line's own load
    rows      each on a word line of its own, K neighbouring ones, driven alike, each behind its
              own source resistance

A tile's cells are W x B; its physical array has W' word lines and B' bit lines: W x BK with
"columns", WK x B with "rows".

Shapes: N inputs, K resistors a cell. Units: SI.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.hardware.bank import Layout


def array_shape(cells: tuple[int, int], layout: Layout, resistors: int) -> tuple[int, int]:
    """(W', B') lines of the physical array of W x B cells."""
    w, b = cells
    return w * (resistors if layout == "rows" else 1), b * (resistors if layout == "columns" else 1)


def to_array(cell: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """The physical array (W', B') of values (W, B, K) of each resistor; parallel ones add up.

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
    """Values (W, B) of each cell: what its K crossings of the array (W', B') add up to."""
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
