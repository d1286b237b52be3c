"""The PySpice engine: the netlist that ngspice gets, and clear errors where it is not installed."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

import xbar
from xbar.circuit.engines.ngspice import run as ngspice_run
from xbar.circuit.engines.pyspice import run
from xbar.circuit.netlist import Netlist, crossbar_netlist
from xbar.circuit.switches import SwitchedBank
from xbar.errors import EngineError, SpecError, ToolError


def pretend(tmp_path, monkeypatch, script):
    """Another package in PySpice's place."""
    package = tmp_path / "pretended" / "PySpice" / "Spice" / "NgSpice"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "Shared.py").write_text(script)
    monkeypatch.syspath_prepend(str(tmp_path / "pretended"))


@pytest.mark.parametrize("seed", range(5))
def test_random_crossbars_read_the_same_in_pyspice_ngspice_and_here(pyspice, ngspice, seed):
    rng = np.random.default_rng(seed)
    lines, columns = rng.integers(1, 12, 2)
    on = 1e-4 * rng.lognormal(0.0, 0.5, (lines, columns, 3))
    cells = SwitchedBank(on, on / 100, rng.random(on.shape) < 0.5)
    tile = xbar.Crossbar(cells.branch.sum(axis=2), rng.uniform(0, 3), 2.0, 50.0, 10.0)
    volts = rng.uniform(0, 1, lines)
    netlist = crossbar_netlist(tile, volts, branch=cells if seed % 2 else None)
    found = run(netlist)
    np.testing.assert_allclose(found, tile.read([volts])[0], rtol=1e-9)
    np.testing.assert_allclose(found, ngspice_run(netlist), rtol=1e-12)


def test_a_programmed_tile_is_verified_by_pyspice(pyspice):
    tile = xbar.Tile(word_lines=4, bit_lines=8, word_wire=1.0)
    chip = xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(resistors=3), tile=tile), seed=0)
    program = xbar.compile({"fc": np.eye(4)}, chip)
    found = xbar.verify(program, engine="pyspice", detail="bank")
    assert found.passed
    assert found.engine == "pyspice"


def test_a_singular_circuit_is_an_error_in_pyspice_too(pyspice):
    text = "* x\nVs a 0 1\nR1 a 0 1k\nR2 b c 1k\nR3 b c 1k\n.op\n.end\n"
    with pytest.raises(EngineError, match=r"(?i)singular"):
        run(Netlist(text, "ngspice", ("i(vs)",)))


def test_a_start_up_file_at_home_is_not_run(pyspice, tmp_path, monkeypatch):
    (tmp_path / ".spiceinit").write_text("shell touch owned\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    run(crossbar_netlist(xbar.Crossbar([[1e-3]])))
    assert not (tmp_path / "owned").exists()


def test_without_pyspice_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pip install 'xbar\[spice\]' and sudo apt-get") as caught:
        run(crossbar_netlist(xbar.Crossbar([[1e-3]])))
    assert caught.value.exit_code == 3


SHARED = """
class NgSpiceShared:
    stdout = stderr = ""
    last_plot = "op1"
    @classmethod
    def new_instance(cls):
        {new}
        return cls()
    def load_circuit(self, text): pass
    def run(self): {run}
    def plot(self, simulation, name):
        return {plot}
"""


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ({"new": "raise OSError('no such library')"}, ToolError, "can't load the ngspice library"),
        ({"run": "raise RuntimeError('boom')"}, EngineError, "boom"),
        ({"run": "print('Warning: singular matrix: check node b')"}, EngineError, "check node b"),
        ({"run": "import os; os._exit(7)"}, EngineError, "exit code 7"),
        ({"run": "import os; os._exit(0)"}, EngineError, "wrote no result"),
        ({"run": "import time; time.sleep(60)"}, EngineError, "did not finish within"),
        ({"plot": "{}"}, EngineError, r"returned no i\(vs_0\)"),
    ],
)
def test_a_run_of_pyspice_without_an_answer_is_an_error(
    tmp_path, monkeypatch, script, error, message
):
    parts = {"new": "pass", "run": "pass", "plot": "{}", **script}
    text = SHARED
    for name, part in parts.items():
        text = text.replace("{" + name + "}", part)
    pretend(tmp_path, monkeypatch, text)
    with pytest.raises(error, match=message):
        run(crossbar_netlist(xbar.Crossbar([[1e-3]])), timeout=0.5 if "sleep" in text else 30.0)


def test_pyspice_is_never_imported_into_our_own_process(pyspice):
    assert not [name for name in sys.modules if name.startswith("PySpice")]


def test_pyspice_takes_the_ngspice_dialect_only():
    with pytest.raises(SpecError, match="not 'xyce'"):
        run(crossbar_netlist(xbar.Crossbar([[1e-3]]), dialect="xyce"))
