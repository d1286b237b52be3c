"""Cells that do not obey Ohm's law, against the circuit solver, closed forms and SPICE's own."""

import numpy as np
import pytest

import xbar
from xbar.circuit.nonlinear import PolynomialCell, SinhCell, solve_nonlinear
from xbar.errors import SpecError
from xbar.simulation.readout import AnalogProducts

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((5, 11))}
X = np.random.default_rng(1).standard_normal((6, 11))
WIRES = {"word_wire": 30.0, "bit_wire": 20.0, "source": 10.0, "load": 15.0}


def program(law, wires=WIRES, layout="cell", **changes):
    k = 4
    lines = {"cell": (6, 8), "columns": (6, 8 * k), "rows": (6 * k, 8)}[layout]
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=k, nominal=10e3, nonlinearity=law, layout=layout),
        tile=xbar.Tile(word_lines=lines[0], bit_lines=lines[1], **wires),
    ).model_copy(update=changes)
    return xbar.compile(WEIGHTS, hardware, seed=0)


def read(p, readout, x=X):
    return AnalogProducts(p, readout, 0)("fc", x[:, None])[:, 0]


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
def test_cells_that_are_nearly_linear_read_as_nodal(layout):
    for law in ({"sinh": 1e4}, {"odd": [0.0]}, {"odd": [0.0, 0.0]}):
        p = program(law, layout=layout)
        nodal = p.run({"fc": X}, readout="nodal")["fc"]
        scale = np.abs(nodal).max()
        np.testing.assert_allclose(read(p, "nonlinear"), nodal, atol=1e-8 * scale)


def test_a_read_is_newtons_solution_of_each_tile():
    p = program({"sinh": 0.1})
    unit = 0.2 / np.abs(X).max(axis=1, keepdims=True)
    y = np.zeros((len(X), 5))
    for tile, n, part in p.blocks_of("fc"):
        law = SinhCell(tile.conductance, 0.1)
        volts = tile.voltage((X * unit)[:, part.block.inputs], n)
        current = solve_nonlinear(tile.crossbar(), law, volts).current
        lines = 2 * part.block.columns
        y[:, part.block.outputs] += (current[:, lines] - current[:, lines + 1]) / part.scale
    np.testing.assert_allclose(read(p, "nonlinear"), y / unit, rtol=1e-10)
    assert np.abs(y / unit - read(p, "nodal")).max() > 0.05


def test_an_odd_polynomial_is_written_out_in_its_powers():
    p = program({"odd": [2.0, 3.0]})
    tile = p.tiles[0]
    volts = tile.voltage(X[:, tile.blocks[0].block.inputs] * 0.05)
    g = tile.conductance
    law = PolynomialCell(np.array([g, 0 * g, 2 * g, 0 * g, 3 * g]))
    expected = solve_nonlinear(tile.crossbar(), law, volts).current
    from xbar.effects.nonlinearity import line_currents

    found = line_currents(tile.crossbar(), tile.law(), volts)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_with_ideal_wires_each_cell_sees_its_word_lines_voltage():
    p = program({"sinh": 0.1}, wires={})
    unit = 0.2 / np.abs(X).max(axis=1, keepdims=True)
    bent = 0.1 * np.sinh(X * unit / 0.1)
    expected = bent @ p.matrices()["fc"].T / unit
    np.testing.assert_allclose(read(p, "nonlinear"), expected, rtol=1e-10)


def test_one_bit_inputs_make_non_linear_cells_harmless():
    """Every cell sees 0 or one voltage, so its law is a common factor."""
    p = program({"sinh": 0.1}, wires={}, dac=xbar.Converter(bits=8, bit_serial=1))
    factor = 0.1 * np.sinh(0.2 / 0.1) / 0.2
    np.testing.assert_allclose(read(p, "nonlinear"), factor * read(p, "ideal"), rtol=1e-9)
    whole = program({"sinh": 0.1}, wires={}, dac=xbar.Converter(bits=8))
    y, straight = read(whole, "nonlinear"), read(whole, "ideal")
    best = (y * straight).sum() / (straight**2).sum()
    assert np.abs(y - best * straight).max() > 1e-2 * np.abs(y).max()


def test_the_budget_tells_the_law_from_the_wires():
    p = program({"sinh": 0.1})
    budget = xbar.simulate(p, {"fc": X}, readout="nonlinear", budget=True).budget
    parts = {part.part: part for part in budget.parts}
    assert list(parts) == ["selection", "wires", "nonlinearity"]
    nodal = xbar.simulate(p, {"fc": X}, readout="nodal", budget=True).budget
    assert parts["nonlinearity"].error_without == pytest.approx(nodal.error, rel=1e-9)
    exact = X @ WEIGHTS["fc"].T
    ideal = program({"sinh": 0.1}, wires={})
    missed = read(ideal, "nonlinear") - X @ ideal.matrices()["fc"].T
    expected = np.sqrt((missed**2).sum() / (exact**2).sum())
    assert parts["nonlinearity"].error_alone == pytest.approx(expected, rel=0.02)
    assert budget.error_without_all < 1e-12


