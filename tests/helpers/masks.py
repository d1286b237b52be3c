"""Masks with faults: the library of a layout, and rectangles drawn by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from xbar.silicon.checks.rules import rule_data
from xbar.silicon.layout import BankGeometry, Layout

Edit = Callable[[dict[str, Any]], None]
LAYERS: dict[str, list[int]] = rule_data("sky130")["layers"]
GEOMETRY = BankGeometry(lengths=(4000, 4400, 4840))


def gdstk_rectangle(layer: str, box: Iterable[float]) -> Any:
    """A rectangle from (x0, y0) to (x1, y1), in nanometres."""
    import gdstk

    x0, y0, x1, y1 = (value / 1000 for value in box)
    number, datatype = LAYERS[layer]
    return gdstk.rectangle((x0, y0), (x1, y1), layer=number, datatype=datatype)


def write_boxes(path: Path, boxes: Iterable[tuple[str, tuple[float, ...]]]) -> Path:
    """A file whose only cell "tile" holds some rectangles."""
    import gdstk

    library = gdstk.Library("test", unit=1e-6, precision=1e-9)
    cell = library.new_cell("tile")
    for layer, box in boxes:
        cell.add(gdstk_rectangle(layer, box))
    library.write_gds(path)
    return path


def write_edited(path: Path, layout: Layout, *edits: Edit) -> Path:
    """A layout's masks, changed by functions of its cells by name."""
    library = layout.library()
    cells = {cell.name: cell for cell in library.cells}
    for edit in edits:
        edit(cells)
    library.write_gds(path)
    return path


def add(cell: str, layer: str, *box: float) -> Edit:
    """Draw a rectangle into a cell."""
    return lambda cells: cells[cell].add(gdstk_rectangle(layer, box))


def remove(cell: str, layer: str, where: Callable[[Any], bool] = lambda box: True) -> Edit:
    """Take away a cell's shapes of a layer whose bounding boxes (in um) fulfil a condition."""

    def edit(cells: dict[str, Any]) -> None:
        found = [
            polygon
            for polygon in cells[cell].polygons
            if [polygon.layer, polygon.datatype] == LAYERS[layer] and where(polygon.bounding_box())
        ]
        assert found, f"no such shape of {layer} in {cell}"
        cells[cell].remove(*found)

    return edit


def relabel(names: dict[str, str]) -> Edit:
    """Give the top cell's labels other names; an empty name takes the label away."""

    def edit(cells: dict[str, Any]) -> None:
        top = cells["tile"]
        for label in list(top.labels):
            name = names.get(label.text, label.text)
            if name:
                label.text = name
            else:
                top.remove(label)

    return edit
