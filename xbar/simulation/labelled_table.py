"""A table of inputs and labels as text: one input a line, numbers in columns, one of them labels.

The labels are the column that is called so ("label", "class", "target", "y", ...); without such a
name the last one, or the first one if only that can be class numbers. Where the size of the
network's input is known, it decides whether there is a column of labels at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.errors import printable, shown, warn
from xbar.textfiles import Sheet, plain_text, sheet_without_head

LABELS = "labels label y targets target classes class category digit".split()
_CHUNK = 1 << 14
"""Lines that are read together."""


def read_labelled(
    text: str, shape: Sequence[int | None] | None
) -> tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...]]:
    """Inputs (N, columns), labels (N,) or None, and what was assumed.

    Args:
        text: the file's text.
        shape: shape of one input of the network; None if it is unknown.

    Raises:
        ValueError: a cell is no number, or the columns do not fit the network.
    """
    head, table = _read(text)
    columns = table.shape[1]
    size = None if shape is None or None in shape else math.prod(n for n in shape if n is not None)
    if shape is not None and len(shape) == 0:
        size = 1
    names = [plain_text(name).strip().lower() for name in head]
    named = [names.index(name) for name in LABELS if name in names]
    notes: list[str] = []
    keep = list(range(columns))
    label = named[0] if named else None
    if size == columns:
        label = None
    elif names and names[0] in ("", "index", "id") and columns > 1 and _counts(table[:, 0]):
        keep.remove(0)
        notes.append(f"the column {printable(head[0]) or '1'} numbers the lines and is not used")
    if label is None and (size is None or len(keep) == size + 1) and len(keep) > 1:
        label = _guess(table, keep, must=size is not None)
        if label is not None:
            where = "last" if label == keep[-1] else "first"
            notes.append(f"the {where} column is taken for the labels")
    elif label is not None:
        notes.append(f"the column {printable(head[label])} holds the labels")
    if label is not None:
        keep.remove(label)
    if size is not None and len(keep) != size:
        raise ValueError(
            f"the network takes {size} numbers an input, and the table has {len(keep)} columns"
            + ("" if label is None else " besides the labels")
        )
    labels = None if label is None else _whole(table[:, label])
    return _whole(table[:, keep]), labels, tuple(notes)


def _guess(table: Floats, keep: list[int], *, must: bool) -> int | None:
    """The column of labels, the last or the first; None if neither can be."""
    first, last = keep[0], keep[-1]
    likely = [column for column in (last, first) if _are_classes(table[:, column])]
    if len(likely) == 2:
        warn(
            "both the first and the last column may be the labels; the last is taken: name the "
            "column 'label' in the table's first line"
        )
    if likely:
        return likely[0]
    return last if must and _are_numbers(table[:, last]) else None


def _are_numbers(values: Floats) -> bool:
    return bool((values >= 0).all() and (values == np.floor(values)).all())


def _are_classes(values: Floats) -> bool:
    """Whether values are class numbers from 0 of which, up to the largest, most occur."""
    if not _are_numbers(values) or values.max() < 1:
        return False
    found = np.unique(values)
    return bool(2 * len(found) > found[-1] + 1)


def _counts(values: Floats) -> bool:
    return bool((np.diff(values) == 1).all()) and values[0] in (0, 1)


def _whole(values: Floats) -> NDArray[Any]:
    """Whole numbers as integers: they may be tokens."""
    if (values == np.floor(values)).all() and (np.abs(values) < 2**53).all():
        return values.astype(np.int64)
    return values


def _read(text: str) -> tuple[list[str], Floats]:
    """The names in the first line, if it is a head, and the numbers below."""
    sheet = sheet_without_head(text)
    rows = iter(sheet.rows())
    first = next(rows, None)
    if first is None:
        raise ValueError("there is no line of data")
    line, cells = first
    while len(cells) > 1 and cells[-1] == "":
        cells = cells[:-1]
    width, head = len(cells), []
    parts = []
    if any(_number(sheet, cell) is None for cell in cells):
        head = cells
    else:
        parts.append(_numbers(sheet, [first], width))
    while chunk := list(islice(rows, _CHUNK)):
        parts.append(_numbers(sheet, chunk, width))
    if not parts:
        raise ValueError(f"there is no line of data below the head in line {line}")
    return head, np.concatenate(parts)


def _numbers(sheet: Sheet, rows: list[tuple[int, list[str]]], width: int) -> Floats:
    for line, cells in rows:
        if len(cells) < width or any(cells[width:]):
            raise ValueError(f"line {line}: must have {width} values, not {len(cells)}")
    try:
        values = np.array([cells[:width] for _, cells in rows], dtype=np.float64)
    except ValueError:
        values = np.array(
            [[_cell(sheet, cell, line) for cell in cells[:width]] for line, cells in rows]
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"line {rows[row][0]}: must have finite numbers, not {shown(rows[row][1][column])}"
        )
    return values


def _cell(sheet: Sheet, cell: str, line: int) -> float:
    value = _number(sheet, cell)
    if value is None:
        raise ValueError(f"line {line}: must have numbers, not {shown(cell)}")
    return value


def _number(sheet: Sheet, cell: str) -> float | None:
    text = plain_text(cell).strip()
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        return float(sheet.number(text))
    except ValueError:
        return None
