"""What is exported is what is solved, and no name can become a command."""

from __future__ import annotations

import re

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.dialects.registry import DIALECTS, get_dialect
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist, number, sanitise
from xbar.circuit.switches import SwitchedBank
from xbar.errors import FileError, SpecError

ELEMENT = re.compile(r"[RV][A-Za-z0-9_]+ [A-Za-z0-9_]+ [A-Za-z0-9_]+ (dc )?\S+")
HOSTILE = "x\n.control\nshell touch owned\nquit\n.endc\n* "


def elements(netlist):
    lines = netlist.text.splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if line[0] in "RV"}


def test_every_element_has_the_numbers_of_its_lines():
    netlist = crossbar_netlist(Crossbar(np.full((2, 3), 1e-3), 1.0, 2.0, 3.0, 4.0))
    found = elements(netlist)
    assert found["Rc_1_2"] == ["w_1_2", "b_1_2", number(1000.0)]
    assert found["Rw_1_2"] == ["w_1_1", "w_1_2", number(1.0)]
    assert found["Rb_0_2"] == ["b_0_2", "b_1_2", number(2.0)]
    assert found["Rs_1_left"] == ["d_1", "e_1_left", number(3.0)]
    assert found["Rl_2_bottom"] == ["f_2_bottom", "s_2", number(4.0)]
    assert found["Vw_1"] == ["d_1", "0", "dc", number(1.0)]
    assert found["Vs_2"] == ["s_2", "0", "dc", number(0.0)]
    assert netlist.currents == ("i(vs_0)", "i(vs_1)", "i(vs_2)")
    assert len(found) == 5 + 3 * 6 + 2 + 3


def test_every_line_is_an_element_or_one_of_the_few_directives():
    rng = np.random.default_rng(0)
    crossbar = Crossbar(rng.uniform(0, 1e-3, (4, 5)), 1.0, 0.0, 2.0, 0.0, "both", "top")
    first, *lines = crossbar_netlist(crossbar, title=HOSTILE).text.splitlines()
    assert first == "* x__control_shell_touch_owned_quit__endc___"
    for line in lines:
        assert ELEMENT.fullmatch(line) or re.match(
            r"\.(options klu|save i\(vs_\d+\)|op|end)$", line
        )


def test_ideal_wires_join_nodes_and_no_resistor_of_zero_ohm_is_written():
    cells = np.array([[1e-3, 0.0], [2e-3, 3e-3]])
    assert set(elements(crossbar_netlist(Crossbar(cells)))) == {
        *("Vw_0", "Vw_1", "Vs_0", "Vs_1"),
        *("Rc_0_0", "Rc_1_0", "Rc_1_1"),
    }
    mixed = Crossbar(cells, [[0, 5], [0, 0]], [[0, 7], [0, 0]], [0, 3], 0, "right", "top")
    for name, line in elements(crossbar_netlist(mixed)).items():
        assert name.startswith("V") or float(line[-1]) > 0
        assert line[0] != line[1]


def test_a_segment_between_joined_ends_is_left_out():
    # both ends of the word line are at the driver, so its middle segment carries nothing
    crossbar = Crossbar([[1e-3, 1e-3]], [[0, 5, 0]], drive="both")
    assert not [name for name in elements(crossbar_netlist(crossbar)) if name.startswith("Rw")]
    np.testing.assert_allclose(crossbar.read([[1.0]]), [[1e-3, 1e-3]], rtol=1e-15)


def test_numbers_give_the_same_float_again():
    rng = np.random.default_rng(5)
    for value in [*rng.uniform(0, 1, 50), 0.1, 1e-9, 123456789.123456789, 1 / 3]:
        assert float(number(value)) == value
        assert len(number(value).split("e")[0].replace(".", "")) == 17


def test_the_same_crossbar_gives_the_same_text():
    crossbar = Crossbar(np.full((3, 3), 1e-4), 1.0)
    again = Crossbar(np.full((3, 3), 1e-4), 1.0)
    assert crossbar_netlist(crossbar).text == crossbar_netlist(again).text


