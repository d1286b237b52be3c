"""Drawings as a GDS file, by gdstk; the same drawings give the same bytes."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from xbar.errors import FileError, ToolError, printable
from xbar.files import check_regular, write_bytes
from xbar.silicon.layout.rules import Rules
from xbar.silicon.layout.shapes import Drawing

if TYPE_CHECKING:
    import gdstk

UNIT, PRECISION = 1e-6, 1e-9
"""Metres of the file's unit, and of its grid."""
_TIME = datetime.datetime(2000, 1, 1)
"""Written as the time of every file."""


def tool() -> ModuleType:
    """The package that reads and writes GDS.

    Raises:
        ToolError: it is not installed.
    """
    try:
        import gdstk
    except ImportError as error:
        raise ToolError(
            "masks need gdstk, which is not installed: pip install 'xbar[silicon]'"
        ) from error
    return gdstk


def library(
    drawings: Iterable[Drawing], rules: Rules, parts: Sequence[gdstk.RawCell] = ()
) -> gdstk.Library:
    """Drawings as a library of gdstk.

    Args:
        drawings: cells, each after those that are placed in it.
        rules: layers of the process.
        parts: cells of other files, taken over as they are.
    """
    gds = tool()
    made: gdstk.Library = gds.Library("xbar", unit=UNIT, precision=PRECISION)
    cells: dict[str, gdstk.Cell | gdstk.RawCell] = {part.name: part for part in parts}
    made.add(*parts)
    for drawing in drawings:
        cell = gds.Cell(drawing.name)
        cells[drawing.name] = cell
        for name, boxes in drawing.boxes.items():
            layer, datatype = rules.layers[name]
            for x0, y0, x1, y1 in boxes:
                corners = (x0 / 1000, y0 / 1000), (x1 / 1000, y1 / 1000)
                cell.add(gds.rectangle(*corners, layer=layer, datatype=datatype))
        for layer_name, text, x, y in drawing.labels:
            layer, kind = rules.layers[layer_name]
            cell.add(gds.Label(text, (x / 1000, y / 1000), layer=layer, texttype=kind))
        for item in drawing.placed:
            reference = gds.Reference(
                cells[item.cell],
                (item.x / 1000, item.y / 1000),
                x_reflection=item.flipped,
                columns=item.columns,
                rows=item.rows,
                spacing=(item.dx / 1000, item.dy / 1000),
            )
            cell.add(reference)
        made.add(cell)
    return made


def write_library(made: gdstk.Library, path: Path, *, force: bool = False) -> None:
    """Write a library as a GDS file, atomically and with a fixed time.

    Raises:
        FileError: it exists and ``force`` is not set, or can't be written.
    """
    with tempfile.TemporaryDirectory(prefix="xbar-gds-") as folder:
        draft = Path(folder) / "draft.gds"
        made.write_gds(draft, timestamp=_TIME)
        write_bytes(path, draft.read_bytes(), force=force)


def read_library(path: Path) -> gdstk.Library:
    """A GDS file as a library of gdstk.

    Raises:
        FileError: it can't be read, or is no GDS file.
    """
    gds = tool()
    check_regular(path)
    try:
        found: gdstk.Library = gds.read_gds(path)
    except Exception as error:  # gdstk raises several kinds
        raise FileError(f"{printable(str(path))}: is not a GDS file that can be read") from error
    return found


def top_cell(library: gdstk.Library, name: str) -> gdstk.Cell:
    """A cell by name.

    Raises:
        FileError: there is none.
    """
    import gdstk

    for cell in library.cells:
        if isinstance(cell, gdstk.Cell) and cell.name == name:
            return cell
    raise FileError(f"the masks must have a cell {name}, and have none")
