"""Reads and writes of one cell: closed forms with ideal wires, ngspice with any."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from xbar.circuit.access import access, read_margins
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.nonlinear import PolynomialCell, SinhCell, solve_nonlinear
from xbar.circuit.selectors import SeriesCell, TableCell
from xbar.errors import SpecError
from xbar.hardware.tile import Tile

WIRES = {"word_wire": 20.0, "bit_wire": 10.0, "source": 50.0, "load": 30.0}
HELD = {"ground": (0, 0), "V/2": (1 / 2, 1 / 2), "V/3": (1 / 3, 2 / 3), "5V/12": (5 / 12, 7 / 12)}
FLOATING = {"float": (True, True), "float words": (True, False), "float bits": (False, True)}
SELECTOR = TableCell([0.2, 0.4, 0.6, 0.8, 1.2], [1e-9, 2e-8, 1e-6, 4e-5, 4e-4])


def cells(seed=0, shape=(5, 4)):
    return np.random.default_rng(seed).uniform(2e-5, 2e-4, shape)


@pytest.mark.parametrize("scheme", HELD)
def test_held_lines_of_ideal_wires_give_each_cell_its_fraction_of_the_voltage(scheme):
    g, (word, bit) = cells(), HELD[scheme]
    found = access(Crossbar(g), 3, 1, 0.9, scheme)
    expected = np.full(g.shape, 0.9 * (word - bit))
    expected[3], expected[:, 1], expected[3, 1] = 0.9 * (1 - bit), 0.9 * word, 0.9
    assert np.abs(found.voltage - expected).max() < 1e-12
    assert found.sneak_current == pytest.approx(0.9 * word * (g[:, 1].sum() - g[3, 1]), abs=1e-18)
    assert found.power == pytest.approx((g * expected**2).sum(), rel=1e-12)
    assert found.half_selected == pytest.approx((0.9 * (1 - bit), 0.9 * word), abs=1e-12)
    assert found.unselected_voltage == pytest.approx(0.9 * (word - bit), abs=1e-12)


@pytest.mark.parametrize("shape", [(2, 2), (5, 4), (16, 31)])
def test_floating_lines_of_equal_cells_sneak_through_three_groups_in_series(shape):
    """The cells of one line, those of neither, and those of the other line, each in parallel."""
    (w, b), g, volts = shape, 1e-4, 0.5
    found = access(Crossbar(np.full(shape, g)), w - 1, 0, volts, "float")
    in_series = 1 / (1 / (b - 1) + 1 / ((w - 1) * (b - 1)) + 1 / (w - 1))
    assert found.sneak_current == pytest.approx(volts * g * in_series, rel=1e-9)
    assert found.current == pytest.approx(volts * g * (1 + in_series), rel=1e-9)
    shares = np.array([1 / (b - 1), 1 / (w - 1), -1 / ((w - 1) * (b - 1))]) * in_series * volts
    seen = (*found.half_selected, found.unselected_voltage)
    assert seen == pytest.approx(shares, rel=1e-9)


def biased_deck(crossbar, found, scheme, sources=None):
    """The netlist with its drivers and amplifiers at the scheme's voltages."""
    w, b = crossbar.conductance.shape
    word, bit = HELD.get(scheme, (0, 0))
    volts = np.full(w, word * found.volts)
    volts[found.word_line] = found.volts
    deck = crossbar_netlist(crossbar, volts)
    text = deck.text
    for j in range(b):
        held = 0.0 if j == found.bit_line else bit * found.volts
        text = text.replace(
            f"Vs_{j} s_{j} 0 dc 0.0000000000000000e+00", f"Vs_{j} s_{j} 0 dc {held!r}"
        )
    floating = FLOATING.get(scheme, (False, False))
    kept = []
    for line in text.splitlines():
        source = re.match(r"Rs_(\d+)_", line)
        load = re.match(r"Rl_(\d+)_", line)
        if floating[0] and source and int(source[1]) != found.word_line:
            continue
        if floating[1] and load and int(load[1]) != found.bit_line:
            continue
        cell = re.match(r"^Rc_(\d+)_(\d+) (\S+) (\S+) (\S+)$", line)
        if cell and sources:
            kept += sources(*cell.groups())
        else:
            kept.append(line)
    text = "\n".join(kept) + "\n"
    tight = ".options reltol=1e-12 abstol=1e-20 vntol=1e-15 gmin=1e-20\n.op"
    return replace(deck, text=text.replace(".op\n", f"{tight}\n"))


