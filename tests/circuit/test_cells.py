"""Cell circuits: closed forms against general networks, our deck solver and ngspice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xbar
from xbar.circuit.cells import LadderCell, ParallelCell, SeriesCell
from xbar.circuit.dialects.registry import DIALECTS
from xbar.circuit.engines.ngspice import run
from xbar.errors import SpecError

KINDS = {
    "parallel": lambda ohms, on, off: ParallelCell(ohms, on, off),
    "series": lambda ohms, on, off: SeriesCell(ohms, on, off),
    "ladder": lambda ohms, on, off: LadderCell(ohms, on, off, rail=np.arange(1, len(ohms) + 1.0)),
}


def masks(k):
    return np.array(list(itertools.product([False, True], repeat=k)))


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return KINDS[request.param]


@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.floats(1e2, 1e5), min_size=1, max_size=4),
    st.sampled_from([0.0, 1.0, 50.0]),
    st.sampled_from([np.inf, 1e9, 1e4]),
)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_the_value_of_every_mask_is_the_networks_effective_conductance(name, ohms, on, off):
    cell = KINDS[name](ohms, on, off)
    values = cell.value(masks(len(ohms)))
    for mask, value in zip(masks(len(ohms)), values, strict=True):
        circuit = cell.circuit(mask)
        nodes = circuit.network.labels
        # a short between the terminals, or no way at all, is no resistance
        if np.isinf(value):
            assert "a" not in nodes or "0" not in nodes
        elif value == 0:
            assert abs(circuit.solve().current["v1"]) < 1e-25
        else:
            resistance = circuit.network.effective_resistance("a", "0")
            assert resistance == pytest.approx(1 / value, rel=1e-10)
            assert circuit.solve().current["v1"] == pytest.approx(-value, rel=1e-10)


@pytest.mark.parametrize("number", [0, 5, 7, 12])
def test_ngspice_reads_the_value_of_a_cell(ngspice, kind, number):
    rng = np.random.default_rng(number)
    cell = kind(10 ** rng.uniform(3, 5, 4), 20.0, 1e8)
    mask = masks(4)[number]
    assert run(cell.netlist(mask))[0] == pytest.approx(float(cell.value(mask)), rel=1e-9)


def test_a_cells_deck_reads_back_as_the_same_value(kind, tmp_path):
    cell = kind([1e3, 2.2e3, 4.7e3], 5.0, np.inf)
    for dialect in ("ngspice", "xyce", "hspice"):
        for mask in masks(3):
            path = tmp_path / "cell.cir"
            cell.netlist(mask, dialect).write(path, force=True)
            found = xbar.read_spice(path).solve().current["vs"]
            assert found == pytest.approx(float(cell.value(mask)), rel=1e-12, abs=1e-25)


def test_every_dialect_has_the_cell_as_a_subcircuit_with_its_mask(kind):
    cell = kind([1e3, 2e3], 1.0, np.inf)
    for dialect in DIALECTS:
        text = cell.netlist([True, False], dialect, title="a\n.control").text.replace("\n+ ", " ")
        assert "cell_a__control" in text
        assert "c0=1 c1=0" in text
        assert not any(line.startswith(".control") for line in text.splitlines())


def test_in_parallel_the_conductances_of_a_subset_add():
    cell = ParallelCell([1e3, 2e3, 4e3])
    expected = masks(3) @ [1e-3, 5e-4, 2.5e-4]
    np.testing.assert_allclose(cell.value(masks(3)), expected, rtol=1e-15)


def test_in_parallel_a_finite_on_off_ratio_is_still_a_subset_sum():
    cell = ParallelCell([1e3, 2e3, 4e3], 10.0, 1e6)
    on, off = 1 / (cell.resistance + 10), 1 / (cell.resistance + 1e6)
    np.testing.assert_allclose(cell.value(masks(3)), off.sum() + masks(3) @ (on - off), rtol=1e-14)


def test_in_series_the_resistances_of_a_subset_and_the_closed_bypasses_add():
    r = np.array([1e3, 2e3, 4e3])
    cell = SeriesCell(r, switch_on=1e-3)
    bypassed = r * 1e-3 / (r + 1e-3)  # a closed switch beside its resistor: nearly its own 1 mohm
    expected = masks(3) @ r + ~masks(3) @ bypassed
    np.testing.assert_allclose(1 / cell.value(masks(3)), expected, rtol=1e-14)
    np.testing.assert_allclose(
        1 / cell.value(masks(3)), masks(3) @ r + (3 - masks(3).sum(axis=1)) * 1e-3, rtol=2e-6
    )


def test_a_string_that_is_wholly_bypassed_by_ideal_switches_is_a_short():
    assert np.isinf(SeriesCell([1.0, 2.0]).value([False, False]))


def test_an_r_2r_ladder_has_binary_weights_in_its_terminated_form():
    """All rungs on: n sections of 1 and 2 ohm and a last rung of 1 ohm look like 2 ohm."""
    cell = LadderCell([2.0, 2.0, 2.0, 1.0], rail=[1.0, 1.0, 1.0, 1.0])
    assert float(cell.value(np.ones(4, dtype=bool))) == pytest.approx(0.5, rel=1e-15)


def test_a_ladder_on_a_rail_of_almost_nothing_is_the_parallel_cell():
    r = [1e3, 2e3, 4e3]
    ladder = LadderCell(r, rail=[1e-9] * 3)
    np.testing.assert_allclose(ladder.value(masks(3)), ParallelCell(r).value(masks(3)), rtol=1e-11)


def test_masks_may_have_any_number_of_axes(kind):
    cell = kind([1e3, 2e3], 1.0, np.inf)
    batch = np.random.default_rng(0).random((3, 4, 5, 2)) < 0.5
    values = cell.value(batch)
    assert values.shape == (3, 4, 5)
    assert values[2, 1, 3] == cell.value(batch[2, 1, 3])


def test_closing_a_switch_of_a_parallel_or_ladder_cell_never_lowers_its_conductance():
    """Rayleigh monotonicity, over all pairs of masks that differ in one switch."""
    for name in ("parallel", "ladder"):
        values = KINDS[name]([1e3, 2e3, 5e3, 7e3], 3.0, 1e6).value(masks(4)).reshape([2] * 4)
        for axis in range(4):
            assert np.all(np.diff(values, axis=axis) > 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "resistance must be a row of positive"),
        (([1.0, 0.0],), "resistance must be a row of positive"),
        (([1.0, -1.0],), "resistance must be finite"),
        (([[1.0]],), "resistance must be a row"),
        (([1.0], -1.0), "switch_on must be from 0 ohm"),
        (([1.0], 2.0, 1.0), "below switch_off"),
        (([1.0], np.nan), "switch_on must be"),
    ],
)
def test_what_is_no_cell_is_refused(arguments, message):
    with pytest.raises(SpecError, match=message):
        ParallelCell(*arguments)


def test_what_is_no_mask_is_refused():
    cell = ParallelCell([1.0, 2.0], 0.1)
    for mask in ([1, 0], [True], [[True]], True):
        with pytest.raises(SpecError, match=r"a mask must be \(\.\.\., 2\) bool"):
            cell.value(mask)
    with pytest.raises(SpecError, match=r"one mask \(2,\)"):
        cell.netlist([[True, False]])
    with pytest.raises(SpecError, match="switch_on must be positive in a netlist"):
        ParallelCell([1.0]).netlist([True])
    with pytest.raises(SpecError, match="one resistor for each rung, 2, not 1"):
        LadderCell([1.0, 2.0], rail=[1.0])
