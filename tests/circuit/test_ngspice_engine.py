"""The engine believes ngspice only when everything about its answer is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.engines.rawfile import read_raw
from xbar.circuit.engines.registry import ENGINES, get_engine
from xbar.circuit.netlist import Netlist, crossbar_netlist
from xbar.errors import EngineError, SpecError, ToolError


def deck(*lines, currents=("i(vs)",)):
    return Netlist("\n".join(["* deck", *lines, ".op", ".end", ""]), "ngspice", currents)


def pretend(tmp_path, monkeypatch, script):
    """Another program in ngspice's place."""
    program = tmp_path / "ngspice"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_the_sign_is_that_of_read(ngspice):
    crossbar = Crossbar([[1e-3], [2e-3]])
    for volts in ([1.0, 0.5], [-1.0, 0.25]):
        np.testing.assert_allclose(
            run(crossbar_netlist(crossbar, volts)), crossbar.read([volts])[0], rtol=1e-12
        )


def test_a_missing_ngspice_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="sudo apt-get install ngspice") as caught:
        run(crossbar_netlist(Crossbar([[1e-3]])))
    assert caught.value.exit_code == 3


def test_a_floating_node_is_an_error_although_ngspice_ends_with_0(ngspice):
    netlist = deck("Vs a 0 1", "R1 a 0 1k", "R2 b c 1k", "R3 b c 1k")
    with pytest.raises(EngineError, match=r"(?i)singular"):
        run(netlist)


def test_contradictory_sources_are_an_error(ngspice):
    with pytest.raises(EngineError):
        run(deck("Vs a 0 1", "V2 a 0 2", "R1 a 0 1k"))


def test_a_line_that_is_no_spice_is_an_error(ngspice):
    with pytest.raises(EngineError, match="nonsense a b unknown device type"):
        run(deck("Vs a 0 1", "R1 a 0 1k", "nonsense a b"))


def test_a_resistor_that_ngspice_silently_replaces_is_an_error(ngspice):
    with pytest.raises(EngineError, match="r2: resistance to low"):
        run(deck("Vs a 0 1", "R1 a 0 1k", "R2 a"))


def test_a_current_that_was_not_found_is_an_error(ngspice):
    with pytest.raises(EngineError, match=r"returned no i\(vs_7\)"):
        run(deck("Vs a 0 1", "R1 a 0 1k", currents=("i(vs)", "i(vs_7)")))


def test_a_sweep_is_not_an_operating_point(ngspice):
    text = "* sweep\nVs a 0 1\nR1 a 0 1k\n.dc Vs 0 1 0.5\n.end\n"
    with pytest.raises(EngineError, match="3 points"):
        run(Netlist(text, "ngspice", ("i(vs)",)))


def test_a_start_up_file_in_the_working_folder_is_not_run(ngspice, tmp_path, monkeypatch):
    (tmp_path / ".spiceinit").write_text("shell touch owned\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    run(crossbar_netlist(Crossbar([[1e-3]])))
    assert not (tmp_path / "owned").exists()


def test_a_title_that_sounds_like_a_failure_is_only_a_title(ngspice):
    netlist = replace(crossbar_netlist(Crossbar([[1e-3]])))
    text = netlist.text.replace("* crossbar", "* fatal error: singular matrix, floating")
    np.testing.assert_allclose(run(replace(netlist, text=text)), [1e-3], rtol=1e-12)


def test_an_engine_that_hangs_is_stopped(tmp_path, monkeypatch):
    pretend(tmp_path, monkeypatch, "exec sleep 30")
    with pytest.raises(EngineError, match=r"did not finish within 0\.3 s"):
        run(crossbar_netlist(Crossbar([[1e-3]])), timeout=0.3)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo all is well", "wrote no result: all is well"),
        ("exit 0", "wrote no result: its log is empty"),
        ("echo boom; exit 7", "exit code 7: boom"),
        ("echo 'Warning: Singular Matrix: check node b'", "Singular Matrix: check node b"),
        ("echo nothing > out.raw", "no binary data"),
    ],
)
def test_a_run_without_an_answer_is_an_error(tmp_path, monkeypatch, script, message):
    pretend(tmp_path, monkeypatch, script)
    with pytest.raises(EngineError, match=message):
        run(crossbar_netlist(Crossbar([[1e-3]])))


def test_a_netlist_in_another_dialect_is_refused():
    with pytest.raises(SpecError, match="not 'spectre'"):
        run(Netlist("", "spectre", ()))


def test_each_engine_is_found_by_its_name():
    for name in ENGINES:
        assert get_engine(name).name == name
    assert get_engine("ngspice").run is run
    with pytest.raises(SpecError, match="engine must be one of ngspice, pyspice, not 'hspice'"):
        get_engine("hspice")


# result files ---------------------------------------------------------------------------------


def raw(table, values, points=1, flags="real", extra="", count=None):
    head = f"Title: * x\nDate: today\nPlotname: Operating Point\nFlags: {flags}\n"
    head += (
        f"No. Variables: {len(table) if count is None else count}\nNo. Points: {points}\n{extra}"
    )
    head += "Variables:\n" + "".join(f"\t{k}\t{n}\tcurrent\n" for k, n in enumerate(table))
    return head.encode() + b"Binary:\n" + np.array(values, "<f8").tobytes()


@pytest.mark.parametrize("name", ["i(vs_0)", "I(Vs_0)", "vs_0#branch", "VS_0#BRANCH"])
def test_a_current_has_one_name_whichever_way_it_is_written(name):
    vectors = read_raw(
        raw(["v(a)", name], [1.0, 2.0], extra="Command: version 46\nOption: a b c\n")
    )
    assert list(vectors) == ["v(a)", "i(vs_0)"]
    assert vectors["i(vs_0)"] == 2.0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no binary data"),
        (raw(["a"], [1.0])[:-3], "cut short"),
        (raw(["a", "b"], [1.0, 2.0], count=3), "has 2 vector names but announces 3"),
        (raw(["a"], [1.0], flags="complex"), "complex"),
        (raw(["a"], [1.0], points="many"), "'no. points' as a number"),
        (b"Binary:\n", "'no. variables' as a number"),
    ],
)
def test_a_damaged_result_file_is_an_error(data, message):
    with pytest.raises(EngineError, match=message):
        read_raw(data)


def test_a_current_that_is_not_finite_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "answer").write_bytes(raw(["i(vs_0)"], [np.nan]))
    pretend(tmp_path, monkeypatch, f"cat {tmp_path}/answer > out.raw")
    with pytest.raises(EngineError, match=r"nan A for i\(vs_0\)"):
        run(crossbar_netlist(Crossbar([[1e-3]])))
