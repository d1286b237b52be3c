"""ngspice is the independent answer for whole crossbars, whatever their wires."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist

DRIVES, SENSES = ("left", "right", "both"), ("bottom", "top", "both")


def ohms(rng, shape, highest, ideal):
    return np.where(rng.random(shape) < ideal, 0.0, rng.uniform(0, highest, shape))


def random_crossbar(seed):
    """Opens, ideal segments, every way to drive and sense; 32x32 among the sizes."""
    rng = np.random.default_rng(seed)
    lines, columns = (32, 32) if seed % 5 == 0 else rng.integers(1, 33, 2)
    drive, sense = DRIVES[seed % 3], SENSES[seed // 3 % 3]
    cells = 10 ** rng.uniform(-6, -3, (lines, columns))
    cells[rng.random(cells.shape) < 0.15] = 0
    ideal = rng.choice([0.0, 0.1, 0.5])
    return Crossbar(
        cells,
        ohms(rng, (lines, columns + (drive == "both")), 20, ideal),
        ohms(rng, (lines + (sense == "both"), columns), 20, ideal),
        ohms(rng, lines, 500, 0.3),
        ohms(rng, columns, 100, 0.3),
        drive,
        sense,
    ), rng.uniform(-1, 1, lines)


def assert_agrees(crossbar, voltage, relative=1e-9):
    by_ngspice = run(crossbar_netlist(crossbar, voltage))
    by_us = crossbar.read(voltage[None])[0]
    # a current that is the small difference of large ones is held against the large ones
    scale = np.abs(crossbar.transfer) @ np.abs(voltage)
    assert np.all(np.abs(by_us - by_ngspice) <= relative * scale)
    assert np.abs(by_us - by_ngspice).max() <= relative * np.abs(by_ngspice).max()


@pytest.mark.parametrize("seed", range(20))
def test_read_agrees_with_ngspice_to_1e_9(ngspice, seed):
    assert_agrees(*random_crossbar(seed))


@pytest.mark.parametrize(
    ("low", "high", "wire"),
    [(1e-9, 1e-3, 20.0), (1e-6, 1e3, 1.0), (0.0, 1e3, 20.0), (1e-6, 1e-4, 1e-3)],
    ids=["high contrast", "shorts", "opens and shorts", "tiny wires"],
)
def test_harsh_crossbars_agree_with_ngspice_to_1e_9(ngspice, low, high, wire):
    rng = np.random.default_rng(7)
    cells = np.where(rng.random((16, 16)) < 0.5, low, high)
    assert_agrees(Crossbar(cells, wire, wire), rng.uniform(0, 1, 16))


def test_a_cell_of_many_resistors_reads_like_one_of_their_sum(ngspice):
    rng = np.random.default_rng(3)
    branch = rng.uniform(1e-6, 1e-4, (6, 4, 5)) * (rng.random((6, 4, 5)) < 0.5)
    crossbar = Crossbar(branch.sum(axis=2), 2.0, 3.0, 50.0, 10.0)
    voltage = rng.uniform(0, 1, 6)
    netlist = crossbar_netlist(crossbar, voltage, branch=branch)
    assert netlist.text.count("\nRc_") == np.count_nonzero(branch)
    np.testing.assert_allclose(run(netlist), crossbar.read(voltage[None])[0], rtol=1e-9)


def test_an_all_open_crossbar_passes_no_current_in_ngspice_either(ngspice):
    for wire in (0.0, 1.0):
        assert np.array_equal(run(crossbar_netlist(Crossbar(np.zeros((3, 2)), wire, wire))), [0, 0])
