"""Characterised branches against ngspice at points that the fit has not seen."""

from dataclasses import replace

import numpy as np
import pytest

from xbar.errors import SpecError, XbarWarning
from xbar.silicon.branch import Conditions, Copies, conductance, sweep
from xbar.silicon.cell import Cell
from xbar.silicon.characterise import Plan
from xbar.silicon.mismatch import Sample, sample_resistors, sample_switches

SAMPLE = Sample(copies=100, seed=2)


@pytest.fixture(scope="module")
def cell(gf180mcu):
    return Cell(gf180mcu, resistors=3, length="20u", ratio=1.2, switch_width="0.8u", series=60.0)


@pytest.fixture(scope="module")
def model(cell):
    return cell.characterise(Plan(sigma=0.02, sample=SAMPLE))


def deviated(cell, model, seed, copies=20):
    """Siemens (copies, K) by ngspice and by the law, at random deviations."""
    rng = np.random.default_rng(seed)
    shape = (copies, len(model.length))
    resistor = np.clip(rng.standard_normal(shape), -3, 3) * model.sigma_resistor
    threshold = np.clip(rng.standard_normal(shape), -3, 3) * model.sigma_threshold
    which = np.tile(np.arange(shape[1]), copies)
    drawn = Copies(which, resistor.ravel(), threshold.ravel(), np.ones(which.size, dtype=bool))
    found = conductance(cell.branches, drawn, Conditions(), model.test)
    return found.reshape(shape), model.deviated(resistor, threshold)


def test_the_law_holds_at_deviations_that_the_fit_has_not_seen(cell, model):
    found, law = deviated(cell, model, seed=9)
    error = np.abs(law / found - 1).max()
    assert found.std(axis=0).min() > 0.01 * found.min()
    assert error < 1e-7
    # the error that is told is of this size
    assert error / 4 < model.fit_error < 4 * error


def test_the_current_bends_as_c2_and_c3_say(cell, model):
    found = sweep(cell.branches, Copies.each(3), Conditions(), 0.19, 7)
    v, siemens = found.voltage, model.conductance[:, None]
    c2, c3, kink = (each[:, None] for each in (model.c2, model.c3, model.kink))
    law = siemens * v * (1 + c2 * v + c3 * v**2 + kink * np.abs(v))
    np.testing.assert_allclose(model.bent(v), law, rtol=1e-13)
    error = np.abs(law - found.current).max(axis=1) / np.abs(found.current).max(axis=1)
    assert np.all(error < 1.1 * model.bend_error)
    assert model.bend_error.max() < 2e-6
    straight = np.abs(siemens * v - found.current).max(axis=1) / np.abs(found.current).max(axis=1)
    assert np.all(error < 0.5 * straight)


def test_a_branch_that_deviates_bends_as_its_bank_says(cell, model):
    """And where the bit line rises, by the switch's share of the branch."""
    rng = np.random.default_rng(4)
    which, (dr, dvt) = np.arange(3), np.clip(rng.standard_normal((2, 3)), -1.5, 1.5)
    resistor, threshold = 0.08 * dr, model.sigma_threshold * dvt
    drawn = Copies(which, resistor, threshold, np.ones(3, dtype=bool))
    bank, lift = model.bank(), 0.005
    on = model.deviated(resistor, threshold)
    c2, c3, kink, rise = (each[:, None] for each in bank.bends(on, threshold))
    for risen in (0.0, lift):
        found = sweep(replace(cell.branches, lift=risen), drawn, Conditions(), 0.2, 4)
        v = found.voltage
        odd = c3 * v**2 + kink * np.abs(v)
        law = on[:, None] * v * (1 + c2 * v + odd + rise * risen)
        largest = np.abs(found.current).max()
        same = model.c3[:, None] * v**2 + model.kink[:, None] * np.abs(v)
        typical = on[:, None] * v * (1 + model.c2[:, None] * v + same)
        error = np.abs(law - found.current).max() / largest
        assert error < 2e-5
        assert error < np.abs(typical - found.current).max() / largest / 5


def test_corners_supplies_and_temperatures_are_those_of_ngspice(cell, model):
    def moved(**change):
        found = conductance(cell.branches, Copies.each(3), Conditions(**change), model.test)
        return found / model.conductance - 1

    np.testing.assert_allclose(model.corners["hl"], moved(corner="hl"), atol=1e-7)
    np.testing.assert_allclose(model.supplies[2.97], moved(supply=2.97), atol=1e-7)
    # a temperature between those of the fit
    away = 60.0 - model.temperature
    law = model.tempco[0] * away + model.tempco[1] * away**2
    np.testing.assert_allclose(law, moved(temperature=60.0), atol=1.2 * model.tempco_error)
    assert model.tempco_error < 2e-3
    assert model.corners["ss"].max() < -0.1 < 0.1 < model.corners["ff"].min()


def test_the_parts_of_a_branch_add_up(cell, model):
    found = conductance(cell.branches, Copies.each(3), Conditions(), model.test)
    np.testing.assert_allclose(model.conductance, found, rtol=1e-8)
    np.testing.assert_array_equal(model.series, 60.0)
    # ends and body: ohms grow in proportion to the length, from those of the ends
    body = np.diff(model.resistance) / np.diff(model.length)
    np.testing.assert_allclose(body[0], body[1], rtol=1e-3)
    assert np.all(model.off < 1e-9 * model.conductance)
    assert model.open[125.0].max() > model.open[27.0].max()


