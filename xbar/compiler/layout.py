"""Layout of the K resistors of a cell in the array (``Bank.layout``).

    cell      all K at one crossing, in parallel
    columns   on K adjacent bit lines, whose currents are added at the sense amplifier's virtual
              ground, each behind its own load
    rows      on K adjacent word lines with the same voltage, each behind its own source
              resistance

A tile's cells are W x B; its physical array has W' word lines and B' bit lines: W x BK with
"columns", WK x B with "rows".

Shapes: N inputs, K resistors per cell. Units: SI.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.hardware.bank import Layout


def array_shape(cells: tuple[int, int], layout: Layout, resistors: int) -> tuple[int, int]:
    """Size (W', B') of the physical array of W x B cells."""
    w, b = cells
    return w * (resistors if layout == "rows" else 1), b * (resistors if layout == "columns" else 1)


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
