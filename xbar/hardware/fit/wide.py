"""Wide tables: one row a device and one column a time, temperature, cycle or read; or turned.

A column's head such as "1 h", "85 C", "cycle 3", "read 2" or "85 C, 1 h" says what its readings are
of; in a table with a column of times or temperatures, the heads of the others name devices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SpecError, printable, shown
from xbar.hardware.fit.columns import MEASURED, PLACES, Column, find_columns
from xbar.textfiles import plain_text
from xbar.units import parse_temperature, parse_time

_COUNTED = re.compile(r"(cycle|cyc|read|rep|sample)[\s_.#]*(\d+)", re.IGNORECASE)
_SIGN = re.compile(r"^(?:[A-Za-z_ (]{0,20}[@=:]|at\b|t\b|after\b)\s*", re.IGNORECASE)
_UNIT = re.compile(r"\[([^\[\]]{1,40})\]\s*$")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_QUANTITY = re.compile(_NUMBER.pattern + r"\s*[^\d\s.]\S*")

Label = dict[str, str]
"""What a column's readings are of: texts by key."""


def value_columns(head: Sequence[str], columns: Sequence[Column]) -> dict[int, Label]:
    """The columns of a wide table's readings, by place, and what each is of; none in a long one."""
    if any(column.key in MEASURED for column in columns):
        return {}
    own = {column.key for column in columns}
    rest = {
        place: name
        for place, name in enumerate(head)
        if name.strip() and place not in {column.place for column in columns}
    }
    found = {place: label for place, name in rest.items() if (label := _label(name))}
    bare = {place for place, name in rest.items() if _NUMBER.fullmatch(_text(name))}
    if own & {"device", *PLACES} and bare and not found:
        return {place: {"time": _text(rest[place])} for place in bare}
    if found:
        return found
    if own & {"time", "temperature", "cycle", "read"} and not own & {"device", *PLACES}:
        return {place: {"device": name} for place, name in rest.items()}
    return {}


def _text(name: str) -> str:
    """A head without the unit of its readings in brackets."""
    text = plain_text(name).strip()
    return _UNIT.sub("", text).strip()


def _label(name: str) -> Label:
    """What a head says that its readings are of; empty if it is none."""
    label: Label = {}
    for part in re.split(r"[,;/|]\s*", _text(name)):
        counted = _COUNTED.fullmatch(part.strip())
        text = _SIGN.sub("", part.strip()).strip(" ()")
        if counted is not None:
            key = "cycle" if counted[1].lower().startswith("cyc") else "read"
            label[key] = counted[2]
        elif _QUANTITY.fullmatch(text) and _reads(parse_temperature, text):
            label["temperature"] = text
        elif _QUANTITY.fullmatch(text) and _reads(parse_time, text):
            label["time"] = text
        else:
            return {}
    return label


def _reads(parse: Any, text: str) -> bool:
    try:
        parse(text)
    except SpecError:
        return False
    return True


def long_lines(
    columns: Sequence[Column],
    cells: Mapping[str, Sequence[str]],
    lines: Sequence[int],
    values: Mapping[int, Label],
    by_column: Sequence[Sequence[str]],
    notes: list[str],
) -> tuple[list[Column], dict[str, Sequence[str]], list[int]]:
    """Columns, cells and lines of the long table that a wide one stands for.

    Raises:
        SpecError: two columns are of the same, or a column is of what another one is.
    """
    given = [tuple(sorted(label.items())) for label in values.values()]
    again = [label for label in given if given.count(label) > 1]
    if again:
        raise SpecError(f"each column must be of another time, temperature or cycle, not two of "
                        f"{', '.join(text for _, text in again[0])}")  # fmt: skip
    keys = sorted({key for label in values.values() for key in label})
    own = {column.key for column in columns}
    if own & set(keys):
        raise SpecError(f"{min(own & set(keys))} must be a column or in the heads, not both")
    missing = [label for label in values.values() if set(label) != set(keys)]
    if missing:
        raise SpecError(f"each column must tell {' and '.join(keys)}, not only {missing[0]}")
    size, rows = len(lines), range(len(lines))
    result: dict[str, Sequence[str]] = {
        key: [column[row] for _ in values for row in rows] for key, column in cells.items()
    }
    for key in keys:
        result[key] = [label[key] for label in values.values() for _ in rows]
    result["g"] = [by_column[place][row] for place in values for row in rows]
    if not {"device", *PLACES} & set(result):
        notes.append("there is no column device: each line is taken as another one")
        result["device"] = [str(row) for _ in values for row in rows]
    if keys == ["time"] and all(_NUMBER.fullmatch(label["time"]) for label in values.values()):
        notes.append("heads without a unit are taken as seconds")
    made = [Column(-1, key, key) for key in result if key not in own and key != "g"]
    return (
        [*columns, *made, Column(-1, "g", "conductance")],
        result,
        [*lines] * (len(result["g"]) // max(size, 1)),
    )


def wide_unit(head: Sequence[str], values: Mapping[int, Label]) -> str:
    """The unit in brackets that the heads of a wide table's readings state; "" if none does.

    Raises:
        SpecError: they state different ones.
    """
    found = (_UNIT.search(plain_text(head[place])) for place in values)
    units = {match[1].strip() for match in found if match is not None}
    if len(units) > 1:
        first, second = sorted(units)[:2]
        raise SpecError(
            f"all readings must be in one unit, not {printable(first)} and {printable(second)}"
        )
    return units.pop() if units else ""


def long_arrays(arrays: Mapping[str, NDArray[Any]], notes: list[str]) -> dict[str, NDArray[Any]]:
    """Columns of one length (N,) from arrays of which what was measured may be (D, M).

    Of those with M values (time, temperature, cycle, read) a column is one, of the others a row.

    Raises:
        SpecError: an array has other axes, or another length.
    """
    columns = {column.key: column.name for column in find_columns(list(arrays))}
    flat = {name: np.asarray(value) for name, value in arrays.items()}
    name = next((columns[key] for key in MEASURED if key in columns), None)
    if name is None or flat[name].ndim < 2:
        odd = [key for key, value in flat.items() if value.ndim != 1 and key in columns.values()]
        if odd:
            raise SpecError(f"the column {printable(odd[0])} must have one axis")
        return {key: value for key, value in flat.items() if value.ndim == 1}
    if flat[name].ndim != 2:
        raise SpecError(f"{printable(name)} must have one axis or two, not {flat[name].ndim}")
    rows, across = flat[name].shape
    result = {name: flat[name].ravel()}
    for key, given in columns.items():
        value = flat[given]
        if given == name:
            continue
        is_column = key in ("time", "temperature", "cycle", "read")
        over = across if is_column else rows
        if value.shape not in ((over,), (rows, across)):
            raise SpecError(
                f"{printable(given)} must have {over} values beside {rows} x {across} readings, "
                f"not {shown(value.shape)}"
            )
        if value.ndim == 1:
            value = np.broadcast_to(value if is_column else value[:, None], (rows, across))
        result[given] = value.ravel()
    if not {"device", *PLACES} & set(columns):
        result["device"] = np.repeat(np.arange(rows), across)
    if not {"time", "temperature", "cycle", "read"} & set(columns):
        result["read"] = np.tile(np.arange(across), rows)
        notes.append("readings of one device without a time are taken as repeated ones")
    return result
