"""The columns of a table of a measured chip: their names, their units, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError, shown
from xbar.textfiles import plain_text
from xbar.units import measured_quantity, parse_unit

INDICES = ("tile", "word_line", "bit_line", "resistor")
_NAMES = {
    "tile": "tile tiles array macro kachel",
    "word_line": "word_line wordline word_lines word wl row wortleitung zeile",
    "bit_line": "bit_line bitline bit_lines bit bl column col bitleitung spalte",
    "resistor": "resistor device element dev k",
    "on": "on g_on gon on_conductance conductance_on on_g g_lrs conductance cond g leitwert",
    "off": "off g_off goff off_conductance conductance_off off_g g_hrs",
    "stuck": "stuck fault stuck_at",
    "c2": "c2 bend",
    "on in ohm": "r_on ron on_resistance resistance_on on_r r_lrs resistance r widerstand",
    "off in ohm": "r_off roff off_resistance resistance_off off_r r_hrs",
}
_SPELLED = {name: key for key, names in _NAMES.items() for name in names.split()}
MEASURED = ("on", "off")
_BRACKETS = re.compile(r"(.*?)[\s_]*[\[({<](.*)[\])}>]\s*")
_TRAILING = re.compile(r"(.*?)(?:\s*[/,:]\s*|\s+in\s+|[\s_]+)([^\s/,:_]+)\s*")
_SLOPE = re.compile(r"(.{0,3}?)A\s*/\s*V")
_LONGEST = 200
"""Characters of a name that is looked at."""


@dataclass(frozen=True)
class Unit:
    """The unit of a column or of an array: "S" or "ohm", and the size of 1 in it."""

    name: str
    factor: float = 1.0

    @classmethod
    def read(cls, text: str, what: str) -> Unit:
        """The unit in a text such as "uS", "kohm" or "1e-6 S".

        Raises:
            SpecError: it is no unit of conductance or resistance.
        """
        slope = _SLOPE.fullmatch(plain_text(text).strip())
        found = parse_unit(f"{slope[1]}S" if slope else text)
        if found is not None:
            unit = cls(found[1], float(f"1e{found[0]}"))
        else:
            try:
                value, name = measured_quantity(text)
            except SpecError:
                value, name = 0.0, ""
            unit = cls(name, value)
        if unit.name not in ("S", "ohm") or not unit.factor > 0:
            raise SpecError(
                f"{what} must be in a unit of conductance or resistance, such as 'uS' or 'kohm', "
                f"not {shown(text)}"
            )
        return unit

    def siemens(self, values: Floats) -> Floats:
        """Conductances of values in this unit; an infinite resistance is an open device."""
        if self.name == "S":
            return values * self.factor
        with np.errstate(divide="ignore", over="ignore"):
            return 1.0 / (values * self.factor)


@dataclass(frozen=True)
class Column:
    """A column that is read.

    Attributes:
        place: number of the column, from 0.
        key: what it holds.
        unit: unit in its head; None if there is none.
        resistance: whether its name says that it holds resistances.
    """

    place: int
    key: str
    unit: Unit | None = None
    resistance: bool = False


def is_head(cells: Sequence[str], shape: tuple[int, int, int]) -> bool:
    """Whether cells are the head of a table, though perhaps a mistaken one."""
    try:
        found = {column.key for column in find_columns(cells, shape)}
    except SpecError as error:
        return "column" in str(error)
    return {"word_line", "bit_line", "on"} <= found


def find_columns(head: Sequence[str], shape: tuple[int, int, int]) -> list[Column]:
    """The columns of a head, each by the best of its names.

    Raises:
        SpecError: one stands twice, or its unit is none of conductance and resistance.
    """
    found: dict[str, list[tuple[int, int, str]]] = {}
    for place, name in enumerate(head):
        base, unit = base_name(name)
        key = _SPELLED.get(base)
        if key is not None:
            rank = _NAMES[key].split().index(base) + 100 * key.endswith("ohm")
            found.setdefault(key.removesuffix(" in ohm"), []).append((rank, place, unit))
    if not {"word_line", "bit_line", "on"} <= set(found):
        return []
    columns = []
    for key, names in found.items():
        rank, place, unit = min(names)
        if sum(other == rank for other, _, _ in names) > 1:
            raise SpecError(f"the column {key} stands twice in the first line")
        columns.append(_column(place, key, unit, resistance=rank >= 100))
    if missing := [key for key in _needed(shape) if key not in found]:
        raise SpecError(f"the first line has no column {missing[0]}")
    return columns


def _needed(shape: tuple[int, int, int]) -> tuple[str, ...]:
    """Columns that must be there: with one resistor a cell it needs no number."""
    return INDICES[1:3] if shape[2] == 1 else INDICES[1:]


def _column(place: int, key: str, unit: str, *, resistance: bool) -> Column:
    stated = Unit.read(unit, f"the column {key}") if unit and key in MEASURED else None
    if resistance and stated is not None and stated.name != "ohm":
        raise SpecError(f"the column {key} is called a resistance, but its unit is {stated.name}")
    return Column(place, key, stated, resistance)


def base_name(name: str) -> tuple[str, str]:
    """A column's name in plain letters, and the unit written behind it."""
    text = plain_text(name).strip()
    if len(text) > _LONGEST:
        return "", ""
    match = _BRACKETS.fullmatch(text)
    unit = ""
    if match is not None:
        text, unit = match.group(1), match.group(2).strip()
    elif _word(text) not in _SPELLED:
        match = _TRAILING.fullmatch(text)
        if match is not None and parse_unit(match.group(2)) is not None:
            text, unit = match.groups()
    word = _word(text)
    counted = re.sub(r"_(?:index|idx|number|no|nr|id)$", "", word)
    if counted != word and _SPELLED.get(counted) not in INDICES:
        return ("resistor" if counted in ("r", "widerstand") else word), unit
    return counted, unit


def _word(text: str) -> str:
    return re.sub(r"[\s\-_.]+", "_", text.lower()).strip("_")