@pytest.mark.parametrize("scheme", [*HELD, *FLOATING])
@pytest.mark.parametrize("bent", [False, True], ids=["ohmic", "selected"])
def test_every_scheme_agrees_with_ngspice_behind_wires(ngspice, scheme, bent):
    crossbar = Crossbar(cells(1), **WIRES)
    law, sources = None, None
    if bent:
        law = SeriesCell(PolynomialCell(crossbar.conductance[None]), SELECTOR)
        points = ",".join(
            f"{v:.17g},{i:.17g}" for v, i in zip(SELECTOR.voltage, SELECTOR.current_at, strict=True)
        )

        def sources(i, j, a, b, ohms):
            middle = f"m_{i}_{j}"
            pwl = f"Bs_{i}_{j} {middle} {b} I=pwl(v({middle},{b}),{points})"
            return [f"Rc_{i}_{j} {a} {middle} {ohms}", pwl]

    found = access(crossbar, 2, 3, 1.1, scheme, law=law)
    theirs = run(biased_deck(crossbar, found, scheme, sources))
    assert found.current == pytest.approx(theirs[3], rel=1e-8)


@pytest.mark.parametrize("scheme", HELD)
def test_a_selector_of_ideal_wires_divides_the_voltage_with_its_cell(scheme):
    """Each cell by its own equation."""
    g = cells(2, (3, 3))
    law = SeriesCell(PolynomialCell(g[None]), SELECTOR)
    found = access(Crossbar(g), 0, 2, 1.0, scheme, law=law)
    for i, j in np.ndindex(g.shape):
        across = found.voltage[i, j]

        def excess(part, across=across, siemens=g[i, j]):
            return np.interp(part, SELECTOR.voltage, SELECTOR.current_at) - siemens * (
                across - part
            )

        part = brentq(excess, -abs(across), abs(across), xtol=1e-15) if across else 0.0
        expected = np.interp(part, SELECTOR.voltage, SELECTOR.current_at)
        assert found.cell_current[i, j] == pytest.approx(expected, rel=1e-6, abs=1e-16)


def test_gates_along_a_line_leave_only_its_cells():
    g = cells(3)
    crossbar = Crossbar(g, **WIRES)
    alone = Crossbar(np.where(np.arange(5)[:, None] == 1, g, 0.0), **WIRES)
    found = access(crossbar, 1, 2, 0.5, "ground", gates="word")
    volts = np.array([[0, 0.5, 0, 0, 0]])
    assert found.current == pytest.approx(alone.read(volts)[0, 2], rel=1e-9)
    assert found.sneak_current == 0
    column = access(crossbar, 1, 2, 0.5, "float", gates="bit")
    assert column.drawn == pytest.approx(column.current, rel=1e-9)
    bent = access(crossbar, 1, 2, 0.5, "ground", gates="word", law=PolynomialCell(g[None]))
    assert bent.current == pytest.approx(found.current, rel=1e-9)


def test_margins_of_floating_arrays_fall_with_size_as_the_closed_form():
    found = read_margins(Tile(), 1e-4, 1e-6, [2, 8, 32], volts=0.4, scheme="float")
    n = np.array([2, 8, 32])
    sneak = 1e-4 / (2 / (n - 1) + 1 / (n - 1) ** 2)
    assert np.abs(found.margin / ((1e-4 - 1e-6) / (1e-4 + sneak)) - 1).max() < 1e-9
    assert np.abs(found.sneak_current / (0.4 * sneak) - 1).max() < 1e-9


