"""The masks of an array: banks side by side, the pins of their lines, and a guard ring.

The first word line is the highest, the last one next to the lower end of the bit lines, where a
tile has its sense amplifiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xbar.silicon.layout.bank import draw_bank
from xbar.silicon.layout.geometry import BankGeometry
from xbar.silicon.layout.memory import BELOW, LINE, MemoryGeometry
from xbar.silicon.layout.memory_masks import draw_cell
from xbar.silicon.layout.shapes import Drawing, Placed

RING_NEAR, RING_FAR = 1000, 1420
"""Where the guard ring's tap lies outside the array."""
EDGE = 2000
"""Outside the array: where the pins of the lines end, and the drawing with them."""
PIN = 300
"""Length of a pin."""
SUPPLY = (300, 900)
"""Outside the array: where the strap of the memory's supply lies."""


@dataclass(frozen=True)
class Frame:
    """An array's size and where its cells lie.

    Attributes:
        geometry: measures of a bank, as wide as its cell.
        word_lines: number of word lines.
        bit_lines: number of bit lines.
        memory: measures of a cell with its memory; None without.
        drive: ends of the word lines that have a pin.
        sense: ends of the bit lines that have a pin.
        ring: whether a guard ring stands around the array, and the pins outside it.
    """

    geometry: BankGeometry
    word_lines: int
    bit_lines: int
    memory: MemoryGeometry | None = None
    drive: Literal["left", "right", "both"] = "left"
    sense: Literal["bottom", "top", "both"] = "bottom"
    ring: bool = True

    @property
    def edge(self) -> int:
        """How far the lines and the drawing reach beyond the cells."""
        return EDGE if self.ring else 0

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of a cell."""
        measures = self.memory or self.geometry
        return measures.width, measures.height

    @property
    def lift(self) -> int:
        """Where the bank begins in its cell."""
        return self.memory.lift if self.memory else 0

    @property
    def width(self) -> int:
        """Of all cells, without the ring."""
        return self.cell[0] * self.bit_lines

    @property
    def height(self) -> int:
        """Of all cells, without the ring."""
        return self.cell[1] * self.word_lines

    def row(self, word_line: int) -> int:
        """Lower end of a word line's cells."""
        return (self.word_lines - 1 - word_line) * self.cell[1]

    def column(self, bit_line: int) -> int:
        """Left end of a bit line's cells."""
        return bit_line * self.cell[0]


def draw_array(frame: Frame, name: str = "tile") -> list[Drawing]:
    """An array's cells, the array itself last.

    Pins: w_i and b_j at the ends of word and bit lines, VSS at the left, and the gates g_i_j_k of
    the switches, k of K of the cell of word line i and bit line j, in the middle of the array. With
    a memory instead of the gates: data lines d_j_k and the supply VPWR at the lower end, enable
    lines e_i at the left.
    """
    d = Drawing(name)
    cells = _cells(frame)
    d.placed.append(Placed(cells[-1].name, 0, 0, frame.bit_lines, frame.word_lines, *frame.cell))
    edge = frame.edge
    d.box("boundary", -edge, -edge, frame.width + edge, frame.height + edge)
    _word_pins(d, frame)
    _bit_pins(d, frame)
    if frame.memory is None:
        _gate_pins(d, frame)
    else:
        _memory_pins(d, frame, frame.memory)
        _supply(d, frame, frame.memory)
    if not frame.ring:
        return [*cells, d]
    contact, stitch = _contacts(frame)
    _ring(d, frame, contact, stitch)
    return [*cells, contact, stitch, d]


def _cells(frame: Frame) -> list[Drawing]:
    if frame.memory is None:
        return [draw_bank(frame.geometry)]
    bank = draw_bank(frame.geometry, stacks=frame.memory.stacks)
    return [bank, draw_cell(frame.memory, bank.name)]


def _word_pins(d: Drawing, frame: Frame) -> None:
    """Pins of the word lines and of VSS."""
    low, high = frame.geometry.word_line
    for i in range(frame.word_lines):
        y = frame.row(i) + frame.lift
        for side in ("left", "right"):
            if frame.drive in (side, "both"):
                _sideways(d, frame, f"w_{i}", side, (y + low, y + high))
        _sideways(d, frame, "VSS", "left", (y + 200, y + 590))
        if frame.edge:
            d.box("met1", frame.width, y + 200, frame.width + frame.edge, y + 590)


def _bit_pins(d: Drawing, frame: Frame) -> None:
    """Pins of the bit lines: of metal 2, of metal 3 above a memory."""
    metal = "met3" if frame.memory else "met2"
    left, right = (frame.memory or frame.geometry).bit_line
    for j in range(frame.bit_lines):
        x = frame.column(j)
        for side in ("bottom", "top"):
            if frame.sense in (side, "both"):
                _downwards(d, frame, metal, f"b_{j}", side, (x + left, x + right))


