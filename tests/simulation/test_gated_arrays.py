"""Arrays whose word lines are gates, and cells with selectors: nodal analysis and ngspice."""

from __future__ import annotations

import numpy as np
import pytest
from topologies import INPUTS, INTERLEAVED, PAIRED, SEPARATE, WEIGHTS, WIRES, design, gated_design

import xbar
from xbar.errors import SpecError, XbarWarning
from xbar.simulation.cost import cost

SELECTOR = xbar.Selector(
    voltage=(0.02, 0.05, 0.1, 0.15, 0.4), current=(1e-8, 3e-7, 4e-6, 3e-5, 4e-4)
)


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize("tile", [SEPARATE, PAIRED], ids=["separate", "paired"])
def test_gated_programs_read_each_bit_through_their_lines(layout, tile):
    """The sum over the DAC's steps of currents by the general solver, made by hand."""
    program = xbar.compile({"fc": WEIGHTS}, gated_design(tile, layout), seed=3)
    volts = program.hardware.read_voltage
    found = {each: program.run({"fc": INPUTS}, readout=each)["fc"] for each in ("ideal", "nodal")}
    by_hand = {each: np.zeros_like(found[each]) for each in found}
    for n, vector in enumerate(INPUTS):
        peak = np.abs(vector).max()
        codes = np.round(vector / peak * 15).astype(int)
        for bit in range(5):
            weight = (2**bit if bit < 4 else -16) / 15 * peak / volts
            on = (codes >> bit) & 1
            for each in program.tiles:
                for number, placed in enumerate(each.blocks):
                    lines = each.voltage(volts * on[placed.block.inputs][None], number)
                    array = each.array()
                    ideal = array.with_ideal_lines().solve(lines).current
                    for kind, amperes in (("ideal", ideal), ("nodal", array.solve(lines).current)):
                        pair = each.mapping.currents(each.columns(amperes), placed.block)[0]
                        by_hand[kind][n, placed.block.outputs] += weight * pair / placed.scale
    for kind, expected in by_hand.items():
        assert np.abs(found[kind] - expected).max() < 1e-9 * np.abs(expected).max()
    assert np.abs(found["ideal"] - found["nodal"]).max() > 1e-3 * np.abs(found["nodal"]).max()


@pytest.mark.parametrize("tile", [SEPARATE, PAIRED], ids=["separate", "paired"])
@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_ngspice_confirms_gated_tiles(ngspice, tile, detail):
    program = xbar.compile({"fc": WEIGHTS}, gated_design(tile), seed=3)
    assert xbar.verify(program, detail=detail).passed


def test_gated_arrays_have_rows_of_their_own_in_the_error_budget():
    program = xbar.compile({"fc": WEIGHTS}, gated_design(SEPARATE), seed=3)
    result = xbar.simulate(program, {"fc": INPUTS}, readout="nodal", budget=True)
    names = {part.part for part in result.budget.parts}
    assert "sources" in names
    assert "wires" not in names
    alone = {part.part: part.error_alone for part in result.budget.parts}
    assert 1e-3 < alone["sources"] < 0.2
    assert result.budget.error_without_all < 1e-12


def test_gated_arrays_have_no_matrix_with_wires():
    program = xbar.compile({"fc": WEIGHTS}, gated_design(SEPARATE), seed=3)
    with pytest.raises(SpecError, match="word lines are gates"):
        program.matrices("nodal")
    with pytest.raises(SpecError, match="depends on the input"):
        xbar.compile({"fc": WEIGHTS}, gated_design(SEPARATE), seed=3, wire_aware=True)
    with pytest.raises(SpecError, match="DAC of bits"):
        design(**SEPARATE)


