"""Arrays with a configuration memory of the PDK's cells: checks, and faults that are found."""

from __future__ import annotations

import pytest

pytest.importorskip("gdstk")

from masks import GEOMETRY, LAYERS, add, relabel, remove, write_edited

from xbar.silicon.checks.compare import compare_files
from xbar.silicon.checks.deck import for_decks
from xbar.silicon.checks.rules import check_files, rule_data
from xbar.silicon.layout import Layout
from xbar.silicon.layout.memory import plan_memory
from xbar.silicon.layout.netlist import SQUARE
from xbar.silicon.process import Process

pytestmark = pytest.mark.sky130
PLAN = plan_memory(GEOMETRY)
GATE, DATA = PLAN.gates[0], PLAN.data


def on(track):
    """Whether a box (in um) is a wire on a track of metal 2."""
    return lambda box: abs((box[0][0] + box[1][0]) * 500 - track) < 1 and box[1][1] - box[0][1] > 1


def without_taps(cells):
    taps = [r for r in cells["cell"].references if "tapvpwrvgnd" in r.cell.name]
    assert taps
    cells["cell"].remove(*taps)


FAULTS = {
    "nothing": ((), set()),
    "two data lines joined": (
        [add("cell", "met2", DATA[0] - 70, 20, DATA[1] + 70, 160)],
        {"joined"},
    ),
    "a latch's output open": ([remove("cell", "met2", on(GATE))], {"net"}),
    "no enable line": (
        [remove("cell", "met1", lambda box: abs(box[0][1] * 1000 - PLAN.enable_line[0]) < 1)],
        {"net"},
    ),
    "swapped pins of data lines": (
        [relabel({"d_0_0": "d_0_1", "d_0_1": "d_0_0"})],
        {"value"},  # each latch then closes the other's branch
    ),
    "wells without taps": ([without_taps], {"net"}),
}


@pytest.fixture(scope="module")
def judged(klayout, sky130, tmp_path_factory):
    """Name of a fault -> what comparison and rules say."""
    folder = tmp_path_factory.mktemp("memory")
    layout = Layout(GEOMETRY, word_lines=2, bit_lines=2, memory=True)
    paths = [
        write_edited(folder / f"{number}.gds", layout, *edits)
        for number, (edits, _) in enumerate(FAULTS.values())
    ]
    compared = compare_files(paths, layout.netlist(), top="tile")
    checked = check_files(paths, top="tile")
    return dict(zip(FAULTS, zip(compared, checked, strict=True), strict=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_memory_is_found(fault, judged):
    comparison, report = judged[fault]
    _, differing = FAULTS[fault]
    assert differing <= set(comparison.differing), comparison.table()
    assert comparison.ok == (not differing), comparison.table()
    if fault == "nothing":
        assert report.ok, report.table()
        assert comparison.devices == 2 * 2 * 3 * 3  # resistor, switch and latch


def test_swapped_data_lines_close_resistors_of_other_lengths(judged):
    lines = [str(d) for d in judged["swapped pins of data lines"][0].differences]
    assert (
        sum("X0_0.Xbank.R0" in line and "L must be 4 um, is 4.4 um" in line for line in lines) == 1
    )


def test_an_open_output_is_told_by_its_latch(judged):
    lines = [str(d) for d in judged["a latch's output open"][0].differences]
    gate = "the net at G of X0_0.Xbank.M0"
    assert any(line.startswith(f"{gate} must join 2 terminals, joins 1") for line in lines), lines


def test_wires_behind_three_metals_take_what_two_take_and_a_little_more(sky130):
    with_memory = Layout(GEOMETRY, word_lines=1, bit_lines=1, memory=True).wires()
    without = Layout(GEOMETRY, word_lines=1, bit_lines=1).wires()
    more = with_memory.series - without.series
    assert all(0 <= extra < 2 for extra in more)
    width = PLAN.bit_line[1] - PLAN.bit_line[0]
    assert with_memory.bit_wire == pytest.approx(0.047 * PLAN.height / width, rel=1e-3)


def test_decks_see_a_netlist_without_the_level_whose_supply_is_in_pieces(sky130):
    text = for_decks(Layout(GEOMETRY, 1, 2, memory=True).netlist("subcircuit"))
    assert " cell\n" not in text
    assert "X2_0_1 d_1_2 e_0 VSS VSS VPWR VPWR g2_0_1 sky130_fd_sc_hd__dlxtp_1" in text
    assert "Xbank_0_1 w_0 b_1 VSS g0_0_1 g1_0_1 g2_0_1 bank" in text


def test_layers_of_the_drawing_have_the_numbers_that_are_checked():
    for name, numbers in GEOMETRY.rules.layers.items():
        if name in LAYERS:
            assert list(numbers) == LAYERS[name], name


def test_ohms_of_the_drawing_are_those_of_extraction_comparison_and_netlists():
    data, process = rule_data("sky130"), Process.named("sky130")
    assert GEOMETRY.rules.sheet.items() <= data["wires"]["sheet"].items()
    assert process.resistor.sheet == data["devices"]["resistance"] == SQUARE
    assert process.grid == pytest.approx(1e-9 * GEOMETRY.rules.grid, rel=1e-12)
    assert data["grid"] == GEOMETRY.rules.grid / 1000