def test_the_resistors_of_a_cell_are_elements_of_their_own():
    branch = np.array([[[1e-3, 0.0, 2e-3]]])
    found = elements(crossbar_netlist(Crossbar([[3e-3]]), branch=branch))
    assert found["Rc_0_0_0"] == ["d_0", "s_0", number(1000.0)]
    assert found["Rc_0_0_2"] == ["d_0", "s_0", number(500.0)]
    assert "Rc_0_0" not in found
    assert "Rc_0_0_1" not in found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"voltage": [1.0]}, r"voltage must have the shape \(2,\)"),
        ({"voltage": [[1.0, 2.0]]}, "one input vector"),
        ({"voltage": [1.0, np.nan]}, "not nan V at word line 1"),
        ({"dialect": "spice4"}, "dialect must be one of .*, not 'spice4'"),
        ({"branch": np.ones((2, 2))}, r"shape \(2, 2, K\)"),
        ({"branch": -np.ones((2, 2, 1))}, "branch must be finite and non-negative"),
        ({"branch": np.full((2, 2, 2), 0.4e-3)}, "add up to its conductance 0.001 S, not 0.0008 S"),
    ],
)
def test_export_refuses(arguments, message):
    with pytest.raises(SpecError, match=message):
        crossbar_netlist(Crossbar(np.full((2, 2), 1e-3)), **arguments)


@pytest.mark.parametrize(
    "title", [HOSTILE, "", "ng_script", ".include /etc/hosts", "`id`", "é\r\n+"]
)
def test_a_hostile_title_runs_nothing_and_changes_nothing(ngspice, title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    current = run(crossbar_netlist(Crossbar([[1e-3]]), title=title))
    np.testing.assert_allclose(current, [1e-3], rtol=1e-12)
    assert not list(tmp_path.iterdir())


def test_sanitised_names_are_names():
    for name in (HOSTILE, "", "a b", "é", "0.control", "fc1.weight"):
        assert re.fullmatch(r"[A-Za-z0-9_]+", sanitise(name))


# files ----------------------------------------------------------------------------------------


def test_a_written_netlist_is_whole(tmp_path):
    netlist = crossbar_netlist(Crossbar([[1e-3]]))
    netlist.write(tmp_path / "a.cir")
    assert (tmp_path / "a.cir").read_text() == netlist.text
    assert [path.name for path in tmp_path.iterdir()] == ["a.cir"]


def test_a_file_in_the_way_stays_unless_forced(tmp_path):
    path = tmp_path / "a.cir"
    path.write_text("mine")
    netlist = crossbar_netlist(Crossbar([[1e-3]]))
    with pytest.raises(FileError, match="exists already"):
        netlist.write(path)
    assert path.read_text() == "mine"
    netlist.write(str(path), force=True)
    assert path.read_text() == netlist.text


def test_a_place_that_can_not_be_written_is_told(tmp_path):
    with pytest.raises(FileError, match="can't be written"):
        crossbar_netlist(Crossbar([[1e-3]])).write(tmp_path / "no" / "such" / "folder.cir")
    with pytest.raises(FileError):
        crossbar_netlist(Crossbar([[1e-3]])).write(tmp_path, force=True)


def test_each_dialect_is_found_by_its_name():
    for name in DIALECTS:
        assert get_dialect(name).name == name


@pytest.mark.parametrize("title", ["layer." * 100, "é" * 500, "a b\n" * 200])
@pytest.mark.parametrize("dialect", ["ngspice", "xyce", "hspice", "spectre"])
def test_a_long_title_is_cut_to_one_short_line(title, dialect):
    text = crossbar_netlist(Crossbar([[1e-3]]), dialect=dialect, title=title).text
    assert max(map(len, text.splitlines())) < 100


def test_ngspice_reads_a_tile_whose_layer_has_a_long_name(ngspice):
    crossbar = Crossbar([[1e-3, 2e-3]], word_wire=1.0)
    deck = crossbar_netlist(crossbar, [0.2], title="features.0.conv.weight." * 40)
    found = run(deck)
    np.testing.assert_allclose(found, crossbar.read([[0.2]])[0], rtol=1e-9)


@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_floating_lines_of_open_cells_are_no_part_of_any_deck(ngspice, detail):
    rng = np.random.default_rng(3)
    on, closed = rng.uniform(1e-5, 2e-5, (5, 4, 2)), rng.random((5, 4, 2)) < 0.6
    closed[2], closed[:, 1] = False, False  # open from end to end
    closed[4] = closed[:, 3] = False
    closed[4, 3] = True  # two lines that float together
    branch = np.where(closed, on, 0.0)
    floats = np.inf
    crossbar = Crossbar(branch.sum(-1), 2.0, 3.0, [1, 1, floats, 1, floats], [5, floats, 5, floats])
    contents = {"cell": None, "resistor": branch}.get(detail, SwitchedBank(on, 0 * on, closed))
    volts = rng.uniform(0, 0.2, 5)
    deck = crossbar_netlist(crossbar, volts, branch=contents)
    expected = crossbar.read(volts[None])[0]
    assert np.abs(run(deck) - expected).max() < 1e-9 * np.abs(expected).max()
    assert not re.search(r"\b(w_(2|4)_\d|b_\d_(1|3))\b", deck.text)
