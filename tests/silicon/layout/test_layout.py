"""Claims about arrays of banks and the files that hold them."""

from __future__ import annotations

import re
import sys
from collections import Counter

import pytest

from xbar.errors import FileError, SpecError, ToolError
from xbar.silicon.layout import BankGeometry, Layout

gdstk = pytest.importorskip("gdstk")

BANK = BankGeometry((4000, 4400, 4840), 1000)


def masks(path, layer, top="tile"):
    cell = next(c for c in gdstk.read_gds(path).cells if c.name == top)
    return cell.get_polygons(layer=layer[0], datatype=layer[1])


def test_the_file_holds_the_rectangles_of_the_drawing(tmp_path):
    layout = Layout(BANK, word_lines=3, bit_lines=2)
    layout.write(tmp_path / "tile.gds")
    drawn = {d.name: d for d in layout.drawings}
    cells = {c.name: c for c in gdstk.read_gds(tmp_path / "tile.gds").cells}
    assert sorted(cells) == sorted(drawn)
    for name, cell in cells.items():
        found = Counter(
            (p.layer, p.datatype, *(round(v * 1000) for corner in p.bounding_box() for v in corner))
            for p in cell.polygons
        )
        layers = BANK.rules.layers
        assert found == Counter(
            (*layers[layer], *box) for layer, boxes in drawn[name].boxes.items() for box in boxes
        )


def test_the_pins_of_masks_and_netlist_are_the_same(tmp_path):
    layout = Layout(BANK, word_lines=3, bit_lines=2, name="macro")
    layout.write(tmp_path / "macro.gds")
    top = next(c for c in gdstk.read_gds(tmp_path / "macro.gds").cells if c.name == "macro")
    labels = {label.text for label in top.labels}
    pins = re.search(r"^\.SUBCKT macro (.*)$", layout.netlist(), re.MULTILINE)[1].split()
    assert labels == set(pins)
    assert len(pins) == len(set(pins)) == 3 + 2 + 1 + 3 * 2 * 3


def test_every_pin_lies_on_its_conductor(tmp_path):
    layout = Layout(BANK, word_lines=2, bit_lines=3)
    layout.write(tmp_path / "tile.gds")
    layers = BANK.rules.layers
    pins = 0
    for conductor in ("li", "met1", "met2"):
        metal = masks(tmp_path / "tile.gds", layers[conductor])
        marks = masks(tmp_path / "tile.gds", layers[f"{conductor}_pin"])
        assert not gdstk.boolean(marks, metal, "not")
        pins += len(marks)
    assert pins == 2 + 2 + 3 + 2 * 3 * 3  # w and VSS a word line, b, gates


def test_a_word_line_is_one_piece_of_metal_and_bit_lines_are_apart(tmp_path):
    layout = Layout(BANK, word_lines=2, bit_lines=3)
    layout.write(tmp_path / "tile.gds")
    layers = BANK.rules.layers
    bits = gdstk.boolean(masks(tmp_path / "tile.gds", layers["met2"]), [], "or")
    assert len(bits) == 3
    wide = 3 * BANK.width / 1000
    words = [
        p for p in gdstk.boolean(masks(tmp_path / "tile.gds", layers["met1"]), [], "or")
        if p.bounding_box()[1][0] - p.bounding_box()[0][0] >= wide
    ]  # fmt: skip
    # the two word lines; VSS of both rows is one piece with the guard ring's metal or crosses it
    assert len([p for p in words if p.bounding_box()[1][1] - p.bounding_box()[0][1] > 2]) == 2


def test_the_guard_ring_closes_around_all_cells(tmp_path):
    layout = Layout(BANK, word_lines=2, bit_lines=2)
    layout.write(tmp_path / "tile.gds")
    for layer in ("tap", "li"):
        merged = gdstk.boolean(masks(tmp_path / "tile.gds", BANK.rules.layers[layer]), [], "or")
        (x0, y0), (x1, y1) = max(
            (p.bounding_box() for p in merged), key=lambda b: b[1][0] - b[0][0]
        )
        assert x0 < 0
        assert y0 < 0
        assert x1 > layout.frame.width / 1000
        assert y1 > layout.frame.height / 1000


