"""Reads of a few cells against numbers that are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import xbar

EQUAL = xbar.Bank(resistors=1, nominal=1e3, spread="none")


@pytest.mark.parametrize(
    ("cells", "share"), [(4, 1.0), (12, 1.0), (64, 0.75**0.25 / 8**0.5), (256, 0.75**0.25 / 8)]
)
def test_equal_cells_at_full_scale_are_clipped_by_the_fourth_root_of_their_number(
    cells, share, recwarn
):
    """Of n equal currents i the automatic range is the smaller of n i and 4 (12/n)^(1/4) √n i."""
    tile = xbar.Tile(word_lines=256, bit_lines=2)
    analog, read = (
        xbar.compile({"fc": np.ones((1, cells))}, hardware, seed=0).run(np.ones((1, cells)))
        for hardware in (
            xbar.Hardware(bank=EQUAL, tile=tile),
            xbar.Hardware(bank=EQUAL, tile=tile, adc=xbar.Converter(bits=16)),
        )
    )
    np.testing.assert_allclose(read, analog * share, rtol=1e-4)
    told = [str(each.message) for each in recwarn]
    assert len(told) == (share < 1)
    assert all("fc: 100.00 % of the ADC conversions are clipped" in each for each in told)


def test_the_automatic_range_is_of_the_current_that_the_wires_let_through():
    """Nine cells in line: behind wires the range and the largest reading fall alike."""
    wires = xbar.Tile(word_lines=9, bit_lines=2, word_wire=20.0, bit_wire=30.0, load=100.0)
    design = xbar.Hardware(bank=EQUAL, tile=wires, adc=xbar.Converter(bits=16))
    program = xbar.compile({"fc": np.ones((1, 9))}, design, seed=0)
    current = program.tiles[0].difference("nodal")[0].sum() * 0.2
    read = program.reader(readout="nodal")
    read(np.ones((1, 9)))
    (stage,) = read._products.reading("fc").stages
    np.testing.assert_allclose(stage.full_scale, current, rtol=1e-12)
    ideal = program.reader()
    ideal(np.ones((1, 9)))
    (stage,) = ideal._products.reading("fc").stages
    np.testing.assert_allclose(stage.full_scale, 9 * 0.2e-3, rtol=1e-12)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.7], [0.9, -0.6, 0.8]])
def test_behind_a_quarter_of_the_cells_resistance_exact_cells_lose_a_fifth(weights):
    """1 kohm behind 250 ohm passes 1000/1250 of the current, whatever the choice has missed."""
    tile = xbar.Tile(word_lines=1, bit_lines=2, source=90.0, bit_wire=100.0, load=60.0)
    program = xbar.compile(
        {"fc": np.array(weights)[:, None]},
        xbar.Hardware(bank=EQUAL, tile=tile),
        seed=0,
        options=xbar.Options(scale_per="layer"),
    )
    result = xbar.simulate(program, {"fc": np.ones((1, 1))}, readout="nodal", budget=True)
    parts = {part.part: part for part in result.budget.parts}
    assert parts["selection"].error_without == pytest.approx(0.2, rel=1e-9)
    assert parts["wires"].error_alone == pytest.approx(0.2, rel=1e-9)
    missed = np.array(weights) - program.matrices()["fc"][:, 0]
    expected = np.sqrt((missed**2).sum() / np.square(weights).sum())
    assert parts["wires"].error_without == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_noise_behind_wires_is_that_of_resistors_that_really_shake():
    """Against arrays with each resistor off by its own noise, solved one by one.

    The read-out takes each cell's noise as attenuated like its signal, which leaves out that a
    cell loads its own lines: a few per cent where wires take a fifth.
    """
    sigma, draws = 0.03, 3000
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=3, nominal=3e3),
        tile=xbar.Tile(
            word_lines=16, bit_lines=16, word_wire=2.0, bit_wire=2.0, source=10.0, load=5.0
        ),
        variation=xbar.Variation(read_noise=sigma),
    )
    rng = np.random.default_rng(7)
    program = xbar.compile({"fc": rng.standard_normal((8, 16))}, hardware, seed=1)
    (tile,) = program.tiles
    (part,) = tile.blocks
    x = rng.choice([-1.0, 1.0], 16)
    volts, plus = tile.voltage(0.2 * x[None, part.block.inputs]), 2 * part.block.columns
    shaken = np.empty((draws, 8))
    for draw in range(draws):
        branch = tile.branch * (1 + sigma * rng.standard_normal(tile.branch.shape))
        array = xbar.Crossbar(branch.sum(axis=-1), 2.0, 2.0, 10.0, 5.0)
        (current,) = array.solve(volts).current
        shaken[draw, part.block.outputs] = (current[plus] - current[plus + 1]) / part.scale / 0.2
    read = {
        readout: program.run({"fc": np.tile(x, (20_000, 1))}, readout=readout, seed=2)["fc"]
        for readout in ("nodal", "ideal")
    }
    exact = shaken.var(axis=0).mean()
    assert read["nodal"].var(axis=0).mean() == pytest.approx(exact, rel=0.1)
    assert read["ideal"].var(axis=0).mean() > 1.3 * exact
