"""``xbar op``: voltages and currents of a deck as a table, JSON and CSV."""

import csv
import json

import pytest

DECK = """a divider
V1 in 0 10
R1 in out 3k
R2 out 0 1k
"""


@pytest.fixture
def deck(tmp_path):
    path = tmp_path / "deck.cir"
    path.write_text(DECK)
    return path


def test_the_table_shows_every_voltage_and_current(call, deck):
    code, out, err = call("op", deck)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["out", "2.5", "V"] in lines
    assert ["r2", "2.5", "mA"] in lines
    assert ["v1", "-2.5", "mA"] in lines


def test_json_has_the_numbers_in_si_units(call, deck):
    code, out, _ = call("op", deck, "--json")
    content = json.loads(out)
    assert code == 0
    assert content["voltage"] == pytest.approx({"0": 0.0, "in": 10.0, "out": 2.5}, rel=1e-14)
    assert content["current"] == pytest.approx({"v1": -2.5e-3, "r1": 2.5e-3, "r2": 2.5e-3})
    assert content["floating"] == content["undetermined"] == []


def test_csv_has_a_line_for_each_quantity_and_replaces_nothing_unasked(
    call, refused, deck, tmp_path
):
    path = tmp_path / "op.csv"
    assert call("op", deck, "--csv", path)[0] == 0
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["quantity", "name", "value", "unit"]
    assert rows[3] == ["voltage", "out", "2.5", "V"]
    assert float(rows[-1][2]) == pytest.approx(2.5e-3, rel=1e-14)
    assert str(path) in refused("op", deck, "--csv", path)
    assert call("op", deck, "--csv", path, "--force")[0] == 0


def test_what_has_no_value_is_told_and_left_empty(call, refused, tmp_path):
    path = tmp_path / "deck.cir"
    path.write_text("loops\nV1 a 0 1\nRa a b 0\nRb a b 0\nR1 b 0 1\nR2 x y 1\n")
    code, out, err = call("op", path, "--csv", tmp_path / "op.csv")
    assert code == 0
    assert [line for line in out.splitlines() if line.endswith("-") and line[0] != "-"]
    told = err.splitlines()
    assert len(told) == 2
    assert "no current for 'ra', 'rb'" in told[0]
    assert "no voltage for 'x'" in told[1]
    lines = (tmp_path / "op.csv").read_text().splitlines()
    assert "voltage,x,,V" in lines
    assert "current,ra,,A" in lines
    content = json.loads(call("op", path, "--json", "--floating", "report")[1])
    assert content["voltage"]["x"] is None
    assert content["current"]["rb"] is None
    assert content["voltage"]["b"] == 1.0
    assert "connected to node 0" in refused("op", path, "--floating", "refuse")
    assert "one of warn, report, refuse" in refused("op", path, "--floating", "no")


def test_a_deck_that_cannot_be_read_is_one_line(refused, tmp_path):
    path = tmp_path / "deck.cir"
    path.write_text("title\nQ1 a b c model\n")
    assert "deck.cir:2" in refused("op", path)
    assert "none.cir" in refused("op", tmp_path / "none.cir")
    assert "dialect" in refused("op", path, "--dialect", "spectral")
