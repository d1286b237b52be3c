"""A Crossbar is a value, and says no to what it can't mean."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys

import attrs
import numpy as np
import pytest

from xbar.circuit.cells import LadderCell, ParallelCell
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.network import ResistorNetwork
from xbar.circuit.nonlinear import PolynomialCell, SinhCell
from xbar.circuit.switches import SwitchedBank
from xbar.errors import SpecError


def test_a_crossbar_is_a_value():
    cells = np.full((2, 2), 1e-3)
    crossbar = Crossbar(cells, 1.0)
    cells[0, 0] = 7
    assert crossbar.conductance[0, 0] == 1e-3
    for array in (crossbar.conductance, crossbar.word_wire, crossbar.transfer):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        crossbar.load = 3.0


def test_a_crossbar_survives_pickling_and_copying_after_it_was_solved():
    crossbar = Crossbar([[1e-3, 2e-3]], 1.0, 2.0)
    before = crossbar.read([[1.0]])
    for copied in (pickle.loads(pickle.dumps(crossbar)), copy.deepcopy(crossbar)):
        assert np.array_equal(copied.read([[1.0]]), before)
        assert not copied.conductance.flags.writeable
        assert not copied.word_wire.flags.writeable
        assert "transfer" not in vars(copied)


def test_a_crossbar_with_other_cells_keeps_its_wires_and_nothing_that_was_solved():
    crossbar = Crossbar([[1e-3, 2e-3]], [[1.0, 2.0, 3.0]], 2.0, 3.0, 4.0, "both", "top")
    before = crossbar.transfer
    other = attrs.evolve(crossbar, conductance=[[5e-3, 0.0]])
    written_out = Crossbar([[5e-3, 0.0]], [[1.0, 2.0, 3.0]], 2.0, 3.0, 4.0, "both", "top")
    np.testing.assert_array_equal(other.transfer, written_out.transfer)
    assert not np.array_equal(other.transfer, before)


@pytest.mark.parametrize(
    ("made", "arrays", "others"),
    [
        (
            Crossbar,
            ["conductance", "word_wire", "bit_wire", "source", "load"],
            {"drive": "left", "sense": "bottom"},
        ),
        (ResistorNetwork, ["tail", "head", "conductance"], {"labels": ()}),
        (ParallelCell, ["resistance"], {"switch_on": 0.0, "switch_off": np.inf}),
        (LadderCell, ["resistance", "rail"], {"switch_on": 0.0, "switch_off": np.inf}),
        (PolynomialCell, ["coefficients"], {}),
        (SinhCell, ["conductance"], {}),
        (SwitchedBank, ["on", "off", "closed"], {"switch_on": None}),
    ],
)
def test_a_signature_says_what_may_be_given_and_what_is_taken_otherwise(made, arrays, others):
    parameters = inspect.signature(made).parameters
    assert [parameters[name].annotation for name in arrays] == ["ArrayLike"] * len(arrays)
    assert {name: parameters[name].default for name in others} == others


def test_the_wires_of_a_crossbar_are_ideal_unless_they_are_given():
    parameters = inspect.signature(Crossbar).parameters
    wires = ("word_wire", "bit_wire", "source", "load")
    assert [parameters[name].default for name in wires] == [0.0] * 4
    assert parameters["conductance"].default is inspect.Parameter.empty
    np.testing.assert_array_equal(Crossbar([[1e-3, 2e-3]]).word_wire, np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (ResistorNetwork([0, 2], [2, 1], [1, 1], 2, ["a", "b", "c"]), ["tail", "conductance"]),
        (LadderCell([1, 2], rail=[3, 4]), ["resistance", "rail"]),
        (PolynomialCell([1, 0, 2]), ["coefficients"]),
        (SinhCell(1, 0.5), ["conductance"]),
        (SwitchedBank([[[1e-3]]], [[[0]]], [[[True]]]), ["on", "off", "closed"]),
    ],
)
def test_arrays_of_circuits_are_their_own_and_cannot_be_written_to(value, names):
    for copied in (value, pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        for name in names:
            array = getattr(copied, name)
            np.testing.assert_array_equal(array, getattr(value, name))
            assert array.dtype in (np.float64, np.int64, np.bool_)
    for name in names:
        assert not getattr(value, name).flags.writeable
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, names[0], 1.0)


@pytest.mark.parametrize("closed", [[[[1]]], [[["x"]]], [[[None]]]])
def test_a_switch_is_closed_or_not(closed):
    with pytest.raises(SpecError, match="closed must be True or False throughout, not"):
        SwitchedBank([[[1e-3]]], [[[0]]], closed)


def test_importing_crossbar_loads_no_heavy_package():
    code = (
        "import sys, xbar.circuit.crossbar, xbar.circuit.network, xbar.circuit.netlist;"
        "sys.exit(any(m.split('.')[0] in ('scipy', 'networkx', 'numba') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"conductance": [[1e-3, -1e-6]]}, r"not -1e-06 S at word line 0, bit line 1; map signed"),
        ({"conductance": [[1e-3], [np.nan]]}, "not nan S at word line 1, bit line 0"),
        ({"conductance": [[np.inf]]}, "finite and non-negative, not inf S"),
        ({"conductance": [[1e-310]]}, "zero or from 1e-100"),
        ({"conductance": [1e-3]}, r"shape \(W, B\)"),
        ({"conductance": np.zeros((0, 3))}, "at least one word line"),
        ({"conductance": [[1.0], [1.0, 2.0]]}, "rectangular array"),
        ({"conductance": [[1j]]}, "real numbers, not complex128"),
        ({"conductance": [["4.7k"]]}, "real numbers"),
        ({"word_wire": [[1.0]]}, r"word_wire must be a scalar or have the shape \(2, 3\), not"),
        ({"word_wire": [[0, 1, -2]] * 2}, "not -2.0 ohm at word line 0, segment 2"),
        ({"word_wire": np.ones((2, 3)), "drive": "both"}, r"shape \(2, 4\) \(a line with two"),
        ({"bit_wire": np.ones((2, 3)), "sense": "both"}, r"shape \(3, 3\)"),
        ({"bit_wire": np.inf}, "bit_wire must be finite"),
        ({"source": [1, 2, 3]}, r"source must be a scalar or have the shape \(2,\), not \(3,\)"),
        ({"load": [0, 0, np.nan]}, "load .* not nan ohm at bit line 2"),
        ({"drive": "top"}, "drive must be one of left, right, both, not 'top'"),
        ({"sense": "left"}, "sense must be one of bottom, top, both, not 'left'"),
    ],
)
def test_a_crossbar_refuses_what_it_cannot_mean(arguments, message):
    with pytest.raises(SpecError, match=message):
        Crossbar(**{"conductance": np.full((2, 3), 1e-3), **arguments})


@pytest.mark.parametrize(
    ("voltage", "message"),
    [
        ([1.0, 2.0], r"write voltage\[None, :\]"),
        (1.0, r"shape \(N, 2\)"),
        ([[1.0, 2.0, 3.0]], r"shape \(N, 2\), not \(1, 3\); one volt per word line"),
        ([[0.0, 1.0], [0.0, np.nan]], "not nan V at input 1, word line 1"),
        ([[1j, 0]], "real numbers"),
    ],
)
def test_read_and_solve_refuse_voltages_they_cannot_mean(voltage, message):
    crossbar = Crossbar(np.full((2, 3), 1e-3))
    for ask in (crossbar.read, crossbar.solve):
        with pytest.raises(SpecError, match=message):
            ask(voltage)
