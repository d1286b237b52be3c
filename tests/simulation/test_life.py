"""Simulation over time and temperature, and its digital compensation."""

import json

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError, XbarWarning
from xbar.simulation.compensation import Correction
from xbar.simulation.dataset import read_dataset
from xbar.simulation.life import Life, conditions
from xbar.simulation.ranges import adc_ranges

DRIFT = {"first": "1 s", "mean": {"polynomial": [0.06]}, "sigma": {"polynomial": [0.01]}}
DESIGN = xbar.Hardware(
    bank=xbar.Bank(resistors=5, on_off_ratio=100),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=1.0, bit_wire=1.0),
    variation=xbar.Variation(read_noise=0.01),
    device={"drift": DRIFT, "activation": "0.3 eV"},
    temperature={"resistors": -5e-4, "wires": "copper"},
)


@pytest.fixture(scope="module")
def data(trained):
    return read_dataset(trained.data)


@pytest.fixture(scope="module")
def program(trained):
    return xbar.compile(xbar.read_model(trained.path), DESIGN, seed=2)


def test_each_point_is_the_simulation_of_that_chip(program, data):
    x, y = data.inputs, data.labels
    life = xbar.simulate(
        program, x, y, readout="nodal", seed=5, time=["1 h", "1 y"], temperature=["27 C", 350.0]
    )
    assert [(p.time, p.temperature) for p in life.points] == [
        (3600.0, 300.15), (3600.0, 350.0), (31557600.0, 300.15), (31557600.0, 350.0),
    ]  # fmt: skip
    for point in life.points:
        later = program.on(program.chip.at(point.time, point.temperature))
        alone = xbar.simulate(later, x, y, readout="nodal", seed=5)
        assert point.result.accuracies == alone.accuracies
        assert point.result.layers == alone.layers
    assert life.accuracy == life.points[0].result.accuracy
    assert life.points[-1].result.layers[0].snr_db < life.points[0].result.layers[0].snr_db - 3


def test_further_trials_are_chips_that_were_programmed_before_they_aged(trained, program, data):
    life = xbar.simulate(program, data.inputs, data.labels, trials=2, seed=5, time=["1 s", "1 d"])
    seed = int(np.random.SeedSequence([5, 0, 1]).generate_state(1, np.uint64)[0])
    other = xbar.compile(xbar.read_model(trained.path), DESIGN, seed=seed)
    for point in life.points:
        later = other.on(other.chip.at(point.time))
        noise = int(np.random.SeedSequence([5, 1, 1]).generate_state(1, np.uint64)[0])
        outputs = later.run(data.inputs, seed=noise)
        share = (outputs.argmax(axis=1) == data.labels).mean()
        assert point.result.accuracies[1] == share
        assert point.result.interval is not None
        assert point.result.chip_deviation is not None


def test_one_factor_a_layer_takes_a_common_drift_out(program, data):
    """All devices lose the same fraction: after compensation what the chip was programmed to."""
    same = DRIFT | {"sigma": {"polynomial": [0.0]}}
    design = DESIGN.model_copy(update={"device": {"drift": same}, "variation": xbar.Variation()})
    still = xbar.compile(program.graph, design, seed=2)
    arguments = {"time": ["1 s", "1 y"], "compensate": "gain"}
    found = xbar.simulate(still, data.inputs, data.labels, **arguments).points
    for old, new in zip(found[0].result.layers, found[1].result.layers, strict=True):
        assert new.snr_db == pytest.approx(old.snr_db, abs=1e-6)
    plain = xbar.simulate(still, data.inputs, data.labels, time="1 y")
    lost = 20 * np.log10(1 - 31557600.0**-0.06)  # of an output: the rest is 1 - f of it
    assert plain.layers[0].snr_db == pytest.approx(-lost, abs=0.1)


def test_compensation_is_told_also_of_a_chip_as_programmed(program, data):
    plain, gain = (
        xbar.simulate(program, data.inputs, data.labels, compensate=method)
        for method in ("none", "gain")
    )
    assert "compensated by gain" in str(gain)
    assert "compensated" not in str(plain)
    assert (plain.to_json()["compensate"], gain.to_json()["compensate"]) == ("none", "gain")


