"""The decks in netlists/ are what xbar writes today, and ngspice finds what is written beside."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import Netlist

FOLDER = Path(__file__).parents[2] / "netlists"


def load_make():
    spec = importlib.util.spec_from_file_location("netlists_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


REFERENCES = list(load_make().references())


def answer(reference):
    return json.loads((FOLDER / f"{reference.file}.json").read_text())


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.file)
def test_the_deck_and_its_answer_are_byte_for_byte_what_xbar_writes(reference):
    advice = "run make netlists, and look at the difference"
    written = (FOLDER / reference.file).read_bytes()
    assert written == reference.netlist.text.encode(), advice
    assert (FOLDER / f"{reference.file}.json").read_bytes() == reference.answer().encode(), advice


def test_make_writes_every_deck_and_its_answer(tmp_path, capsys):
    load_make().main(tmp_path)
    names = {r.file for r in REFERENCES} | {f"{r.file}.json" for r in REFERENCES}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert names <= {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize(
    "reference", [r for r in REFERENCES if r.netlist.dialect == "ngspice"], ids=lambda r: r.file
)
def test_ngspice_finds_the_answer_that_is_written_beside_the_deck(ngspice, reference):
    expected = answer(reference)
    text = (FOLDER / reference.file).read_text()
    found = run(Netlist(text, "ngspice", tuple(expected["current"])))
    np.testing.assert_allclose(found, list(expected["current"].values()), rtol=2e-9)


@pytest.mark.parametrize(
    "reference", [r for r in REFERENCES if r.netlist.dialect != "spectre"], ids=lambda r: r.file
)
def test_our_own_reader_finds_it_in_every_dialect_that_it_reads(reference):
    op = xbar.read_spice(FOLDER / reference.file).solve()
    for name, amperes in answer(reference)["current"].items():
        assert op.current[name[2:-1]] == pytest.approx(amperes, rel=2e-9)


def test_every_dialect_is_among_the_reference_decks():
    assert {r.netlist.dialect for r in REFERENCES} == {"ngspice", "xyce", "hspice", "spectre"}
