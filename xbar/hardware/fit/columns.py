"""The columns of a table of readings: names, units, and numbers in the forms that people have.

A long table has one line a reading. Its columns, in any order and the usual spellings: ``device``
(or where it is: wafer, die, array, row, column), ``target`` (or nominal), ``time``,
``temperature``, ``cycle`` (a device programmed again), ``read`` (a reading repeated), and what was
measured: ``conductance``, ``resistance``, or ``current`` at a ``voltage``. A unit stands in the
head ("time [h]"), below it, in the cells ("25 uS"), or is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError, printable, shown
from xbar.textfiles import plain_text
from xbar.units import measured_quantity, parse_temperature, parse_time, parse_unit

_NAMES = {
    "device": "device dev cell id address addr device_id sample resistor bauteil k",
    "wafer": "wafer lot los",
    "die": "die chip",
    "tile": "tile array macro block kachel",
    "row": "row wl word_line wordline word x zeile wortleitung",
    "column": "column col bl bit_line bitline bit y spalte bitleitung",
    "target": "target g_target target_conductance target_g nominal g_nominal g_set level_g ziel",
    "target r": "target_resistance r_target target_r nominal_resistance r_nominal",
    "time": "time t elapsed elapsed_time delay zeit t_s",
    "temperature": "temperature temp kelvin temperatur",
    "cycle": "cycle write program programming_cycle cycle_no zyklus",
    "read": "read rep repeat repetition read_no reading replicate",
    "g": "conductance g g_on on measured_conductance cond leitwert g_read g_measured",
    "r": "resistance r r_on measured_resistance widerstand r_read res",
    "i": "current i i_read strom read_current",
    "v": "voltage v v_read vread read_voltage spannung",
}
SPELLED = {name: key for key, names in _NAMES.items() for name in names.split()}
MEASURED = ("g", "r", "i")
PLACES = ("wafer", "die", "tile", "row", "column")
"""Columns that say where a device is, and together with ``device`` which one."""
_UNITS = {"g": "S", "r": "ohm", "i": "A", "v": "V", "target": "S", "target r": "ohm"}
_BRACKETS = re.compile(r"(.*?)[\s_]*[\[({<](.*)[\])}>]\s*")
_TRAILING = re.compile(r"(.*?)(?:\s*[/,:]\s*|\s+in\s+|[\s_]+)([^\s/,:_]+)\s*")
_MISSING = frozenset(
    "nan na n/a #n/a null none - -- --- nil -nan #div/0! #num! #value! #ref!".split(" ")
) | {""}
_OPEN = frozenset(("open", "ol"))
_ENDLESS = frozenset(("inf", "+inf", "infinity"))
_SLOPE = re.compile(r"(.{0,3}?)A\s*/\s*V")
_TEMPERATURES = ("C", "°C", "℃", "degC", "celsius", "Celsius", "K", "kelvin", "Kelvin")


@dataclass(frozen=True)
class Column:
    """A column that is read.

    Attributes:
        place: number of the column, from 0.
        key: what it holds.
        name: its name in the head.
        unit: unit in the head; "" if there is none.
    """

    place: int
    key: str
    name: str
    unit: str = ""


def split_unit(name: str) -> tuple[str, str]:
    """A column's name in plain letters, and the unit behind it."""
    text, unit = plain_text(name).strip(), ""
    match = _BRACKETS.fullmatch(text)
    if match is not None:
        text, unit = match.group(1), match.group(2).strip()
    elif _counted(text) in PLACES or _counted(text) == "device":
        return _counted(text), ""
    elif word(text) not in SPELLED:
        match = _TRAILING.fullmatch(text)
        if match is not None and _is_unit(match.group(2)):
            text, unit = match.groups()
    return word(text), unit


def _counted(text: str) -> str:
    """The key of a name such as "row index" or "device no"; "" if it is none."""
    return SPELLED.get(re.sub(r"_(?:index|idx|number|no|nr|id|name)$", "", word(text)), "")


def word(text: str) -> str:
    """A name in small letters, with one underscore between its parts."""
    return re.sub(r"[\s\-_.]+", "_", text.lower()).strip("_")


def _is_label(text: str) -> bool:
    """Whether brackets say what a column's readings are of, as in "G(t=1 s)", not their unit."""
    return "=" in text or _reads(parse_time, text) or _reads(parse_temperature, text)


def _is_unit(text: str) -> bool:
    return text in _TEMPERATURES or parse_unit(text) is not None or _reads(parse_time, "1 " + text)


def _reads(parse: Callable[[str], float], text: str) -> bool:
    try:
        parse(text)
    except SpecError:
        return False
    return True


def find_columns(head: Sequence[str]) -> list[Column]:
    """The columns of a head whose names are known.

    Raises:
        SpecError: one stands twice.
    """
    found: dict[str, Column] = {}
    for place, name in enumerate(head):
        base, unit = split_unit(name)
        key = SPELLED.get(base)
        if key == "time" and base == "t" and unit in _TEMPERATURES:
            key = "temperature"
        if key is None or (key in MEASURED and _is_label(unit)):
            continue
        if base == "kelvin":
            unit = unit or "K"
        if key in found:
            raise SpecError(
                f"the first line must have one column for {key}, not {shown(found[key].name)} and "
                f"{shown(name)}; take one of them out"
            )
        found[key] = Column(place, key, name, unit)
    if "target" in found and "target r" in found:
        raise SpecError("the first line must have one target, as conductance or as resistance")
    return list(found.values())


