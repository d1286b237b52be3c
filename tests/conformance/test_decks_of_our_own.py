"""A deck that xbar wrote and read again is the crossbar that it was written from."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.switches import SwitchedBank

LEVELS = ["cell", "resistor", "bank"]


def example(seed, shape=(5, 4, 3), ratio=1e3):
    rng = np.random.default_rng(seed)
    on = 1e-4 * rng.lognormal(0.0, 0.5, shape)
    cells = SwitchedBank(on, on / ratio, rng.random(shape) < 0.6)
    drive, sense = ("left", "right", "both")[seed % 3], ("bottom", "top", "both")[seed % 2]
    crossbar = xbar.Crossbar(cells.branch.sum(axis=2), 1.5, 2.0, 50.0, 10.0, drive, sense)
    return crossbar, cells, rng.uniform(-1, 1, shape[0])


@pytest.mark.parametrize("dialect", ["ngspice", "xyce", "hspice"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(3))
def test_the_transfer_matrix_is_the_same_to_1e_12(tmp_path, dialect, level, seed):
    crossbar, cells, volts = example(seed)
    branch = {"cell": None, "resistor": cells.branch, "bank": cells}[level]
    path = tmp_path / "tile.cir"
    crossbar_netlist(crossbar, volts, dialect=dialect, branch=branch).write(path)
    circuit = xbar.read_spice(path)

    network = circuit.network
    place = {label: k for k, label in enumerate(network.labels)}
    lines, columns = crossbar.conductance.shape
    driven = [place[f"d_{i}"] for i in range(lines)]
    sensed = [place[f"s_{j}"] for j in range(columns)]
    transfer = -network.reduced[np.ix_(sensed, driven)]
    np.testing.assert_allclose(transfer, crossbar.transfer, rtol=1e-12)

    op = circuit.solve()
    current = [op.current[f"vs_{j}"] for j in range(columns)]
    scale = np.abs(crossbar.transfer) @ np.abs(volts)
    assert np.all(np.abs(current - crossbar.read([volts])[0]) <= 1e-12 * scale)


@pytest.mark.parametrize("level", LEVELS)
def test_voltages_and_cell_currents_are_those_of_the_crossbars_own_solution(tmp_path, level):
    crossbar, cells, volts = example(3)
    branch = {"cell": None, "resistor": cells.branch, "bank": cells}[level]
    crossbar_netlist(crossbar, volts, branch=branch).write(tmp_path / "tile.cir")
    op = xbar.read_spice(tmp_path / "tile.cir").solve()
    solution = crossbar.solve([volts])
    for i, j in np.ndindex(*crossbar.conductance.shape):
        assert op.voltage[f"w_{i}_{j}"] == pytest.approx(solution.word_voltage[0, i, j], rel=1e-11)
        names = [f"rc_{i}_{j}"] if level == "cell" else [f"rc_{i}_{j}_{k}" for k in range(3)]
        if level == "bank":
            names = [f"r.xc_{i}_{j}.rr{k}" for k in range(3)]
        total = sum(op.current[name] for name in names)
        assert total == pytest.approx(solution.cell_current[0, i, j], rel=1e-10)


def test_a_bank_that_leaks_nothing_reads_back_as_well(tmp_path):
    crossbar, cells, volts = example(4, ratio=np.inf)
    crossbar_netlist(crossbar, volts, branch=cells).write(tmp_path / "tile.cir")
    op = xbar.read_spice(tmp_path / "tile.cir").solve()
    found = [op.current[f"vs_{j}"] for j in range(4)]
    scale = np.abs(crossbar.transfer) @ np.abs(volts)
    assert np.all(np.abs(found - crossbar.read([volts])[0]) <= 1e-12 * scale)