def _sideways(d: Drawing, frame: Frame, name: str, side: str, span: tuple[int, int]) -> None:
    """A line of metal 1 out to the left or right edge, and its pin there."""
    low, high = span
    start, end = (-frame.edge, 0) if side == "left" else (frame.width, frame.width + frame.edge)
    if frame.edge:
        d.box("met1", start, low, end, high)
    x = start if side == "left" else end - PIN
    d.pin("met1", name, x, low, x + PIN, high)


def _downwards(
    d: Drawing, frame: Frame, metal: str, name: str, side: str, span: tuple[int, int]
) -> None:
    """A line out to the lower or upper edge, and its pin there."""
    left, right = span
    start, end = (-frame.edge, 0) if side == "bottom" else (frame.height, frame.height + frame.edge)
    if frame.edge:
        d.box(metal, left, start, right, end)
    y = start if side == "bottom" else end - PIN
    d.pin(metal, name, left, y, right, y + PIN)


def _gate_pins(d: Drawing, frame: Frame) -> None:
    for i in range(frame.word_lines):
        for j in range(frame.bit_lines):
            for k in range(frame.geometry.resistors):
                x, y = frame.geometry.gate(k)
                x, y = x + frame.column(j), y + frame.row(i)
                d.pin("li", f"g_{i}_{j}_{k}", x - 85, y - 175, x + 85, y + 175)


def _memory_pins(d: Drawing, frame: Frame, memory: MemoryGeometry) -> None:
    """Pins of the data lines at the lower end, and of the enable lines at the left."""
    for j in range(frame.bit_lines):
        for k, x in enumerate(memory.data):
            span = frame.column(j) + x - LINE, frame.column(j) + x + LINE
            _downwards(d, frame, "met2", f"d_{j}_{k}", "bottom", span)
    low, high = memory.enable_line
    for i in range(frame.word_lines):
        y = frame.row(i)
        _sideways(d, frame, f"e_{i}", "left", (y + low, y + high))


def _supply(d: Drawing, frame: Frame, memory: MemoryGeometry) -> None:
    """What joins the rails of all rows: a strap on each side for VPWR, the guard ring for VSS."""
    rail, size = frame.geometry.rules.memory["rail"], frame.geometry.rules["via"]
    near, far = SUPPLY
    w = frame.width
    for left, right in ((-far, -near), (w + near, w + far)):
        _downwards(d, frame, "met2", "VPWR", "bottom", (left, right))
        d.box("met2", left, 0, right, frame.height)
        for i in range(frame.word_lines):
            for edge in range(memory.rows + 1):
                y = frame.row(i) + BELOW + edge * memory.row_height
                reach = far if edge % 2 else frame.edge
                ends = (-reach, 0) if left < 0 else (w, w + reach)
                if reach:
                    d.box("met1", ends[0], y - rail, ends[1], y + rail)
                if edge % 2:
                    for x in ((left + right) // 2 - 160, (left + right) // 2 + 160):
                        d.square("via", x, y, size)


def _contacts(frame: Frame) -> tuple[Drawing, Drawing]:
    """One contact of the guard ring, and one with the contact to metal 1 above it."""
    size = frame.geometry.rules["contact"]
    contact, stitch = Drawing("ring_contact"), Drawing("ring_stitch")
    contact.square("licon", 0, 0, size)
    stitch.square("licon", 0, 0, size)
    stitch.square("mcon", 0, 0, size)
    return contact, stitch


def _ring(d: Drawing, frame: Frame, contact: Drawing, stitch: Drawing) -> None:
    """A closed ring of substrate taps on VSS around the cells.

    Its local interconnect is closed; metal 1 joins it where VSS crosses it, left and right, and
    along its lower and upper side, which no other line of metal 1 crosses.
    """
    w, h = frame.width, frame.height
    for layer, margin in (("tap", 0), ("li", -20), ("psdm", 125)):
        near, far = RING_NEAR - margin, RING_FAR + margin
        for y0, y1 in ((-far, -near), (h + near, h + far)):
            d.box(layer, -far, y0, w + far, y1)
        for x0, x1 in ((-far, -near), (w + near, w + far)):
            d.box(layer, x0, -near, x1, h + near)
    middle, pitch = (RING_NEAR + RING_FAR) // 2, 360
    across, along = (w + 2 * RING_NEAR) // pitch, (h + 2 * RING_NEAR) // pitch
    for y in (-middle, h + middle):
        d.placed.append(Placed(stitch.name, -RING_NEAR + 180, y, across, 1, pitch, 0))
        d.box("met1", -RING_FAR, y - 195, w + RING_FAR, y + 195)
    for x in (-middle, w + middle):
        d.placed.append(Placed(contact.name, x, -RING_NEAR + 180, 1, along, 0, pitch))
        for y in _crossings(frame):
            d.square("mcon", x, y, frame.geometry.rules["contact"])


def _crossings(frame: Frame) -> list[int]:
    """Heights at which a rail of VSS crosses the ring."""
    heights = [frame.lift + 395]
    if frame.memory is not None:
        rails = range(0, frame.memory.rows + 1, 2)
        heights += [BELOW + edge * frame.memory.row_height for edge in rails]
    return [frame.row(i) + y for i in range(frame.word_lines) for y in heights]
