"""Claims about pictures of masks, and about what is said of a layout."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

from xbar import Bank, Hardware, Tile
from xbar.errors import FileError, SpecError
from xbar.hardware import Drawn
from xbar.silicon.layout import BankGeometry, Layout

pytest.importorskip("gdstk")

BANK = BankGeometry((4000, 4400, 4840))
SVG = "{http://www.w3.org/2000/svg}"


def test_a_picture_shows_every_resistor_where_the_masks_have_it(tmp_path):
    layout = Layout(BANK, word_lines=4, bit_lines=4)
    layout.picture(tmp_path / "tile.svg", cells=(2, 1))
    root = ElementTree.fromstring((tmp_path / "tile.svg").read_text())
    paths = {path.get("class"): path.get("d") for path in root.iter(f"{SVG}path")}
    bodies = [
        [tuple(map(float, corner.split())) for corner in re.split("[ML]", piece) if corner]
        for piece in paths["poly_res"].split("Z")
        if piece
    ]
    assert len(bodies) == 2 * 3
    heights = sorted(round(max(y for _, y in body) - min(y for _, y in body), 3) for body in bodies)
    assert heights == [4.0, 4.0, 4.4, 4.4, 4.84, 4.84]
    left = sorted(round(min(x for x, _ in body), 3) for body in bodies)
    assert left == sorted(2 * [(BANK.resistor(k) - 175) / 1000 for k in range(3)])
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {"w_0", "w_1", "b_0", "VSS", "g_1_0_2", "5 µm"} <= texts
    assert "2 x 1 cells of 3 branches, sky130" in texts


@pytest.mark.parametrize("cells", [(1, 1), (3, 12)])
def test_the_names_of_gates_do_not_overlap(tmp_path, cells):
    layout = Layout(BANK, word_lines=cells[0], bit_lines=cells[1])
    layout.picture(tmp_path / "tile.svg", cells=cells)
    root = ElementTree.fromstring((tmp_path / "tile.svg").read_text())
    rows: dict[str, list[tuple[float, float]]] = {}
    for text in root.iter(f"{SVG}text"):
        if (text.text or "").startswith("g_"):
            # digits are 0.6 of their height wide
            half = 0.3 * float(text.get("font-size")) * len(text.text)
            rows.setdefault(text.get("y"), []).append((float(text.get("x")), half))
    assert [len(row) for row in rows.values()] == [3 * cells[1]] * cells[0]
    for row in rows.values():
        row.sort()
        for (left, one), (right, other) in itertools.pairwise(row):
            assert left + one < right - other


def test_a_picture_is_replaced_only_on_request(tmp_path):
    layout = Layout(BANK, word_lines=1, bit_lines=1)
    layout.picture(tmp_path / "tile.svg")
    first = (tmp_path / "tile.svg").read_bytes()
    with pytest.raises(FileError, match="exists already"):
        layout.picture(tmp_path / "tile.svg")
    layout.picture(tmp_path / "tile.svg", force=True)
    assert (tmp_path / "tile.svg").read_bytes() == first


def test_the_share_that_metal_covers_is_that_worked_out_by_hand():
    layout = Layout(BANK, word_lines=2, bit_lines=2)
    found, width, height = layout.density(), BANK.width, BANK.height
    # metal 2 is the bit line from end to end
    assert found["met2"] == pytest.approx(BANK.bit_width / width)
    assert found["met3"] == 0
    # metal 1: word line, VSS, the strap over switches of 1 um, and what leads up to the word line
    # from heads that end below it
    ups = [4840 - length for length in BANK.lengths]
    areas = [width * 2160, width * 390, (width - 280) * 980, *(290 * up for up in ups)]
    assert found["met1"] == pytest.approx(sum(areas) / (width * height))


def design(**changes):
    drawn = {"process": "sky130", "lengths": ["4u", "4.4u"], "switch_width": "1u"}
    return Hardware(
        bank=Bank(resistors=2, nominal=30e3),
        tile=Tile(word_lines=3, bit_lines=2, drive="both"),
        silicon=Drawn(**{**drawn, **changes}),
    )


def test_the_array_of_a_design_has_its_lines_lengths_and_widths():
    layout = Layout.of(design(switch_width=["1u", "0.42u"]))
    assert (layout.word_lines, layout.bit_lines) == (3, 2)
    assert layout.geometry.lengths == (4000, 4400)
    assert layout.geometry.switches == (1000, 420)
    pins = [label.text for label in layout.drawings[-1].labels]
    assert pins.count("w_0") == 2  # driven from both sides
    assert pins.count("b_0") == 1


@pytest.mark.parametrize(
    ("hardware", "message"),
    [
        (Hardware(bank=Bank(resistors=2)), r"must have a table \[silicon\]"),
        (design(process="gf180mcu"), "masks can be drawn for sky130, not for 'gf180mcu'"),
        (design(lengths=["4u", "0.3u"]), r"lengths\[1\] must be 500 to 200000 nm"),
        (design(lengths=["4u", "4.0004u"]), "must be whole nanometres, not 4000.4 nm"),
        (design(switch="3v3"), "switch must be '1v8' to be drawn, not '3v3'"),
    ],
)
def test_designs_that_cannot_be_drawn_are_refused(hardware, message):
    with pytest.raises(SpecError, match=message):
        Layout.of(hardware)


def test_a_bank_that_is_spread_over_lines_is_refused():
    spread = design().model_copy(update={"bank": Bank(resistors=2, layout="columns")})
    with pytest.raises(SpecError, match=r"bank\.layout must be 'cell' to be drawn"):
        Layout.of(spread)
