"""Every registered circuit solver gives the same answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.solvers import choice
from xbar.circuit.solvers.choice import SOLVERS, VOLTAGE_SOLVERS, get_solver
from xbar.circuit.solvers.grid import as_grid
from xbar.circuit.solvers.kirchhoff import residual
from xbar.errors import SolverError, SpecError

DRIVES, SENSES = ("left", "right", "both"), ("bottom", "top", "both")


def ohms(rng, shape, highest, ideal):
    return np.where(rng.random(shape) < ideal, 0.0, rng.uniform(0.01, 1, shape) * highest)


def random_crossbar(seed, most):
    """A crossbar with every option mixed, up to ``most`` lines a side, and voltages for it."""
    rng = np.random.default_rng(seed)
    lines, columns = rng.integers(1, most + 1, 2)
    drive, sense = rng.choice(DRIVES), rng.choice(SENSES)
    cells = 10 ** rng.uniform(-6, -3, (lines, columns))
    cells[rng.random(cells.shape) < rng.choice([0, 0.15])] = 0
    cells[rng.random(cells.shape) < rng.choice([0, 0.02])] = 1.0
    ideal = rng.choice([0.0, 0.1, 0.5, 1.0], 4)
    return Crossbar(
        cells,
        ohms(rng, (lines, columns + (drive == "both")), 20, ideal[0]),
        ohms(rng, (lines + (sense == "both"), columns), 20, ideal[1]),
        ohms(rng, lines, 500, ideal[2]),
        ohms(rng, columns, 100, ideal[3]),
        str(drive),
        str(sense),
    ), rng.uniform(-1, 1, lines)


def exchanged(crossbar):
    """The crossbar whose drivers and amplifiers have changed places."""
    drive = {"bottom": "right", "top": "left", "both": "both"}[crossbar.sense]
    sense = {"left": "top", "right": "bottom", "both": "both"}[crossbar.drive]
    return Crossbar(
        crossbar.conductance.T,
        crossbar.bit_wire.T,
        crossbar.word_wire.T,
        crossbar.load,
        crossbar.source,
        drive,
        sense,
    )


def riccati(cells, word, bit):
    """Transfer matrix (B, W) of one wire resistance each, column by column, densely.

    The word lines' remainders to the right of a column are a conductance matrix S (W, W) seen
    from that column; sweeping it leftwards leaves one dense W x W problem per column.
    """
    lines, columns = cells.shape
    chain = 2 * np.eye(lines) - np.eye(lines, k=1) - np.eye(lines, k=-1)
    chain[0, 0] = 1
    seen, passed, collected = np.zeros((lines, lines)), [], []
    for j in reversed(range(columns)):
        g = np.diag(cells[:, j])
        to_bit = np.linalg.solve(chain / bit + g, g)  # bit-line voltages per word-line voltage
        here = seen + g - g @ to_bit
        step = np.linalg.solve(here + np.eye(lines) / word, np.eye(lines) / word)
        seen = here @ step
        passed.append(step)
        collected.append(to_bit[-1] / bit)
    rows, volts = [], np.eye(lines)
    for step, row in zip(reversed(passed), reversed(collected), strict=True):
        volts = step @ volts
        rows.append(row @ volts)
    return np.array(rows)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    ("shape", "low", "high", "word", "bit"),
    [
        ((1, 1), -5, -3, 1.0, 2.0),
        ((24, 24), -6, -4, 1.0, 1.0),
        ((31, 7), -6, -3, 20.0, 5.0),
        ((7, 31), -9, -3, 5.0, 20.0),
        ((64, 64), -9, -3, 20.0, 20.0),
        ((20, 20), -6, -4, 1e-3, 1e-3),
    ],
)
def test_transfer_agrees_with_the_column_recursion(name, shape, low, high, word, bit):
    cells = 10 ** np.random.default_rng(0).uniform(low, high, shape)
    crossbar = Crossbar(cells, word, bit)
    expected = riccati(cells, word, bit)
    prepared = get_solver(name)(crossbar)
    np.testing.assert_allclose(prepared.transfer(), expected, rtol=1e-9)
    voltage = np.random.default_rng(1).uniform(0, 1, (3, shape[0]))
    np.testing.assert_allclose(prepared.current(voltage), voltage @ expected.T, rtol=1e-9)


@pytest.mark.parametrize("name", VOLTAGE_SOLVERS)
def test_voltages_obey_kirchhoffs_current_law(name):
    crossbar, voltage = random_crossbar(4, 40)
    word, bit = VOLTAGE_SOLVERS[name](crossbar).voltages(voltage[None])
    assert word.shape == bit.shape == (1, *crossbar.conductance.shape)
    assert residual(as_grid(crossbar), voltage, word[0], bit[0]) < 1e-10
    assert residual(as_grid(crossbar), voltage, 0.999 * word[0], bit[0]) > 1e-6


@pytest.mark.parametrize("name", SOLVERS)
def test_one_cell_is_a_series_circuit(name):
    prepared = get_solver(name)(Crossbar([[1 / 900]], 20, 30, 40, 10))
    np.testing.assert_allclose(prepared.transfer(), [[1e-3]], rtol=1e-14)
    np.testing.assert_allclose(prepared.current(np.array([[2.0]])), [[2e-3]], rtol=1e-14)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("cells", [1, 2, 12, 100])
def test_a_row_or_a_column_is_a_ladder(name, cells):
    g, r = 1e-3, 10.0
    seen = [g]  # from the far end: the conductance into which each cell is reached
    for _ in range(cells - 1):
        seen.append(g + 1 / (r + 1 / seen[-1]))
    volts, expected = 1.0, []
    for conductance in reversed(seen):
        volts *= (1 / conductance) / (r + 1 / conductance)
        expected.append(g * volts)
    row = get_solver(name)(Crossbar(np.full((1, cells), g), word_wire=r))
    np.testing.assert_allclose(row.transfer(), np.array([expected]).T, rtol=1e-12)
    column = get_solver(name)(Crossbar(np.full((cells, 1), g), bit_wire=r, sense="top"))
    np.testing.assert_allclose(column.transfer(), [expected], rtol=1e-12)


@pytest.mark.parametrize("name", SOLVERS)
@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_transfer_is_reciprocal_and_passive(name, seed):
    crossbar, _ = random_crossbar(seed, 20)
    transfer = get_solver(name)(crossbar).transfer()
    largest = crossbar.conductance.max()
    turned = get_solver(name)(exchanged(crossbar)).transfer()
    np.testing.assert_allclose(turned.T, transfer, rtol=1e-9, atol=1e-10 * largest)
    assert transfer.min() >= 0
    assert np.all(transfer.sum(axis=1) <= crossbar.conductance.sum(axis=0) * (1 + 1e-10))
    assert np.all(transfer.sum(axis=0) <= crossbar.conductance.sum(axis=1) * (1 + 1e-10))


@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), most=st.sampled_from([3, 20, 80]))
def test_all_solvers_agree_to_1e_9_of_the_largest_current(seed, most):
    crossbar, voltage = random_crossbar(seed, most)
    transfers = [prepare(crossbar).transfer() for prepare in SOLVERS.values()]
    currents = [prepare(crossbar).current(voltage[None])[0] for prepare in SOLVERS.values()]
    for transfer, current in zip(transfers, currents, strict=True):
        assert np.abs(transfer - transfers[0]).max() <= 1e-9 * transfers[0].max()
        assert np.abs(current - currents[0]).max() <= 1e-9 * np.abs(currents[0]).max()


@pytest.mark.parametrize("seed", range(50))
def test_all_solvers_agree_with_ngspice_to_1e_9(ngspice, seed):
    crossbar, voltage = random_crossbar(seed, 20)
    expected = run(crossbar_netlist(crossbar, voltage))
    for prepare in SOLVERS.values():
        prepared = prepare(crossbar)
        for current in (prepared.current(voltage[None])[0], prepared.transfer() @ voltage):
            assert np.abs(current - expected).max() <= 1e-9 * np.abs(expected).max()


class Foretold:
    """A method whose answers are recognised."""

    def __init__(self, crossbar):
        self.shape = crossbar.conductance.shape

    def transfer(self):
        return np.full(self.shape[::-1], 7.0)

    def voltages(self, voltage):
        return (np.full((len(voltage), *self.shape), 2.0),) * 2


class Failing(Foretold):
    def voltages(self, voltage):
        raise SolverError("too hard")


class Last(Foretold):
    def solve(self, voltage):
        cells = np.full((len(voltage), *self.shape), 5.0)
        return cells, cells, cells, cells[:, 0], np.zeros(len(voltage))


def test_a_crossbar_is_solved_by_the_methods_of_the_registry(monkeypatch):
    crossbar = Crossbar(np.full((2, 3), 1e-3), 1.0, 1.0)
    monkeypatch.setitem(SOLVERS, "foretold", Foretold)
    monkeypatch.setattr(choice, "TRANSFER", "foretold")
    np.testing.assert_array_equal(crossbar.transfer, np.full((3, 2), 7.0))
    monkeypatch.setitem(VOLTAGE_SOLVERS, "foretold", Foretold)
    monkeypatch.setitem(VOLTAGE_SOLVERS, "failing", Failing)
    monkeypatch.setattr(choice, "VOLTAGES", ("failing", "foretold"))
    np.testing.assert_array_equal(crossbar.solve([[1.0, 1.0]]).word_voltage, np.full((1, 2, 3), 2))
    monkeypatch.setattr(choice, "VOLTAGES", ("foretold", "failing"))
    assert crossbar.solve([[1.0, 1.0]]).bit_voltage[0, 1, 2] == 2.0
    monkeypatch.setattr(choice, "VOLTAGES", ("failing", "failing"))
    monkeypatch.setattr(choice, "DirectSolver", Last)
    assert crossbar.solve([[1.0, 1.0]]).word_voltage[0, 1, 2] == 5.0


def test_a_solver_that_does_not_exist_is_refused():
    with pytest.raises(SpecError, match=r"circuit solver must be one of direct, .*, not 'guess'"):
        get_solver("guess")
