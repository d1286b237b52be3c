"""Foundries' decks: small ones that stand for them, run as the real ones are."""

from __future__ import annotations

import pytest
from masks import GEOMETRY, add, write_boxes, write_edited

from xbar.errors import EngineError, FileError, SpecError
from xbar.silicon.checks.deck import for_decks, run_netlist_deck, run_rule_deck
from xbar.silicon.layout import Layout

pytest.importorskip("gdstk")

RULES = """
source($input, $top_cell)
report("rules", $report)
raise "not asked for" unless $feol == "true"
met1 = input(68, 20)
met1.width(0.14.um).output("m1.1", "thin metal 1")
met1.space($apart ? $apart.to_f : 0.14).output("m1.2", "metal 1 too near")
"""
COMPARISON = """
source($input, $top_cell)
report_lvs($report)
deep
schematic($schematic)
poly, marker = input(66, 20), input(66, 13)
diff, licon, li, mcon = input(65, 20), input(66, 44), input(67, 20), input(67, 44)
met1, via, met2, tap = input(68, 20), input(68, 44), input(69, 20), input(65, 44)
wire, gate, ends, bulk = poly - marker, diff & poly, diff - poly, make_layer
extract_devices(mos4("NFET"), { "SD" => ends, "G" => gate, "tG" => wire, "W" => bulk })
extract_devices(resistor("XHIGH", 2000), { "R" => poly & marker, "C" => wire })
[ends, wire, tap].each { |below| connect(below, licon) }
connect(licon, li)
connect(li, mcon)
connect(mcon, met1)
connect(met1, via)
connect(via, met2)
[[li, 67], [met1, 68], [met2, 69]].each { |metal, number| connect(metal, labels(number, 5)) }
connect_global(bulk, "VSS")
connect_global(tap, "VSS")
same_circuits("tile", "tile")
netlist.make_top_level_pins
netlist.purge
abort "netlists differ" unless compare
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.drc"
    path.write_text(RULES)
    return path


def test_violations_are_counted_by_rule_with_places_and_the_decks_words(klayout, tmp_path, rules):
    boxes = [("met1", (0, 0, 100, 5000)), ("met1", (1000, 0, 1100, 3000))]
    boxes += [("met1", (5000, 0, 5500, 500)), ("met1", (5600, 0, 6000, 500))]
    gds = write_boxes(tmp_path / "tile.gds", boxes)
    report = run_rule_deck(gds, rules, "tile")
    assert not report.ok
    assert report.broken == {"m1.1": 2, "m1.2": 1}
    assert report.rules == 2
    assert report.words["m1.1"] == "thin metal 1"
    assert set(report.places["m1.1"]) == {(0.05, 2.5), (1.05, 1.5)}
    assert report.places["m1.2"] == ((5.55, 0.25),)
    assert "thin metal 1" in report.table()


def test_a_drawing_that_keeps_the_deck_is_ok_and_variables_reach_it(klayout, tmp_path, rules):
    gds = write_boxes(
        tmp_path / "tile.gds", [("met1", (0, 0, 500, 500)), ("met1", (700, 0, 1200, 500))]
    )
    assert run_rule_deck(gds, rules, "tile").ok
    strict = run_rule_deck(gds, rules, "tile", {"apart": "0.3"})
    assert strict.broken == {"m1.2": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise 'no such layer'", "klayout failed on deck.drc: .*no such layer"),
        ("puts 'nothing to do'", "deck.drc wrote no report: nothing to do"),
        ("File.write($report, '<report')", "deck.drc wrote a report that can't be read"),
    ],
)
def test_a_deck_that_fails_is_told_in_one_line(klayout, tmp_path, text, message):
    deck = tmp_path / "deck.drc"
    deck.write_text(text + "\n")
    gds = write_boxes(tmp_path / "tile.gds", [("met1", (0, 0, 500, 500))])
    with pytest.raises(EngineError, match=message) as info:
        run_rule_deck(gds, deck, "tile")
    assert "\n" not in str(info.value)


def test_missing_files_and_names_that_are_none_are_refused(klayout, tmp_path, rules):
    gds = write_boxes(tmp_path / "tile.gds", [("met1", (0, 0, 500, 500))])
    with pytest.raises(FileError, match=r"none\.drc: can't be read"):
        run_rule_deck(gds, tmp_path / "none.drc", "tile")
    with pytest.raises(FileError, match=r"none\.gds: can't be read"):
        run_rule_deck(tmp_path / "none.gds", rules, "tile")
    with pytest.raises(SpecError, match="must have a name of"):
        run_rule_deck(gds, rules, "tile", {"a b": "1"})


def small_netlist(layout):
    """The layout's circuit with the names of the small deck's devices."""
    text = layout.netlist()
    names = {"sky130_fd_pr__nfet_01v8": "NFET", "sky130_fd_pr__res_xhigh_po": "XHIGH"}
    for name, short in names.items():
        text = text.replace(name, short)
    return text


def test_a_deck_that_compares_is_read_from_its_database(klayout, tmp_path):
    deck = tmp_path / "compare.lvs"
    deck.write_text(COMPARISON)
    layout = Layout(GEOMETRY, word_lines=1, bit_lines=2)
    layout.write(tmp_path / "tile.gds")
    same = run_netlist_deck(tmp_path / "tile.gds", small_netlist(layout), deck, "tile")
    assert same.ok, same.table()
    assert set(same.circuits.values()) == {"match"}

    longer = add("bank", "poly_res", 240, GEOMETRY.foot + 2060, 590, GEOMETRY.foot + 2160)
    other = write_edited(tmp_path / "other.gds", layout, longer)
    differs = run_netlist_deck(other, small_netlist(layout), deck, "tile")
    assert not differs.ok
    assert differs.circuits["bank / BANK"] != "match"
    assert differs.differing["device"] >= 1
    assert any("match with a warning" in line for line in differs.differences)
    assert "do not match" in differs.table()


def test_decks_are_given_metres_and_resistors_named_by_their_width():
    layout = Layout(GEOMETRY, word_lines=1, bit_lines=1)
    text = for_decks(layout.netlist("subcircuit"))
    assert "XR1 w m1 VSS sky130_fd_pr__res_xhigh_po_0p35 l=4.4u w=0.35u" in text
    assert "XM1 m1 g1 b VSS sky130_fd_pr__nfet_01v8 l=0.15u w=1u" in text


def test_a_layout_checks_itself_with_a_deck(klayout, rules):
    assert Layout(GEOMETRY, word_lines=1, bit_lines=1).check(rules).ok
