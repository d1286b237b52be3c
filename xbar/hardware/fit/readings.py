"""Readings of devices, from tables in files or in memory.

Shapes: N readings. Units: siemens, seconds, kelvin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.errors import FileError, SpecError, printable
from xbar.files import read_file
from xbar.hardware.fit.columns import MEASURED, PLACES, find_columns, with_units
from xbar.hardware.fit.quantities import Cells, measured, targets, values_of
from xbar.hardware.fit.wide import long_arrays, long_lines, value_columns, wide_unit
from xbar.npz import read_npz
from xbar.tables import count, few
from xbar.textfiles import Sheet, decode, plain_text, read_sheet

_LATEST, _HOTTEST = 1e15, 1e4
"""Seconds and kelvin of a reading that can be one."""


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
    _fill(rows, width)
    columns = find_columns(sheet.head)
    stated = with_units(columns, rows[0][1])
    if stated is not None:
        columns, rows = stated, rows[1:]
    if not rows:
        raise SpecError("there is no line of data below the units")
    lines = [line for line, _ in rows]
    by_column = list(zip(*(cells[:width] for _, cells in rows), strict=True))
    notes = (
        [] if not sheet.skipped else [f"{count(sheet.skipped, 'line')} before the head not used"]
    )
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
    return _readings(Cells(columns, named, lines, sheet, notes), unit, voltage)


def _fill(rows: Iterable[tuple[int, list[str]]], width: int) -> None:
    """Make lines as long as the first one, with empty cells, in place."""
    for line, cells in rows:
        if len(cells) > width and any(cells[width:]):
            raise SpecError(
                f"line {line}: has {len(cells)} values, but the first line names {width}; decimal "
                "commas need another delimiter, or quotes"
            )
        cells += [""] * (width - len(cells))


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
    values = value_columns(cells, columns)
    return bool(values) and (bool(columns) or len(values) == len([c for c in cells if c.strip()]))


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
    return _readings(Cells(columns, cells, range(1, size + 1), sheet, notes), unit, voltage)


def _text(value: object) -> str:
    return repr(value) if isinstance(value, (float, int)) else str(value)


def _readings(table: Cells, unit: str | None, voltage: float | None) -> Readings:
    by_key = {column.key: column for column in table.columns}
    size = len(table.lines)
    g = measured(table, by_key, unit, voltage)
    target = targets(table, by_key, unit, g)
    time, kelvin = (
        values_of(table, by_key[key]) if key in by_key else np.full(size, np.nan)
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
    places = [key for key in ("device", *PLACES) if key in by_key]
    device = _codes(table, places)
    cycle, read = (_codes(table, [key]) for key in ("cycle", "read"))
    if not places:
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


def _codes(table: Cells, keys: Sequence[str]) -> Ints:
    """Numbers from 0 of the texts of columns together, in the order of their first readings."""
    given = [table.cells[key] for key in keys if key in table.cells]
    if not given:
        return np.zeros(len(table.lines), dtype=np.int64)
    known: dict[tuple[str, ...], int] = {}
    texts = zip(*([plain_text(cell).strip() for cell in cells] for cells in given), strict=True)
    return np.array([known.setdefault(text, len(known)) for text in texts])


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