def test_a_selector_restores_the_margin_of_large_arrays():
    tile = Tile(word_wire=1.0, bit_wire=1.0)
    sizes = [8, 24]
    plain = read_margins(tile, 1e-4, 1e-6, sizes, volts=0.8, scheme="V/2")
    chosen = read_margins(tile, 1e-4, 1e-6, sizes, volts=0.8, scheme="V/2", selector=SELECTOR)
    assert (plain.margin < 0.3).all()
    assert (chosen.margin > 0.9).all()


def test_the_hardest_cell_of_an_array_is_the_one_that_is_read():
    tile = Tile(word_wire=30.0, bit_wire=40.0, drive="right", sense="top")
    found = read_margins(tile, 1e-4, 1e-6, [6], volts=0.4, scheme="ground")
    cells = np.full((6, 6), 1e-4)
    crossbar = Crossbar(cells, 30.0, 40.0, drive="right", sense="top")
    every = [
        access(crossbar, i, j, 0.4, "ground").selected_voltage for i, j in np.ndindex(cells.shape)
    ]
    assert found.on_voltage[0] == pytest.approx(min(every), rel=1e-9)


def test_steep_laws_converge_with_held_and_with_floating_lines():
    g = cells(4, (8, 8))
    law = SinhCell(g * 1e-4, 0.05)
    for scheme in ("V/2", "float"):
        found = access(Crossbar(g, **WIRES), 0, 7, 0.8, scheme, law=law)
        total = found.cell_current.sum(axis=1)
        if scheme == "float":
            assert np.abs(np.delete(total, 0)).max() < 1e-9 * abs(total[0])
        assert found.selected_voltage < 0.8


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (([0.1, 0.2], [1e-6, 1e-7]), "snaps back"),
        (([0.2, 0.1], [1e-7, 1e-6]), "rise"),
        (([0.0, 0.1], [1e-9, 1e-6]), "offset"),
        (([-0.2, -0.1], [-1e-6, -1e-7]), "both sides"),
        (([0.1, np.nan], [1e-7, 1e-6]), "finite"),
        (([0.1, 0.2], [1e-7]), "one current"),
        (([], []), "one current"),
    ],
)
def test_tables_that_are_no_curve_are_refused(points, said):
    with pytest.raises(SpecError, match=said):
        TableCell(*points)


def test_a_voltage_beyond_the_table_is_refused_and_not_continued():
    with pytest.raises(SpecError, match="ends at"):
        solve_nonlinear(Crossbar([[1e-3]]), TableCell([0.5], [1e-6]), [[0.6]])
    with pytest.raises(SpecError, match="ends at"):
        access(Crossbar([[1e-3]]), 0, 0, 9.0, law=SeriesCell(PolynomialCell([1.0]), SELECTOR))


def test_a_table_of_both_directions_need_not_be_symmetric():
    law = TableCell([-1.0, 0.5], [-4e-6, 1e-6])
    current, slope = law.current(np.array([[-0.5, 0.25, 0.0]]))
    assert current.tolist() == [[-2e-6, 5e-7, 0.0]]
    assert slope[0, 1] == pytest.approx(2e-6)


@pytest.mark.parametrize(
    ("on", "off", "size", "said"),
    [
        (1e-5, 1e-4, 4, "off must conduct less than on, 1e-05 S, not 0.0001 S"),
        (1e-5, 1e-5, 4, "off must conduct less than on"),
        (1e-5, 1e-6, 0, "from 1 to 4,096 lines, not 0"),
        (1e-5, 1e-6, 1_000_000, "from 1 to 4,096 lines, not 1,000,000"),
    ],
)
def test_margins_of_cells_or_arrays_that_are_none_are_refused(on, off, size, said):
    with pytest.raises(SpecError, match=said):
        read_margins(Tile(), on, off, [size], volts=0.5)
