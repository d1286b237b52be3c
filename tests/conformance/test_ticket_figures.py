"""The experiments of examples/tickets on found tickets, smaller: `make tickets` runs them whole."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "tickets"


@pytest.fixture
def script(monkeypatch):
    """A function from a script's name to its module."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_every_method_finds_a_ticket_of_the_digits(script, tmp_path, monkeypatch):
    curves = script("curves")
    arguments = "curves.py --tasks digits --shares 0.5 --seeds 1 --methods lottery constant 30"
    monkeypatch.setattr(sys, "argv", [*arguments.split(), "--output", str(tmp_path)])
    curves.main()
    found = json.loads((tmp_path / "curves_digits.json").read_text())
    dense = found["whole"]["dense"][0]
    assert dense > 94
    for name, shares in found["each"].items():
        assert shares["50%"][0] > dense - 4, name


def test_the_mask_is_what_was_learned_and_the_chip_answers_as_the_ticket(script):
    chips, networks = script("chips"), script("ticket_networks")
    task = networks.TASKS["digits"]
    found = chips.controls(task, task.load(), seed=0)
    assert found["ticket"] > 0.92
    assert found["compiled, ideal read-out"] == found["ticket"]
    assert found["answers that differ"] == 0
    assert found["nothing learned"] < 0.3
    assert found["moved to another chip"] < 0.3
