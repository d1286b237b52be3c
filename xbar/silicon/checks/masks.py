"""Masks as polygons: what lies where in a file, in nanometres."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xbar.arrays import Floats
from xbar.errors import CircuitError

if TYPE_CHECKING:
    import gdstk

_GRID = 1e-4
"""Micrometres to which unions of polygons are rounded."""


class Rectangle(NamedTuple):
    """A rectangle in nanometres."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def text(self) -> str:
        """Its middle in micrometres, for messages."""
        return f"({(self.x0 + self.x1) / 2000:.3f}, {(self.y0 + self.y1) / 2000:.3f}) um"

    def covers(self, other: Rectangle) -> bool:
        """Whether another rectangle lies in this one."""
        return (
            self.x0 <= other.x0
            and self.y0 <= other.y0
            and self.x1 >= other.x1
            and self.y1 >= other.y1
        )

    def beside(self, other: Rectangle) -> bool:
        """Whether both touch along a side."""
        apart_x = max(self.x0, other.x0) - min(self.x1, other.x1)
        apart_y = max(self.y0, other.y0) - min(self.y1, other.y1)
        return (apart_x == 0 and apart_y < 0) or (apart_y == 0 and apart_x < 0)


def middle_of(box: Rectangle) -> tuple[float, float]:
    """The middle of a rectangle."""
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def top_cells(library: gdstk.Library) -> list[gdstk.Cell]:
    """Cells that no other one holds, without those that are only copied from file to file."""
    import gdstk

    return [cell for cell in library.top_level() if isinstance(cell, gdstk.Cell)]


class Masks:
    """The masks of a cell with all that is placed in it.

    Args:
        library: the file.
        top: name of the cell.
        layers: name of a layer -> its number and datatype.
    """

    def __init__(
        self, library: gdstk.Library, top: str, layers: dict[str, tuple[int, int]]
    ) -> None:
        self._layers = layers
        self._cell = next(cell for cell in top_cells(library) if cell.name == top)
        self._pieces: dict[str, list[Floats]] = {}

    @cached_property
    def _labels(self) -> list[gdstk.Label]:
        return list(self._cell.get_labels())

    def label(self, name: str) -> tuple[str, tuple[float, float]]:
        """Conductor on which a label lies, and where.

        Raises:
            CircuitError: there is no such label.
        """
        for label in self._labels:
            if label.text == name:
                for layer, numbers in self._layers.items():
                    if list(numbers) == [label.layer, label.texttype]:
                        x, y = label.origin
                        return layer.removesuffix("_text"), (1000 * x, 1000 * y)
        raise CircuitError(f"the masks must have the label {name}, and have not")

    def pieces(self, what: str) -> list[Floats]:
        """(V, 2) corners of each connected piece of a layer, or of "a & b" or "a - b"."""
        if what not in self._pieces:
            self._pieces[what] = self._made(what)
        return self._pieces[what]

    def _made(self, what: str) -> list[Floats]:
        import gdstk

        first, *rest = what.split()
        ours = self._polygons(first)
        if not rest:
            found = gdstk.boolean(ours, [], "or", precision=_GRID)
        elif rest[0] == "&":
            found = gdstk.boolean(ours, self._polygons(rest[1]), "and", precision=_GRID)
        else:
            found = gdstk.boolean(ours, self._polygons(rest[1]), "not", precision=_GRID)
        return [np.round(np.asarray(polygon.points, dtype=np.float64) * 1000) for polygon in found]

    def _polygons(self, layer: str) -> list[gdstk.Polygon]:
        number, datatype = self._layers[layer]
        polygons: list[gdstk.Polygon] = self._cell.get_polygons(layer=number, datatype=datatype)
        return polygons

    def boxes(self, what: str) -> list[Rectangle]:
        """Bounding boxes of the pieces."""
        return [
            Rectangle(*map(float, (*piece.min(axis=0), *piece.max(axis=0))))
            for piece in self.pieces(what)
        ]

    def piece(self, layer: str, point: tuple[float, float]) -> Floats:
        """(V, 2) corners of the piece that holds a point.

        Raises:
            CircuitError: there is none.
        """
        for piece in self.pieces(layer):
            if holds(piece, point):
                return piece
        x, y = point
        raise CircuitError(f"{layer} must be drawn at ({x / 1000:.3f}, {y / 1000:.3f}) um")

    def contacts(self, layer: str, wire: Floats | None, area: Rectangle | None) -> list[Rectangle]:
        """Contacts of a layer that lie on a wire, and in an area."""
        return [
            box
            for box in self.boxes(layer)
            if (area is None or area.covers(box)) and (wire is None or holds(wire, middle_of(box)))
        ]


def holds(polygon: Floats, point: tuple[float, float]) -> bool:
    """Whether a point lies in a polygon with sides along x or y."""
    x, y = point
    following = np.roll(polygon, -1, axis=0)
    low, high = (
        np.minimum(polygon[:, 1], following[:, 1]),
        np.maximum(polygon[:, 1], following[:, 1]),
    )
    left = (low < y) & (y <= high) & (polygon[:, 0] < x) & (polygon[:, 0] == following[:, 0])
    return bool(left.sum() % 2)
