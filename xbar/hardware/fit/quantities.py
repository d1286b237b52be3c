"""What a table measured and wanted: conductances and targets, from columns in any of their units.

Shapes: N readings. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError, printable, shown
from xbar.hardware.fit.columns import MEASURED, Column, numbers, scale_of
from xbar.textfiles import Sheet
from xbar.units import format_quantity

_FAR = 100.0
"""A median target that is so many times the median conductance, or under it, is of another unit."""
_LEAST, _LARGEST = 1e-18, 1e6
"""Siemens of a reading that can be one."""
_MOST = 1.0
"""Siemens of a device above which a number without a unit is not believed."""


@dataclass(eq=False)
class Cells:
    """Columns of cells: texts, (N,) each, with their lines."""

    columns: list[Column]
    cells: dict[str, Sequence[str]]
    lines: Sequence[int]
    sheet: Sheet
    notes: list[str]


def values_of(table: Cells, column: Column) -> Floats:
    """The values (N,) of a column in SI units."""
    return numbers(column, table.cells[column.key], table.lines, table.sheet.number)


def measured(
    table: Cells, by_key: Mapping[str, Column], unit: str | None, voltage: float | None
) -> Floats:
    """Conductances (N,) from the column that was measured; NaN where it is empty.

    Raises:
        SpecError: one is negative or no device's, or a unit or voltage is missing.
    """
    found = [key for key in MEASURED if key in by_key]
    if not found:
        raise SpecError("there must be a column conductance, resistance or current")
    column, of = by_key[found[0]], {"g": "S", "r": "ohm", "i": "A"}[found[0]]
    if unit is not None:
        if column.unit:
            raise SpecError(f"the column {printable(column.name)} has a unit; leave the other out")
        column = _with_unit(column, unit)
        of = {"g": "S", "r": "ohm", "i": "A"}[column.key]
        table.cells = {**table.cells, column.key: table.cells[found[0]]}
    values = values_of(table, column)
    wrong = ~(np.isnan(values) | (values >= 0)) | (values == 0) * (of == "ohm")
    if wrong.any():
        row = int(np.argmax(wrong))
        least = "above" if of == "ohm" else "at least"
        raise SpecError(
            f"line {table.lines[row]}: {printable(column.name)} must be {least} 0 {of}, not "
            f"{values[row]:.6g} {of}; take the instrument's offset out, or the reading"
        )
    if of == "ohm":
        values = 1.0 / values
    if of == "A":
        values = values / _volts(table, by_key, voltage)
    elif voltage is not None:
        raise SpecError("a read voltage is for currents, which the table has none of")
    outside = ~(np.isnan(values) | (values == 0) | ((values >= _LEAST) & (values <= _LARGEST)))
    if outside.any():
        row = int(np.argmax(outside))
        raise SpecError(
            f"line {table.lines[row]}: {printable(column.name)} must be of a device of {_LEAST:g} "
            f"to {_LARGEST:g} S, not {values[row]:.4g} S"
        )
    finite = values[np.isfinite(values)]
    bare = not column.unit and unit is None
    if len(finite) and bare and np.median(finite) > _MOST:
        raise SpecError(
            f"{printable(column.name)} must be of devices, not {np.median(finite):.4g} S; state "
            "its unit, as in 'conductance [uS]' or by the argument unit"
        )
    return values


def _with_unit(column: Column, unit: str) -> Column:
    """The column with the caller's unit, which may make it one of resistances."""
    for key, of in (("g", "S"), ("r", "ohm"), ("i", "A")):
        try:
            scale_of(unit, of, "unit")
        except SpecError:
            continue
        if column.key in (key, "g"):
            return replace(column, key=key, unit=unit)
    raise SpecError(
        f"unit must be of what the column {printable(column.name)} holds, such as 'uS' or 'kohm', "
        f"not {shown(unit)}"
    )


def _volts(table: Cells, by_key: Mapping[str, Column], voltage: float | None) -> Floats | float:
    if "v" in by_key:
        volts = values_of(table, by_key["v"])
        if voltage is not None:
            raise SpecError("the column of voltages states them; leave the other out")
        wrong = ~(np.abs(volts) > 0)
        if wrong.any():
            line = table.lines[int(np.argmax(wrong))]
            raise SpecError(f"line {line}: a read voltage must not be 0 V or missing")
        return volts
    if voltage is None or not voltage > 0:
        raise SpecError(
            "currents need the voltage they were read at, above 0 V: a column voltage, or the "
            "argument voltage"
        )
    return voltage


def targets(table: Cells, by_key: Mapping[str, Column], unit: str | None, g: Floats) -> Floats:
    """Targets (N,) in siemens; NaN where there is none.

    Raises:
        SpecError: one is negative, or they are of another unit than what was measured.
    """
    key = next((key for key in ("target", "target r") if key in by_key), None)
    if key is None:
        return np.full(len(g), np.nan)
    column = by_key[key]
    measured = next((by_key[k] for k in ("g", "r") if k in by_key), None)
    shared = unit or ("" if measured is None else measured.unit)
    if not column.unit and shared and _allvalues_of(table.cells[key]):
        table.notes.append(f"the column {printable(column.name)} is taken in {shared}, too")
        column = replace(column, unit=shared)
        if key == "target" and not _is(shared, "S"):
            column = replace(column, key="target r")
            table.cells = {**table.cells, "target r": table.cells[key]}
    target = values_of(table, column)
    if column.key == "target r":
        with np.errstate(divide="ignore"):
            target = 1.0 / target
    wrong = (target < 0) | (target > _LARGEST)
    if wrong.any():
        raise SpecError(
            f"line {table.lines[int(np.argmax(wrong))]}: {printable(column.name)} must be from 0 "
            f"to {_LARGEST:g} S, not {target[int(np.argmax(wrong))]:.4g} S"
        )
    ratio = g / np.where(target > 0, target, np.nan)
    middle = float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else 1.0
    if not 1.0 / _FAR <= middle <= _FAR and middle > 0:
        raise SpecError(
            f"target and conductance must be of one unit, not {middle:.3g} times apart "
            f"({format_quantity(float(np.nanmedian(g)), 'S')} for a target of "
            f"{format_quantity(float(np.nanmedian(target)), 'S')}); state both units in the head"
        )
    return target


def _is(unit: str, of: str) -> bool:
    try:
        scale_of(unit, of, "unit")
    except SpecError:
        return False
    return True


def _allvalues_of(cells: Sequence[str]) -> bool:
    return not any(cell.strip()[-1:].isalpha() for cell in cells if cell.strip().lower() != "nan")
