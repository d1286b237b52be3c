"""Crossbar against closed forms and against a dense tableau that shares no code with it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.solvers.choice import get_solver
from xbar.errors import SpecError

DRIVES, SENSES = ("left", "right", "both"), ("bottom", "top", "both")


def tableau(crossbar, voltage):
    """Currents by the dense tableau: every resistor's current is an unknown, so 0 ohm is no case.

    Kilo-ohms and milliamperes, to keep the numbers near 1.
    """
    lines, columns = crossbar.conductance.shape
    elements, into = [], []  # (node, node, ohms), and which of them reach bit line j's amplifier
    for i in range(lines):
        chain, wires = [f"w{i},{j}" for j in range(columns)], list(crossbar.word_wire[i])
        if crossbar.drive in ("left", "both"):
            chain = [f"left{i}", *chain]
            elements.append((f"drive{i}", f"left{i}", crossbar.source[i]))
        if crossbar.drive in ("right", "both"):
            chain = [*chain, f"right{i}"]
            elements.append((f"drive{i}", f"right{i}", crossbar.source[i]))
        elements += [(*ends, r) for ends, r in zip(pairwise(chain), wires, strict=True)]
    for j in range(columns):
        chain, wires = [f"b{i},{j}" for i in range(lines)], list(crossbar.bit_wire[:, j])
        if crossbar.sense in ("top", "both"):
            chain = [f"top{j}", *chain]
            into.append((j, len(elements)))
            elements.append((f"top{j}", f"sense{j}", crossbar.load[j]))
        if crossbar.sense in ("bottom", "both"):
            chain = [*chain, f"bottom{j}"]
            into.append((j, len(elements)))
            elements.append((f"bottom{j}", f"sense{j}", crossbar.load[j]))
        elements += [(*ends, r) for ends, r in zip(pairwise(chain), wires, strict=True)]
    for i, j in np.argwhere(crossbar.conductance):
        elements.append((f"w{i},{j}", f"b{i},{j}", 1 / crossbar.conductance[i, j]))
    known = {f"drive{i}": volts for i, volts in enumerate(voltage)}
    known |= {f"sense{j}": 0.0 for j in range(columns)}
    name = {node: k for k, node in enumerate(dict.fromkeys(n for e in elements for n in e[:2]))}
    matrix = np.zeros((len(name) + len(elements),) * 2)
    right = np.zeros(len(matrix))
    for e, (tail, head, resistance) in enumerate(elements, start=len(name)):
        matrix[e, name[tail]], matrix[e, name[head]], matrix[e, e] = 1, -1, -resistance / 1e3
        matrix[name[tail], e], matrix[name[head], e] = 1, -1
    for node, volts in known.items():
        matrix[name[node]], right[name[node]] = 0, volts
        matrix[name[node], name[node]] = 1
    # ideal paths side by side share their current in any way: least squares picks one
    answer = np.linalg.lstsq(matrix, right, rcond=None)[0]
    current = np.zeros(columns)
    for j, e in into:
        current[j] += answer[len(name) + e] / 1e3
    return current


def ohms(rng, shape, highest, ideal=0.3):
    return np.where(rng.random(shape) < ideal, 0.0, rng.uniform(0.1, highest, shape))


def random_crossbar(seed, drive="left", sense="bottom", most=5):
    rng = np.random.default_rng(seed)
    lines, columns = rng.integers(1, most + 1, 2)
    cells = 10 ** rng.uniform(-4, -2, (lines, columns)) * (rng.random((lines, columns)) > 0.2)
    word = ohms(rng, (lines, columns + (drive == "both")), 30)
    bit = ohms(rng, (lines + (sense == "both"), columns), 30)
    source, load = ohms(rng, lines, 200), ohms(rng, columns, 100)
    return Crossbar(cells, word, bit, source, load, drive, sense)


crossbars = st.builds(
    random_crossbar, st.integers(0, 2**32 - 1), st.sampled_from(DRIVES), st.sampled_from(SENSES)
)
quietly = settings(derandomize=True, deadline=None, max_examples=40)


# closed forms -------------------------------------------------------------------------------


def test_one_cell_is_a_series_circuit():
    crossbar = Crossbar([[1 / 900]], 20, 30, 40, 10)
    np.testing.assert_allclose(crossbar.read([[2.0]]), [[2 / 1000]], rtol=1e-14)


def test_one_cell_driven_and_sensed_at_both_ends_sees_parallel_paths():
    crossbar = Crossbar([[1 / 900]], [[20, 60]], [[10], [90]], 20, 30, "both", "both")
    word = 1 / (1 / (20 + 20) + 1 / (20 + 60))
    bit = 1 / (1 / (30 + 10) + 1 / (30 + 90))
    np.testing.assert_allclose(crossbar.transfer, [[1 / (900 + word + bit)]], rtol=1e-14)


@pytest.mark.parametrize(("drive", "sense"), [(d, s) for d in DRIVES for s in SENSES])
def test_ideal_wires_give_the_plain_product_exactly(drive, sense):
    rng = np.random.default_rng(0)
    cells = rng.uniform(0, 1e-3, (7, 4))
    voltage = rng.uniform(-1, 1, (5, 7))
    crossbar = Crossbar(cells, drive=drive, sense=sense)
    assert np.array_equal(crossbar.transfer, cells.T)
    np.testing.assert_allclose(crossbar.read(voltage), voltage @ cells, rtol=1e-13)
    solution = crossbar.solve(voltage)
    assert np.array_equal(solution.word_voltage[:, :, 0], voltage)
    assert not solution.bit_voltage.any()
    assert not solution.residual.any()


def test_a_row_of_equal_cells_is_a_ladder():
    g, r, columns = 1e-3, 10.0, 12
    crossbar = Crossbar(np.full((1, columns), g), word_wire=r)
    # look from the far end: the ladder's input conductance, then the voltage at each step
    seen = [g]
    for _ in range(columns - 1):
        seen.append(g + 1 / (r + 1 / seen[-1]))
    volts, expected = 1.0, []
    for conductance in reversed(seen):
        volts *= (1 / conductance) / (r + 1 / conductance)
        expected.append(g * volts)
    np.testing.assert_allclose(crossbar.read([[1.0]])[0], expected, rtol=1e-13)


def test_a_column_of_equal_cells_is_the_same_ladder_by_reciprocity():
    row = Crossbar(np.full((1, 12), 1e-3), word_wire=10.0, drive="right")
    column = Crossbar(np.full((12, 1), 1e-3), bit_wire=10.0)
    np.testing.assert_allclose(column.transfer, row.transfer.T, rtol=1e-13)


def test_a_load_alone_divides_the_current():
    cells = np.array([[1e-3, 2e-3], [3e-3, 4e-3]])
    expected = cells / (1 + 100 * cells.sum(axis=0))
    np.testing.assert_allclose(Crossbar(cells, load=100).transfer, expected.T, rtol=1e-14)


def test_a_source_alone_divides_the_voltage():
    cells = np.array([[1e-3, 2e-3], [3e-3, 4e-3]])
    expected = cells / (1 + 100 * cells.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(Crossbar(cells, source=100).transfer, expected.T, rtol=1e-14)


def test_an_all_open_crossbar_passes_no_current():
    for wire in (0.0, 1.0):
        crossbar = Crossbar(np.zeros((3, 2)), wire, wire, source=wire)
        assert np.array_equal(crossbar.transfer, np.zeros((2, 3)))
        assert np.array_equal(crossbar.solve(np.ones((1, 3))).current, np.zeros((1, 2)))


def test_an_open_word_line_stays_at_its_drivers_voltage():
    solution = Crossbar([[1e-3, 1e-3], [0, 0]], 5.0, 5.0, 10.0).solve([[1.0, 0.7]])
    np.testing.assert_allclose(solution.word_voltage[0, 1], 0.7, rtol=1e-15)


# against the tableau --------------------------------------------------------------------------


@quietly
@given(crossbars, st.integers(0, 1000))
def test_read_agrees_with_a_dense_tableau(crossbar, seed):
    voltage = np.random.default_rng(seed).uniform(0.1, 1, (1, len(crossbar.conductance)))
    expected = tableau(crossbar, voltage[0])
    scale = max(expected.max(), 1e-6)
    np.testing.assert_allclose(crossbar.read(voltage)[0], expected, rtol=1e-9, atol=1e-10 * scale)


@quietly
@given(crossbars, st.integers(0, 1000))
def test_currents_flow_out_of_the_cells_and_into_the_amplifiers(crossbar, seed):
    voltage = np.random.default_rng(seed).uniform(0.1, 1, (3, len(crossbar.conductance)))
    solution = crossbar.solve(voltage)
    through = solution.cell_current.sum(axis=1)
    np.testing.assert_allclose(through, solution.current, rtol=1e-10, atol=1e-16)
    np.testing.assert_allclose(solution.current, crossbar.read(voltage), rtol=1e-12)
    drop = solution.word_voltage - solution.bit_voltage
    np.testing.assert_allclose(solution.cell_current, crossbar.conductance * drop, rtol=1e-15)
    assert np.all(solution.residual < 1e-10)


@quietly
@given(crossbars)
def test_transfer_is_reciprocal(crossbar):
    """Drivers and amplifiers change places, and every current per volt stays."""
    drive = {"bottom": "right", "top": "left", "both": "both"}[crossbar.sense]
    sense = {"left": "top", "right": "bottom", "both": "both"}[crossbar.drive]
    turned = Crossbar(
        crossbar.conductance.T,
        crossbar.bit_wire.T,
        crossbar.word_wire.T,
        crossbar.load,
        crossbar.source,
        drive,
        sense,
    )
    np.testing.assert_allclose(turned.transfer, crossbar.transfer.T, rtol=1e-11, atol=1e-20)


@quietly
@given(crossbars)
def test_the_voltages_stay_between_ground_and_the_drivers(crossbar):
    lines = len(crossbar.conductance)
    solution = crossbar.solve(np.ones((1, lines)))
    for volts in (solution.word_voltage, solution.bit_voltage):
        assert volts.min() >= -1e-15
        assert volts.max() <= 1 + 1e-13


@quietly
@given(crossbars)
def test_a_crossbar_takes_power_and_never_gives_it(crossbar):
    assert np.all(crossbar.transfer >= 0)
    # a line carries no more than its cells could side by side (a single cell may seem to carry
    # more: current also reaches its bit line by way of other lines)
    cells = crossbar.conductance * (1 + 1e-12)
    assert np.all(crossbar.transfer.sum(axis=1) <= cells.sum(axis=0))
    assert np.all(crossbar.transfer.sum(axis=0) <= cells.sum(axis=1))


@quietly
@given(crossbars, st.floats(1.1, 50))
def test_wire_resistance_only_loses_current(crossbar, factor):
    worse = Crossbar(
        crossbar.conductance,
        crossbar.word_wire * factor,
        crossbar.bit_wire * factor,
        crossbar.source * factor,
        crossbar.load * factor,
        crossbar.drive,
        crossbar.sense,
    )
    volts = np.ones((1, len(crossbar.conductance)))
    assert worse.read(volts).sum() <= crossbar.read(volts).sum() * (1 + 1e-12)


@pytest.mark.parametrize("sense", SENSES)
@pytest.mark.parametrize("drive", DRIVES)
def test_a_mirrored_crossbar_reads_as_its_mirror_image(drive, sense):
    crossbar = random_crossbar(11, drive, sense)
    other = {"left": "right", "right": "left", "bottom": "top", "top": "bottom", "both": "both"}
    mirrored = Crossbar(
        crossbar.conductance[::-1, ::-1],
        crossbar.word_wire[::-1, ::-1],
        crossbar.bit_wire[::-1, ::-1],
        crossbar.source[::-1],
        crossbar.load[::-1],
        other[drive],
        other[sense],
    )
    np.testing.assert_allclose(mirrored.transfer[::-1, ::-1], crossbar.transfer, rtol=1e-11)


@pytest.mark.parametrize("drive", DRIVES)
def test_ideal_wires_are_the_limit_of_small_ones(drive):
    cells = np.random.default_rng(5).uniform(1e-4, 1e-2, (6, 5))
    ideal = Crossbar(cells, 0.0, 3.0, drive=drive).transfer
    for wire in (1e-3, 1e-6, 1e-9):
        near = Crossbar(cells, wire, 3.0, drive=drive).transfer
        assert np.abs(near / ideal - 1).max() < 50 * wire * cells.max() + 1e-12


def test_tiny_wires_behind_large_sources_lose_no_accuracy():
    """A diagonal of 1e9 S rounds the cells away; the answer must not show it."""
    cells = 10 ** np.random.default_rng(2).uniform(-6, -4, (24, 24))
    ideal = Crossbar(cells, source=1e6, load=1e3).transfer
    tiny = Crossbar(cells, 1e-9, 1e-9, source=1e6, load=1e3).transfer
    np.testing.assert_allclose(tiny, ideal, rtol=1e-10)


def test_wires_that_double_precision_cannot_tell_from_ideal_read_as_ideal():
    cells = np.full((8, 8), 1e-4)
    ideal = Crossbar(cells, source=1e6, load=1e6).transfer
    close = Crossbar(cells, 1e-15, 1e-15, source=1e6, load=1e6)
    np.testing.assert_allclose(close.transfer, ideal, rtol=1e-12)
    np.testing.assert_allclose(get_solver("direct")(close).transfer(), ideal, rtol=1e-12)


# reading, updating ----------------------------------------------------------------------------


def test_few_inputs_and_many_read_the_same():
    rng = np.random.default_rng(1)
    crossbar = Crossbar(rng.uniform(1e-6, 1e-4, (40, 30)), 2.0, 3.0, 10.0, 5.0)
    voltage = rng.uniform(0, 1, (50, 40))
    together = crossbar.read(voltage)
    alone = np.vstack([crossbar.read(row[None]) for row in voltage])
    np.testing.assert_allclose(alone, together, rtol=1e-12)
    assert crossbar.read(voltage[:0]).shape == (0, 30)


def test_the_same_input_gives_the_same_bytes_at_any_time():
    rng = np.random.default_rng(1)
    cells, voltage = rng.uniform(1e-6, 1e-4, (20, 30)), rng.uniform(0, 1, (2, 20))
    crossbar = Crossbar(cells, 2.0, 3.0)
    before = crossbar.read(voltage).tobytes()
    assert crossbar.transfer.tobytes() == Crossbar(cells, 2.0, 3.0).transfer.tobytes()
    assert crossbar.read(voltage).tobytes() == before
    assert Crossbar(cells, 2.0, 3.0).read(voltage).tobytes() == before


def test_transfer_is_the_current_of_each_word_line_alone():
    crossbar = random_crossbar(21, most=9)
    by_read = crossbar.read(np.eye(len(crossbar.conductance)))
    np.testing.assert_allclose(crossbar.transfer, by_read.T, rtol=1e-12)


def test_update_changes_the_named_cells_alone():
    crossbar = Crossbar(np.full((3, 4), 1e-3), 1.0, 2.0, 3.0, 4.0, "right", "both")
    changed = crossbar.update([0, 2], [3, 1], [5e-3, 0])
    expected = np.full((3, 4), 1e-3)
    expected[0, 3], expected[2, 1] = 5e-3, 0
    fresh = Crossbar(expected, 1.0, 2.0, 3.0, 4.0, "right", "both")
    np.testing.assert_allclose(changed.transfer, fresh.transfer, rtol=1e-12)
    assert np.all(crossbar.conductance == 1e-3)


@pytest.mark.parametrize(
    ("rows", "columns", "conductance", "message"),
    [
        ([3], [0], 1e-3, "rows must be a word line from 0 to 2, not 3"),
        ([0], [-1], 1e-3, "columns must be a bit line from 0 to 3, not -1"),
        ([0.5], [0], 1e-3, "whole numbers"),
        ([0, 0], [1, 1], 1e-3, "not twice at word line 0, bit line 1"),
        ([0, 1], [0, 1, 2], 1e-3, "one length"),
        ([0], [0], -1e-3, "non-negative"),
    ],
)
def test_update_refuses(rows, columns, conductance, message):
    with pytest.raises(SpecError, match=message):
        Crossbar(np.full((3, 4), 1e-3)).update(rows, columns, conductance)
