"""Claims about the masks of one bank."""

from __future__ import annotations

import itertools

import pytest

from xbar.silicon.layout.bank import draw_bank
from xbar.silicon.layout.geometry import BankGeometry

GEOMETRIES = [
    BankGeometry((4000, 4400, 4840, 5320, 5860, 6440, 7090, 7790)),
    BankGeometry((500,), 420),
    BankGeometry((20000, 505, 4000), (5000, 420, 1005)),
    BankGeometry((4000, 4000, 4000, 4000, 4000), 2005),
]
IDS = ["eight", "one", "three_of_other_widths", "five"]


def counts(geometry):
    return {layer: len(boxes) for layer, boxes in draw_bank(geometry).boxes.items()}


def test_eight_branches_have_the_shapes_counted_by_hand():
    found = counts(GEOMETRIES[0])
    assert found["poly_res"] == 8
    assert found["diff"] == 8  # each switch for itself
    assert found["poly"] == 8 * 3  # a gate, its pad, a resistor
    # contacts: 8 taps; by branch 3 of the source and 3 of the drain, a gate, 2 slots
    assert found["licon"] == 8 + 8 * (3 + 3 + 1 + 2)
    # to metal 1: 8 taps, 2 a source, 6 on the upper head of each resistor
    assert found["mcon"] == 8 + 8 * 2 + 8 * 6
    assert found["via"] == 8 * 3
    assert found["met2"] == 1


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=IDS)
def test_all_shapes_lie_in_the_cell_and_on_the_grid(geometry):
    boxes = [box for boxes in draw_bank(geometry).boxes.values() for box in boxes]
    assert boxes
    for box in boxes:
        assert all(value % 5 == 0 for value in box)
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= geometry.width
        assert box.y1 <= geometry.height


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=IDS)
def test_lines_taps_and_implants_meet_the_neighbouring_cell(geometry):
    drawing = draw_bank(geometry)

    def spans(layer, axis):
        return [
            box for box in drawing.boxes[layer]
            if (box[axis], box[axis + 2]) == (0, (geometry.width, geometry.height)[axis])
        ]  # fmt: skip

    assert len(spans("met1", 0)) == 2  # word line and VSS
    assert len(spans("met2", 1)) == 1  # bit line
    assert len(spans("urpm", 0)) == len(spans("npc", 0)) == len(spans("nsdm", 0)) == 1


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=IDS)
def test_every_body_is_as_long_as_designed_and_every_gate_as_wide(geometry):
    drawing = draw_bank(geometry)
    lengths = sorted(box.y1 - box.y0 for box in drawing.boxes["poly_res"])
    assert lengths == sorted(geometry.lengths)
    gates = [
        min(a.y1, b.y1) - max(a.y0, b.y0)
        for a, b in itertools.product(drawing.boxes["poly"], drawing.boxes["diff"])
        if min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)
    ]
    assert sorted(gates) == sorted(geometry.switches)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=IDS)
def test_each_gate_has_a_diffusion_of_its_own_with_contacts_on_both_sides(geometry):
    drawing = draw_bank(geometry)
    fields = drawing.boxes["diff"]
    assert len(fields) == geometry.resistors
    for a, b in itertools.combinations(fields, 2):
        assert max(b.x0 - a.x1, a.x0 - b.x1) >= 270  # difftap.3
    for field in fields:
        (gate,) = (
            box for box in drawing.boxes["poly"]
            if box.x0 > field.x0 and box.x1 < field.x1 and box.y0 < field.y0 and box.y1 > field.y1
        )  # fmt: skip
        for layer in ("licon", "mcon"):
            inside = [
                box for box in drawing.boxes[layer]
                if box.x0 > field.x0 and box.x1 < field.x1
                and box.y0 > field.y0 and box.y1 < field.y1
            ]  # fmt: skip
            drains = [box for box in inside if box.x1 < gate.x0]
            sources = [box for box in inside if box.x0 > gate.x1]
            assert len(drains) + len(sources) == len(inside)
            assert sources
            assert len(drains) == (len(sources) if layer == "licon" else 0)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=IDS)
def test_no_two_contacts_of_a_cell_and_its_neighbours_touch(geometry):
    drawing = draw_bank(geometry)
    for layer, space in (("licon", 170), ("mcon", 190), ("via", 170)):
        shifted = [
            (box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)
            for dx in (0, geometry.width)
            for dy in (0, geometry.height)
            for box in drawing.boxes[layer]
        ]
        for a, b in itertools.combinations(shifted, 2):
            apart = max(b[0] - a[2], a[0] - b[2], b[1] - a[3], a[1] - b[3])
            assert apart >= space
