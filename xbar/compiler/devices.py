r"""A tile's resistors as a CSV table: location, weight and state of each.

One line per resistor, ordered by word line, then bit line; UTF-8, comma-separated, lines end in a
line feed. Columns:

    layer, group, output, input    the weight: row ``output`` and column ``input`` of the layer's
                                   matrix; all empty if the cell is idle, output -1 if it is shared
                                   by all outputs on its word line
    sign                           sign of the cell's contribution to the weight, 1 or -1
    tile, word_line, bit_line      the cell
    resistor                       index in the cell's bank, from 0
    switched_in                    1 or 0: programmed state of its switch; for a tuned device,
                                   whether it is written
    stuck                          -1 stuck open, 1 stuck closed, else 0
    conductance_siemens            conductance of this resistor in this switch state
    target_siemens                 target of the weight, all its cells together; empty if the cell
                                   belongs to no single weight
    residual_siemens               achieved - target of the same

Layer names are single-line and safe in spreadsheets: unprintable characters, backslashes and a
leading ``=``, ``+``, ``-`` or ``@``, also of full width, are escaped as in Python, ``\n`` or
``\x3d``.

Shapes: W x B cells of a tile, K resistors per cell. Units: siemens.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.corrections import Corrections
from xbar.compiler.provenance import source_of
from xbar.compiler.tile import ProgrammedTile
from xbar.errors import FileError

Masks = NDArray[np.bool_]

COLUMNS = (
    "layer",
    "group",
    "output",
    "input",
    "sign",
    "tile",
    "word_line",
    "bit_line",
    "resistor",
    "switched_in",
    "stuck",
    "conductance_siemens",
    "target_siemens",
    "residual_siemens",
)
_IDLE = (",,,,", ",")
_FORMULAS = "=+-@＝＋－＠"
"""What a spreadsheet may take for the beginning of a formula; some of them in full width too."""


def safe_name(name: str) -> str:
    r"""Escape a layer's name for one line of a spreadsheet; ``plain_name`` is the inverse.

    >>> safe_name("fc1"), safe_name("=cmd\n")
    ('fc1', '\\x3dcmd\\n')
    """
    text = "".join(c if c.isprintable() and c != "\\" else _escape(c) for c in name)
    return _escape_any(text[0]) + text[1:] if text[:1] in tuple(_FORMULAS) else text


def plain_name(text: str) -> str:
    r"""Undo ``safe_name``.

    >>> plain_name("\\x3dcmd\\n")
    '=cmd\n'
    """
    # outside escapes every character is literal, also beyond Latin-1
    return text.encode("ascii", "backslashreplace").decode("unicode_escape")


def _escape_any(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def device_lines(tile: ProgrammedTile) -> Iterator[str]:
    """The table of one tile: header, then the lines of each word line's resistors."""
    yield ",".join(COLUMNS) + "\n"
    names = {name: _field(safe_name(name)) for name in tile.layers()}
    results = _results(tile)
    mask, branch = tile.mask.astype(np.int8), tile.branch
    stuck = tile.chip.stuck(tile.index)
    for w in range(len(mask)):
        lines = []
        values = zip(mask[w].tolist(), stuck[w].tolist(), branch[w].tolist(), strict=True)
        for b, cell in enumerate(values):
            weight, result = _IDLE
            source = source_of(tile, w, b)
            if source is not None:
                layer, *place = source
                weight = ",".join([names[layer], *map(str, place)])
                result = results.get(source[:4], result)
            lines += [
                f"{weight},{tile.index},{w},{b},{k},{on},{fault},{siemens!r},{result}\n"
                for k, (on, fault, siemens) in enumerate(zip(*cell, strict=True))
            ]
        yield "".join(lines)


def correction_lines(corrections: Corrections) -> Iterator[str]:
    """A table of digital corrections: each output is (reading - offset) / slope."""
    yield "layer,group,output,slope,offset\n"
    for layer, slope in corrections.slope.items():
        name = _field(safe_name(layer))
        both = np.stack([slope, corrections.offset[layer]], axis=-1).tolist()
        for group, outputs in enumerate(both):
            for output, (factor, shift) in enumerate(outputs):
                yield f"{name},{group},{output},{factor!r},{shift!r}\n"


def _results(tile: ProgrammedTile) -> dict[tuple[str, int, int, int], str]:
    """Target and residual as text, by (layer, group, output, input)."""
    found = {}
    for placed, residual in zip(tile.blocks, tile.residual(), strict=True):
        block, target = placed.block, placed.target.tolist()
        for r, row in enumerate(block.inputs.tolist()):
            pairs = zip(block.outputs.tolist(), target[r], residual[r].tolist(), strict=True)
            for output, wanted, left in pairs:
                found[block.layer, block.group, output, row] = f"{wanted!r},{left!r}"
    return found


def _field(text: str) -> str:
    """A text as one CSV field, quoted if necessary."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow([text])
    return stream.getvalue()


def read_devices(path: Path, shape: tuple[int, int, int]) -> Masks:
    """Read the switch states (W, B, K) from a table written by ``device_lines``.

    Raises:
        FileError: it can't be read, is of another kind, or does not list each resistor once.
    """
    try:
        size, count = path.stat().st_size, math.prod(shape)
        if count > size:  # each of them has a line
            raise FileError(f"{path}: {size} bytes can't list {count} resistors; write it again")
        mask = np.zeros(shape, dtype=np.bool_)
        seen = np.zeros(shape, dtype=np.bool_)
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, strict=True)
            if tuple(next(rows, ())) != COLUMNS:
                raise FileError(f"{path}: must begin with the columns {','.join(COLUMNS)}")
            for row in rows:
                place, on = _switch(path, rows.line_num, row, shape)
                if seen[place]:
                    raise FileError(f"{path}: line {rows.line_num} repeats a resistor")
                seen[place], mask[place] = True, on
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileError(f"{path}: must be a table in CSV and UTF-8 ({error})") from error
    if not seen.all():
        raise FileError(f"{path}: lists {seen.sum()} of {seen.size} resistors; write it again")
    return mask


def _switch(
    path: Path, line: int, row: list[str], shape: tuple[int, int, int]
) -> tuple[tuple[int, int, int], bool]:
    if len(row) != len(COLUMNS):
        raise FileError(f"{path}: line {line} must have {len(COLUMNS)} fields, not {len(row)}")
    try:
        w, b, k, on = (int(row[COLUMNS.index(name)]) for name in _SWITCH)
    except ValueError as error:
        raise FileError(f"{path}: line {line} must name a resistor ({error})") from error
    if on not in (0, 1) or not all(0 <= i < n for i, n in zip((w, b, k), shape, strict=True)):
        raise FileError(f"{path}: line {line} is not a resistor of {shape[0]} x {shape[1]} cells")
    return (w, b, k), bool(on)


_SWITCH = ("word_line", "bit_line", "resistor", "switched_in")
