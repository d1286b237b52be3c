"""A picture of masks as SVG, from the polygons of a GDS file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from xbar.silicon.layout.gds import tool
from xbar.silicon.layout.rules import Rules

if TYPE_CHECKING:
    import gdstk


class Ink(NamedTuple):
    """How a layer is shown: its name in the legend, its colour, and how opaque it is."""

    layer: str
    words: str
    colour: str
    opacity: float


INKS = (
    Ink("nwell", "n-well", "#d9cfae", 0.5),
    Ink("diff", "diffusion", "#4daf4a", 0.75),
    Ink("tap", "tap", "#a6d96a", 0.75),
    Ink("poly", "poly", "#e41a1c", 0.6),
    Ink("poly_res", "resistor", "#7f0000", 0.65),
    Ink("li", "local interconnect", "#66c2d9", 0.6),
    Ink("met1", "metal 1", "#3465a4", 0.45),
    Ink("met2", "metal 2", "#b04fb0", 0.4),
    Ink("met3", "metal 3", "#e6a020", 0.22),
    Ink("licon", "contacts and vias", "#222222", 0.8),
    Ink("mcon", "", "#222222", 0.8),
    Ink("via", "", "#222222", 0.8),
    Ink("via2", "", "#222222", 0.8),
)
"""From below; a layer without words shares the entry of the one before."""
_CLOSE = ("g_", "d_")
"""How the names of pins begin that stand beside each other, one a branch."""
_WIDTH = 0.65
"""Of a letter, over its height: at most, on average."""
LEGEND = 9.0
"""Micrometres to the right of the drawing that its legend takes."""


def svg(cell: gdstk.Cell, rules: Rules, title: str) -> str:
    """A picture of a cell with all that is placed in it; a micrometre is a unit.

    Args:
        cell: the cell, as read from a GDS file.
        rules: layers of the process.
        title: one line below the drawing.
    """
    (x0, y0), (x1, y1) = cell.bounding_box() or ((0.0, 0.0), (1.0, 1.0))
    size = max((x1 - x0) / 60, 0.5)
    shown = {ink: merged for ink in INKS if (merged := _polygons(cell, rules, ink))}
    wide, high = x1 - x0 + LEGEND * size, y1 - y0 + 4 * size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{_n(high * 900 / wide)}" '
        f'viewBox="{_n(x0 - size)} {_n(-y1 - size)} {_n(wide + size)} {_n(high + size)}" '
        f'font-family="sans-serif" font-size="{_n(size)}">'
    )
    lines = [
        head,
        f"<title>{escape(title)}</title>",
        f'<rect x="{_n(x0 - size)}" y="{_n(-y1 - size)}" width="100%" height="100%" fill="white"/>',
        '<g transform="scale(1,-1)" stroke-width="0.03">',
        *(_layer(merged, ink) for ink, merged in shown.items()),
        "</g>",
        *_names(cell, size),
        *_legend([*shown], x1 + size, -y1, size),
        _bar(x0, -y0 + size, size),
        f'<text x="{_n(x0)}" y="{_n(-y0 + 3 * size)}">{escape(title)}</text>',
        "</svg>",
    ]
    return "\n".join([*lines, ""])


def _polygons(cell: gdstk.Cell, rules: Rules, ink: Ink) -> Sequence[gdstk.Polygon]:
    """All polygons of a layer, united."""
    layer, datatype = rules.layers[ink.layer]
    found = cell.get_polygons(layer=layer, datatype=datatype)
    united: Sequence[gdstk.Polygon] = tool().boolean(found, [], "or", precision=1e-4)
    return united


def _n(value: float) -> str:
    """A number to a nanometre, without zeros at its end."""
    return f"{round(value, 3):.3f}".rstrip("0").rstrip(".") or "0"


def _layer(polygons: Sequence[gdstk.Polygon], ink: Ink) -> str:
    """All polygons of a layer as one path."""
    paths = []
    for polygon in polygons:
        corners = [f"{_n(x)} {_n(y)}" for x, y in polygon.points]
        paths.append(f"M{'L'.join(corners)}Z")
    return (
        f'<path class="{ink.layer}" fill="{ink.colour}" fill-opacity="{ink.opacity:g}" '
        f'stroke="{ink.colour}" stroke-opacity="0.8" d="{"".join(paths)}"/>'
    )


def _names(cell: gdstk.Cell, size: float) -> list[str]:
    """The names of the cell's own pins; those of gates are smaller, and never overlap."""
    found = []
    close = [label for label in cell.labels if label.text.startswith(_CLOSE)]
    places = sorted({round(label.origin[0], 3) for label in close})
    gap = min((right - left for left, right in pairwise(places)), default=size)
    widest = max((len(label.text) for label in close), default=1)
    small = min(0.35 * size, gap / (_WIDTH * widest))
    for label in cell.labels:
        x, y = label.origin
        high = small if label.text.startswith(_CLOSE) else 0.7 * size
        found.append(
            f'<text x="{_n(x)}" y="{_n(-y)}" font-size="{_n(high)}" text-anchor="middle" '
            f'dominant-baseline="middle">{escape(label.text)}</text>'
        )
    return found


def _legend(inks: Sequence[Ink], x: float, y: float, size: float) -> list[str]:
    lines = []
    for row, ink in enumerate(ink for ink in inks if ink.words):
        top = y + row * 1.6 * size
        lines.append(
            f'<rect x="{_n(x)}" y="{_n(top)}" width="{_n(size)}" height="{_n(size)}" '
            f'fill="{ink.colour}" fill-opacity="{ink.opacity:g}" stroke="{ink.colour}" '
            f'stroke-width="0.03"/><text x="{_n(x + 1.4 * size)}" y="{_n(top + 0.85 * size)}" '
            f'font-size="{_n(0.8 * size)}">{ink.words}</text>'
        )
    return lines


def _bar(x: float, y: float, size: float) -> str:
    """A bar of 5 um."""
    return (
        f'<path d="M{_n(x)} {_n(y)}h5" stroke="black" stroke-width="{_n(0.2 * size)}"/>'
        f'<text x="{_n(x + 5.5)}" y="{_n(y + 0.3 * size)}" font-size="{_n(0.8 * size)}">5 µm</text>'
    )
