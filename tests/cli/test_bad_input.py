"""What a user gets wrong, or breaks off: one line, its exit code, and nothing half-written."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import xbar


def test_an_existing_program_is_refused_before_any_work(refused, work, trained):
    before = (work / "out.xbar" / "manifest.json").read_bytes()
    line = refused(
        *("compile", trained.path, "--hardware", work / "chip.toml", "-o", work / "out.xbar")
    )
    assert "exists already" in line
    assert (work / "out.xbar" / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "model.pt2"),
        (b"PK\x03\x04", "model.pt2"),
        (b"hello", "model.pt2"),
    ],
)
def test_a_damaged_model_is_refused_and_nothing_is_written(
    refused, work, tmp_path, content, message
):
    path = tmp_path / "model.pt2"
    path.write_bytes(content)
    line = refused("compile", path, "--hardware", work / "chip.toml", "-o", tmp_path / "o.xbar")
    assert message in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.pt2"]


def test_a_truncated_model_is_refused(refused, work, trained, tmp_path):
    path = tmp_path / "model.pt2"
    whole = trained.path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    line = refused("compile", path, "--hardware", work / "chip.toml", "-o", tmp_path / "o.xbar")
    assert "model.pt2" in line
    assert not (tmp_path / "o.xbar").exists()


def test_a_pickled_module_is_refused_unless_trusted(call, refused, work, trained, tmp_path):
    torch = pytest.importorskip("torch")

    path = tmp_path / "module.pt"
    torch.save(trained.module, path)
    arguments = ("compile", path, "--hardware", work / "chip.toml", "-o", tmp_path / "o.xbar")
    assert "--trust-pickle" in refused(*arguments)
    code, _, _ = call(*arguments, "--trust-pickle", "--input-shape", "1,8,8")
    assert code == 0


def test_a_state_dict_compiles_with_its_arch(run, work, trained, tmp_path):
    torch = pytest.importorskip("torch")

    torch.save(trained.module.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "mynet.py").write_text(
        "from collections import OrderedDict\n"
        "from torch import nn\n"
        "def build():\n"
        "    return nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 6, 3, stride=2, padding=1),\n"
        "        norm=nn.BatchNorm2d(6), relu=nn.ReLU(), flat=nn.Flatten(),\n"
        "        hidden=nn.Linear(96, 24), relu2=nn.ReLU(), out=nn.Linear(24, 10)))\n"
    )
    arguments = [
        *("compile", "weights.pt", "--hardware", str(work / "chip.toml"), "-o", "out.xbar"),
        *("--arch", "mynet:build", "--input-shape", "1,8,8"),
    ]
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    ours = xbar.Program.load(tmp_path / "out.xbar")
    theirs = xbar.Program.load(work / "out.xbar")
    for name, matrix in theirs.weights.items():
        np.testing.assert_array_equal(ours.weights[name], matrix)
    assert run(*arguments[:-2], "--force", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bank]\nresistor = 8", "bank.resistor is not a known key"),
        ("[bank]\nnominal = '4.7q'", "bank.nominal: a quantity must be"),
        ("[bank", "must be a TOML file"),
    ],
)
def test_a_bad_design_is_refused_by_its_key(refused, trained, tmp_path, text, message):
    (tmp_path / "chip.toml").write_text(text)
    arguments = ("--hardware", tmp_path / "chip.toml", "-o", tmp_path / "o.xbar")
    assert message in refused("compile", trained.path, *arguments)
    assert not (tmp_path / "o.xbar").exists()


def test_data_that_do_not_fit_are_refused(refused, work, tmp_path):
    np.savez(tmp_path / "small.npz", inputs=np.zeros((2, 1, 7, 7)))
    line = refused("simulate", work / "out.xbar", "--data", tmp_path / "small.npz")
    assert "(N, 1, 8, 8)" in line
    np.savez(tmp_path / "labels.npz", inputs=np.zeros((2, 1, 8, 8)), labels=[1, 77])
    line = refused("simulate", work / "out.xbar", "--data", tmp_path / "labels.npz")
    assert "labels must be under 10" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "OUT", "--data", "none.npz"), "none.npz"),
        (("simulate", "none.xbar", "--data", "none.npz"), "none.xbar: does not exist"),
        (("simulate", "OUT", "--data", "DATA", "--readout", "x"), "readout must be"),
        (("simulate", "OUT", "--data", "DATA", "--trials", 0), "trials must be"),
        (("verify", "OUT", "--tiles", "99"), "tile must be"),
        (("verify", "OUT", "--tiles", "a"), "--tiles must be"),
        (("verify", "OUT", "--engine", "abacus"), "abacus"),
        (("verify", "OUT", "--detail", "atom"), "--detail must be"),
        (("netlist", "OUT", "--tile", 99), "tile must be from 0 to"),
        (("netlist", "OUT", "--tile", 0, "--dialect", "latin"), "latin"),
        (("solve", "--bank", "10k,x", "--target", "1u"), "not 'x'"),
        (("solve", "--bank", "10k,0", "--target", "1u"), "above 0 ohm"),
        (("solve", "--bank", "10k", "--target", "nan"), "--target"),
        (("solve", "--bank", "10k", "--target", "14kohm"), "--target must be in S"),
        (("solve", "--bank", "10k", "--target", "1u", "--tolerance", "1 V"), "--tolerance must"),
        (("solve", "--bank", "10k,2 V", "--target", "1u"), "--bank must list resistances, or"),
        (("solve", "--bank", "-2uS", "--target", "1u"), "conductances above 0 S"),
        (("solve", "--bank", "10k", "--target", "1u", "--method", "luck"), "luck"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(refused, work, trained, arguments, message):
    places = {"OUT": work / "out.xbar", "DATA": trained.data}
    line = refused(*(places.get(a, a) if isinstance(a, str) else a for a in arguments))
    assert message in line


def test_warnings_are_one_line_each_on_stderr(call):
    code, out, err = call("solve", "--bank", "50u,20k", "--target", "60u", "--json")
    assert code == 0
    assert json.loads(out)["mask"] == [False, True]
    assert err == (
        "warning: --bank 50u is read as 50 µohm: a conductance in siemens? Then write 50uS\n"
    )
    code, out, err = call("solve", "--bank", "50uS,20k", "--target", "14k")
    assert code == 0
    assert err == "warning: --target 14k is read as 14 kS, far beyond the whole bank: siemens?\n"


def test_a_bad_input_shape_is_refused(refused, work, trained, tmp_path):
    for shape in ("a", "1,-8"):
        line = refused(
            *("compile", trained.path, "--hardware", work / "chip.toml"),
            *("-o", tmp_path / "o.xbar", "--input-shape", shape),
        )
        assert "--input-shape must be" in line


def test_an_output_that_can_not_be_written_is_told(refused, work, trained, tmp_path):
    line = refused(
        *("compile", trained.path, "--hardware", work / "chip.toml"),
        *("-o", tmp_path / "no" / "such" / "o.xbar"),
    )
    assert "can't be written" in line


def test_a_hostile_layer_name_can_not_command_the_terminal(call, tmp_path):
    hostile = "fc\x1b]0;owned\x07\r\n.control"
    program = xbar.compile({hostile: np.eye(3)}, xbar.Hardware(), seed=0)
    program.save(tmp_path / "a.xbar")
    (tmp_path / "a.npz").write_bytes(b"")
    np.savez(tmp_path / "a.npz", inputs=np.eye(3))
    for arguments in (
        ("simulate", tmp_path / "a.xbar", "--data", tmp_path / "a.npz"),
        ("netlist", tmp_path / "a.xbar", "--tile", 0),
    ):
        _, out, err = call(*arguments)
        assert "\x1b" not in out + err
        assert ".control" not in out.splitlines()


def test_interruption_ends_with_130_and_leaves_nothing(work, tmp_path):
    code = (
        "import sys\n"
        f"sys.argv = ['xbar', 'demo', '--output', {str(tmp_path / 'out')!r}]\n"
        "from xbar.cli.main import main\n"
        "print('ready', flush=True)\n"
        "main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert any(tmp_path.iterdir())  # it has begun to write under its hidden name
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error(work):
    code = (
        "import sys; from xbar.cli.main import main\n"
        f"sys.argv = ['xbar', 'netlist', {str(work / 'out.xbar')!r}, '--tile', '0']\n"
        "main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("*")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert err == ""


def test_a_measured_chips_unit_and_gaps_are_told(call, refused, trained, tmp_path):
    (tmp_path / "chip.toml").write_text(
        "[bank]\nresistors = 1\nnominal = '50k'\n[tile]\nword_lines = 128\nbit_lines = 64\n"
    )
    lines = ["tile,word_line,bit_line,resistor,on"]
    for place in np.ndindex(1, 128, 64, 1):
        lines.append(",".join(map(str, place)) + ("," if place == (0, 3, 4, 0) else ",20"))
    (tmp_path / "chip.csv").write_text("\n".join(lines))
    np.savez(tmp_path / "matrix.npz", a=np.eye(2))
    arguments = (
        *("compile", trained.path, "--hardware", tmp_path / "chip.toml"),
        *("-o", tmp_path / "o.xbar", "--measured", tmp_path / "chip.csv", "--only", "hidden"),
    )
    code, out, err = call(*arguments, "--measured-unit", "uS")
    assert (code, err) == (0, "")
    assert "assumed: measured chip: 1 resistor not measured, so taken as open" in out
    code, _, err = call(*arguments, "--force")
    assert code == 0
    assert err.count("\n") == 1
    assert "siemens? They may be in uS: give unit='uS'" in err
    line = refused(*arguments[:-4], "--only", "hidden", "--measured-unit", "uS", "--force")
    assert "--measured-unit needs --measured" in line
