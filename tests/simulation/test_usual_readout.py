"""Switches chosen for the wires are read with them, and a read-out without them is told."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import xbar
from xbar.simulation.run import usual_readout
from xbar.training import calibrate

WEIGHTS = np.random.default_rng(3).normal(size=(6, 12))
INPUTS = np.random.default_rng(4).normal(size=(40, 12))


def made(wire: float = 20.0, *, wire_aware: bool = True) -> xbar.Program:
    bank = xbar.Bank(resistors=6, nominal=8e3)
    tile = xbar.Tile(word_lines=16, bit_lines=16, word_wire=wire, bit_wire=wire)
    design = xbar.Hardware(bank=bank, tile=tile)
    return xbar.compile({"fc": WEIGHTS}, design, seed=1, wire_aware=wire_aware)


def test_a_read_out_without_the_wires_that_switches_make_up_for_is_told() -> None:
    program, wanted = made(), INPUTS @ WEIGHTS.T
    with pytest.warns(xbar.XbarWarning, match="use readout 'nodal'"):
        ideal = program.run(INPUTS)
    with pytest.warns(xbar.XbarWarning, match="use readout 'nodal'"):
        xbar.simulate(program, {"fc": INPUTS})
    nodal = program.run(INPUTS, "nodal")
    assert np.linalg.norm(ideal - wanted) > 5 * np.linalg.norm(nodal - wanted)


@pytest.mark.parametrize("program", [made(0.0), made(wire_aware=False)])
def test_without_wires_or_such_switches_nothing_is_told(program: xbar.Program) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program.run(INPUTS)
    assert usual_readout(program) == "ideal"


def test_the_usual_read_out_is_that_of_the_switches_or_of_the_corrections() -> None:
    assert usual_readout(made()) == "nodal"
    corrected = calibrate(made(wire_aware=False), INPUTS, what="columns", readout="nodal")
    assert usual_readout(corrected) == "nodal"
