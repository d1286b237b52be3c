"""Ohms of an array's wires as they are drawn: each conductor of the masks solved as a sheet.

    driver ──word_wire──●──word_wire──●──  ...      from cell to cell along the word line
                        │
                     resistor
                        │  series: interconnect, contacts to the switch's drain and from its source,
                     switch          contacts up to the bit line
                        │
                        ●──bit_wire──  ...          from cell to cell along the bit line

A wire's ohms a cell are those of an array with one cell more, minus those of one without: the ends
cancel. ``series`` leaves out what the resistor's model holds, its own contacts. Two branches that
share their switches' source share ``shared`` of their ``series``: with both switched in, it carries
the current of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.arrays import Floats
from xbar.errors import CircuitError
from xbar.silicon.checks.masks import Masks, Rectangle, middle_of
from xbar.silicon.checks.mesh import Bounds, Patch, sheet_ohms
from xbar.silicon.checks.rules import rule_data
from xbar.tables import Card, Facts, table
from xbar.units import format_quantity

if TYPE_CHECKING:
    from xbar.hardware.spec import Hardware
    from xbar.silicon.layout.layout import Layout

SLACK = 0.01
"""Ohms inside a branch of some ten thousand that need not be told apart."""
END = 10
"""Nanometres at either end of a line that are taken as its end."""


@dataclass(frozen=True, repr=False)
class Wires(Card):
    """Ohms of an array's wires, extracted from its masks.

    Attributes:
        word_wire: ohms of the word line from cell to cell.
        bit_wire: likewise of the bit line.
        series: (K,) ohms of contacts and wires inside each branch.
        shared: (K,) those of them that the branch beside it shares; 0 if none does.
        error: largest distance of an extracted value from its bounds, relative to it.
    """

    word_wire: float
    bit_wire: float
    series: Floats
    shared: Floats
    error: float

    def on(self, hardware: Hardware) -> Hardware:
        """A design with these wires.

        Raises:
            SpecError: the design's bank has another number of resistors.
        """
        bank = hardware.bank.model_copy(update={"series": [float(f"{v:.6g}") for v in self.series]})
        wires = {"word_wire": self.word_wire, "bit_wire": self.bit_wire}
        rounded = {key: float(f"{value:.6g}") for key, value in wires.items()}
        return hardware.model_copy(
            update={"bank": bank, "tile": hardware.tile.model_copy(update=rounded)}
        )

    def table(self) -> str:
        """One line for each branch."""
        rows = [
            (str(k), f"{series:.2f}", f"{shared:.2f}")
            for k, (series, shared) in enumerate(zip(self.series, self.shared, strict=True))
        ]
        title = (
            f"word line {self.word_wire:.4g} ohm a cell, bit line {self.bit_wire:.4g} ohm a cell; "
            f"bounds within {self.error:.1g}"
        )
        return table(title, ("branch", "in series, ohm", "of it shared"), rows)

    __str__ = table

    def _facts(self) -> Facts:
        low, high = float(self.series.min()), float(self.series.max())
        return [
            ("word line", f"{format_quantity(self.word_wire, 'ohm')} a cell"),
            ("bit line", f"{format_quantity(self.bit_wire, 'ohm')} a cell"),
            ("in series", f"{low:.4g} to {high:.4g} ohm in each branch"),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return {
            "word_wire": self.word_wire,
            "bit_wire": self.bit_wire,
            "series": self.series.tolist(),
            "shared": self.shared.tolist(),
            "error": self.error,
        }


def extract_wires(layout: Layout, tolerance: float = 1e-3) -> Wires:
    """The ohms of a layout's wires.

    Args:
        layout: the array; its size does not matter, its cell does.
        tolerance: distance of each value's bounds, relative to their middle.

    Raises:
        ToolError: gdstk is not installed.
        CircuitError: a line or branch of the masks is open.
        SolverError: a wire's ohms can't be bounded so closely.
    """
    from dataclasses import replace

    data = rule_data(layout.geometry.process)
    lines = []
    for name, two, three in (
        ("w_0", (1, 2), (1, 3)),
        ("b_0", (2, 1), (3, 1)),
    ):
        ends = []
        for word_lines, bit_lines in (two, three):
            part = replace(layout, word_lines=word_lines, bit_lines=bit_lines)
            masks = Masks(part.library(), part.name, data["layers"])
            ends.append(_line(masks, name, data["wires"], tolerance))
        lines.append(Bounds(ends[1].low - ends[0].high, ends[1].high - ends[0].low))
    one = replace(layout, word_lines=1, bit_lines=1)
    branches = _Branches(Masks(one.library(), one.name, data["layers"]), data["wires"], tolerance)
    own, shared = branches.ohms()
    series = [Bounds(a.low + b.low, a.high + b.high) for a, b in zip(own, shared, strict=True)]
    pairs = branches.partners()
    return Wires(
        word_wire=lines[0].middle,
        bit_wire=lines[1].middle,
        series=np.array([s.middle for s in series]),
        shared=np.array([b.middle if two else 0.0 for b, two in zip(shared, pairs, strict=True)]),
        error=max((b.high - b.low) / (2 * b.middle) for b in [*lines, *series]),
    )


def _line(masks: Masks, name: str, wires: dict[str, Any], tolerance: float) -> Bounds:
    """Ohms of a line from one end to the other."""
    layer, point = masks.label(name)
    polygon = masks.piece(layer, point)
    x0, y0 = polygon.min(axis=0)
    x1, y1 = polygon.max(axis=0)
    if name.startswith("w"):
        ends = [_end(polygon, 0, x0, x0 + END), _end(polygon, 0, x1 - END, x1)]
    else:
        ends = [_end(polygon, 1, y0, y0 + END), _end(polygon, 1, y1 - END, y1)]
    return sheet_ohms([polygon], wires["sheet"][layer], [ends[0]], [ends[1]], tolerance)


def _end(polygon: Floats, axis: int, low: float, high: float) -> Patch:
    """The end of a line as a contact: as wide as its outermost side."""
    outer = low if np.any(polygon[:, axis] == low) else high
    across = polygon[polygon[:, axis] == outer, 1 - axis]
    if axis == 0:
        return Patch(low, across.min(), high, across.max())
    return Patch(across.min(), low, across.max(), high)


class _Branches:
    """The way from each resistor of one cell to its lines, followed through the masks."""

    def __init__(self, masks: Masks, wires: dict[str, Any], tolerance: float) -> None:
        self.masks, self.wires, self.tolerance = masks, wires, tolerance
        bodies = masks.boxes("poly & poly_res")
        self.resistors = sorted(bodies, key=lambda box: box.x0)
        self.drains = [self._drain(body) for body in self.resistors]
        self.sources = [self._source(drain) for drain in self.drains]

    def partners(self) -> list[bool]:
        """(K,) whether another branch has the same source."""
        return [self.sources.count(source) > 1 for source in self.sources]

    def ohms(self) -> tuple[list[Bounds], list[Bounds]]:
        """(K,) ohms that are each branch's own, and of its switch's source up to the bit line."""
        below: dict[Rectangle, Bounds] = {}
        for source in self.sources:
            if source not in below:
                below[source] = self._from_source(source)
        own = []
        for body in self.resistors:
            parts = [self._to_word_line(body), self._to_drain(body)]
            own.append(Bounds(sum(p.low for p in parts), sum(p.high for p in parts)))
        return own, [below[source] for source in self.sources]

    def _slot(self, body: Rectangle, *, upper: bool) -> Rectangle:
        """The contact of a resistor's upper or lower head."""
        near = [box for box in self.masks.boxes("licon") if box.x0 < body.x1 and box.x1 > body.x0]
        beyond = [b for b in near if (b.y0 >= body.y1 if upper else b.y1 <= body.y0)]
        if not beyond:
            raise CircuitError(f"a resistor must have two contacts: {body.text} has not")
        return min(beyond, key=lambda box: box.y0 if upper else -box.y1)

    def _drain(self, body: Rectangle) -> Rectangle:
        """The diffusion that a resistor's lower head is wired to."""
        wire = self.masks.piece("li", middle_of(self._slot(body, upper=False)))
        for end in self.masks.boxes("diff - poly"):
            if self.masks.contacts("licon", wire, end):
                return end
        raise CircuitError(f"the resistor at {body.text} must be wired to a switch, and is not")

    def _source(self, drain: Rectangle) -> Rectangle:
        """The diffusion on the other side of the gate beside a drain."""
        for gate in self.masks.boxes("diff & poly"):
            ends = [end for end in self.masks.boxes("diff - poly") if end.beside(gate)]
            if drain in ends and len(ends) == 2:
                other = ends[1] if ends[0] == drain else ends[0]
                if self._leads_down(other):
                    return other
        raise CircuitError(f"the drain at {drain.text} must have a gate and a source beside it")

    def _leads_down(self, end: Rectangle) -> bool:
        """Whether a diffusion is wired to metal 1, as sources are and drains are not."""
        licons = self.masks.contacts("licon", None, end)
        wire = self.masks.piece("li", middle_of(licons[0])) if licons else None
        return wire is not None and bool(self.masks.contacts("mcon", wire, None))

    def _sheet(
        self, layer: str, polygon: Floats, first: Sequence[Patch], second: Sequence[Patch]
    ) -> Bounds:
        ohms = self.wires["sheet"][layer]
        return sheet_ohms([polygon], ohms, first, second, self.tolerance, SLACK)

    def _patches(self, boxes: Sequence[Rectangle], ohms: str = "") -> list[Patch]:
        return [Patch(*box, self.wires["ohms"][ohms] if ohms else 0.0) for box in boxes]

    def _to_drain(self, body: Rectangle) -> Bounds:
        """From a resistor's lower contact to the diffusion of its switch's drain."""
        slot = self._slot(body, upper=False)
        wire = self.masks.piece("li", middle_of(slot))
        contacts = self.masks.contacts("licon", wire, self._drain(body))
        return self._sheet("li", wire, self._patches([slot]), self._patches(contacts, "diffusion"))

    def _to_word_line(self, body: Rectangle) -> Bounds:
        """From a resistor's upper contact to the middle of the word line's piece above it."""
        slot = self._slot(body, upper=True)
        wire = self.masks.piece("li", middle_of(slot))
        contacts = self.masks.contacts("mcon", wire, None)
        up = self._between("li", wire, [slot], contacts, "mcon")
        metal = self.masks.piece("met1", middle_of(contacts[0]))
        x0, x1 = metal[:, 0].min(), metal[:, 0].max()
        side = metal[metal[:, 0] == x1, 1]
        line = Rectangle(x0, side.min(), x1, side.max())
        outside = [box for box in contacts if box.y1 <= line.y0]
        if len(outside) < len(contacts):  # some contacts lie on the line itself
            return up
        on = self._between("met1", metal, contacts, [line], "")
        return Bounds(up.low + on.low, up.high + on.high)

    def _between(
        self,
        layer: str,
        polygon: Floats,
        first: Sequence[Rectangle],
        second: Sequence[Rectangle],
        ohms: str,
    ) -> Bounds:
        """Ohms between contacts that may lie on each other, where they take no wire at all."""
        if all(any(a.covers(b) for a in first) for b in second):
            lone = self.wires["ohms"][ohms] / len(second) if ohms else 0.0
            return Bounds(lone, lone)
        return self._sheet(layer, polygon, self._patches(first), self._patches(second, ohms))

    def _from_source(self, source: Rectangle) -> Bounds:
        """From the diffusion of a switch's source up to the bit line."""
        goal, _ = self.masks.label("b_0")
        below = self.masks.contacts("licon", None, source)
        wire = self.masks.piece("li", middle_of(below[0]))
        above = self._upward("li", wire, goal)
        if not above:
            raise CircuitError(f"the source at {source.text} must be wired to its bit line")
        return self._sheet("li", wire, self._patches(below, "diffusion"), above)

    def _upward(self, layer: str, wire: Floats, goal: str) -> list[Patch]:
        """Contacts above a wire, each with the ohms from there to the conductor ``goal``.

        Contacts to one piece of the next conductor take its ohms as often as they are many, each
        in series with its own: in parallel they have them once.
        """
        conductors = self.wires["conductors"]
        contact = self.wires["contacts"][conductors.index(layer)]
        following = conductors[conductors.index(layer) + 1]
        groups: dict[int, tuple[Floats, list[Rectangle]]] = {}
        for box in self.masks.contacts(contact, wire, None):
            piece = self.masks.piece(following, middle_of(box))
            groups.setdefault(id(piece), (piece, []))[1].append(box)
        found = []
        for piece, boxes in groups.values():
            each = 0.0
            if following != goal:
                above = self._upward(following, piece, goal)
                if not above:
                    continue  # it leads elsewhere
                shared = self._sheet(following, piece, self._patches(boxes), above)
                each = len(boxes) * shared.middle
            found += [Patch(*box, self.wires["ohms"][contact] + each) for box in boxes]
        return found
