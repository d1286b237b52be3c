"""I-V tables of selectors as text files, and the designs that refer to them.

    [selector]
    table = "selector.csv"      relative to the design

Two columns, voltage and current, named by a head such as ``V, I (uA)``, or in this order.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xbar.errors import FileError, SpecError, printable, shown
from xbar.files import check_regular, read_file
from xbar.textfiles import Sheet, decode, read_sheet, sheet_without_head
from xbar.units import parse_quantity

_LARGEST = 4_000_000
"""Bytes of a table."""
_HEAD = re.compile(
    r"([a-z]+)[ _]?[(\[]? ?([µumknp]?[va])?(?:olts?|mperes?)? ?[)\]]?", re.IGNORECASE
)
_LONG = 40
"""Characters of a column's name."""
_COLUMNS = {"v": 0, "voltage": 0, "volts": 0, "volt": 0, "i": 1, "current": 1, "amperes": 1}


def with_points(content: Mapping[str, Any], design: Path) -> dict[str, Any]:
    """A design's content with the points that its ``selector.table`` names, if any, in its place.

    Raises:
        FileError: as ``read_points``.
        SpecError: table is no text, or there are points beside it.
    """
    selector = content.get("selector")
    if not isinstance(selector, Mapping) or "table" not in selector:
        return dict(content)
    table = selector["table"]
    if not isinstance(table, str) or not table:
        raise SpecError(f"selector.table must be the path of an I-V table, not {shown(table)}")
    more = [key for key in selector if key != "table"]
    if more:
        raise SpecError(f"selector must have a table or points, not both: leave out {more[0]}")
    volts, amperes = read_points(design.parent / table)
    return {**content, "selector": {"voltage": volts, "current": amperes}}


def read_points(path: Path) -> tuple[list[float], list[float]]:
    """Volts and amperes of an I-V table in a text file.

    Raises:
        FileError: it can't be read or has no such columns.
    """
    check_regular(path)
    if path.stat().st_size > _LARGEST:
        raise FileError(f"{path}: must be an I-V table of at most {_LARGEST:,} bytes")
    try:
        return _points(decode(read_file(path), "cp1252"), path)
    except (UnicodeDecodeError, csv.Error) as error:
        reason = printable(" ".join(str(error).split()))
        raise FileError(f"{path}: must be a table as text: {reason}") from error


def _points(text: str, path: Path) -> tuple[list[float], list[float]]:
    sheet = read_sheet(text, lambda cells: None not in _places(cells))
    units = ["V", "A"]
    if sheet is None:
        sheet, places = sheet_without_head(text), (0, 1)
    else:
        found = _places(sheet.head)
        assert found[0] is not None  # the head was found by them
        assert found[1] is not None
        places = found[0], found[1]
        units = [_unit(sheet.head[place], unit) for place, unit in zip(places, units, strict=True)]
    rows = list(_rows(sheet, path, places, units))
    if not rows:
        raise FileError(f"{path}: must have lines of a voltage and a current; it has none")
    return [row[0] for row in rows], [row[1] for row in rows]


def _rows(
    sheet: Sheet, path: Path, places: tuple[int, int], units: Sequence[str]
) -> Iterator[tuple[float, float]]:
    for line, cells in sheet.rows():
        if len(cells) <= max(places):
            raise FileError(f"{path}, line {line}: must have a voltage and a current, not {cells}")
        try:
            values = [sheet.number(cells[place]) for place in places]
            volts, amperes = (_number(text, unit) for text, unit in zip(values, units, strict=True))
        except ValueError as error:  # a SpecError is one
            raise FileError(f"{path}, line {line}: {error}") from error
        yield volts, amperes


def _number(text: str, unit: str) -> float:
    """A number in a column's unit, unless it has one of its own."""
    try:
        return parse_quantity(f"{float(text)!r} {unit}", unit[-1])
    except ValueError:
        return parse_quantity(text, unit[-1])


def _places(cells: Sequence[str]) -> list[int | None]:
    """Where the voltage and the current are in a head."""
    found: list[int | None] = [None, None]
    for place, cell in enumerate(cells):
        match = _named(cell)
        which = None if match is None else _COLUMNS.get(match[1].lower())
        if which is not None and found[which] is None:
            found[which] = place
    return found


def _named(cell: str) -> re.Match[str] | None:
    """The parts of a column's name: what it is, and its unit."""
    return _HEAD.fullmatch(" ".join(cell[: 2 * _LONG].split())[:_LONG])


def _unit(cell: str, unit: str) -> str:
    """The unit in a column's name, or the usual one."""
    match = _named(cell)
    given = "" if match is None or match[2] is None else match[2]
    return given[:-1] + unit if given else unit