def test_drift_with_a_spread_is_compensated_as_far_as_its_common_part(program, data):
    plain = xbar.simulate(program, data.inputs, data.labels, time="1 y").points[0].result
    gain, columns = (
        xbar.simulate(program, data.inputs, data.labels, time="1 y", compensate=method)
        for method in ("gain", "columns")
    )
    for none, one, each in zip(plain.layers, gain.layers, columns.layers, strict=True):
        assert none.snr_db + 5 < one.snr_db < each.snr_db + 0.1
    assert gain.accuracy > plain.accuracy - 0.01


def test_a_correction_is_the_regression_of_readings_on_exact_products():
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(200, 2, 3))
    slope, offset = rng.uniform(0.3, 0.9, (2, 3)), rng.normal(size=(2, 3))
    reading = exact * slope + offset + 0.1 * rng.normal(size=exact.shape)
    found = Correction.fit(reading, exact, "columns")
    for group in range(2):
        for output in range(3):
            a, b = np.polyfit(exact[:, group, output], reading[:, group, output], 1)
            assert found.slope[group, output] == pytest.approx(a, rel=1e-10)
            assert found.offset[group, output] == pytest.approx(b, rel=1e-10)
    np.testing.assert_allclose(found.apply(exact * found.slope + found.offset), exact)
    whole = Correction.fit(reading, exact, "gain")
    one = np.linalg.lstsq(exact.reshape(-1, 1), reading.reshape(-1), rcond=None)[0][0]
    assert float(whole.slope) == pytest.approx(one, rel=1e-10)


def test_a_column_that_says_nothing_is_left_as_it_is():
    exact = np.zeros((10, 1, 2))
    exact[:, 0, 1] = np.arange(10)
    reading = exact.copy()
    reading[:, 0, 0] = 0.5  # a constant: an offset, but no factor
    reading[:, 0, 1] *= -1.0
    found = Correction.fit(reading, exact, "columns")
    np.testing.assert_array_equal(found.slope, [[1.0, 1.0]])
    assert found.offset[0, 0] == 0.5
    dead = Correction.fit(np.zeros_like(exact), exact, "gain")
    assert float(dead.slope) == 1.0


def test_ranges_are_those_calibrated_when_the_chip_was_programmed(trained, data):
    design = DESIGN.model_copy(update={"adc": xbar.Converter(bits=6), "temperature": None})
    program = xbar.compile(xbar.read_model(trained.path), design, seed=2)
    life = xbar.simulate(program, data.inputs, data.labels, calibrate="max", time=["1 s", "1 y"])
    now = program.on(program.chip.at(time="1 y"))
    again = xbar.simulate(now, data.inputs, data.labels, calibrate="max")
    old, new = life.points[1].result.layers[0], again.layers[0]
    assert old.snr_db < new.snr_db + 0.5  # smaller currents in the ranges of then
    assert old != new


def test_an_adc_keeps_the_range_of_its_cells_as_programmed():
    """By hand: a column's currents in steps of the range that the fresh program has."""
    design = DESIGN.model_copy(
        update={"variation": xbar.Variation(), "temperature": None, "adc": xbar.Converter(bits=8)}
    )
    weights = {"fc": np.random.default_rng(0).normal(size=(3, 8))}
    program = xbar.compile(weights, design, seed=1)
    later = program.on(program.chip.at(time="1 y"))
    fresh = adc_ranges(program, "fc", None)
    for key, siemens in adc_ranges(later, "fc", None).items():
        np.testing.assert_array_equal(siemens, fresh[key])
    outputs = later.run(np.eye(8))
    (full_scale,), scale = fresh.values(), later.tiles[0].blocks[0].scale
    steps = outputs * scale * design.read_voltage / (full_scale / 127)  # 255 levels
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    assert np.abs(steps).max() > 10


def test_the_budget_of_each_time_has_its_drift(program, data):
    life = xbar.simulate(
        program, data.inputs, data.labels, time=["1 s", "1 y"], budget=["drift", "selection"]
    )
    early, late = (
        {part.part: part.error_alone for part in point.result.budget.parts} for point in life.points
    )
    assert early["drift"] < 1e-6 < 0.3 < late["drift"]
    assert early["selection"] == pytest.approx(late["selection"])
    assert "1 y: error budget" in str(life)


