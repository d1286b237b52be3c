"""The masks of an array: banks side by side, the pins of their lines, and a guard ring.

The last word line is the lowest, next to the sense amplifiers at the lower end of the bit lines,
as in a tile of the design: ``drive = "left"``, ``sense = "bottom"``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xbar.silicon.layout.bank import draw_bank
from xbar.silicon.layout.geometry import BankGeometry
from xbar.silicon.layout.shapes import Drawing, Placed

RING_NEAR, RING_FAR = 1000, 1420
"""Where the guard ring's tap lies outside the array."""
EDGE = 2000
"""Outside the array: where the pins of the lines end, and the drawing with them."""
PIN = 300
"""Length of a pin."""

Pin = Callable[..., None]


@dataclass(frozen=True)
class Frame:
    """An array's size and where its cells lie.

    Attributes:
        geometry: one cell.
        word_lines: number of word lines.
        bit_lines: number of bit lines.
    """

    geometry: BankGeometry
    word_lines: int
    bit_lines: int

    @property
    def width(self) -> int:
        """Of all cells, without the ring."""
        return self.geometry.width * self.bit_lines

    @property
    def height(self) -> int:
        """Of all cells, without the ring."""
        return self.geometry.height * self.word_lines

    def row(self, word_line: int) -> int:
        """Lower end of a word line's cells."""
        return (self.word_lines - 1 - word_line) * self.geometry.height

    def column(self, bit_line: int) -> int:
        """Left end of a bit line's cells."""
        return bit_line * self.geometry.width


def draw_array(frame: Frame, name: str = "tile", *, ring: bool = True) -> list[Drawing]:
    """An array's cells, the array itself last.

    Pins: w_0 .. w_(W-1) at the left, b_0 .. b_(B-1) at the lower end, VSS, and the gates g_i_j_k
    of the switches, k of K of the cell of word line i and bit line j, in the middle of the array.
    """
    bank = draw_bank(frame.geometry)
    d = Drawing(name)
    g = frame.geometry
    d.placed.append(Placed(bank.name, 0, 0, frame.bit_lines, frame.word_lines, g.width, g.height))
    edge = EDGE if ring else 0
    d.box("boundary", -edge, -edge, frame.width + edge, frame.height + edge)
    _line_pins(d, frame, edge)
    _gate_pins(d, frame)
    if not ring:
        return [bank, d]
    contact, stitch = _contacts(frame)
    draw_ring(d, frame, contact, stitch)
    return [bank, contact, stitch, d]


def _line_pins(d: Drawing, frame: Frame, edge: int) -> None:
    """Pins of the word lines, of VSS and of the bit lines, each line drawn as far as the edge."""
    g = frame.geometry
    low, high = g.word_line
    for i in range(frame.word_lines):
        y = frame.row(i)
        if edge:
            d.box("met1", -edge, y + low, 0, y + high)
            d.box("met1", -edge, y + 200, 0, y + 590)
            d.box("met1", frame.width, y + 200, frame.width + edge, y + 590)
        d.pin("met1", f"w_{i}", -edge, y + low, PIN - edge, y + high)
        d.pin("met1", "VSS", -edge, y + 200, PIN - edge, y + 590)
    for j in range(frame.bit_lines):
        left, right = (frame.column(j) + x for x in g.bit_line)
        if edge:
            d.box("met2", left, -edge, right, 0)
        d.pin("met2", f"b_{j}", left, -edge, right, PIN - edge)


def _gate_pins(d: Drawing, frame: Frame) -> None:
    for i in range(frame.word_lines):
        for j in range(frame.bit_lines):
            for k in range(frame.geometry.resistors):
                x, y = frame.geometry.gate(k)
                x, y = x + frame.column(j), y + frame.row(i)
                d.pin("li", f"g_{i}_{j}_{k}", x - 85, y - 175, x + 85, y + 175)


def _contacts(frame: Frame) -> tuple[Drawing, Drawing]:
    """One contact of the guard ring, and one with the contact to metal 1 above it."""
    size = frame.geometry.rules["contact"]
    contact, stitch = Drawing("ring_contact"), Drawing("ring_stitch")
    contact.square("licon", 0, 0, size)
    stitch.square("licon", 0, 0, size)
    stitch.square("mcon", 0, 0, size)
    return contact, stitch


def draw_ring(d: Drawing, frame: Frame, contact: Drawing, stitch: Drawing) -> None:
    """A closed ring of substrate taps on VSS around the cells.

    Its local interconnect is closed; metal 1 joins it where VSS crosses it, left and right, and
    along its lower and upper side, which only bit lines cross.
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
        for i in range(frame.word_lines):
            d.square("mcon", x, frame.row(i) + 395, frame.geometry.rules["contact"])
