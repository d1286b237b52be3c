"""Cells: sizes on the grid of the masks, and what a process can't hold."""

from types import SimpleNamespace

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.silicon.cell import Cell


def test_lengths_grow_by_the_ratio_on_the_grid_and_are_told():
    cell = Cell("sky130", resistors=8, length="4u", ratio=1.1)
    exact = 4e-6 * 1.1 ** np.arange(8)
    assert np.all(np.abs(np.array(cell.lengths) - exact) <= 2.5e-9 + 1e-15)
    nanometres = 1e9 * np.array(cell.lengths)
    np.testing.assert_allclose(nanometres / 5, np.round(nanometres / 5), atol=1e-9)
    assert "rounded to the grid of 5 nm: 4, 4.4, 4.84, 5.325" in cell.notes[0]


def test_lengths_on_the_grid_need_no_note():
    assert Cell("sky130", 3, ["4u", 4.4e-6, "4840n"]).notes == ()
    assert Cell("sky130", 2, "4u", 1.0).notes == (
        "resistors of equal length match: their sums fill a range with large gaps",
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"resistors": 0}, "a cell must have 1 to 64 resistors, not 0"),
        ({"length": "0.4u"}, r"length\[0\] must be from 500 nm, the least that sky130 makes"),
        ({"ratio": 0.7}, r"length\[6\] must be from 500 nm"),
        ({"length": "2m"}, r"length\[0\] must be .* in metres, not 2"),
        ({"length": "2 mm"}, r"length\[0\] must be from 500 nm.* to 1 mm, not 2 mm"),
        ({"length": "4 ohm"}, "must be in m, not '4 ohm'"),
        ({"length": ["4u", "5u"]}, "length must be one or 8, one a resistor, not 2"),
        ({"ratio": 0.0}, "ratio must be from 0.5 to 2, not 0.0"),
        ({"ratio": float("nan")}, "ratio must be a finite number, not nan"),
        ({"switch_width": "0.3u"}, r"switch_width\[0\] must be from 420 nm"),
        ({"switch_width": ("1u", "1u")}, "switch_width must be one or 8"),
        ({"switch": "5v0"}, "switch of sky130 must be one of 1v8, 3v3"),
        ({"kind": "pmos"}, "kind must be one of nmos, transmission"),
        ({"side": "left"}, "side must be one of bit, word"),
        ({"series": (1.0, 2.0)}, "series must be one or 8"),
        ({"series": -1.0}, "series must be ohms from 0"),
        ({"process": "tsmc65"}, "process must be one of"),
        ({"resistors": "8"}, "resistors must be a whole number, not '8'"),
        ({"resistors": None}, "resistors must be a whole number, not None"),
        ({"ratio": "x"}, "ratio must be a finite number, not 'x'"),
        ({"ratio": [1.1]}, "ratio must be a finite number"),
        ({"length": None}, "length must be a length such as '4u' or a list, not None"),
        ({"switch_width": 1j}, "switch_width must be a length such as '4u' or a list, not 1j"),
        ({"series": "two"}, "series must hold real numbers"),
        ({"series": 1j}, "series must hold real numbers"),
        ({"series": 10**400}, "series must hold real numbers"),
    ],
)
def test_what_the_process_cannot_hold_is_refused_in_one_line(values, told):
    with pytest.raises(SpecError, match=told) as caught:
        Cell(**{"process": "sky130", **values})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lines", ["4", None, 2.5, [1], np.ones(2)])
def test_an_array_of_no_number_of_lines_is_refused(lines):
    with pytest.raises(SpecError, match="bit_lines must be a whole number"):
        Cell("sky130", 2).layout(2, lines)


def test_the_masks_have_the_sizes_of_the_cell():
    layout = Cell("sky130", 3, ("4u", "5u", "6u"), switch_width=("1u", "1.2u", "1u")).layout(4, 2)
    assert layout.geometry.lengths == (4000, 5000, 6000)
    assert layout.geometry.switches == (1000, 1200, 1000)
    assert (layout.word_lines, layout.bit_lines) == (4, 2)
    for other in ({"kind": "transmission"}, {"side": "word"}, {"switch": "3v3"}):
        with pytest.raises(SpecError, match="masks can be drawn of NMOS switches 1v8"):
            Cell("sky130", **other).layout(4, 2)
        assert not Cell("sky130", **other).is_drawn
    with pytest.raises(SpecError, match="masks can be drawn for sky130"):
        Cell("gf180mcu", length="20u").layout(4, 2)
    assert not Cell("gf180mcu", length="20u").is_drawn


def test_sizes_that_the_drawing_cannot_hold_are_told_and_not_taken_without_contacts():
    cell = Cell("sky130", 2, "900u", ratio=1.0)
    assert cell.is_drawn
    with pytest.raises(SpecError, match=r"lengths\[0\] must be 500 to 200000 nm in sky130"):
        _ = cell.branches
    assert Cell("sky130", 2, "900u", ratio=1.0, series=0.0).branches.series.tolist() == [0, 0]


def test_contacts_inside_a_branch_are_those_drawn_unless_they_are_given():
    pytest.importorskip("gdstk")
    drawn = Cell("sky130", 2, ("4u", "5u"))
    wires = drawn.layout(3, 3).wires()
    np.testing.assert_allclose(drawn.branches.series, wires.series, rtol=1e-9)
    assert np.all(drawn.branches.series > 100)
    assert drawn.wires.word_wire == pytest.approx(wires.word_wire, rel=1e-3)
    np.testing.assert_array_equal(Cell("sky130", 2, series=70.0).branches.series, 70)
    np.testing.assert_array_equal(Cell("gf180mcu", 2, "20u").branches.series, 0)


def test_a_design_says_what_is_drawn_where_netlists_can_be_made_of_it():
    bank = xbar.Bank(resistors=2)
    model = SimpleNamespace(bank=lambda: bank, temperature=85.0, supply=3.3)
    hardware = Cell("sky130", 2, ("4u", "5u"), switch="3v3").hardware(8, 4, (0.4, 0.7), model)
    assert hardware.silicon.lengths == (4e-6, 5e-6)
    assert hardware.silicon.switch == "3v3"
    # what is not the process's own condition is told
    assert (hardware.silicon.temperature, hardware.silicon.supply) == (85.0, None)
    assert (hardware.tile.word_wire, hardware.tile.bit_wire) == (0.4, 0.7)
    other = Cell("sky130", 2, ("4u", "5u"), kind="transmission")
    assert other.hardware(8, 4, (0.4, 0.7), model).silicon is None
    with pytest.raises(SpecError, match="masks can be drawn"):
        other.hardware(8, 4, model=model)