def test_drivers_of_gated_arrays_supply_what_their_read_costs():
    program = xbar.compile({"fc": WEIGHTS}, gated_design(PAIRED), seed=3)
    tile = program.tiles[0]
    lines = tile.voltage(program.hardware.read_voltage * np.ones((1, 7)))
    solved = tile.array().solve(lines)
    supplied = (solved.cell_current[0].sum(axis=0) * tile.array().sign).sum() * lines.max()
    assert tile.array().power(lines)[0] == pytest.approx(supplied, rel=1e-10)
    assert cost(program).layers[0].read_energy > 0


@pytest.mark.parametrize("tile", [SEPARATE, PAIRED], ids=["separate", "paired"])
def test_tuned_devices_between_source_lines_are_written_by_their_own_conductance(tile):
    hardware = gated_design(tile, cost=xbar.Cost(pulse_voltage=2.0, pulse_time="1 s", pulses=3))
    options = xbar.Options(programming="write-verify")
    program = xbar.compile({"fc": WEIGHTS}, hardware, seed=3, options=options)
    siemens = sum(each.conductance.sum() for each in program.tiles)
    # pulses of 1 s take so much that the reads between them count for nothing
    joules = cost(program).programming.writing_energy
    assert joules == pytest.approx(3 * 2.0**2 * 1.0 * siemens, rel=1e-6)


@pytest.mark.parametrize(
    "tile",
    [{"word_wire": 2.0, **WIRES}, INTERLEAVED, PAIRED],
    ids=["input-source", "interleaved", "gated"],
)
@pytest.mark.parametrize("law", [None, xbar.Nonlinearity(sinh=0.2)], ids=["ohmic", "bent"])
def test_ngspice_confirms_cells_with_selectors(ngspice, tile, law):
    hardware = gated_design(tile, selector=SELECTOR)
    bank = hardware.bank.model_copy(update={"nonlinearity": law})
    program = xbar.compile({"fc": WEIGHTS}, hardware.model_copy(update={"bank": bank}), seed=3)
    for detail in ("cell", "resistor"):
        assert xbar.verify(program, readout="nonlinear", detail=detail).passed
    with pytest.warns(XbarWarning, match="'nodal' is without the design's selectors"):
        plain = program.run({"fc": INPUTS}, readout="nodal")["fc"]
    held = program.run({"fc": INPUTS}, readout="nonlinear")["fc"]
    assert np.abs(plain - held).max() > 0.1 * np.abs(plain).max()


def test_selectors_have_a_row_in_the_error_budget():
    hardware = gated_design({"word_wire": 2.0, **WIRES}, selector=SELECTOR)
    program = xbar.compile({"fc": WEIGHTS}, hardware, seed=3)
    result = xbar.simulate(program, {"fc": INPUTS}, readout="nonlinear", budget=True)
    assert "selector" in {part.part for part in result.budget.parts}
    assert result.budget.error_without_all < 1e-12


@pytest.mark.parametrize("dialect", ["xyce", "hspice"])
def test_other_dialects_write_each_selectors_points(dialect):
    program = xbar.compile({"fc": WEIGHTS}, gated_design({**WIRES}, selector=SELECTOR), seed=3)
    tile = program.tiles[0]
    text = tile.netlist(dialect, readout="nonlinear").text.replace("\n+ ", " ")
    tables = [line for line in text.splitlines() if "4.0000000000000002e-04" in line]
    assert len(tables) == np.count_nonzero(tile.conductance)
    with pytest.raises(SpecError, match="ngspice, xyce or hspice"):
        tile.netlist("spectre", readout="nonlinear")


def test_a_selectors_table_in_a_file_has_units(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text('[selector]\nvoltage = ["200 mV", 0.5]\ncurrent = ["1 nA", 1e-5]\n')
    selector = xbar.Hardware.load(path).selector
    assert selector.voltage == (0.2, 0.5)
    assert selector.current == (1e-9, 1e-5)
    path.write_text("[selector]\nvoltage = [0.1, 0.5]\ncurrent = [1e-5, 1e-6]\n")
    with pytest.raises(SpecError, match=r"chip.toml: selector.*snaps back"):
        xbar.Hardware.load(path)
