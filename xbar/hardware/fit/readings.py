"""Readings of devices, from tables in files or in memory.

Shapes: N readings. Units: siemens, seconds, kelvin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.errors import FileError, SpecError, printable, shown
from xbar.files import read_file
from xbar.hardware.fit.columns import MEASURED, Column, find_columns, numbers, scale_of
from xbar.hardware.fit.wide import long_arrays, long_lines, value_columns, wide_unit
from xbar.npz import read_npz
from xbar.tables import count, few
from xbar.textfiles import Sheet, decode, plain_text, read_sheet
from xbar.units import format_quantity

_FAR = 100.0
"""A median target that is so many times the median conductance, or under it, is of another unit."""
_LEAST, _LARGEST, _LATEST, _HOTTEST = 1e-18, 1e6, 1e15, 1e4
"""Siemens, seconds and kelvin of a reading that can be one."""
_MOST = 1.0
"""Siemens of a device above which a number without a unit is not believed."""


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of devices.

    Attributes:
        device: (N,) numbers of the devices, from 0.
        target: (N,) siemens that were wanted; NaN where there is no target.
        time: (N,) seconds since programming; NaN where no time is given.
        kelvin: (N,) temperatures; NaN where none is given.
        cycle: (N,) numbers of programmings, from 0.
        g: (N,) siemens; 0 for an open device.
        line: (N,) lines of the file, or numbers of the readings, from 1.
        notes: what was assumed.
    """

    device: Ints
    target: Floats
    time: Floats
    kelvin: Floats
    cycle: Ints
    g: Floats
    line: Ints
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.g)

    def where(self, mask: NDArray[np.bool_]) -> Readings:
        """The readings of a mask (N,)."""
        names = ("device", "target", "time", "kelvin", "cycle", "g", "line")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})


@dataclass(eq=False)
class _Cells:
    """Columns of cells: texts, (N,) each, with their lines."""

    columns: list[Column]
    cells: dict[str, Sequence[str]]
    lines: Sequence[int]
    sheet: Sheet
    notes: list[str]


def read_readings(
    table: str | Path | Mapping[str, Any], unit: str | None = None, voltage: float | None = None
) -> Readings:
    """The readings in a table.

    Args:
        table: path of a .csv, .tsv, .txt or .npz file, or columns by name (a DataFrame is such).
        unit: unit of what was measured, where neither head nor cells state one.
        voltage: volts at which currents were read, where no column states them.

    Raises:
        FileError: the file can't be read.
        SpecError: a column, line or value is not as ``columns.py`` describes.
    """
    if isinstance(table, (str, Path)):
        path = Path(table)
        try:
            if path.suffix == ".npz":
                return _of_arrays(read_npz(path), unit, voltage)
            return _of_text(decode(read_file(path), "cp1252"), unit, voltage)
        except UnicodeDecodeError as error:
            raise FileError(f"{path}: must be a text in UTF-8 or UTF-16: {error.reason}") from error
        except SpecError as error:
            raise SpecError(f"{path}: {error}") from error
    return _of_arrays({str(key): np.asarray(table[key]) for key in table}, unit, voltage)


def _of_text(text: str, unit: str | None, voltage: float | None) -> Readings:
    sheet = read_sheet(text, _is_head)
    if sheet is None:
        first = printable(next(iter(text.splitlines()), "").strip())[:80]
        raise SpecError(
            "the first line must name columns such as device,target,time [s],temperature [C],"
            f"conductance [uS], or device and times as in device,1 s,1 h,1 d, not {first!r}"
        )
    rows = list(sheet.rows())
    if not rows:
        raise SpecError("there is no line of data")
    width = len(sheet.head)
    for line, cells in rows:
        if len(cells) < width:
            cells += [""] * (width - len(cells))
        if len(cells) > width and any(cells[width:]):
            raise SpecError(
                f"line {line}: has {len(cells)} values, but the first line names {width}; decimal "
                "commas need another delimiter, or quotes"
            )
    lines = [line for line, _ in rows]
    by_column = list(zip(*(cells[:width] for _, cells in rows), strict=True))
    notes = (
        [] if not sheet.skipped else [f"{count(sheet.skipped, 'line')} before the head not used"]
    )
    columns = find_columns(sheet.head)
    values = value_columns(sheet.head, columns)
    named: dict[str, Sequence[str]] = {c.key: by_column[c.place] for c in columns}
    if values:
        unit = _one_unit(unit, wide_unit(sheet.head, values))
        columns, named, lines = long_lines(columns, named, lines, values, by_column, notes)
    else:
        used = {column.place for column in columns}
        others = [name for place, name in enumerate(sheet.head) if place not in used and name]
        if others:
            notes.append(f"columns not used: {few(others)}")
    return _readings(_Cells(columns, named, lines, sheet, notes), unit, voltage)


def _one_unit(unit: str | None, stated: str) -> str | None:
    """The caller's unit, or that of the heads of a wide table."""
    if unit is not None and stated:
        raise SpecError(f"the heads state {printable(stated)}; leave the other unit out")
    return unit or stated or None


def _is_head(cells: Sequence[str]) -> bool:
    try:
        columns = find_columns(cells)
    except SpecError:
        return True  # a head, though a mistaken one
    if any(column.key in MEASURED for column in columns):
        return True
    return bool(columns) and bool(value_columns(cells, columns))