def test_the_spread_of_a_branch_is_that_of_chips_drawn_from_its_bank(model):
    import xbar

    bank = model.bank()
    np.testing.assert_allclose(bank.nominal_conductance, model.conductance, rtol=1e-12)
    hardware = xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=40, bit_lines=40))
    drawn = xbar.Chip.sample(hardware, 3).on(0)
    spread = drawn.std((0, 1)) / drawn.mean((0, 1))
    np.testing.assert_allclose(spread, model.sigma, rtol=0.06)


def test_a_process_without_mismatch_of_its_resistor_says_so(gf180mcu):
    cell = Cell(gf180mcu, resistors=1, length="20u")
    steps = []
    with pytest.warns(XbarWarning, match="hold no mismatch of its resistor.* give .* by sigma"):
        model = cell.characterise(Plan(sample=Sample(copies=10)), lambda *step: steps.append(step))
    assert steps == [(n, len(steps)) for n in range(1, len(steps) + 1)]
    np.testing.assert_array_equal(model.sigma_resistor, 0)
    assert any("no mismatch" in note for note in model.notes)


def test_the_same_plan_is_simulated_once_and_gives_the_same_numbers(cell, model, gf180mcu):
    assert cell.characterise(Plan(sigma=0.02, sample=SAMPLE)) is model
    again = Cell(gf180mcu, 3, "20u", 1.2, "0.8u", series=60.0)
    other = again.characterise(Plan(sigma=0.02, sample=SAMPLE))
    assert other.to_json() == model.to_json()


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (Plan(temperature=500.0), "temperature must be from -100 to 200 C, not 500"),
        (Plan(supply=5.0), r"supply must be above 0 and at most 3.96 V"),
        (Plan(sigma=0.5), "sigma must be one fraction below 0.3 or 3"),
        (Plan(sigma=(0.1, 0.1)), "sigma must be one fraction below 0.3 or 3"),
        (Plan(test=0.3, within=0.2), "test must be 0 or a voltage from 1 mV to within"),
        (Plan(test=1e-4), "test must be 0 or a voltage from 1 mV to within.* not 0.0001 and 0.2"),
        (Plan(within=1e-3), "within one from 10 mV to 0.3 V"),
        (Plan(sample=Sample(copies=2)), "samples must be from 10"),
    ],
)
def test_plans_out_of_range_are_refused(cell, plan, told):
    with pytest.raises(SpecError, match=told):
        cell.characterise(plan)


@pytest.mark.sky130
def test_the_deviations_of_sky130_are_those_that_its_models_draw(sky130):
    cell = Cell(replace(sky130, skewed=("ss",)), resistors=2, length="4u", ratio=2.0)
    steps = []
    model = cell.characterise(
        Plan(sample=Sample(copies=300, seed=1)), lambda *step: steps.append(step)
    )
    assert steps == [(n, len(steps)) for n in range(1, len(steps) + 1)]
    # whole branches with the models' own mismatch, drawn anew with another seed
    which = np.repeat([0, 1], 300)
    copies = Copies(which, np.zeros(600), np.zeros(600), np.ones(600, dtype=bool))
    found = conductance(cell.branches, copies, Conditions(seed=5), model.test)
    spread = found.reshape(2, 300)
    # a sample of 300 knows its deviation to 4 %, and so does that of the model
    np.testing.assert_allclose(spread.std(1) / spread.mean(1), model.sigma, rtol=0.15)
    # a poly resistor of 4.64 %/sqrt(w l / um2), its ends aside, as its model says
    body = 0.0464 / np.sqrt(0.35 * 8.0)
    assert model.sigma_resistor[1] == pytest.approx(body, rel=0.12)
    # twice the length, 1/sqrt(2) of the spread, but for the ends
    assert model.sigma_resistor[0] / model.sigma_resistor[1] == pytest.approx(np.sqrt(2), rel=0.1)
    found, law = deviated(cell, model, seed=4, copies=10)
    assert np.abs(law / found - 1).max() < 1e-7


def test_switches_of_different_widths_and_many_lengths_are_each_sampled(gf180mcu):
    lengths = [f"{20 + 0.1 * k:.2f}u" for k in range(40)]
    widths = ["0.5u", "1u"] * 20
    many = Cell(gf180mcu, 40, lengths, switch_width=widths, series=0.0).branches
    switches = sample_switches(many, Sample(copies=700), Conditions())
    assert switches.shape == (40, 700)
    np.testing.assert_array_equal(switches[0], switches[2])
    assert len(np.unique(switches[:2])) == 1400  # two decks, of different seeds
    # the narrower ones deviate more: as 1/sqrt(width), that of the model being 0.1 um more
    spread = switches.std(axis=1) / switches.mean(axis=1)
    assert spread[0] / spread[1] == pytest.approx(np.sqrt(1.1 / 0.6), rel=0.1)
    resistors = sample_resistors(many, Sample(copies=700), Conditions(), 0.1)
    assert resistors.shape == (40, 80)
    assert np.all(np.diff(resistors[:, 0]) > 0)


def test_resistors_alone_have_the_ohms_of_the_branch_without_its_switch(cell, model):
    alone = sample_resistors(cell.branches, Sample(copies=2), Conditions(), 5e-3)
    np.testing.assert_allclose(alone, np.repeat(model.resistance[:, None], 2, axis=1), rtol=5e-4)