def test_a_law_survives_a_file(tmp_path):
    (tmp_path / "chip.toml").write_text(
        '[bank]\nresistors = 4\n[bank.nonlinearity]\nsinh = "300 mV"\n'
    )
    hardware = xbar.Hardware.load(tmp_path / "chip.toml")
    assert hardware.bank.nonlinearity.sinh == 0.3
    program = xbar.compile(WEIGHTS, hardware, seed=0)
    program.save(tmp_path / "a.xbar")
    assert xbar.Program.load(tmp_path / "a.xbar").chip.hardware == hardware


def test_a_design_without_a_law_is_told():
    p = xbar.compile(WEIGHTS, xbar.Hardware(), seed=0)
    with pytest.raises(SpecError, match=r"the cells' law: set bank\.nonlinearity"):
        xbar.simulate(p, {"fc": X}, readout="nonlinear")


@pytest.mark.parametrize(
    ("law", "message"),
    [
        ({}, "must have either sinh, volts, or odd"),
        ({"sinh": 0.1, "odd": [1.0]}, "must have either sinh"),
        ({"sinh": 0.0}, "sinh must be greater than 0 V"),
        ({"odd": [1.0, -1.0]}, r"odd must be coefficients from 0, not \[1.0, -1.0\]"),
    ],
)
def test_laws_that_say_nothing_or_fall_are_refused(law, message):
    with pytest.raises(SpecError, match=message):
        xbar.Bank(nonlinearity=law)


BY_RESISTOR = {"c2": [-0.3, 0.2, 0.5, -0.8], "c3": [0.4, -0.6, 1.5, 0.1]}


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
def test_each_closed_resistor_bends_by_its_own_coefficients(layout):
    bank = {"on_off_ratio": 30.0, "stuck_closed": 0.1, "stuck_open": 0.1, "resistors": 4}
    hardware = program(BY_RESISTOR, layout=layout).chip.hardware
    hardware = hardware.model_copy(update={"bank": hardware.bank.model_copy(update=bank)})
    p = xbar.compile(WEIGHTS, hardware.model_copy(update={"tile": ideal(hardware.tile)}), seed=3)
    tile, block = p.tiles[0], p.tiles[0].blocks[0].block
    unit = 0.2 / np.abs(X).max(axis=1, keepdims=True)
    volts = np.zeros((len(X), 6))
    volts[:, block.word_lines] = (X * unit)[:, block.inputs]
    on, off, stuck = tile.chip.resistors(0)
    closed = (tile.mask & (stuck >= 0)) | (stuck > 0)
    v = volts[:, :, None, None]
    bent = 1 + np.array(BY_RESISTOR["c2"]) * v + np.array(BY_RESISTOR["c3"]) * v**2
    current = (np.where(closed, on * bent, off) * v).sum(axis=(1, 3))
    found = tile.columns(solve_ideal(tile, tile.lines(volts)))
    np.testing.assert_allclose(found, current, rtol=1e-12, atol=1e-18)


def ideal(tile):
    return tile.model_copy(update={"word_wire": 0.0, "bit_wire": 0.0, "source": 0.0, "load": 0.0})


def solve_ideal(tile, volts):
    from xbar.effects.nonlinearity import line_currents

    return line_currents(tile.crossbar(), tile.law(), volts)


def test_one_coefficient_is_that_of_every_resistor():
    listed = {"c2": [0.4] * 4, "c3": [-0.5] * 4}
    one, same = program({"c2": 0.4, "c3": -0.5}), program(listed)
    np.testing.assert_array_equal(read(one, "nonlinear"), read(same, "nonlinear"))
    odd = read(program({"odd": [0.7]}), "nonlinear")
    np.testing.assert_allclose(read(program({"c3": 0.7}), "nonlinear"), odd, rtol=1e-9)


def test_tuned_cells_bend_too():
    tuned = xbar.Options(programming="write-verify")
    p = xbar.compile(WEIGHTS, program({"c2": 0.4}).chip, options=tuned)
    tile = p.tiles[0]
    np.testing.assert_allclose(tile.powers()[0], 0.4 * tile.branch)


def test_a_tile_of_ohmic_cells_has_no_law():
    with pytest.raises(SpecError, match=r"set bank\.nonlinearity"):
        program(None).tiles[0].law()
