"""``xbar fit`` as a user types it: a law is printed, a design works, bad input is one line."""

import json
import tomllib

import numpy as np
import pytest

import xbar

RNG = np.random.default_rng(7)
TIMES = (1, 100, 10_000)


@pytest.fixture
def devices(tmp_path):
    """A wide table of 120 devices in two groups, which drift."""
    kind = RNG.uniform(size=120) < 0.4
    g = np.where(kind, 8.0 + 0.4 * RNG.normal(size=120), 14.0 + 0.8 * RNG.normal(size=120))
    nu = 0.05 + 0.01 * RNG.normal(size=120)
    lines = ["device;1 s [uS];100 s [uS];10000 s [uS]"]
    for number in range(120):
        noise = 1 + 0.002 * RNG.normal(size=3)
        each = g[number] * np.array(TIMES) ** -nu[number] * noise
        cells = ";".join(f"{one:.4f}".replace(".", ",") for one in each)
        lines.append(f"d{number};{cells}")
    (tmp_path / "devices.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "devices.csv"


def test_a_law_is_printed_with_intervals_tests_and_what_is_not_in_the_data(call, devices):
    code, out, err = call("fit", devices)
    assert (code, err) == (0, "")
    told = ("drift.mean", "95 % from", "spread, mixture", "Anderson-Darling", "Not in the data")
    for word in (*told, "temperature coefficient: there is no column temperature"):
        assert word in out


def test_json_holds_parameters_law_and_limits(call, devices):
    code, out, _ = call("fit", devices, "--json")
    content = json.loads(out)
    assert (code, content["devices"], content["readings"]) == (0, 120, 360)
    by_name = {one["name"]: one for one in content["parameters"]}
    assert by_name["drift.mean"]["low"] < 0.05 < by_name["drift.mean"]["high"]
    assert content["law"]["drift"]["first"] == 1.0
    assert any("read noise" in line for line in content["unknown"])


def test_a_design_is_written_that_compiles_and_ages(call, devices, tmp_path):
    chip, picture = tmp_path / "to" / "chip.toml", tmp_path / "fit.svg"
    chip.parent.mkdir()
    law = tmp_path / "law.json"
    arguments = ("fit", devices, "-o", chip, "--law", law, "--resistors", 6, "--plot", picture)
    code, _, err = call(*arguments)
    assert (code, err) == (0, "")
    assert picture.read_bytes().startswith(b"<?xml")
    content = tomllib.loads(chip.read_text())
    assert content["device"]["table"] == "../law.json"
    design = xbar.Hardware.load(chip)
    assert (design.bank.resistors, design.bank.spread) == (6, "table")
    assert design.device == xbar.DeviceLaw.load(law)
    matrix = RNG.normal(size=(4, 10))
    program = xbar.compile(matrix, xbar.Chip.sample(design, 0))
    inputs = RNG.normal(size=(20, 10))
    later = program.on(program.chip.at(time="1e4 s", seed=0)).run(inputs)
    fresh = program.run(inputs)
    # drift by an exponent of 0.05: everything is 37 % less
    ratio = float((later * fresh).sum() / (fresh * fresh).sum())
    assert ratio == pytest.approx(1e4**-0.05, rel=0.05)
    assert call(*arguments)[0] == 2  # exists
    before = chip.read_bytes(), law.read_bytes(), picture.read_bytes()
    assert call(*arguments, "--force")[0] == 0
    assert before == (chip.read_bytes(), law.read_bytes(), picture.read_bytes())


def test_a_changed_law_is_not_taken(call, devices, tmp_path):
    chip = tmp_path / "chip.toml"
    assert call("fit", devices, "-o", chip)[0] == 0
    law = tmp_path / "chip.law.json"
    law.write_text(law.read_text().replace("drift", "Drift", 1))
    code, _, err = call("size", "--bits", 4, "--hardware", chip)
    assert code == 2
    assert "must be the device law that the design was written with" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--stuck", "3"), "--stuck must be two factors"),
        (("--stuck", "2,3"), "stuck must be two factors of the median, below and above 1"),
        (("--unit", "uS"), "leave the other unit out"),
        (("--voltage", "0.2"), "voltage is for currents"),
        (("--resistors", 4), "--resistors has no effect without -o"),
        (("--plot", "fit.bmp"), "a picture must end in"),
    ],
)
def test_options_that_do_not_fit_are_refused(call, devices, arguments, told):
    code, _, err = call("fit", devices, *arguments)
    assert code == 2
    assert told in err
    assert err.count("\n") == 1


def test_two_devices_make_no_design(call, tmp_path):
    (tmp_path / "two.csv").write_text("device,g [uS]\n0,10\n1,12\n")
    code, _, err = call("fit", tmp_path / "two.csv", "-o", tmp_path / "chip.toml")
    assert code == 2
    assert "2 devices are too few" in err
    assert not list(tmp_path.glob("*.toml")) + list(tmp_path.glob("*.json"))