def with_units(columns: Sequence[Column], cells: Sequence[str]) -> list[Column] | None:
    """The columns with units from a line below the head; None if it is no line of units."""
    found, some = [], False
    for column in columns:
        text = cells[column.place].strip().strip("[]()")
        has_unit = column.key in _UNITS or column.key in ("time", "temperature")
        if re.search(r"\d", text) or (text and has_unit and not _is_unit(text)):
            return None
        if text and has_unit:
            if column.unit:
                raise SpecError(f"the unit of the column {shown(column.name)} is stated twice")
            column, some = replace(column, unit=text), True
        found.append(column)
    return found if some else None


def scale_of(text: str, unit: str, what: str) -> float:
    """The size of 1 in a unit such as "uS", which must be of a kind such as "S".

    Raises:
        SpecError: it is of another kind or none.
    """
    slope = _SLOPE.fullmatch(plain_text(text).strip())
    found = parse_unit(f"{slope[1]}S" if slope else text)
    if found is None:
        try:
            value, name = measured_quantity(text)
        except SpecError:
            value, name = 0.0, ""
    else:
        value, name = float(f"1e{found[0]}"), found[1]
    if name != unit or not value > 0:
        raise SpecError(f"{what} must be in {unit}, such as {_example(unit)}, not {shown(text)}")
    return value


def _example(unit: str) -> str:
    return {"S": "uS", "ohm": "kohm", "A": "nA", "V": "mV"}[unit]


def numbers(
    column: Column, cells: Sequence[str], lines: Sequence[int], number: Callable[[str], str]
) -> Floats:
    """The values (N,) of a column in SI units; NaN where a cell is empty.

    Args:
        column: the column.
        cells: (N,) its cells.
        lines: (N,) their lines in the file, for messages.
        number: makes a cell's number one with a decimal point.

    Raises:
        SpecError: a cell is no number, or of another unit than the head or the other cells.
    """
    convert = _converter(column)
    known: dict[str, tuple[float, bool]] = {}
    values, marks = np.empty(len(cells)), np.zeros(len(cells), dtype=bool)
    for row, (cell, line) in enumerate(zip(cells, lines, strict=True)):
        if cell not in known:
            try:
                known[cell] = convert(cell, number)
            except (SpecError, ValueError) as error:
                raise SpecError(f"line {line}: {column.name}: {error}") from None
        values[row], marks[row] = known[cell]
    bare = ~marks & np.isfinite(values) & (values != 0)
    if marks.any() and bare.any() and not column.unit:
        row = int(np.argmax(bare))
        raise SpecError(
            f"line {lines[row]}: {column.name} must have a unit in every cell or in none, not "
            f"{shown(cells[row])} beside {shown(cells[int(np.argmax(marks))])}"
        )
    return values


def _converter(column: Column) -> Callable[[str, Callable[[str], str]], tuple[float, bool]]:
    """Function from a cell to its value, and whether it had a unit of its own."""
    if column.key in _UNITS:
        return _electrical(column)
    parse = parse_time if column.key == "time" else parse_temperature
    if column.unit and not _reads(parse, f"1 {column.unit}"):
        known = "s, min, h, d" if column.key == "time" else "C, K"
        raise SpecError(
            f"{column.name} must be in a unit of {column.key} ({known}), not {shown(column.unit)}"
        )
    return lambda cell, number: _physical(column, parse, cell, number)


def _physical(
    column: Column, parse: Callable[[str | float], float], cell: str, number: Callable[[str], str]
) -> tuple[float, bool]:
    text = plain_text(cell).strip()
    if text.lower() in _MISSING:
        return float("nan"), False
    text = number(text)
    try:
        float(text)
    except ValueError:
        return parse(text), True
    if column.key == "time" and not column.unit:
        return parse(text), False
    if not column.unit:
        raise SpecError(f"a temperature must have its unit, not {shown(cell)}: name the column "
                        f"'{printable(column.name)} [C]' or [K]")  # fmt: skip
    return parse(f"{text} {column.unit}"), False


def _electrical(column: Column) -> Callable[[str, Callable[[str], str]], tuple[float, bool]]:
    unit = _UNITS[column.key]
    scale = scale_of(column.unit, unit, printable(column.name)) if column.unit else 1.0

    def convert(cell: str, number: Callable[[str], str]) -> tuple[float, bool]:
        text = plain_text(cell).strip()
        if text.lower() in _MISSING:
            return float("nan"), False
        if text.lower() in _OPEN or (unit == "ohm" and text.lower() in _ENDLESS):
            return (float("inf") if unit == "ohm" else 0.0), False
        if text.lower() in _ENDLESS or text.lower() == "-inf":
            raise SpecError(f"must be finite, not {shown(cell)}")
        text = number(text)
        try:
            return float(text) * scale, False
        except ValueError:
            pass
        value, own = measured_quantity(text, unit)
        if own and own != unit:
            raise SpecError(f"must be in {unit} like the column, not {shown(cell)}")
        if column.unit:
            raise SpecError(f"{shown(cell)} has a unit or prefix, and the head another; leave one")
        return value, True

    return convert
