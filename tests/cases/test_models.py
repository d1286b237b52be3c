"""Small networks of the kinds that people's files contain, each held to an independent answer.

models/models.json lists them, models/build_models.py writes them. ``equals`` is a part of the
output's largest value; ``tiles`` are (outputs, inputs) of matrices that must be layers;
``accuracy`` is at least this on a precise chip; ``refused`` is an error, a warning or a note.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.errors import XbarError

for package in ("torch", "onnx", "onnxruntime"):
    pytest.importorskip(package)

HERE = Path(__file__).parent / "models"
CASES = json.loads((HERE / "models.json").read_text())


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The networks, built once."""
    made = tmp_path_factory.mktemp("models")
    script = str(HERE / "build_models.py")
    run = subprocess.run([sys.executable, script, made], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return made


@pytest.fixture
def case_arrays(folder, monkeypatch, request):
    """The arrays of a case; the test runs in its folder, where ``arch`` is looked for."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    path = folder / f"{request.getfixturevalue('case')['name']}.npz"
    return dict(np.load(path)) if path.exists() else {}


def read(case, arrays):
    options = dict(case.get("open", {}))
    if "bind" in options:
        options["bind"] = {name: arrays[f"bind_{name}"] for name in options["bind"]}
    return xbar.read_model(case["file"], options.pop("input_shape", None), **options)


def compile_precisely(graph):
    bank = xbar.Bank(resistors=12, nominal="100k", spread="lognormal", sigma=0.3, on_off_ratio=1e4)
    return xbar.compile(
        graph, xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=128, bit_lines=128)), seed=0
    )


def said_about(case, arrays):
    """Everything that is said on reading and compiling: error, warnings, notes."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            graph = read(case, arrays)
            program = compile_precisely(graph)
        except XbarError as error:
            return str(error)
    notes = () if program.graph is None else program.graph.notes
    return " ".join([*(str(each.message) for each in heard), *graph.notes, *notes])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_network_of_this_kind_gives_its_reference(case, case_arrays):
    if "refused" in case:
        said = said_about(case, case_arrays).lower()
        assert all(any(word in said for word in group) for group in case["says"])
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's remarks on its own insides
        graph = read(case, case_arrays)
    if "equals" in case:
        got, want = graph.run(case_arrays["x"]), case_arrays["y"]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=case["equals"] * np.abs(want).max())
    matrices = [list(layer.matrix.shape[-2:]) for layer in graph.layers]
    for wanted in case.get("tiles", []):
        assert wanted in matrices
        matrices.remove(wanted)
    if "accuracy" in case:
        program = compile_precisely(graph)
        result = xbar.simulate(program, case_arrays["x"], case_arrays["labels"], seed=0)
        assert float(result.accuracy) >= case["accuracy"]
