"""The commands as a user types them: exit codes, stdout for results, one line for errors."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import xbar
from xbar.cli.main import VERBS


def test_help_lists_every_verb_and_needs_no_heavy_import():
    code = (
        "import sys; sys.argv = ['xbar', '--help']\n"
        "from xbar.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'ortools', 'numba', 'scipy', 'matplotlib', 'numpy'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for verb in ("compile", "simulate", "verify", "netlist", "solve", "demo"):
        assert verb in result.stdout
    assert result.stdout.rstrip().endswith("HEAVY []")


def test_help_says_in_a_whole_sentence_what_each_verb_does(run):
    lines = run("--help").stdout.partition("Commands:")[2].strip().splitlines()
    assert [line.split()[0] for line in lines] == list(VERBS)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


def test_no_verb_shows_help_and_ends_with_usage(run):
    assert run().returncode == 2
    assert run("--version").stdout == f"xbar {xbar.__version__}\n"
    assert run("fly").returncode == 2


def test_compile_tells_layers_and_residuals(work):
    content = json.loads((work / "compile.json").read_text())
    assert [layer["name"] for layer in content["layers"]] == ["conv", "hidden", "out"]
    assert content["resistors_per_cell"] == 6
    assert content["resistors_per_weight"] == 12
    loaded = xbar.Program.load(work / "out.xbar")
    residual = np.abs(np.concatenate([t.residual()[0].ravel() for t in loaded.tiles_of("hidden")]))
    assert content["layers"][1]["worst_residual"] == pytest.approx(residual.max(), rel=1e-9)


def test_compile_takes_another_mapping_and_rival_programming(
    call, refused, work, trained, tmp_path
):
    arguments = ("compile", trained.path, "--hardware", work / "chip.toml")
    code, out, _ = call(*arguments, "--mapping", "reference", "-o", tmp_path / "a", "--json")
    assert code == 0
    assert json.loads(out)["resistors_per_weight"] == 6
    rival = ("--programming", "residual", "--write-error", "0.03", "--scale-per", "tile")
    code, out, _ = call(*arguments, *rival, "-o", tmp_path / "b")
    assert code == 0
    assert "programming: residual, write error 3.00 %" in " ".join(out.split())
    options = xbar.Program.load(tmp_path / "b").options
    assert (options.programming, options.write_error, options.scale_per) == (
        "residual",
        0.03,
        "tile",
    )
    line = refused(*arguments, "--mapping", "other", "-o", tmp_path / "c")
    assert "mapping must be 'pair' or 'reference', not 'other'" in line


def test_compile_tells_how_tiles_are_used_and_what_faults_cost(call, work, trained, tmp_path):
    design = (work / "chip.toml").read_text()
    chip = design.replace("[tile]", "stuck_open = 0.4\n[tile]\nspare_word_lines = 2")
    (tmp_path / "chip.toml").write_text(chip)
    arguments = ("compile", trained.path, "--hardware", tmp_path / "chip.toml")
    found = {}
    for pack, swap in (("none", "never"), ("any", "never"), ("any", "faults")):
        options = ("--pack", pack, "--swap-lines", swap)
        code, out, _ = call(*arguments, *options, "-o", tmp_path / (pack + swap), "--json")
        assert code == 0
        found[pack, swap] = json.loads(out)
    alone, packed, swapped = found.values()
    for content in found.values():
        assert content["placement"]["tiles"] == content["tiles"]
        assert content["placement"]["bound"] <= content["tiles"]
    assert packed["tiles"] < alone["tiles"]
    assert len(swapped["unreachable"]) < 0.5 * len(packed["unreachable"])
    one = packed["unreachable"][0]
    program = xbar.Program.load(tmp_path / "anynever")
    devices = program.devices_of(one["layer"], one["output"], one["input"], one["group"])
    assert [vars(device) for device in devices] == one["devices"]
    code, out, _ = call(*arguments, "--swap-lines", "never", "-o", tmp_path / "text")
    assert code == 0
    assert "weights are out of range because of stuck or dead resistors; the worst:" in out
    assert "instead of" in out


def test_compile_twice_writes_the_same_bytes(call, work, trained, tmp_path):
    for name in ("a.xbar", "b.xbar"):
        code, _, _ = call(
            *("compile", trained.path, "--hardware", work / "chip.toml", "--seed", 7),
            *("-o", tmp_path / name),
        )
        assert code == 0
    a, b = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")}
        for n in ("a.xbar", "b.xbar")
    )
    assert a == b


def test_simulate_prints_what_the_library_finds(call, work, trained):
    code, out, _ = call(
        *("simulate", work / "out.xbar", "--data", trained.data),
        *("--readout", "nodal", "--trials", 2, "--json"),
    )
    assert code == 0
    with np.load(trained.data) as data:
        result = xbar.simulate(
            xbar.Program.load(work / "out.xbar"),
            data["inputs"],
            data["labels"],
            readout="nodal",
            trials=2,
        )
    assert json.loads(out) == json.loads(json.dumps(result.to_json()))
    code, out, _ = call("simulate", work / "out.xbar", "--data", trained.data)
    assert code == 0
    assert "accuracy" in out
    assert "hidden" in out


def test_verify_passes_with_real_activations(call, ngspice, work, trained):
    code, out, _ = call("verify", work / "out.xbar", "--data", trained.data, "--json")
    assert code == 0
    content = json.loads(out)
    assert content["passed"] is True
    assert content["worst"] < 1e-9
    code, out, _ = call("verify", work / "out.xbar", "--tiles", "0,2", "--detail", "resistor")
    assert code == 0
    assert out.count("pass") == 2


def test_verify_ends_with_1_when_the_check_does_not_hold(call, ngspice, work):
    code, out, _ = call("verify", work / "out.xbar", "--tiles", "0", "--tolerance", "1e-30")
    assert code == 1
    assert "FAIL" in out


def test_verify_ends_with_3_without_ngspice(run, work, tmp_path):
    result = run("verify", str(work / "out.xbar"), PATH=str(tmp_path))
    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "apt-get install ngspice" in result.stderr


def test_netlist_writes_what_the_tile_exports(call, refused, work, trained, tmp_path):
    path = tmp_path / "tile1.cir"
    code, out, _ = call(
        *("netlist", work / "out.xbar", "--tile", 1, "--dialect", "ngspice", "-o", path, "--json")
    )
    assert code == 0
    assert json.loads(out)["layer"] == "hidden"
    tile = xbar.Program.load(work / "out.xbar").tiles[1]
    assert path.read_text() == tile.netlist("ngspice").text
    assert "exists already" in refused("netlist", work / "out.xbar", "--tile", 1, "-o", path)
    code, out, _ = call("netlist", work / "out.xbar", "--tile", 1, "--data", trained.data)
    assert code == 0
    assert out != path.read_text()
    assert out.rstrip().endswith(".end")


def test_solve_finds_the_best_of_all_subsets(call):
    bank, target = [10e3, 20e3, 39e3, 47e3], 90e-6
    code, out, _ = call("solve", "--bank", "10k,20k,39k,47k", "--target", "90u", "--json")
    assert code == 0
    content = json.loads(out)
    sums = [sum(1 / r for i, r in enumerate(bank) if m >> i & 1) for m in range(16)]
    assert abs(content["residual"]) == pytest.approx(min(abs(s - target) for s in sums), rel=1e-9)
    assert content["status"] == "optimal"
    assert content["achieved"] == sum(
        1 / r for r, m in zip(bank, content["mask"], strict=True) if m
    )


def test_solve_takes_siemens_and_checks_a_tolerance(call):
    code, out, _ = call("solve", "--bank", "10uS,20uS,45uS", "--target", "55uS")
    assert code == 0
    assert "10uS, 45uS" in out
    arguments = ("solve", "--bank", "10uS,20uS", "--target", "26u", "--tolerance")
    assert call(*arguments, "3u")[0] == 1
    assert call(*arguments, "4.1u")[0] == 0


def test_solve_tells_its_method_why_and_what_is_out_of_reach(call):
    arguments = ("solve", "--bank", "10uS,20uS", "--target", "26u")
    content = json.loads(call(*arguments, "--json")[1])
    assert content["method"] == "meet-in-the-middle"
    assert content["reason"].startswith("K = 2")
    assert content["reachable"] is True
    assert "method     greedy (as asked)" in call(*arguments, "--method", "greedy")[1]
    out = call("solve", "--bank", "10uS,20uS", "--target", "31u", "--time-limit", "5")[1]
    assert "outside the bank's range" in out
    assert call(*arguments, "--time-limit", "0")[0] == 2


def test_progress_stays_away_from_stdout(run, work, trained):
    result = run("simulate", str(work / "out.xbar"), "--data", str(trained.data), "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["trials"] == 1
    assert result.stderr == ""


def test_verify_store_compares_checksums_without_an_engine(call, work, tmp_path):
    copy = tmp_path / "copy.xbar"
    shutil.copytree(work / "out.xbar", copy)
    code, out, _ = call("verify", copy, "--store", "--json")
    assert code == 0
    assert json.loads(out)["faults"] == []
    bundle = copy / "tiles" / "0.npz"
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"x")
    (copy / "more").write_text("")
    code, out, _ = call("verify", copy, "--store")
    assert code == 1
    assert "2 damaged" in out
    assert "more does not belong to it" in out