def _of_arrays(
    arrays: Mapping[str, NDArray[Any]], unit: str | None, voltage: float | None
) -> Readings:
    notes: list[str] = []
    flat = long_arrays(arrays, notes)
    columns = find_columns(list(flat))
    if not any(column.key in MEASURED for column in columns):
        raise SpecError(
            "a table must have a column conductance, resistance or current, not only "
            f"{few(list(flat)) or 'none'}"
        )
    lengths = {name: len(value) for name, value in flat.items()}
    if len(set(lengths.values())) > 1:
        raise SpecError(f"columns must be of one length, not {lengths}")
    cells: dict[str, Sequence[str]] = {
        c.key: [_text(each) for each in flat[c.name].tolist()] for c in columns
    }
    size = next(iter(lengths.values()))
    if not size:
        raise SpecError("there is no reading")
    sheet = Sheet("", 0, ",", False, tuple(flat))
    return _readings(_Cells(columns, cells, range(1, size + 1), sheet, notes), unit, voltage)


def _text(value: object) -> str:
    return repr(value) if isinstance(value, (float, int)) else str(value)


def _readings(table: _Cells, unit: str | None, voltage: float | None) -> Readings:
    by_key = {column.key: column for column in table.columns}
    size = len(table.lines)
    g = _measured(table, by_key, unit, voltage)
    target = _target(table, by_key, unit, g)
    time, kelvin = (
        _numbers(table, by_key[key]) if key in by_key else np.full(size, np.nan)
        for key in ("time", "temperature")
    )
    limits = ("time", time, _LATEST, "s"), ("temperature", kelvin, _HOTTEST, "K")
    for what, values, most, unit in limits:
        if (values > most).any():
            row = int(np.argmax(values > most))
            raise SpecError(
                f"line {table.lines[row]}: {what} must be at most {most:g} {unit}, "
                f"not {values[row]:.4g}"
            )
    device, cycle, read = (_codes(table, key) for key in ("device", "cycle", "read"))
    if "device" not in by_key:
        if np.isfinite(time).any() or np.isfinite(kelvin).any() or "read" in by_key:
            raise SpecError(
                "a table over times, temperatures or reads must have a column device, to tell "
                "which readings are of one"
            )
        device = np.arange(size)
        table.notes.append("there is no column device: each reading is taken as another one")
    line = np.array(table.lines)
    given = Readings(device, target, time, kelvin, cycle, g, line)
    missing = np.isnan(g)
    if missing.all():
        raise SpecError("there is no reading: every cell is empty or no number (NaN)")
    if missing.any():
        number = int(missing.sum())
        table.notes.append(
            f"{count(number, 'reading')} without a number not used, the first in line "
            f"{line[int(np.argmax(missing))]}"
        )
    _check(given.where(~missing), read[~missing] if "read" in by_key else None)
    return replace(given.where(~missing), notes=tuple(table.notes))


def _numbers(table: _Cells, column: Column) -> Floats:
    return numbers(column, table.cells[column.key], table.lines, table.sheet.number)


def _codes(table: _Cells, key: str) -> Ints:
    """Numbers from 0 of the texts of a column, in the order of their first readings."""
    if key not in table.cells:
        return np.zeros(len(table.lines), dtype=np.int64)
    known: dict[str, int] = {}
    return np.array([known.setdefault(plain_text(c).strip(), len(known)) for c in table.cells[key]])


def _measured(
    table: _Cells, by_key: Mapping[str, Column], unit: str | None, voltage: float | None
) -> Floats:
    """Conductances (N,) from the column that was measured."""
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
    values = _numbers(table, column)
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


def _volts(table: _Cells, by_key: Mapping[str, Column], voltage: float | None) -> Floats | float:
    if "v" in by_key:
        volts = _numbers(table, by_key["v"])
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


def _target(table: _Cells, by_key: Mapping[str, Column], unit: str | None, g: Floats) -> Floats:
    key = next((key for key in ("target", "target r") if key in by_key), None)
    if key is None:
        return np.full(len(g), np.nan)
    column = by_key[key]
    measured = next((by_key[k] for k in ("g", "r") if k in by_key), None)
    shared = unit or ("" if measured is None else measured.unit)
    if not column.unit and shared and _all_numbers(table.cells[key]):
        table.notes.append(f"the column {printable(column.name)} is taken in {shared}, too")
        column = replace(column, unit=shared)
        if key == "target" and not _is(shared, "S"):
            column = replace(column, key="target r")
            table.cells = {**table.cells, "target r": table.cells[key]}
    target = _numbers(table, column)
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


def _all_numbers(cells: Sequence[str]) -> bool:
    return not any(cell.strip()[-1:].isalpha() for cell in cells if cell.strip().lower() != "nan")


def _check(given: Readings, read: Ints | None) -> None:
    """Check times, and that no reading stands twice.

    Raises:
        SpecError: one is negative or stands twice.
    """
    named = np.nan_to_num(np.stack([given.target, given.time, given.kelvin]), nan=-1.0)
    last = given.g if read is None else read.astype(np.float64)
    keys = np.concatenate([[given.device, given.cycle], named, [last]]).T
    order = np.lexsort(keys.T[::-1])
    again = np.flatnonzero((keys[order][1:] == keys[order][:-1]).all(axis=1))
    if len(again):
        first, second = sorted(given.line[order[again[0] : again[0] + 2]].tolist())
        more = f" (and {len(again) - 1} more)" if len(again) > 1 else ""
        raise SpecError(
            f"line {second}: stands in line {first} too{more}; take it out, or number repeated "
            "readings in a column read"
        )
