"""Crossbars whose cells and wires are worlds apart, against nodal analysis in rational numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.nonlinear import PolynomialCell, solve_nonlinear
from xbar.circuit.prepared import PreparedArray
from xbar.circuit.solvers.revision import Revision


def exact(crossbar, voltage, held=None):
    """Word and bit voltages, cell currents and read currents, driven left and read at the bottom.

    Wires are above 0 ohm. Gaussian elimination, nothing rounded.
    """
    lines, columns = crossbar.conductance.shape
    count = lines * columns
    held = np.zeros(columns) if held is None else held
    rows = [[Fraction(0)] * (2 * count + 1) for _ in range(2 * count)]

    def join(a, b, siemens):
        """A conductance between two unknowns, or from an unknown to a known voltage."""
        rows[a][a] += siemens
        if isinstance(b, Fraction):
            rows[a][-1] += siemens * b
        else:
            rows[a][b] -= siemens
            rows[b][b] += siemens
            rows[b][a] -= siemens

    def siemens(*ohms):
        return Fraction(0) if np.inf in ohms else 1 / sum(map(Fraction, map(float, ohms)))

    out = []
    for i in range(lines):
        for j in range(columns):
            k, wire = i * columns + j, crossbar.word_wire[i, j]
            if j:
                join(k, k - 1, siemens(wire))
            else:
                join(k, Fraction(float(voltage[i])), siemens(wire, crossbar.source[i]))
            wire = crossbar.bit_wire[i, j]
            if i + 1 < lines:
                join(count + k, count + k + columns, siemens(wire))
            else:
                out.append((count + k, siemens(wire, crossbar.load[j])))
                join(count + k, Fraction(float(held[j])), out[-1][1])
            join(k, count + k, Fraction(float(crossbar.conductance[i, j])))
    for k in range(2 * count):
        pivot = rows[k][k]
        for m in range(k + 1, 2 * count):
            if rows[m][k]:
                factor = rows[m][k] / pivot
                for n in range(k, 2 * count + 1):
                    rows[m][n] -= factor * rows[k][n]
    volts = [Fraction(0)] * (2 * count)
    for k in range(2 * count - 1, -1, -1):
        known = sum(rows[k][n] * volts[n] for n in range(k + 1, 2 * count))
        volts[k] = (rows[k][-1] - known) / rows[k][k]
    cell = [
        float(Fraction(float(g)) * (volts[k] - volts[count + k]))
        for k, g in enumerate(crossbar.conductance.ravel())
    ]
    read = [
        float(g * (volts[node] - Fraction(float(u))))
        for (node, g), u in zip(out, held, strict=True)
    ]
    shape = crossbar.conductance.shape
    word, bit = np.array(volts, dtype=float).reshape(2, *shape)
    return word, bit, np.array(cell).reshape(shape), np.array(read)


def extreme(seed, product=None):
    """A crossbar of few digits; conductance times wire resistance is up to 1e16, or as given."""
    rng = np.random.default_rng(seed)
    shape = (4, 3)

    def spread(decades, size=shape):
        return 2.0 ** np.round(rng.uniform(-decades, decades, size) * 3.3)

    if product is not None:
        return Crossbar(np.full(shape, product / 1024), 1024.0, 1024.0), rng
    word, bit, source, load = spread(4), spread(4), spread(4, 4), spread(4, 3)
    return Crossbar(spread(4), word, bit, source, load), rng


@pytest.mark.parametrize("product", [1e-9, 1.0, 1e3, 1e6, 1e9, 1e12, 1e15])
def test_every_way_to_read_is_right_whatever_the_wires(product):
    crossbar, rng = extreme(0, product)
    voltage = rng.integers(1, 9, (1, 4)) / 8.0
    _, _, _, current = exact(crossbar, voltage[0])
    for found in (crossbar.read(voltage), voltage @ crossbar.transfer.T):
        np.testing.assert_allclose(found[0], current, rtol=1e-9, atol=1e-9 * current.max())
    assert crossbar.transfer.min() > 0


@pytest.mark.parametrize("seed", range(12))
def test_currents_are_right_where_resistances_are_any(seed):
    crossbar, rng = extreme(seed)
    voltage = rng.integers(-8, 9, (1, 4)) / 8.0
    word, bit, cell, current = exact(crossbar, voltage[0])
    solution = crossbar.solve(voltage)
    largest = np.abs(current).max()
    for found in (crossbar.read(voltage), solution.current, voltage @ crossbar.transfer.T):
        assert np.abs(found[0] - current).max() <= 1e-9 * largest
    assert np.abs(solution.word_voltage[0] - word).max() <= 1e-8
    assert np.abs(solution.bit_voltage[0] - bit).max() <= 1e-8
    assert np.abs(solution.cell_current[0] - cell).max() <= 1e-8 * np.abs(cell).max()
    assert solution.residual[0] <= 1e-8


@pytest.mark.parametrize("product", [1e6, 1e9, 1e12])
def test_the_currents_of_cells_on_bad_wires_are_right_though_their_voltages_nearly_agree(product):
    crossbar, _ = extreme(0, product)
    voltage = np.full((1, 4), 0.5)
    word, bit, cell, current = exact(crossbar, voltage[0])
    solution = crossbar.solve(voltage)
    np.testing.assert_allclose(solution.cell_current[0], cell, atol=1e-9 * np.abs(cell).max())
    np.testing.assert_allclose(solution.current[0], current, rtol=1e-9)
    np.testing.assert_allclose(solution.word_voltage[0], word, rtol=1e-9)
    np.testing.assert_allclose(solution.bit_voltage[0], bit, rtol=1e-9)
    assert solution.residual[0] < 1e-9


@pytest.mark.parametrize("product", [1e-3, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("change", [1e-12, 1.0, 1e12])
def test_an_update_errs_by_less_than_1e_10_whatever_the_wires(product, change):
    rng = np.random.default_rng(3)
    cells = product / 64 * rng.uniform(0.5, 2.0, (24, 20))
    base = Crossbar(cells, 64.0, 64.0)
    _ = base.transfer
    place = rng.choice(480, 2, replace=False)
    changed = base.update(place // 20, place % 20, change)
    fresh = Crossbar(changed.conductance, 64.0, 64.0).transfer
    assert np.abs(changed.transfer - fresh).max() <= 1e-10 * np.abs(fresh).max()
    bounded = Revision(base).transfer(changed.conductance)
    if bounded is not None:
        assert np.abs(bounded[0] - fresh).max() <= bounded[1] * np.abs(fresh).max()


# lines that nothing drives or reads, and bit lines at other voltages ---------------------------


@pytest.mark.parametrize("seed", range(12))
def test_floating_lines_on_every_path_to_the_answer(seed):
    crossbar, rng = extreme(seed)
    source, load = crossbar.source.copy(), crossbar.load.copy()
    source[rng.choice(4, 2, replace=False)], load[rng.integers(3)] = np.inf, np.inf
    wires = (crossbar.word_wire, crossbar.bit_wire, source, load)
    floating = Crossbar(crossbar.conductance, *wires)
    voltage = rng.integers(1, 9, (1, 4)) / 8.0
    word, bit, cell, current = exact(floating, voltage[0])
    solution = floating.solve(voltage)
    other = Crossbar(np.ones((4, 3)), *wires)
    _ = other.transfer
    rows, columns = np.divmod(np.arange(12), 3)
    updated = other.update(rows, columns, crossbar.conductance.ravel())
    prepared = PreparedArray((4, 3), *wires).transfer(crossbar.conductance)
    for found in (
        floating.read(voltage),
        voltage @ floating.transfer.T,
        solution.current,
        voltage @ updated.transfer.T,
        voltage @ prepared.T,
    ):
        np.testing.assert_allclose(found[0], current, rtol=0, atol=1e-9 * current.max())
        assert found[0, np.isinf(load)] == 0
    np.testing.assert_allclose(solution.word_voltage[0], word, atol=1e-8)
    np.testing.assert_allclose(solution.bit_voltage[0], bit, atol=1e-8)
    np.testing.assert_allclose(solution.cell_current[0], cell, atol=1e-8 * np.abs(cell).max())
    # no current, so no drop in the first segment or in the last
    undriven, unread = np.isinf(source), np.isinf(load)
    np.testing.assert_array_equal(
        solution.word_end_voltage[0, undriven], solution.word_voltage[0, undriven, 0]
    )
    np.testing.assert_array_equal(
        solution.bit_end_voltage[0, unread], solution.bit_voltage[0, -1, unread]
    )


def test_the_ends_of_lines_divide_the_voltage_with_source_and_load():
    solution = Crossbar([[1e-3]], 100.0, 200.0, 300.0, 400.0).solve([[2.0]])
    assert solution.word_end_voltage == pytest.approx(2.0 * 1700 / 2000, rel=1e-12)
    assert solution.bit_end_voltage == pytest.approx(2.0 * 400 / 2000, rel=1e-12)
    both = Crossbar([[1e-3]], 0.0, 0.0, drive="both", sense="both").solve([[2.0]])
    assert (both.word_end_voltage, both.bit_end_voltage) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("drive", "sense"), [("left", "bottom"), ("right", "top"), ("both", "both")]
)
def test_an_undriven_word_line_couples_bit_lines_as_a_sneak_path(drive, sense):
    """2 x 2, ideal wires: the driven line reaches the floating one by the unread bit line."""
    g = np.array([[1e-3, 2e-3], [3e-3, 4e-3]])
    crossbar = Crossbar(g, source=[0, np.inf], load=[0, np.inf], drive=drive, sense=sense)
    sneak = 1 / (1 / g[0, 1] + 1 / g[1, 1] + 1 / g[1, 0])
    expected = g[0, 0] + sneak
    voltage = [[1.5, 7.0]]
    assert crossbar.read(voltage)[0] == pytest.approx([1.5 * expected, 0.0], rel=1e-12)
    assert crossbar.transfer == pytest.approx(np.array([[expected, 0.0], [0.0, 0.0]]), rel=1e-12)
    solution = crossbar.solve(voltage)
    floats = 1.5 * sneak / g[1, 0]
    assert solution.word_end_voltage[0] == pytest.approx([1.5, floats], rel=1e-12)
    assert solution.bit_end_voltage[0, 1] == pytest.approx(
        floats + 1.5 * sneak / g[1, 1], rel=1e-12
    )


def test_a_line_that_no_cell_connects_to_anything_has_no_voltage_and_is_told():
    crossbar = Crossbar([[1e-3, 0.0], [0.0, 1e-3]], 1.0, 1.0, [0, np.inf], [0, np.inf])
    with pytest.warns(UserWarning, match="no voltage for word line 1, bit line 1: no cell"):
        solution = crossbar.solve([[1.0, 1.0]])
    assert np.isnan(solution.word_voltage[0, 1]).all()
    assert np.isnan(solution.bit_end_voltage[0, 1])
    # the source is ideal: 1 kohm and the first segment of the word line and two of the bit line
    assert solution.current[0] == pytest.approx([1 / 1003, 0.0], rel=1e-12)
    assert solution.cell_current[0, 1, 1] == 0


def test_non_ohmic_cells_see_floating_lines_too():
    crossbar = Crossbar(np.ones((2, 2)), source=[0, np.inf], load=[0, np.inf])
    g = np.array([[1e-3, 2e-3], [3e-3, 4e-3]])
    found = solve_nonlinear(crossbar, PolynomialCell(g[None]), [[1.5, 0.0]])
    sneak = 1 / (1 / g[0, 1] + 1 / g[1, 1] + 1 / g[1, 0])
    assert found.current[0] == pytest.approx([1.5 * (g[0, 0] + sneak), 0.0], rel=1e-9)


@pytest.mark.parametrize("product", [1e3, 1e9, 1e12])
def test_an_ohmic_law_on_bad_wires_gives_the_linear_currents(product):
    crossbar, _ = extreme(0, product)
    voltage = np.full((1, 4), 0.5)
    word, bit, cell, current = exact(crossbar, voltage[0])
    found = solve_nonlinear(crossbar, PolynomialCell([product / 1024]), voltage)
    np.testing.assert_allclose(found.current[0], current, rtol=1e-9)
    np.testing.assert_allclose(found.cell_current[0], cell, atol=1e-9 * np.abs(cell).max())
    np.testing.assert_allclose(found.word_voltage[0], word, rtol=1e-9)
    np.testing.assert_allclose(found.bit_voltage[0], bit, rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_bit_lines_at_other_voltages_than_0_v(seed):
    crossbar, rng = extreme(seed)
    voltage, held = rng.integers(-8, 9, (1, 4)) / 8.0, rng.integers(-8, 9, 3) / 8.0
    word, bit, cell, current = exact(crossbar, voltage[0], held)
    solution = crossbar.solve(voltage, bit_voltage=held)
    for found in (crossbar.read(voltage, bit_voltage=held[None]), solution.current):
        assert np.abs(found[0] - current).max() <= 1e-12 * np.abs(current).max()
    np.testing.assert_allclose(solution.word_voltage[0], word, atol=1e-12)
    np.testing.assert_allclose(solution.bit_voltage[0], bit, atol=1e-12)
    np.testing.assert_allclose(solution.cell_current[0], cell, atol=1e-12 * np.abs(cell).max())


def test_ideal_wires_and_bit_lines_at_half_the_voltage():
    g = np.array([[1e-3, 2e-3], [3e-3, 4e-3]])
    found = Crossbar(g).read([[1.0, 0.5]], bit_voltage=[0.5, 0.0])
    expected = [0.5 * g[0, 0], 1.0 * g[0, 1] + 0.5 * g[1, 1]]
    np.testing.assert_allclose(found[0], expected, rtol=1e-14)
    solution = Crossbar(g).solve([[1.0, 0.5]], bit_voltage=0.5)
    assert solution.bit_end_voltage.tolist() == [[0.5, 0.5]]
    with pytest.raises(ValueError, match="bit_voltage must be a scalar or have the shape"):
        Crossbar(g).read([[1.0, 0.5]], bit_voltage=[1.0, 2.0, 3.0])
