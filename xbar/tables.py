"""Display of values: tables, cards of a few lines, and both as HTML for notebooks.

Text has a fixed width, so that files and terminals show the same. Names are made printable, and
escaped in HTML.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TypeAlias

import numpy as np

from xbar.errors import printable

WIDTH = 100

Table: TypeAlias = tuple[str, list[str], list[list[str]]]
"""A title, the names of the columns, and the rows."""

Facts: TypeAlias = Sequence[tuple[str, str]]
"""Lines of a card: (name, text)."""

_FEW = 4
_LONG = 64
_SMALL = 16
_STYLE = "text-align:left"


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A titled table; the first column is flush left, the others flush right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE)
    for number, name in enumerate(head):
        grid.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        grid.add_row(*map(printable, row))
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, markup=False, emoji=False, highlight=False).print(grid)
    body = "\n".join(line.rstrip() for line in stream.getvalue().splitlines()).strip("\n")
    return f"{printable(title)}\n\n{body}\n"


def percent(share: float | None) -> str:
    """A share as a percentage with two digits, or a dash.

    >>> percent(0.9675), percent(None)
    ('96.75 %', '-')
    """
    return "-" if share is None else f"{100 * share:.2f} %"


def count(number: int, noun: str) -> str:
    """A number and its noun.

    >>> count(1, "tile"), count(25500000, "weight")
    ('1 tile', '25,500,000 weights')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def few(names: Sequence[str]) -> str:
    """The first names, shortened, and the number of the others.

    >>> few(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d and 2 more'
    """
    shown = ", ".join(_short(name, _LONG // 2) for name in names[:_FEW])
    return shown + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")


def quoted(names: Iterable[object], most: int = 6) -> str:
    """The first names as Python writes them, and the number of the others.

    >>> quoted(["x", "h"]), quoted(range(8))
    ("'x', 'h'", '0, 1, 2, 3, 4, 5 and 2 more')
    """
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(map(repr, found[:most])) + more


def html_text(value: object) -> str:
    """Any value as escaped HTML text."""
    return escape(printable(str(value)))


def html_table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], kind: str = "numbers"
) -> str:
    """An HTML table; all its text is escaped.

    Args:
        caption: title; none if empty.
        head: names of the columns.
        rows: cells of each row.
        kind: CSS class of the table.
    """
    columns = "".join(f'<th scope="col">{html_text(name)}</th>' for name in head)
    title = f"<caption>{html_text(caption)}</caption>\n" if caption else ""
    return (
        f'<div class="wide"><table class="{kind}">\n{title}<thead><tr>{columns}</tr></thead>\n'
        f"<tbody>\n{_html_rows(rows)}\n</tbody>\n</table></div>"
    )


def _html_rows(rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(
        "<tr>" + "".join(f"<td>{html_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )


class Card:
    """A value whose ``repr`` is a card of a few lines, in notebooks a table.

    Dataclasses set ``repr=False`` and define ``_facts``, the lines of the card.
    """

    __slots__ = ()

    def _facts(self) -> Facts:
        raise NotImplementedError

    def __repr__(self) -> str:
        return card(type(self).__name__, self._facts())

    def _repr_html_(self) -> str:
        return html_card(type(self).__name__, self._facts())


class Outline:
    """A dataclass with ``repr=False`` whose ``repr`` is one line, for arrays of any size.

    >>> from dataclasses import dataclass
    >>> @dataclass(repr=False)
    ... class Answer(Outline):
    ...     mask: object
    ...     status: str
    >>> Answer(np.zeros((100, 8), bool), "optimal")
    Answer(mask=<100 x 8 bool>, status='optimal')
    """

    __slots__ = ()

    def __repr__(self) -> str:
        fields = [f"{name}={_brief(getattr(self, name))}" for name in _fields(type(self))]
        return f"{type(self).__name__}({', '.join(fields)})"


def _fields(kind: type) -> list[str]:
    """Names of the fields of a dataclass or an attrs class."""
    found = getattr(kind, "__attrs_attrs__", None) or getattr(kind, "__dataclass_fields__", {})
    names = [each if isinstance(each, str) else each.name for each in found]
    return [name for name in names if not name.startswith("_")]


def _brief(value: object) -> str:
    """A value on one line: small ones in full, others by size."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return _brief(value.item())
    if isinstance(value, np.ndarray):
        if value.ndim > 1 or value.size > _SMALL:
            return f"<{' x '.join(map(str, value.shape))} {value.dtype}>"
        numbers = value.astype(int) if value.dtype == bool else value
        return np.array2string(numbers, precision=4, separator=" ", max_line_width=1000)
    if isinstance(value, (tuple, list, Mapping)) and len(value) > _FEW:
        return f"<{len(value)} entries>"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value)
    return text if len(text) <= _LONG else f"<{type(value).__name__}>"


def card(title: str, facts: Facts) -> str:
    """A card of a value; empty lines are left out.

    >>> print(card("Tile", [("size", "64 x 64"), ("name", "")]))
    Tile
      size  64 x 64
    """
    lines = [(name, _short(text, WIDTH)) for name, text in facts if text]
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in lines)])


def html_card(title: str, facts: Facts) -> str:
    """The same as an HTML table."""
    lines = "\n".join(
        f'<tr><th scope="row" style="{_STYLE}">{html_text(name)}</th>'
        f'<td style="{_STYLE}">{html_text(text)}</td></tr>'
        for name, text in facts
        if text
    )
    caption = f'<caption style="{_STYLE}"><b>{html_text(title)}</b></caption>'
    return f"<table>\n{caption}\n<tbody>\n{lines}\n</tbody>\n</table>"


def _short(text: str, most: int) -> str:
    """Printable text of at most ``most`` characters."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