def test_an_array_of_64_by_64_has_all_its_resistors(tmp_path):
    eight = BankGeometry((4000, 4400, 4840, 5320, 5860, 6440, 7090, 7790))
    Layout(eight, word_lines=64, bit_lines=64).write(tmp_path / "tile.gds")
    assert len(masks(tmp_path / "tile.gds", eight.rules.layers["poly_res"])) == 64 * 64 * 8


def test_the_same_layout_gives_the_same_bytes_without_the_time_of_writing(tmp_path):
    for name in ("a.gds", "b.gds"):
        Layout(BANK, word_lines=2, bit_lines=2).write(tmp_path / name)
    assert (tmp_path / "a.gds").read_bytes() == (tmp_path / "b.gds").read_bytes()
    assert gdstk.gds_timestamp(tmp_path / "a.gds").year == 2000
    Layout(BANK, word_lines=2, bit_lines=3).write(tmp_path / "c.gds")
    assert (tmp_path / "a.gds").read_bytes() != (tmp_path / "c.gds").read_bytes()


def test_every_branch_stands_in_the_netlist_with_its_sizes():
    layout = Layout(BankGeometry((4000, 7790), (1000, 420)), word_lines=1, bit_lines=1)
    text = layout.netlist()
    # 2 kohm a square, 0.35 um wide
    assert f"R1 w m1 {2000 * 7.79 / 0.35:.9g} sky130_fd_pr__res_xhigh_po L=7.79U" in text
    assert "M1 m1 g1 b VSS sky130_fd_pr__nfet_01v8 L=0.15U W=0.42U" in text
    calls = layout.netlist("subcircuit")
    assert "XR1 w m1 VSS sky130_fd_pr__res_xhigh_po l=7.79 w=0.35" in calls
    assert "XM1 m1 g1 b VSS sky130_fd_pr__nfet_01v8 l=0.15 w=0.42" in calls


def test_a_file_is_replaced_only_on_request_and_none_is_left_half_written(tmp_path):
    layout = Layout(BANK, word_lines=1, bit_lines=1)
    layout.write(tmp_path / "tile.gds")
    with pytest.raises(FileError, match="exists already"):
        layout.write(tmp_path / "tile.gds")
    layout.write(tmp_path / "tile.gds", force=True)
    with pytest.raises(FileError, match="can't be written"):
        layout.write(tmp_path / "missing" / "tile.gds")
    assert [p.name for p in tmp_path.iterdir()] == ["tile.gds"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"word_lines": 0, "bit_lines": 1}, "word_lines must be 1 to 1024, not 0"),
        ({"word_lines": 1, "bit_lines": 1025}, "bit_lines must be 1 to 1024, not 1025"),
        ({"word_lines": 1, "bit_lines": 1, "name": "tile 3"}, r"\[A-Za-z0-9_\], not 'tile 3'"),
        ({"word_lines": 1, "bit_lines": 1, "name": "bank"}, "must not be bank, that of a cell"),
        ({"word_lines": 1, "bit_lines": 1, "name": ""}, r"\[A-Za-z0-9_\], not ''"),
    ],
)
def test_arrays_that_cannot_be_drawn_are_refused(arguments, message):
    with pytest.raises(SpecError, match=message):
        Layout(BANK, **arguments)


def test_without_gdstk_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdstk", None)
    with pytest.raises(ToolError, match=r"pip install 'xbar\[silicon\]'") as caught:
        Layout(BANK, word_lines=1, bit_lines=1).write(tmp_path / "tile.gds")
    assert caught.value.exit_code == 3
    assert not list(tmp_path.iterdir())
