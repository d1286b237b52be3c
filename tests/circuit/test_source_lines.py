"""Arrays with source lines: ladders, the general solver, dense nodal analysis and ngspice."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from xbar.circuit.curve import Curve
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.nonlinear import SinhCell
from xbar.circuit.source_lines import SourceLines
from xbar.errors import SpecError

WIRES = [
    {"source_wire": 3.0, "bit_wire": 2.0, "source": 40.0, "load": 25.0},
    {"source_wire": 3.0, "bit_wire": 0.0},
    {"bit_wire": 5.0, "load": 10.0},
    {"source": 1e3, "source_wire": 0.5, "bit_wire": 1.0},
    {"source_wire": 1e4, "bit_wire": 2e4},
]


def array(seed=0, shape=(7, 6), **options):
    cells = np.random.default_rng(seed).uniform(0, 2e-3, shape)
    cells[2, 1] = 0.0
    return SourceLines(cells, **options)


def bits(seed, count, lines, volts=0.3):
    return volts * np.random.default_rng(seed).integers(0, 2, (count, lines))


def dense(found, volts):
    """(B,) amperes by dense Kirchhoff equations of the array at one input."""
    level, cells = volts.max(), found.conductance * (volts > 0)[:, None]
    rows, lines = cells.shape
    signs = 2 if found.paired else 1
    result = []
    for j in range(lines // signs):
        rails = [*range(signs * j, signs * j + signs), None]
        nodes = [(rail, i) for rail in rails for i in range(rows)]
        index = {node: k for k, node in enumerate(nodes)}
        matrix, right = np.zeros((len(index), len(index))), np.zeros(len(index))

        def join(a, b, siemens, matrix=matrix, right=right, index=index):
            """b: a node, or a voltage."""
            matrix[index[a], index[a]] += siemens
            if isinstance(b, tuple):
                matrix[index[b], index[b]] += siemens
                matrix[index[a], index[b]] -= siemens
                matrix[index[b], index[a]] -= siemens
            else:
                right[index[a]] += siemens * b

        tiny, out = 1e-7, []  # ohms of an ideal wire
        for place, rail in enumerate(rails):
            ohms = found.bit_wire if rail is None else found.source_wire
            outer = found.load if rail is None else found.source
            held = 0.0 if rail is None else (level, -level)[place]
            for i in range(rows - 1):
                join((rail, i), (rail, i + 1), 1 / (ohms or tiny))
            lower = (found.sense == "bottom") == (rail is None)
            ends = (0, rows - 1) if found.sense == "both" else ((rows - 1,) if lower else (0,))
            for end in ends:
                siemens = 1 / ((ohms + outer) or tiny)
                join((rail, end), held, siemens)
                if rail is None:
                    out.append((index[(rail, end)], siemens))
            if rail is not None:
                for i in range(rows):
                    join((rail, i), (None, i), cells[i, rail])
        volt = np.linalg.solve(matrix, right)
        result.append(sum(volt[node] * siemens for node, siemens in out))
    return np.array(result)


@pytest.mark.parametrize("wires", WIRES, ids=str)
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
@pytest.mark.parametrize("paired", [False, True])
def test_ladders_are_the_nodal_solution(wires, sense, paired):
    found, volts = array(sense=sense, paired=paired, **wires), bits(1, 6, 7)
    current = found.read(volts)
    exact = found.solve(volts)
    assert np.abs(current - exact.current).max() <= 1e-12 * np.abs(current).max()
    for n, one in enumerate(volts):
        expected = dense(found, one)
        assert np.abs(current[n] - expected).max() <= 1e-7 * np.abs(expected).max()


@pytest.mark.parametrize("paired", [False, True])
def test_ideal_lines_add_the_cells_that_are_on(paired):
    found, volts = array(paired=paired), bits(2, 5, 7)
    each = volts @ found.conductance
    expected = each[:, 0::2] - each[:, 1::2] if paired else each
    assert np.abs(found.read(volts) - expected).max() < 1e-18
    nearly = array(paired=paired, source_wire=1e-9).read(volts)
    assert np.abs(nearly - expected).max() < 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
@pytest.mark.parametrize("paired", [False, True])
def test_ngspice_agrees_cell_by_cell(ngspice, sense, paired):
    found, volts = array(3, sense=sense, paired=paired, **WIRES[0]), bits(3, 1, 7)
    theirs = run(crossbar_netlist(found, volts[0]))
    assert np.abs(found.read(volts)[0] - theirs).max() <= 1e-9 * np.abs(theirs).max()


@pytest.mark.parametrize("paired", [False, True])
def test_cells_that_bend_agree_with_ngspice(ngspice, paired):
    found, volts = array(4, paired=paired, **WIRES[0]), bits(4, 1, 7, 0.5)
    law = SinhCell(found.conductance, 0.2)
    ours = found.solve(volts, law, 1e-12)
    curve = Curve(np.zeros((0, 7, 6, 1)), sinh=0.2)
    theirs = run(crossbar_netlist(found, volts[0], curve=curve))
    assert np.abs(ours.current[0] - theirs).max() <= 1e-9 * np.abs(theirs).max()
    assert np.abs(ours.current[0] - found.read(volts)[0]).max() > 1e-3 * np.abs(theirs).max()


@pytest.mark.parametrize("wires", [{}, WIRES[0]], ids=str)
@pytest.mark.parametrize("paired", [False, True])
def test_the_drivers_supply_what_the_resistors_turn_into_heat(wires, paired):
    found, volts = array(5, paired=paired, **wires), bits(5, 4, 7)
    solved = found.solve(volts)
    across = solved.source_voltage - solved.bit_voltage
    supplied = (solved.cell_current.sum(axis=1) * found.sign).sum(axis=1) * volts.max(axis=1)
    assert np.abs(found.power(volts) - supplied).max() <= 1e-11 * supplied.max()
    assert (supplied >= (solved.cell_current * across).sum(axis=(1, 2)) * (1 - 1e-12)).all()


def test_contrasts_of_many_decades_lose_no_digits():
    """One cell on, behind two lines of the same ohms: a series circuit."""
    cells = np.full((50, 1), 1e-12)
    found = SourceLines(cells, source_wire=1e-3, bit_wire=2e-3)
    volts = np.zeros((1, 50))
    volts[0, 20] = 1.0
    ohms = 21 * 1e-3 + 30 * 2e-3 + 1e12
    assert found.read(volts)[0, 0] == pytest.approx(1 / ohms, rel=1e-14)


def test_an_input_of_several_levels_is_refused():
    with pytest.raises(SpecError, match="bit by bit"):
        array().read([[0.1, 0.2, 0, 0, 0, 0, 0]])
    with pytest.raises(SpecError, match="bit by bit"):
        array().read([[-0.1, 0, 0, 0, 0, 0, 0]])
    with pytest.raises(SpecError, match="even"):
        array(shape=(3, 5), paired=True)
    with pytest.raises(SpecError, match="source_wire"):
        array(source_wire=-1.0)


def test_no_inputs_give_no_currents_and_copies_are_equal():
    found = pickle.loads(pickle.dumps(array(paired=True, **WIRES[0])))
    assert found.read(np.zeros((0, 7))).shape == (0, 3)
    assert found.solve(np.zeros((0, 7))).current.shape == (0, 3)
    assert np.array_equal(found.read(np.zeros((2, 7))), np.zeros((2, 3)))
