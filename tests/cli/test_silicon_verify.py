"""``xbar silicon verify``: exit codes, tables and JSON."""

import json

import numpy as np
import pytest
from silicon_designs import design

import xbar
from xbar.hardware.toml import to_toml


@pytest.fixture(scope="module")
def saved(gf180mcu, tmp_path_factory):
    weights = np.random.default_rng(0).standard_normal((2, 3))
    hardware = design(gf180mcu, 3, 4, word_wire=4.0, bit_wire=3.0)
    program = xbar.compile({"fc": weights}, xbar.Chip.sample(hardware, 0), wire_aware=True)
    path = tmp_path_factory.mktemp("silicon") / "out.xbar"
    program.save(path)
    return path


def test_cells_are_verified_under_a_condition(call, saved):
    at = ("--cells", "2x4", "--corner", "ss", "--temperature", "85", "--supply", "3 V")
    code, out, err = call("silicon", "verify", saved, *at)
    assert (code, err) == (0, "")
    assert "2 x 4 cells as transistors of gf180mcu, ss, 85 C, 3 V" in out
    code, out, _ = call("silicon", "verify", saved, *at, "--json")
    content = json.loads(out)
    assert code == 0
    assert content["passed"] is True
    assert content["cells"] == [2, 4]
    assert (content["corner"], content["temperature"], content["supply"]) == ("ss", 85.0, 3.0)


def test_what_does_not_hold_ends_with_one(call, saved):
    code, out, _ = call("silicon", "verify", saved, "--cells", "1x2", "--tolerance", "1e-13")
    assert code == 1
    assert "FAIL" in out


def test_a_sweep_is_a_table_of_conditions(call, saved):
    code, out, _ = call("silicon", "verify", saved, "--cells", "1x2", "--sweep", "--json")
    points = json.loads(out)["points"]
    assert code == 0
    conditions = {(p["corner"], p["temperature"], p["supply"]) for p in points}
    assert {
        ("tt", 27.0, 3.3),
        ("ss", 27.0, 3.3),
        ("tt", 85.0, 3.3),
        ("tt", 27.0, 2.97),
    } <= conditions
    assert len(points) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cells", "8"), "--cells must be word lines x bit lines such as 8x8, not '8'"),
        (("--cells", "2x3"), "an even number from 2, not 2 x 3"),
        (("--tile", "1"), "tile must be from 0 to 0, not 1"),
        (("--supply", "3 ohm"), "must be in V, not '3 ohm'"),
        (("--corner", "zz"), "corner of gf180mcu must be one of"),
        (("--sweep", "--corner", "ss"), "--corner has no effect without one condition"),
    ],
)
def test_bad_options_are_one_line(refused, saved, arguments, message):
    assert message in refused("silicon", "verify", saved, *arguments)


def test_models_that_are_missing_end_with_three(call, saved, tmp_path):
    code, _, err = call("silicon", "verify", saved, "--pdk", tmp_path)
    assert code == 3
    assert "no models of gf180mcu" in err


def test_a_tile_is_measured_compiled_and_verified(call, refused, gf180mcu, tmp_path):
    chip, table, out = tmp_path / "chip.toml", tmp_path / "measured.csv", tmp_path / "out.xbar"
    hardware = design(gf180mcu, 2, 4, word_wire=0.4, bit_wire=0.7)
    chip.write_text(to_toml(hardware))
    arguments = ("silicon", "measure", chip, "-o", table, "--mismatch", "2")
    code, told, _ = call(*arguments, "--json")
    assert code == 0
    content = json.loads(told)
    assert content["branches"] == 2 * 4 * 3
    assert content["off"] < 1e-9 * content["on"][0]
    measured = xbar.Chip.from_measurement(table, hardware, behind_wires="line")
    low, high = content["on"]
    assert low < measured.on(0).min() * 1.001
    assert measured.on(0).max() == pytest.approx(high, rel=1e-3)
    weights = np.random.default_rng(0).standard_normal((2, 2))
    xbar.compile({"fc": weights}, measured, wire_aware=True).save(out)
    code, told, _ = call("silicon", "verify", out, "--cells", "2x4", "--mismatch", "2", "--json")
    assert code == 0
    assert json.loads(told)["weight_error"] < 1e-7
    assert "exists" in refused(*arguments)
    noisy = tmp_path / "noisy.npz"
    assert call(*arguments[:3], "-o", noisy, "--mismatch", "2", "--noise", "0.01")[0] == 0
    other = xbar.Chip.from_measurement(noisy, hardware, behind_wires="line")
    error = (other.on(0) / measured.on(0) - 1).std()
    assert 0.005 < error < 0.02


@pytest.mark.parametrize(
    ("lines", "arguments", "told"),
    [
        (2, ("--temperature", "-300"), "temperature must be from -100 to 200 C, not -300"),
        (2, ("--temperature", "nan"), "temperature must be a finite number, not nan"),
        (2, ("--noise", "5"), "noise is a fraction of each value and must be at most 0.2, not 5"),
        (2, ("--noise", "nan"), "noise must be a finite number from 0, not nan"),
        (2, ("--noise-seed", "1"), "--noise-seed has no effect without --noise"),
        (64, (), "at most 3,072 branches, which ngspice can hold, not 64 x 64 cells of 3"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(
    refused, gf180mcu, tmp_path, lines, arguments, told
):
    chip, table = tmp_path / "chip.toml", tmp_path / "measured.csv"
    chip.write_text(to_toml(design(gf180mcu, lines, lines)))
    assert told in refused("silicon", "measure", chip, "-o", table, *arguments)
    chip.write_text(to_toml(xbar.Hardware()))
    assert "must say its process" in refused("silicon", "measure", chip, "-o", table)
    assert not table.exists()
