"""``xbar simulate``: its options are the library's, and its text says what they found."""

import json

import numpy as np
import pytest

import xbar

CHIP = """
[bank]
resistors = 5
nominal = "10k"
[bank.nonlinearity]
sinh = "0.5 V"
[tile]
word_lines = 32
bit_lines = 32
word_wire = "2 ohm"
bit_wire = "2 ohm"
[dac]
bits = 6
bit_serial = 1
[adc]
bits = 6
shared = 4
ranging = "converter"
[variation]
read_noise = 0.02
"""


@pytest.fixture(scope="module")
def work(call, tmp_path_factory, trained):
    folder = tmp_path_factory.mktemp("work")
    (folder / "chip.toml").write_text(CHIP)
    code, _, _ = call(
        *("compile", trained.path, "--hardware", folder / "chip.toml"),
        *("-o", folder / "out.xbar"),
    )
    assert code == 0
    return folder


def test_every_option_is_the_librarys(call, work, trained):
    code, out, _ = call(
        *("simulate", work / "out.xbar", "--data", trained.data, "--readout", "nodal"),
        *("--trials", 2, "--noise-trials", 2, "--calibrate", "percentile", "--percentile", 99),
        *("--calibration", 50, "--precision", "float32", "--budget", "--cost", "--seed", 3),
        "--json",
    )
    assert code == 0
    with np.load(trained.data) as data:
        result = xbar.simulate(
            xbar.Program.load(work / "out.xbar"),
            data["inputs"],
            data["labels"],
            readout="nodal",
            trials=2,
            noise_trials=2,
            calibrate=xbar.simulation.calibration.Calibration("percentile", 99),
            calibration=50,
            precision="float32",
            budget=True,
            cost=True,
            seed=3,
        )
    assert json.loads(out) == json.loads(json.dumps(result.to_json()))


def test_the_text_tells_the_budget_and_the_noise(call, work, trained):
    code, out, _ = call(
        *("simulate", work / "out.xbar", "--data", trained.data, "--readout", "nodal"),
        *("--noise-trials", 2, "--calibrate", "max", "--precision", "float32", "--budget"),
    )
    assert code == 0
    assert "each read 2 times, ranges by max" in out
    rows = [line.split()[0] for line in out.splitlines() if line.strip()]
    parts = ["dac", "selection", "wires", "noise", "adc", "all"]
    assert [row for row in rows if row in parts] == parts
    assert "float32 products: output error" in out
    assert "standard deviation between reads" in out


def test_the_text_tells_the_cost(call, work, trained):
    code, out, _ = call("simulate", work / "out.xbar", "--data", trained.data, "--cost")
    assert code == 0
    found = xbar.simulation.cost.cost(
        xbar.Program.load(work / "out.xbar"), np.load(trained.data)["inputs"]
    )
    assert f"{found.configuration_bits} configuration bits" in out
    (row,) = [line for line in out.splitlines() if line.split()[:1] == ["all"]]
    assert str(found.devices) in row
    assert xbar.units.format_quantity(found.energy, "J") in row


def test_a_metric_of_the_users_is_told_by_its_name(call, work, trained, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def largest(outputs, labels): return outputs.max()")
    monkeypatch.chdir(tmp_path)
    code, out, _ = call(
        "simulate", work / "out.xbar", "--data", trained.data, "--metric", "mine:largest"
    )
    assert code == 0
    assert "mine:largest" in out.splitlines()[-1]
    assert "%" not in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--readout", "spice"), "readout must be"),
        (("--calibrate", "mean"), "calibrate must be one of"),
        (("--calibrate", "max", "--calibration", 0), "at least 1 input"),
        (("--calibrate", "percentile", "--percentile", 200), "percentile must be"),
        (("--precision", "float8"), "precision must be"),
        (("--metric", "nothing"), "module:callable"),
        (("--metric", "math:pi"), "must be a function"),
        (("--noise-trials", 0), "noise_trials must be at least 1"),
    ],
)
def test_bad_options_are_one_line(refused, work, trained, options, message):
    line = refused("simulate", work / "out.xbar", "--data", trained.data, *options)
    assert message in line


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.full((4, 1, 8, 8), np.nan)}, "inputs must be finite"),
        ({"inputs": np.zeros((4, 1, 8, 7))}, "takes inputs"),
        ({"inputs": np.zeros((4, 1, 8, 8)), "labels": np.array([0, 1, 2, 10])}, "under 10"),
        ({"inputs": np.zeros((4, 1, 8, 8)), "labels": np.array([0, 1, 2, -1])}, "from 0"),
        ({"inputs": np.zeros((4, 1, 8, 8)), "labels": np.zeros(3)}, "labels must have shape"),
    ],
)
def test_bad_data_are_one_line(refused, work, tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    assert message in refused("simulate", work / "out.xbar", "--data", tmp_path / "bad.npz")


def test_a_table_with_a_column_of_labels_is_data_and_what_was_assumed_is_told(
    call, work, trained, tmp_path
):
    with np.load(trained.data) as data:
        x, labels = data["inputs"].reshape(120, -1), data["labels"]
    head = ",".join([*(f"pixel {n}" for n in range(64)), "label"])
    rows = [",".join(map(repr, [*row.tolist(), int(n)])) for row, n in zip(x, labels, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]))
    found = []
    for file in (trained.data, tmp_path / "a.csv"):
        code, out, err = call("simulate", work / "out.xbar", "--data", file, "--json")
        assert (code, err) == (0, "")
        found.append(json.loads(out))
    plain, table = found
    assert table["accuracy"] == plain["accuracy"]
    assert plain["notes"] == []
    assert table["notes"] == [
        "the column label holds the labels",
        "inputs of shape (N, 64) are reshaped to (1, 8, 8)",
    ]
    _, out, _ = call("simulate", work / "out.xbar", "--data", tmp_path / "a.csv")
    assert "assumed: the column label holds the labels" in out


def test_a_limit_of_memory_leaves_the_answer_and_keeps_files(
    call, refused, work, trained, tmp_path, monkeypatch
):
    asked = ("simulate", work / "out.xbar", "--data", trained.data, "--readout", "nodal", "--json")
    code, out, _ = call(*asked)
    assert code == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        assert call(*asked, "--memory", "4G")[:2] == (0, out)
    assert len(list((tmp_path / "xbar" / "layers").iterdir())) == len(json.loads(out)["layers"])
    assert "memory must be" in refused(*asked, "--memory", "little")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "set XDG_CACHE_HOME" in refused(*asked, "--memory", "4G")
