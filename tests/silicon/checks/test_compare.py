"""Layout against netlist: the drawing agrees, and each seeded fault is found where it is."""

from __future__ import annotations

import pytest
from masks import GEOMETRY, add, relabel, remove, write_edited

from xbar.errors import FileError
from xbar.silicon.checks.circuit import read_netlist
from xbar.silicon.checks.compare import compare, compare_files, compare_masks
from xbar.silicon.checks.rules import check_files, rule_data
from xbar.silicon.layout import BankGeometry, Layout

pytest.importorskip("gdstk")
LAYOUT = Layout(GEOMETRY, word_lines=2, bit_lines=2)
W, H = GEOMETRY.width, GEOMETRY.height
FOOT, TOP = GEOMETRY.foot, GEOMETRY.top
HEAD = 2160
RIGHT = GEOMETRY.resistor(1)
"""Middle of the second resistor and its gate."""

# name: edits, kinds of differences of the comparison (none: the same circuit), rules that break
FAULTS = {
    "nothing": ((), set(), set()),
    "two bit lines joined": (
        [add("tile", "met1", W - 400, 1400, W + 400, 2200)],
        {"joined"},
        set(),
    ),
    "two drains joined": (
        [add("bank", "li", GEOMETRY.resistor(0), FOOT - 300, RIGHT, FOOT - 100)],
        {"net"},
        set(),
    ),
    "a resistor 100 nm longer": (
        [add("bank", "poly_res", RIGHT - 175, FOOT + HEAD - 100, RIGHT + 175, FOOT + HEAD)],
        {"value"},
        {"x.10"},
    ),
    "a wider switch": (
        [add("bank", "diff", RIGHT - 340, 2330, RIGHT + 340, 2380)],
        {"value"},
        {"poly.8"},
    ),
    "no vias": ([remove("bank", "via")], {"net"}, set()),
    "a word line open between two cells": (
        [
            remove("bank", "met1", lambda box: box[0][0] == 0 and box[1][1] * 1000 == TOP),
            add("bank", "met1", 0, TOP - HEAD, W - 200, TOP),
        ],
        {"net"},
        set(),
    ),
    "a gate without contact": (
        [remove("bank", "licon", lambda box: 0.85 < box[0][1] < 0.9)],
        {"net"},
        set(),
    ),
    "a resistor without contact": (
        [remove("bank", "licon", lambda box: box[1][1] - box[0][1] > 1 and box[0][0] < 1)],
        {"net"},
        {"rpm.1g"},
    ),
    "swapped pins of bit lines": ([relabel({"b_0": "b_1", "b_1": "b_0"})], {"net"}, set()),
    "swapped pins of gates": (
        [relabel({"g_0_1_0": "g_1_1_0", "g_1_1_0": "g_0_1_0"})],
        {"net"},
        set(),
    ),
    "a pin without label": ([relabel({"g_0_0_0": ""})], {"no label"}, set()),
    "a label that is no pin": ([relabel({"g_0_0_0": "q"})], {"no label", "extra label"}, set()),
    "no implant of the switches": (
        [remove("bank", "nsdm")],
        {"missing"},
        {"nsd.9"},
    ),
    "the other implant over the switches": (
        [add("bank", "psdm", 0, 1205, W, 2455)],
        set(),
        {"nsd.8", "psd.7"},
    ),
    "no mask of high resistance": ([remove("bank", "urpm")], {"missing"}, {"rpm.3"}),
    "a transistor too many": (
        [add("bank", "poly", 50, 1300, 1800, 1450)],
        {"extra"},
        {"poly.2", "licon.17"},
    ),
    "thin interconnect": ([add("bank", "li", 605, 2340, 1295, 2400)], None, {"li.1"}),
    "off the grid": ([add("bank", "met2", 3, 3, 303, 303)], set(), {"x.1b"}),
    "thin metal": ([add("tile", "met1", -1500, -500, 500, -400)], set(), {"m1.1"}),
    "vias too near": (
        [add("bank", "via", *(W / 2 + d for d in (-75,)), 1500, W / 2 + 75, 1650)],
        set(),
        {"via.2"},
    ),
    "a via beside its metal": (
        [add("tile", "via", -1000, 5000, -850, 5150)],
        set(),
        {"via.4a", "m2.4", "via.5a", "m2.5"},
    ),
    "a slanted wire": ([lambda cells: _slanted(cells["tile"])], set(), {"x.2"}),
}


