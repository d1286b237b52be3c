"""``xbar silicon``: a group of commands."""

import json

import numpy as np
import pytest

import xbar


def test_the_group_lists_its_commands_and_ends_with_usage_without_one(run):
    shown = run("silicon")
    assert shown.returncode == 2
    lines = (shown.stdout + shown.stderr).partition("Commands:")[2].strip().splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["characterise", "design"]
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)
    assert run("silicon", "fly").returncode == 2
    assert run("silicon", "processes", "--help").returncode == 0


def test_processes_are_listed_with_what_to_install_where_models_are_missing(
    call, monkeypatch, tmp_path
):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    code, out, _ = call("silicon", "processes", "--pdk", tmp_path, "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)["processes"]}
    assert {"sky130", "gf180mcu"} <= set(rows)
    assert rows["sky130"]["models"] is None
    assert "no models of sky130" in rows["sky130"]["missing"]
    (tmp_path / "sky130.lib.spice").write_text("")
    code, out, _ = call("silicon", "processes", "--pdk", tmp_path, "--json")
    rows = {row["name"]: row for row in json.loads(out)["processes"]}
    assert rows["sky130"]["models"] == str(tmp_path)
    assert rows["sky130"]["found by"] == "--pdk"
    # however long the path: it can be copied
    _, out, _ = call("silicon", "processes", "--pdk", tmp_path)
    assert f"sky130: models in {tmp_path} (--pdk)" in out.splitlines()


def test_errors_of_the_group_are_one_line(refused, tmp_path):
    assert "must be a folder" in refused("silicon", "processes", "--pdk", tmp_path / "none")


def test_characterise_writes_a_design_that_compiles_and_its_pictures(
    call, refused, gf180mcu, tmp_path
):
    pytest.importorskip("matplotlib")
    chip, folder = tmp_path / "chip.toml", tmp_path / "figures"
    arguments = ("silicon", "characterise", "gf180mcu", "--resistors", "3", "--length", "20u")
    arguments += ("--sigma", "2%", "--samples", "20", "--word-lines", "8", "--bit-lines", "4")
    arguments += ("--wires", "0.4,0.7", "--series", "60")
    code, out, err = call(*arguments, "-o", chip, "--plot", folder, "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    hardware = xbar.Hardware.load(chip)
    assert hardware.bank.nominal_conductance == pytest.approx(content["conductance"], rel=1e-12)
    assert (hardware.tile.word_lines, hardware.tile.bit_lines) == (8, 4)
    assert (hardware.tile.word_wire, hardware.tile.bit_wire) == (0.4, 0.7)
    assert "# corner ss: G -" in chip.read_text()
    assert hardware.silicon.lengths == pytest.approx([20e-6, 22e-6, 24.2e-6], abs=1e-15)
    assert (hardware.silicon.process, hardware.silicon.switch) == ("gf180mcu", "3v3")
    weights = np.random.default_rng(0).standard_normal((2, 8))
    program = xbar.compile({"fc": weights}, xbar.Chip.sample(hardware, 0))
    assert np.abs(program.matrices()["fc"] - weights).max() < 0.2 * np.abs(weights).max()
    assert sorted(path.name for path in folder.iterdir()) == [
        "bend.png",
        "corners.png",
        "spread.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())
    # nothing is replaced, and that is told before anything runs
    assert "exists already" in refused(*arguments, "-o", chip)
    assert "exists already" in refused(*arguments, "--plot", folder)


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("tsmc65",), "process must be one of gf180mcu", 2),
        (("sky130", "--pdk", "nowhere"), "nowhere: must be a folder", 2),
        (("sky130", "--pdk", "."), "no models of sky130 (sky130.lib.spice)", 3),
        (("gf180mcu", "--length", "0.5u"), "length[0] must be from 1 µm", 2),
        (("gf180mcu", "--length", "20u,30u"), "length must be one or 8", 2),
        (("gf180mcu", "--length", "long"), "a quantity must be a number", 2),
        (("gf180mcu", "--switch", "1v8"), "switch of gf180mcu must be one of 3v3", 2),
        (("gf180mcu", "--wires", "1"), "--wires must be two resistances", 2),
        (("gf180mcu", "--test", "0.1 uV"), "test must be 0 or a voltage from 1 mV to within", 2),
        (("gf180mcu", "--sigma", "2"), "sigma must be one fraction below 0.3", 2),
        (("gf180mcu", "-o", "none/chip.toml", "--temperature", "900"), "temperature must be", 2),
    ],
)
@pytest.mark.filterwarnings("ignore::xbar.XbarWarning")
def test_characterise_refuses_bad_input_in_one_line(
    refused, gf180mcu, monkeypatch, tmp_path, arguments, told, code
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert told in refused("silicon", "characterise", *arguments, code=code)
    assert not list((tmp_path / "empty").iterdir())


def test_a_process_without_drawing_gets_ideal_wires_and_a_warning(call, gf180mcu, tmp_path):
    code, _, err = call(
        *("silicon", "characterise", "gf180mcu", "--resistors", "1", "--length", "20u"),
        *("--samples", "10", "-o", tmp_path / "chip.toml"),
    )
    assert code == 0
    assert "wires are ideal, because there is no drawing" in err
    assert "hold no mismatch of its resistor" in err
    plain = xbar.Hardware.load(tmp_path / "chip.toml")
    assert plain.tile.word_wire == 0
    # told between +-0.1 V, where velocity saturation lets a branch conduct less than at 0 V
    code, _, _ = call(
        *("silicon", "characterise", "gf180mcu", "--resistors", "1", "--length", "20u"),
        *("--samples", "10", "--test", "0.1 V", "-o", tmp_path / "other.toml"),
    )
    other = xbar.Hardware.load(tmp_path / "other.toml")
    assert (code, plain.bank.nonlinearity.test, other.bank.nonlinearity.test) == (0, None, 0.1)
    less = 1 - other.bank.nominal_conductance / plain.bank.nominal_conductance
    assert 1e-4 < less[0] < 4e-4
