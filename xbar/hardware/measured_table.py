"""A measured chip as a table of text, one line a resistor, as spreadsheets write it.

Columns are found by their names: tile, word_line, bit_line, resistor, on, and if they were measured
off and stuck, in any order, letters and the usual spellings ("WL", "Word line", "G_on"). ``on`` and
``off`` are conductances, or resistances if a unit of ohms or the name ("R_on") says so; the unit
stands in the head ("on [uS]"), below it, in the cells, or is the caller's. Lines of comments and
other columns are passed over; an empty cell or "nan" is a resistor that was not measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.errors import SpecError, printable, shown
from xbar.hardware.measured_columns import (
    INDICES,
    MEASURED,
    Column,
    Unit,
    find_columns,
    is_head,
)
from xbar.tables import few
from xbar.textfiles import Sheet, plain_text, read_sheet
from xbar.units import measured_quantity, parse_unit

_MISSING = frozenset(
    "nan na n/a null none - -- ol open dead -nan nan(ind) -nan(ind) #n/a #na #div/0! #num! #value! "
    "1.#qnan 1.#ind -1.#ind n.a. n.a --- #ref! #name? #null! #nv #wert! #zahl! #bezug!".split(" ")
) | {""}
_STUCK = {
    "": 0, "nan": 0, "ok": 0, "no": 0, "none": 0, "0": 0, "+1": 1, "1": 1, "-1": -1, "open": -1,
    "stuck_open": -1, "stuck open": -1, "closed": 1, "stuck_closed": 1, "stuck closed": 1,
}  # fmt: skip
_OVERFLOW = (9.9e37, -9.9e37, 9.91e37)
"""What instruments write (SCPI, IEEE 488.2) for a value out of range and for none at all."""
_CHUNK = 1 << 16
"""Lines that are read together."""


@dataclass(eq=False)
class Table:
    """What a table says: arrays (T, W, B, K) by name, NaN where nothing was measured."""

    arrays: dict[str, NDArray[np.generic]]
    notes: list[str] = field(default_factory=list)


def read_table(text: str, shape: tuple[int, int, int], unit: Unit | None) -> Table:
    """The measurement in a table, for tiles of shape (W, B, K).

    Args:
        text: the file's text.
        shape: word lines, bit lines and resistors of a tile.
        unit: unit of numbers without one; None for siemens, or ohms in columns such as "R_on".

    Raises:
        SpecError: the columns, a line or a value is not as described above.
    """
    sheet = read_sheet(text, lambda cells: is_head(cells, shape))
    if sheet is None:
        lines = text.splitlines()[:2]
        first = lines[-1] if lines and lines[0].startswith("sep=") else "".join(lines[:1])
        raise SpecError(
            "the first line must be tile,word_line,bit_line,resistor,on[,off[,stuck[,c2]]], not "
            f"{printable(first.strip())[:80]}; call the measured column on or g (conductance) or r "
            "(resistance), with its unit, as in on [uS]"
        )
    columns = find_columns(sheet.head, shape)
    table = _Reader(sheet, columns, unit, shape).read()
    return _place(table, columns, shape, _remarks(sheet, columns))


class _Reader:
    """Reads the lines below the head, many at a time."""

    def __init__(
        self, sheet: Sheet, columns: list[Column], unit: Unit | None, shape: tuple[int, int, int]
    ) -> None:
        self.sheet, self.columns, self.shape = sheet, columns, shape
        self.width = max(column.place for column in columns) + 1
        self.units = {column.key: self._unit(column, unit) for column in columns}
        self.stated = {column.key: column.unit for column in columns}
        self.assumed = {c.key for c in columns if unit is None and c.unit is None}
        self.bare: dict[str, tuple[str, int]] = {}  # first number without unit or prefix
        self.marked: dict[str, str] = {}  # first one that has them

    def _unit(self, column: Column, unit: Unit | None) -> Unit | None:
        if column.key not in MEASURED:
            return None
        if unit is None:
            return Unit("ohm") if column.unit is None and column.resistance else column.unit
        if column.unit not in (None, unit) or (column.resistance and unit.name != "ohm"):
            raise SpecError(
                f"the column {column.key} states another unit than the argument unit; "
                "leave one of them out"
            )
        return unit

    def read(self) -> dict[str, Floats]:
        """The columns by name, and "line", their line numbers."""
        rows = iter(self._rows())
        parts: list[dict[str, Floats]] = []
        while chunk := list(islice(rows, _CHUNK)):
            parts.append(self._chunk(chunk))
        if not parts:
            raise SpecError("there is no line of data")
        for key in self.assumed & self.bare.keys() & self.marked.keys():
            cell, line = self.bare[key]
            raise SpecError(
                f"line {line}: {key} must have a unit in every cell or in none, but {shown(cell)} "
                f"has none and {shown(self.marked[key])} has; write the unit in the head"
            )
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _rows(self) -> Iterable[tuple[int, list[str]]]:
        head = len(self.sheet.head)
        for count, (line, cells) in enumerate(self.sheet.rows()):
            if len(cells) < self.width:
                raise SpecError(f"line {line}: must have {self.width} values, not {len(cells)}")
            if len(cells) > head and any(cells[head:]):
                raise SpecError(
                    f"line {line}: has {len(cells)} values, but the first line names {head}; "
                    "decimal commas need another delimiter, or quotes"
                )
            if count == 0 and self._is_units(cells):
                continue
            yield line, cells

    def _is_units(self, cells: Sequence[str]) -> bool:
        """Whether this is a line of units below the head; then they are taken."""
        texts = {c.key: cells[c.place].strip("[]() ") for c in self.columns}
        units = {key: parse_unit(texts[key]) for key in self.units if key in MEASURED}
        if units["on"] is None or any(re.search(r"\d", text) for text in texts.values()):
            return False
        for key in units:
            if self.units[key] is not None:
                raise SpecError(f"the unit of the column {key} is stated twice")
            self.units[key] = self.stated[key] = Unit.read(texts[key], f"the column {key}")
        self.assumed.clear()
        return True

    def _chunk(self, rows: list[tuple[int, list[str]]]) -> dict[str, Floats]:
        lines = [line for line, _ in rows]
        columns = list(zip(*(cells[: self.width] for _, cells in rows), strict=True))
        read: dict[str, Floats] = {"line": np.array(lines, dtype=np.float64)}
        for column in self.columns:
            read[column.key] = self._column(column, columns[column.place], lines)
        return read

    def _column(self, column: Column, cells: Sequence[str], lines: list[int]) -> Floats:
        unit = self.units[column.key]
        if column.key == "stuck":
            return np.array([self._stuck(c, n) for c, n in zip(cells, lines, strict=True)])
        if column.key == "c2":
            return np.array([self._bend(c, n) for c, n in zip(cells, lines, strict=True)])
        try:
            if any("_" in cell for cell in cells):  # Python's numbers may have underscores
                raise ValueError
            values = np.array(cells, dtype=np.float64)
            if column.key in self.assumed and column.key not in self.bare and values.any():
                row = int(np.argmax(values != 0))
                self.bare[column.key] = cells[row], lines[row]
        except ValueError:
            each = [self._value(column, c, n) for c, n in zip(cells, lines, strict=True)]
            return np.array(each)
        if unit is not None and unit.name == "ohm" and (values == 0).any():
            row = int(np.argmax(values == 0))
            raise SpecError(f"line {lines[row]}: {column.key} must be above 0 ohm, not 0")
        if column.key in INDICES:
            return values
        return (unit or Unit("S")).siemens(np.where(np.isin(values, _OVERFLOW), math.nan, values))

    def _value(self, column: Column, cell: str, line: int) -> float:
        """One cell: an index, or siemens; NaN if it is empty."""
        unit = self.units[column.key]
        text = plain_text(cell).strip()
        if text.lower() in _MISSING and column.key in MEASURED:
            return math.nan
        try:
            text = self.sheet.number(re.sub(r"(?<=\d)[dD](?=[+-]?\d)", "e", text))
            if text.lower().lstrip("+") in ("inf", "infinity"):
                value, found = math.inf, ""
            else:
                value, found = measured_quantity(text, unit.name if unit else "")
        except (SpecError, ValueError) as error:
            what = f"could not convert {shown(cell)} to a number" if not text else str(error)
            raise SpecError(f"line {line}: {column.key}: {what}") from None
        if column.key in INDICES:
            if found:
                raise SpecError(f"line {line}: {column.key} must be a number, not {shown(cell)}")
            return value
        if value in _OVERFLOW and not found:
            return math.nan
        return self._siemens(column, cell, value, found, line)

    def _siemens(self, column: Column, cell: str, value: float, found: str, line: int) -> float:
        unit = self.units[column.key]
        self._compare(column.key, cell, line, value)
        if found and (found not in ("S", "ohm") or (unit is not None and unit.name != found)):
            raise SpecError(
                f"line {line}: {column.key} must be in {unit.name if unit else 'S or ohm'}, "
                f"not {shown(cell)}"
            )
        if not found and cell.strip()[-1:].isalpha() and unit is not None and unit.factor != 1:
            raise SpecError(
                f"line {line}: {column.key} has a prefix in {shown(cell)} and one in its unit"
            )
        stated = Unit(found) if found else unit or Unit("S")
        if stated.name == "ohm" and value == 0:
            raise SpecError(f"line {line}: {column.key} must be above 0 ohm, not {shown(cell)}")
        return float(stated.siemens(np.array([value]))[0])

    def _compare(self, key: str, cell: str, line: int, value: float) -> None:
        """Note whether a cell has a unit or prefix of its own; it must not contradict the head's.

        Raises:
            SpecError: the head has another prefix: one of the two is wrong.
        """
        suffix = re.sub(r"^[\s\d.,+\-eE]*", "", plain_text(cell).strip())
        own, head = parse_unit(suffix), self.stated[key]
        if own and head and head.factor not in (1, float(f"1e{own[0]}")) and own[1] == head.name:
            raise SpecError(
                f"line {line}: {key} is {shown(cell)}, but the head has another unit; "
                "leave one of them out"
            )
        if suffix:
            self.marked.setdefault(key, cell)
        elif value and math.isfinite(value):
            self.bare.setdefault(key, (cell, line))

    def _bend(self, cell: str, line: int) -> float:
        """1/V; NaN if it was not measured."""
        text = plain_text(cell).strip()
        if text.lower() in _MISSING:
            return math.nan
        try:
            return float(self.sheet.number(text))
        except ValueError:
            raise SpecError(f"line {line}: c2 must be a number in 1/V, not {shown(cell)}") from None

    def _stuck(self, cell: str, line: int) -> float:
        text = plain_text(cell).strip().lower()
        if text in _STUCK:
            return _STUCK[text]
        try:
            value = float(self.sheet.number(text))
        except ValueError:
            value = math.nan
        if value not in (-1, 0, 1):
            raise SpecError(
                f"line {line}: stuck must be -1 (open), 0 or +1 (closed), not {shown(cell)}"
            )
        return value


def _remarks(sheet: Sheet, columns: list[Column]) -> list[str]:
    used = {column.place for column in columns}
    others = [name for i, name in enumerate(sheet.head) if i not in used and name]
    notes = []
    if sheet.skipped:
        notes.append(f"{sheet.skipped} lines before the head are not used")
    if others:
        notes.append(f"columns not used: {few(others)}")
    for column in columns:
        if column.resistance and column.unit is None:
            name = printable(sheet.head[column.place])
            notes.append(f"the column {name} holds resistances, in ohms unless a unit says more")
    return notes


def _place(
    table: Mapping[str, Floats],
    columns: list[Column],
    shape: tuple[int, int, int],
    notes: list[str],
) -> Table:
    """The columns as arrays (T, W, B, K)."""
    count = len(table["line"])
    for key in INDICES:
        if key not in table:
            notes.append(f"there is no column {key}, so it is 0 throughout")
    given = np.stack([table.get(key, np.zeros(count)) for key in INDICES], axis=1)
    wrong = np.argwhere(~((given >= 0) & (given < 2**31) & (given == np.floor(given))))
    if len(wrong):
        row, axis = wrong[0]
        raise SpecError(
            f"line {table['line'][row]:.0f}: tile, word_line, bit_line and resistor must be "
            f"integers from 0, not {given[row, axis]:g} for {INDICES[axis]}"
        )
    index = given.astype(np.int64)
    over = np.argwhere(index[:, 1:] >= shape)
    if len(over):
        row, axis = over[0]
        raise SpecError(
            f"line {table['line'][row]:.0f}: {INDICES[axis + 1]} must be under {shape[axis]}, "
            f"not {index[row, axis + 1]}; numbers count from 0"
        )
    full = (int(index[:, 0].max()) + 1, *shape)
    order = _order(index, full, table["line"])
    arrays: dict[str, NDArray[np.generic]] = {}
    for column in columns:
        if column.key not in INDICES:
            arrays[column.key] = table[column.key][order].reshape(full)
    return Table(arrays, notes)


def _order(index: Ints, full: tuple[int, ...], lines: Floats) -> Ints:
    """Rows in the order of the resistors, each of which must stand once."""
    order = np.lexsort(index.T[::-1])
    ordered = index[order]
    again = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1))
    if len(again):
        first = ordered[again[0]]
        at = np.flatnonzero((index == first).all(axis=1))
        where = ", ".join(f"{lines[row]:.0f}" for row in at[:3])
        raise SpecError(
            f"each resistor must stand once, but {_spell(first)} stands {len(at)} times, "
            f"in lines {where}"
        )
    missing = math.prod(full) - len(ordered)
    if missing:
        expected = _unravel(np.arange(len(ordered) + 1), full)
        gap = np.flatnonzero((ordered != expected[:-1]).any(axis=1))
        place = expected[gap[0] if len(gap) else -1]
        more = f", nor do {missing - 1} others" if missing > 1 else ""
        raise SpecError(f"each resistor must stand once, but {_spell(place)} does not stand{more}")
    return order


def _unravel(flat: Ints, full: tuple[int, ...]) -> Ints:
    """Indices (N, 4) of the N-th resistors; tiles may be too many for numpy's own function."""
    places = []
    for size in reversed(full[1:]):
        flat, place = np.divmod(flat, size)
        places.append(place)
    return np.stack([flat, *reversed(places)], axis=1)


def _spell(place: Iterable[int]) -> str:
    return ", ".join(f"{name} {int(i)}" for name, i in zip(INDICES, place, strict=True))
