"""The masks of one bank: K branches, the pieces of its word and bit line, and its tap.

Numbers are nanometres from the cell's lower left corner. A comment names the rule that decides
where one does; names are those of SkyWater's periphery rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from xbar.silicon.layout.geometry import END, HEAD, LOW, PITCH, SIDE, BankGeometry
from xbar.silicon.layout.shapes import Drawing


def draw_bank(
    geometry: BankGeometry, name: str = "bank", stacks: Sequence[int] | None = None
) -> Drawing:
    """One cell, which abuts with itself on all sides.

    Args:
        geometry: its measures.
        name: of the cell.
        stacks: where contacts lead from the strap up to a bit line of metal 3; None for a bit line
            of metal 2 with contacts all along the strap. The bit line of metal 3 is not drawn here.
    """
    d = Drawing(name)
    _tap(d, geometry)
    _implants(d, geometry)
    _lines(d, geometry)
    if stacks is None:
        _bit_line(d, geometry)
    else:
        for x in stacks:
            _stack(d, geometry, x)
    for branch in range(geometry.resistors):
        _switch(d, geometry, branch)
        _resistor(d, geometry, branch)
    return d


def _tap(d: Drawing, geometry: BankGeometry) -> None:
    """The substrate's tap and VSS along the cell's lower edge."""
    w = geometry.width
    d.box("boundary", 0, 0, w, geometry.height)
    d.box("tap", 150, 190, w - 150, 600)  # 300 to the next cell's: difftap.3
    d.box("psdm", 0, 0, w, 725)  # nsd.5b: 125 around the tap
    d.box("li", 150, 230, w - 150, 560)
    d.box("met1", 0, 200, w, 590)
    for x in range(PITCH // 2, PITCH * geometry.resistors, PITCH):
        for layer in ("licon", "mcon"):
            d.box(layer, x - 85, 310, x + 85, 480)


def _implants(d: Drawing, geometry: BankGeometry) -> None:
    """What all branches share: implants, the resistors' mask, and nitride cut over contacts."""
    w, foot, top = geometry.width, geometry.foot, geometry.top
    d.box("nsdm", 0, LOW - 125, w, LOW + max(geometry.switches) + 125)  # nsd.5a
    d.box("psdm", 0, foot - 110, w, geometry.height)
    d.box("urpm", 0, foot - 200, w, top + 200)  # rpm.3: 200 around the resistors
    d.box("npc", 0, foot - 100, w, top + 100)  # npc.4


def _lines(d: Drawing, geometry: BankGeometry) -> None:
    """Word line, and the strap that joins the switches' sources."""
    w, (low, high) = geometry.width, strap(geometry)
    d.box("met1", 0, geometry.word_line[0], w, geometry.word_line[1])
    d.box("met1", 140, low, w - 140, high)  # m1.3b


def _bit_line(d: Drawing, geometry: BankGeometry) -> None:
    left, right = geometry.bit_line
    low, high = strap(geometry)
    d.box("met2", left, 0, right, geometry.height)
    rules = geometry.rules
    for x in range(left + 200, right - 200 + 1, rules["via"] + rules["via_space"]):
        d.column("via", x, (low + 90, high - 90), rules["via"], rules["via_space"])  # via.5a


def _stack(d: Drawing, geometry: BankGeometry, x: int) -> None:
    """Contacts from the strap up to metal 3, on a piece of metal 2 of their own."""
    low, high = strap(geometry)
    rules = geometry.rules
    d.box("met2", x - 140, low, x + 140, high)  # via2.4: 40 around a via of 200
    d.column("via", x, (low + 90, high - 90), rules["via"], rules["via_space"])
    d.column("via2", x, (low + 85, high - 85), rules["via2"], rules["via2_space"])  # via2.5


def strap(geometry: BankGeometry) -> tuple[int, int]:
    """From where to where the strap under the bit line lies along y."""
    return LOW + 10, LOW - 10 + max(geometry.switches)


def _switch(d: Drawing, geometry: BankGeometry, branch: int) -> None:
    """One switch: gate, source up to the strap, drain up to its resistor."""
    high, rules = LOW + geometry.switches[branch], geometry.rules
    gate, y = geometry.gate(branch)
    drain, source = gate - SIDE, gate + SIDE
    size, space = rules["contact"], rules["contact_space"]
    d.box("diff", drain - END, LOW, source + END, high)
    d.box("poly", gate - 75, 1130, gate + 75, high + 150)  # poly.8: 130 beyond the diffusion
    d.box("poly", gate - 135, 800, gate + 135, 1130)
    d.box("npc", gate - 185, 780, gate + 185, 1150)  # licon.15: 100 around the contact
    d.square("licon", gate, y, size)
    d.box("li", gate - 85, y - 175, gate + 85, y + 175)
    for x in (drain, source):
        d.column("licon", x, (LOW + 60, high - 60), size, space)  # licon.5c
    d.column("mcon", source, (LOW + 70, high - 70), size, rules["mcon_space"])  # m1.5
    d.box("li", source - 85, LOW - 20, source + 85, high + 20)
    d.box("li", drain - 85, LOW - 20, drain + 85, geometry.foot)
    right = geometry.resistor(branch) + rules["slot_width"] // 2
    d.box("li", drain - 85, geometry.foot - 400, right, geometry.foot + rules["slot_enclosure"])


def _resistor(d: Drawing, geometry: BankGeometry, branch: int) -> None:
    x, foot, rules = geometry.resistor(branch), geometry.foot, geometry.rules
    upper = foot + HEAD + geometry.lengths[branch]
    half, slot = rules["resistor_width"] // 2, rules["slot_width"] // 2
    d.box("poly", x - half, foot, x + half, upper + HEAD)
    d.box("poly_res", x - half, foot + HEAD, x + half, upper)
    margin = rules["slot_enclosure"]
    for y in (foot, upper):
        d.box("licon", x - slot, y + margin, x + slot, y + HEAD - margin)
        d.box("li", x - slot, y, x + slot, y + HEAD)
    span = (upper + 60, upper + HEAD - 60)
    d.column("mcon", x, span, rules["contact"], rules["mcon_space"])
    d.box("met1", x - 145, upper, x + 145, geometry.top)