def _slanted(cell):
    import gdstk

    cell.add(gdstk.Polygon([(-1.5, -0.5), (-1.0, -0.5), (-1.0, 0.0)], layer=67, datatype=20))


@pytest.fixture(scope="module")
def judged(klayout, tmp_path_factory):
    """Name of a fault -> what comparison and rules say."""
    folder = tmp_path_factory.mktemp("faults")
    paths = [
        write_edited(folder / f"{number}.gds", LAYOUT, *edits)
        for number, (edits, _, _) in enumerate(FAULTS.values())
    ]
    compared = compare_files(paths, LAYOUT.netlist())
    checked = check_files(paths)
    return dict(zip(FAULTS, zip(compared, checked, strict=True), strict=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_by_the_comparison_or_by_a_rule(fault, judged):
    comparison, report = judged[fault]
    _, differing, rules = FAULTS[fault]
    if differing is not None:
        assert differing <= set(comparison.differing), comparison.table()
        assert comparison.ok == (not differing), comparison.table()
    assert rules <= set(report.broken), report.table()
    assert (comparison.ok and report.ok) == (fault == "nothing")


def told(judged, fault):
    return [str(difference) for difference in judged[fault][0].differences]


def test_joined_nets_are_told_with_their_labels_places(judged):
    x = sum(GEOMETRY.bit_line) / 2000
    (line,) = told(judged, "two bit lines joined")
    assert line == (
        f"nets b_0 and b_1 are joined: b_0 at ({x:.3f}, -1.850) um, "
        f"b_1 at ({x + W / 1000:.3f}, -1.850) um"
    )


def test_a_longer_resistor_is_told_by_name_place_and_length(judged):
    lines = told(judged, "a resistor 100 nm longer")
    y = (H + FOOT + HEAD + (4400 - 100) / 2) / 1000
    place = f"({RIGHT / 1000:.3f}, {y:.3f}) um"
    assert f"X0_0.R1, resistor at {place}: L must be 4.4 um, is 4.5 um" in lines
    assert len(lines) == 2 * 4  # length and ohms in each of four cells


def test_swapped_pins_are_told_by_device_and_both_nets(judged):
    found = [line for line in told(judged, "swapped pins of bit lines") if "X0_0.M0" in line]
    assert len(found) == 1
    assert found[0].endswith("S must be on b_0, is on b_1")


def test_a_broken_word_line_is_told_by_what_is_lost(judged):
    lines = told(judged, "a word line open between two cells")
    assert any("net w_0" in line and "must join 6 terminals, joins 3" in line for line in lines)
    assert sum("A must be on w_1, is on an unnamed net" in line for line in lines) == 3


def test_a_net_in_two_labelled_pieces_is_open(klayout, tmp_path):
    def both_ends(cells):
        import gdstk

        y = (H + TOP - HEAD / 2) / 1000
        cells["tile"].add(gdstk.Label("w_0", (2 * W / 1000 - 0.5, y), layer=68, texttype=5))

    cut = FAULTS["a word line open between two cells"][0]
    path = write_edited(tmp_path / "open.gds", LAYOUT, *cut, both_ends)
    comparison = compare_masks(path, LAYOUT.netlist())
    assert comparison.differing["open"] == 1
    assert str(comparison.differences[0]).startswith("net w_0 is in 2 pieces, labelled at (")


@pytest.mark.parametrize("devices", ["primitive", "subcircuit"])
def test_arrays_of_any_shape_are_their_netlists(klayout, tmp_path, devices):
    for lengths, switch, lines in (
        ((4000, 4400), 1000, (1, 3)),
        ((2000, 2000, 2000), 1000, (2, 1)),  # equal resistors, which only their pins tell apart
        ((500, 5005, 800, 900, 1000), (420, 1000, 1200, 1200, 800), (2, 2)),
    ):
        layout = Layout(BankGeometry(lengths=lengths, switch=switch), *lines)
        layout.write(tmp_path / "tile.gds", force=True)
        comparison = compare_masks(tmp_path / "tile.gds", layout.netlist(devices))
        assert comparison.ok, comparison.table()
        assert comparison.matched == comparison.devices == 2 * len(lengths) * lines[0] * lines[1]


def test_another_length_by_5_nm_is_another_circuit(klayout, tmp_path):
    LAYOUT.write(tmp_path / "tile.gds")
    other = Layout(BankGeometry(lengths=(4000, 4405, 4840)), word_lines=2, bit_lines=2)
    comparison = compare_masks(tmp_path / "tile.gds", other.netlist())
    assert comparison.differing == {"value": 8}
    assert "2 devices" not in comparison.table()


def test_more_cells_than_the_netlist_has_differ(klayout, tmp_path):
    LAYOUT.write(tmp_path / "tile.gds")
    small = Layout(GEOMETRY, word_lines=2, bit_lines=1)
    comparison = compare_masks(tmp_path / "tile.gds", small.netlist())
    assert comparison.differing["extra"] == 2 * 2 * 3
    assert comparison.differing["extra label"] == 1 + 6
    assert comparison.matched == comparison.devices == 12


RING = """
.subckt tile g1 g2 g3 VSS
M1 x g1 y VSS sky130_fd_pr__nfet_01v8 L=0.15U W=1U
M2 y g2 z VSS sky130_fd_pr__nfet_01v8 L=0.15U W=1U
M3 z g3 x VSS sky130_fd_pr__nfet_01v8 L=0.15U W=1U
.ends
"""


@pytest.mark.parametrize(
    ("line", "other", "ok"),
    [
        ("", "", True),
        ("M2 y g2 z", "M2 z g2 y", True),
        ("M3 z g3 x", "M3 q g3 x", False),
        ("M2 y g2 z", "M2 y g2 x", False),
    ],
)
def test_nets_that_no_pin_names_are_followed_around_a_ring(line, other, ok):
    wanted, drawn = (
        read_netlist(text, "tile", rule_data("sky130")["models"])
        for text in (RING, RING.replace(line, other))
    )
    drawn.labels = [(pin, "li", 0.0, 0.0) for pin in sorted(drawn.pins)]
    comparison = compare(drawn, wanted)
    assert comparison.ok == ok, comparison.table()
    assert comparison.matched == 3


@pytest.mark.parametrize(
    ("netlist", "message"),
    [
        ("", "must define the subcircuit tile"),
        (".subckt tile a\n", "its last subcircuit must end with .ends"),
        (".subckt tile a\n.ends\n", "its subcircuit tile holds none"),
        (".subckt tile a\nC1 a b 1p\n.ends\n", "C1 must be a resistor with a model"),
        (".subckt tile a\nR1 a b 5k foo\n.ends\n", "R1 must be one of the devices .* not 'foo'"),
        (".subckt tile a\nX1 a tile\n.ends\n", "subcircuits must not contain themselves"),
        (
            (
                ".subckt p a b\nR1 a b 1 sky130_fd_pr__res_xhigh_po\n.ends\n"
                ".subckt tile a\nX1 a p\n.ends"
            ),
            "X1 must have 2 nets, as p has pins, not 1",
        ),
        (
            ".subckt tile a\nR1 a b 1..2 sky130_fd_pr__res_xhigh_po\n.ends",
            "R1 must have numbers for its values, not '1..2'",
        ),
    ],
)
def test_a_netlist_that_cannot_be_read_is_refused_in_one_line(netlist, message):
    with pytest.raises(FileError, match=message) as info:
        read_netlist(netlist, "tile", rule_data("sky130")["models"])
    assert "\n" not in str(info.value)


def test_a_netlist_is_read_with_continued_lines_units_and_nested_subcircuits():
    text = """* a comment
    .subckt cell w b VSS g
    XR w m VSS sky130_fd_pr__res_xhigh_po l=4.4
    + w=0.35
    M1 m g b VSS sky130_fd_pr__nfet_01v8 L=0.15U W = 1U
    .ends
    .subckt tile w_0 b_0 VSS g
    X1 w_0 b_0 VSS g cell
    .ends
    """
    circuit = read_netlist(text, "tile", rule_data("sky130")["models"])
    resistor, switch = circuit.devices
    assert (resistor.name, resistor.kind, resistor.values) == (
        "X1.XR",
        "resistor",
        {"L": 4.4, "W": 0.35},
    )
    assert switch.name == "X1.M1"
    assert switch.values == pytest.approx({"L": 0.15, "W": 1.0})
    assert resistor.nets["B"] == switch.nets["D"]
    assert circuit.nets[switch.nets["G"]] == "g"
