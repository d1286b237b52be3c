"""Cells that do not obey Ohm's law, against ngspice and against what they must tend to."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.nonlinear import (
    BranchCell,
    PolynomialCell,
    SinhCell,
    solve_nonlinear,
)
from xbar.circuit.selectors import SeriesCell
from xbar.errors import SolverError, SpecError

WIRES = {"word_wire": 20.0, "bit_wire": 10.0, "source": 50.0, "load": 30.0}


def deck(crossbar, voltage, sources):
    """The crossbar's netlist with B-sources in the cells' places.

    sources: from row and column and the cell's two nodes to its lines.
    """
    netlist = crossbar_netlist(crossbar, voltage)
    cell = re.compile(r"^Rc_(\d+)_(\d+) (\S+) (\S+) \S+$", re.MULTILINE)
    text = cell.sub(lambda m: sources(int(m[1]), int(m[2]), m[3], m[4]), netlist.text)
    text = text.replace("\n.op", "\n.options reltol=1e-12 abstol=1e-20 vntol=1e-15\n.op")
    return replace(netlist, text=text)


def random_crossbar(seed=0, **options):
    rng = np.random.default_rng(seed)
    crossbar = Crossbar(rng.uniform(5e-5, 2.2e-4, (6, 5)), **WIRES, **options)
    return crossbar, rng.uniform(-0.5, 0.5, 6)


def assert_agrees(found, expected):
    assert np.abs(found.current[0] - expected).max() <= 1e-9 * np.abs(expected).max()


def test_measured_rram_cells_agree_with_ngspice(ngspice):
    """HfO2 cells of V. Milo et al., IEEE Trans. Electron Devices 68 (2021), up to 0.5 V.

    Second and third order are polynomials of log10 G, fitted to the paper as in CrossSim.
    """
    crossbar, voltage = random_crossbar()
    decades = np.log10(crossbar.conductance)
    second = np.polyval((0.0001388, 0.001541, 0.005711, 0.007063), decades)
    third = np.polyval((8.8710e-5, 6.7919e-4, 1.2968e-3), decades)
    law = PolynomialCell(np.array([crossbar.conductance, second, third]))

    def source(i, j, a, b):
        one, two, three = (f"{c:.17g}" for c in law.coefficients[:, i, j])
        v = f"v({a},{b})"
        return f"Bc_{i}_{j} {a} {b} i={one}*{v}+({two})*{v}*{v}+({three})*{v}*{v}*{v}"

    found = solve_nonlinear(crossbar, law, voltage[None], 1e-12)
    assert_agrees(found, run(deck(crossbar, voltage, source)))


@pytest.mark.parametrize("drive", ["left", "both"])
def test_sinh_cells_agree_with_ngspice(ngspice, drive):
    crossbar, voltage = random_crossbar(1, drive=drive)
    law = SinhCell(crossbar.conductance, 0.1)

    def source(i, j, a, b):
        g = crossbar.conductance[i, j]
        return f"Bc_{i}_{j} {a} {b} i={0.1 * g:.17g}*sinh(v({a},{b})/0.1)"

    found = solve_nonlinear(crossbar, law, voltage[None], 1e-12)
    assert found.steps[0] > 3
    assert_agrees(found, run(deck(crossbar, voltage, source)))


def test_a_selector_in_series_agrees_with_ngspice(ngspice):
    crossbar, voltage = random_crossbar(2)
    law = SeriesCell(PolynomialCell(crossbar.conductance[None]), SinhCell(1e-6, 0.05))

    def source(i, j, a, b):
        middle = f"m_{i}_{j}"
        return (
            f"Rc_{i}_{j} {a} {middle} {1 / crossbar.conductance[i, j]:.17g}\n"
            f"Bc_{i}_{j} {middle} {b} i=5e-8*sinh(v({middle},{b})/0.05)"
        )

    found = solve_nonlinear(crossbar, law, voltage[None], 1e-12)
    assert_agrees(found, run(deck(crossbar, voltage, source)))


def test_ohmic_cells_are_the_linear_crossbar_in_one_step():
    crossbar, voltage = random_crossbar(3, sense="both")
    found = solve_nonlinear(crossbar, PolynomialCell(crossbar.conductance[None]), voltage[None])
    linear = crossbar.solve(voltage[None])
    assert found.steps[0] == 1
    np.testing.assert_allclose(found.current, linear.current, rtol=1e-10)
    np.testing.assert_allclose(found.word_voltage, linear.word_voltage, rtol=1e-10)


def test_without_wires_each_cell_carries_what_its_law_says():
    cells = SinhCell(np.full((3, 2), 1e-4), 0.2)
    found = solve_nonlinear(Crossbar(np.zeros((3, 2))), cells, [[0.1, 0.2, 0.4], [0.3, 0.0, -0.3]])
    expected = 1e-4 * 0.2 * np.sinh(np.array([0.1, 0.2, 0.4]) / 0.2).sum()
    np.testing.assert_allclose(found.current[0], expected, rtol=1e-12)
    np.testing.assert_allclose(found.current[1], 0, atol=1e-18)
    assert np.all(found.residual < 1e-10)


def test_small_voltages_make_every_law_ohmic():
    crossbar, voltage = random_crossbar(4)
    found = solve_nonlinear(crossbar, SinhCell(crossbar.conductance, 0.1), 1e-6 * voltage[None])
    np.testing.assert_allclose(found.current, 1e-6 * crossbar.read(voltage[None]), rtol=1e-9)


def test_a_selector_cuts_half_selected_cells_off():
    """What selectors are for: at half the voltage next to nothing flows."""
    law = SeriesCell(PolynomialCell([1e-4]), SinhCell(1e-9, 0.04))
    full, half = (law.current(np.array([[v]]))[0][0, 0] for v in (1.0, 0.5))
    assert full / half > 10


def test_a_cell_in_series_with_itself_has_half_its_voltage():
    law = SinhCell(1e-4, 0.1)
    voltage = np.array([[-1.5, -0.2, 0.0, 0.3, 2.0]])
    current, slope = SeriesCell(law, law).current(voltage)
    expected, expected_slope = law.current(voltage / 2)
    np.testing.assert_allclose(current, expected, rtol=1e-13)
    np.testing.assert_allclose(slope, expected_slope / 2, rtol=1e-13)


def test_a_law_that_falls_is_refused_where_it_falls():
    crossbar, _ = random_crossbar(5)
    with pytest.raises(SolverError, match=r"must not fall with voltage, and does at .* line \d"):
        solve_nonlinear(crossbar, PolynomialCell([1e-4, 0, -1e-3]), np.full((1, 6), 0.5))


def test_no_inputs_give_no_solutions():
    crossbar, _ = random_crossbar(6)
    found = solve_nonlinear(crossbar, PolynomialCell([1e-4]), np.zeros((0, 6)))
    assert found.word_voltage.shape == (0, 6, 5)
    assert found.current.shape == (0, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PolynomialCell([[1e-4]]), r"shape \(P,\) or \(P, W, B\), not \(1, 1\)"),
        (lambda: PolynomialCell([]), "shape"),
        (lambda: SinhCell(1e-4, 0.0), "scale must be positive, not 0.0 V"),
    ],
)
def test_laws_refuse_what_they_cannot_mean(make, message):
    with pytest.raises(SpecError, match=message):
        make()


@pytest.mark.parametrize("volts", [0.5, -0.5])
def test_a_cell_whose_bit_line_rises_conducts_as_the_whole_circuit_does(volts):
    """One cell behind resistors, as one equation that scipy solves."""
    source, load = 300.0, 500.0
    c1, c2, c3, kink, rise = 1e-3, -2e-4, 3e-4, -4e-4, -8e-4
    law = BranchCell(np.array([c1, c2, c3])[:, None, None], [[kink]], [[rise]])

    def excess(current):
        bit = load * current
        v = volts - source * current - bit
        return (c1 + rise * bit) * v + c2 * v**2 + c3 * v**3 + kink * v * abs(v) - current

    current = brentq(excess, -1e-2, 1e-2, xtol=1e-16)
    crossbar = Crossbar([[c1]], source=source, load=load)
    found = solve_nonlinear(crossbar, law, [[volts]])
    assert found.current[0, 0] == pytest.approx(current, rel=1e-10)
    assert found.bit_voltage[0, 0, 0] == pytest.approx(load * current, rel=1e-10)
    flat = solve_nonlinear(crossbar, BranchCell(law.coefficients, law.kink, [[0.0]]), [[volts]])
    assert abs(flat.current[0, 0] / current - 1) > 0.01
