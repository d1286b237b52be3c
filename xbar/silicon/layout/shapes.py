"""A drawing: rectangles by layer, names, and other drawings placed in it; all in nanometres.

It is plain data; ``gds.py`` writes it, and tests count in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle from its lower left to its upper right corner."""

    x0: int
    y0: int
    x1: int
    y1: int


class Label(NamedTuple):
    """A name at a point of a text layer."""

    layer: str
    text: str
    x: int
    y: int


class Placed(NamedTuple):
    """A drawing placed in another one, as a regular array.

    Attributes:
        cell: name of the drawing.
        x: where its origin lies.
        y: likewise.
        columns: number of copies along x.
        rows: number of copies along y.
        dx: distance of the copies along x.
        dy: likewise along y.
        flipped: mirrored about the x axis before it is placed.
    """

    cell: str
    x: int
    y: int
    columns: int = 1
    rows: int = 1
    dx: int = 0
    dy: int = 0
    flipped: bool = False


@dataclass
class Drawing:
    """A cell of masks.

    Attributes:
        name: its name in the file.
        boxes: layer -> rectangles.
        labels: names of nets.
        placed: other cells in it.
    """

    name: str
    boxes: dict[str, list[Box]] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)

    def box(self, layer: str, x0: int, y0: int, x1: int, y1: int) -> None:
        """Add a rectangle."""
        if not (x0 < x1 and y0 < y1):
            raise ValueError(f"a box of {layer} in {self.name} has no area: {x0, y0, x1, y1}")
        self.boxes.setdefault(layer, []).append(Box(x0, y0, x1, y1))

    def square(self, layer: str, x: int, y: int, size: int) -> None:
        """Add a square about a point."""
        self.box(layer, x - size // 2, y - size // 2, x - size // 2 + size, y - size // 2 + size)

    def column(self, layer: str, x: int, span: tuple[int, int], size: int, space: int) -> None:
        """Add as many squares above each other as fit between two heights, about their middle."""
        for y in stacked(span, size, space):
            self.box(layer, x - size // 2, y, x - size // 2 + size, y + size)

    def pin(self, layer: str, name: str, x0: int, y0: int, x1: int, y1: int) -> None:
        """Mark a piece of a conductor as a pin of that name."""
        self.box(f"{layer}_pin", x0, y0, x1, y1)
        self.labels.append(Label(f"{layer}_text", name, (x0 + x1) // 2, (y0 + y1) // 2))


def stacked(span: tuple[int, int], size: int, space: int, grid: int = 5) -> Iterator[int]:
    """Lower ends of as many squares as fit into a span, about its middle."""
    low, high = span
    count = (high - low + space) // (size + space)
    start = (low + high - count * size - (count - 1) * space) // 2 // grid * grid
    return (start + n * (size + space) for n in range(count))