def test_a_budget_is_of_the_compensated_readings(program, data):
    """What all devices lose alike costs little, and all effects together what the result says."""
    same = DRIFT | {"sigma": {"polynomial": [0.0]}}
    design = DESIGN.model_copy(update={"device": {"drift": same}, "variation": xbar.Variation()})
    still = xbar.compile(program.graph, design, seed=2)
    given = {"time": "1 y", "budget": ["drift"]}
    plain, gain = (
        xbar.simulate(still, data.inputs, data.labels, **given, compensate=method)
        for method in ("none", "gain")
    )
    budgets = [each.points[0].result.budget for each in (plain, gain)]
    assert [each.parts[0].part for each in budgets] == ["drift", "drift"]
    uncorrected, corrected = (each.parts[0].error_alone for each in budgets)
    assert 20 * corrected < uncorrected  # of the factor that all share nothing is left
    assert budgets[1].accuracy == gain.accuracy
    assert budgets[1].error_without_all < 1e-6


def test_a_life_is_told_as_a_table_and_as_json(program, data):
    life = xbar.simulate(program, data.inputs, data.labels, time=["1 s", "2 d"], temperature="85 C")
    assert isinstance(life, Life)
    lines = str(life).splitlines()
    assert lines[0].startswith("ideal read-out, 1 chip")
    assert [" ".join(w) for w in [lines[-1].split()[:2], lines[-1].split()[2:4]]] == [
        "2 d",
        "85 °C",
    ]
    content = json.loads(json.dumps(life.to_json()))
    assert [point["time"] for point in content["points"]] == [1.0, 172800.0]
    assert content["points"][1]["accuracy"] == life.points[1].result.accuracy
    assert repr(life).startswith("Life(2 points, of which the first: ideal read-out, 1 chip, ")
    assert "2 d" in life._repr_html_()


def test_cost_and_precision_are_told_once_for_all_points(program, data):
    given = {"time": ["1 s", "2 d"], "precision": "float32", "cost": True}
    life = xbar.simulate(program, data.inputs, data.labels, **given)
    once = xbar.simulate(program, data.inputs[:8], data.labels[:8], cost=True)
    content = json.loads(json.dumps(life.to_json()))
    assert content["cost"].keys() == once.to_json()["cost"].keys()
    assert content["digital_work"] == once.to_json()["digital_work"]
    assert "float32 products: output error" in str(life)
    assert "energy" in life._repr_html_()


def test_bare_matrices_have_a_life_too():
    weights = {"fc": np.random.default_rng(0).normal(size=(5, 8))}
    program = xbar.compile(weights, DESIGN, seed=1)
    x = np.random.default_rng(1).normal(size=(20, 8))
    life = xbar.simulate(program, {"fc": x}, time=["1 s", "1 y"], compensate="gain")
    assert life.accuracy is None
    assert "least signal/error" in str(life)
    assert life.points[0].result.layers[0].snr_db > life.points[1].result.layers[0].snr_db


def test_what_is_no_life_is_refused_before_any_work(program, data):
    def refused(message, **given):
        with pytest.raises(SpecError, match=message):
            xbar.simulate(program, data.inputs, data.labels, **given)

    refused("time must be at least one, not", time=[])
    refused("time must be at least 1 s after programming", time=["1 h", "10 ms"])
    refused("temperature must be from -55 °C", temperature="-60 C")
    refused(
        "compensate must be one of none, gain, columns, batchnorm, not 'all'",
        time="1 h",
        compensate="all",
    )
    assert conditions(None, None) == [(None, None)]


def test_a_temperature_that_an_ideal_read_out_cannot_see_is_told():
    weights, x = {"fc": np.eye(4)}, {"fc": np.ones((1, 4))}
    wires = DESIGN.model_copy(
        update={"temperature": xbar.Temperature(wires="copper"), "device": None}
    )
    bare = xbar.compile(weights, wires, seed=1)
    given = {"temperature": ["0 C", "85 C"]}
    with pytest.warns(XbarWarning, match="changes only the wires"):
        same = xbar.simulate(bare, x, **given)
    assert same.points[0].result.layers == same.points[1].result.layers
    seen = xbar.simulate(bare, x, readout="nodal", **given)  # no warning: the suite refuses any
    assert seen.points[0].result.layers != seen.points[1].result.layers


def test_numbers_of_numpy_are_times_and_temperatures():
    assert conditions(np.int64(5), np.float32(300)) == [(5.0, 300.0)]
    assert conditions(np.array([1, 60]), np.array(358)) == [(1.0, 358.0), (60.0, 358.0)]
    with pytest.raises(SpecError, match="a quantity must be a number"):
        conditions(object(), None)
