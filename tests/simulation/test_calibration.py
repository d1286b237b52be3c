"""Ranges found from data, against exhaustive searches and plain numpy on the same currents."""

import numpy as np
import pytest

import xbar
from xbar.effects.converters import quantise
from xbar.errors import SpecError
from xbar.simulation.calibration import KEPT, Calibration, Sample, calibrate, least_squares
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import AnalogProducts
from xbar.simulation.run import run_matrices

RNG = np.random.default_rng(4)
WEIGHTS = {"fc": RNG.standard_normal((7, 19))}
X = RNG.standard_normal((200, 19))


def program(**converters):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=6, on_off_ratio=200, nominal=20e3),
        tile=xbar.Tile(word_lines=8, bit_lines=9, word_wire=3.0, bit_wire=2.0),
    ).model_copy(update=converters)
    return xbar.compile(WEIGHTS, hardware, seed=0)


def found(p, calibration, readout="nodal"):
    return calibrate(p, lambda y: run_matrices(p, {"fc": X}, y), calibration, readout)


def currents(p, unit):
    """By tile, (N, C) amperes for inputs of so many volts a unit."""
    return {
        tile.index: (X * unit)[:, part.block.inputs] @ tile.difference("nodal")[n]
        for tile, n, part in p.blocks_of("fc")
    }


CONVERTERS = {"dac": xbar.Converter(bits=24), "adc": xbar.Converter(bits=6)}


def test_the_largest_input_and_current_of_the_data_are_full_scale_by_max():
    p = program(**CONVERTERS)
    ranges = found(p, Calibration("max"))
    assert ranges.inputs == {"fc": np.abs(X).max()}
    for tile, current in currents(p, 0.2 / np.abs(X).max()).items():
        expected = np.full(current.shape[1], np.abs(current).max())
        np.testing.assert_allclose(ranges.currents[tile, 0], expected, rtol=1e-6)


def test_a_percentile_is_numpys_of_the_same_currents():
    p = program(**CONVERTERS)
    ranges = found(p, Calibration("percentile", 90.0))
    assert ranges.inputs["fc"] == np.percentile(np.abs(X), 90.0)
    unit = 0.2 / ranges.inputs["fc"]
    for tile, n, part in p.blocks_of("fc"):
        volts = np.clip(X * unit, -0.2, 0.2)[:, part.block.inputs]
        expected = np.percentile(np.abs(volts @ tile.difference("nodal")[n]), 90.0)
        np.testing.assert_allclose(ranges.currents[tile.index, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("bits", [3, 5, 8])
@pytest.mark.parametrize("law", ["normal", "laplace", "uniform"])
def test_least_squares_is_the_best_of_an_exhaustive_search(bits, law):
    rng = np.random.default_rng(bits)
    value = np.abs(getattr(rng, law)(size=3000))
    best = least_squares(value, bits)

    def loss(full_scale):
        return ((quantise(value, full_scale, bits) - value) ** 2).mean()

    exhaustive = min(map(loss, np.linspace(0, value.max(), 4001)[1:]))
    assert loss(best) <= exhaustive * 1.003


def test_a_coarse_converter_had_better_clip():
    value = np.abs(np.random.default_rng(0).normal(size=5000))
    assert least_squares(value, 3) < least_squares(value, 6) < value.max()


def test_three_ways_of_sharing_a_range():
    by_converter = xbar.Converter(bits=6, ranging="converter")
    p = program(dac=CONVERTERS["dac"], adc=by_converter)
    alone = found(p, Calibration("max")).currents
    pairs = program(dac=CONVERTERS["dac"], adc=by_converter.model_copy(update={"shared": 2}))
    shared = found(pairs, Calibration("max")).currents
    layer = program(dac=CONVERTERS["dac"], adc=xbar.Converter(bits=6, ranging="layer"))
    one = found(layer, Calibration("max")).currents
    largest = max(values.max() for values in alone.values())
    for key, current in currents(p, 0.2 / np.abs(X).max()).items():
        peak = np.abs(current).max(axis=0)
        np.testing.assert_allclose(alone[key, 0], peak, rtol=1e-6)
        place = p.tiles[key].blocks[0].block.columns // 2
        for column, pair in enumerate(place):
            np.testing.assert_allclose(shared[key, 0][column], peak[place == pair].max(), rtol=1e-6)
        np.testing.assert_allclose(one[key, 0], largest, rtol=1e-9)


def test_what_the_design_names_stays():
    p = program(adc=xbar.Converter(bits=6, range=3e-6))
    ranges = found(p, Calibration("max"))
    assert ranges.inputs == {}
    assert ranges.currents == {}


def test_inputs_may_keep_a_scale_of_their_own():
    p = program(**CONVERTERS)
    ranges = found(p, Calibration("max", own_scale=True))
    assert ranges.inputs == {}
    unit = 0.2 / np.abs(X).max(axis=1, keepdims=True)
    for tile, current in currents(p, unit).items():
        expected = np.full(current.shape[1], np.abs(current).max())
        np.testing.assert_allclose(ranges.currents[tile, 0], expected, rtol=1e-6)


def test_fixed_input_ranges_clip_what_lies_beyond_and_count_it():
    p = program(dac=xbar.Converter(bits=24))
    products = AnalogProducts(p, "ideal", 0, ranges=Ranges({"fc": 1.5}, {}))
    y = products("fc", X[:, None])[:, 0]
    exact = program().run({"fc": np.clip(X, -1.5, 1.5)})["fc"]
    np.testing.assert_allclose(y, exact, atol=1e-5)
    assert products.dac_clips["fc"].share == (np.abs(X) > 1.5).mean()


def test_clipped_shares_are_those_of_the_percentile():
    p = program(**CONVERTERS)
    result = xbar.simulate(
        p, {"fc": X}, calibrate=Calibration("percentile", 90.0), calibration={"fc": X}
    )
    (layer,) = result.layers
    assert layer.dac_clipped == pytest.approx(0.1, abs=0.002)
    assert layer.clipped == pytest.approx(0.1, abs=0.01)
    assert result.calibration == "percentile"


def test_a_range_from_data_beats_one_that_is_far_too_wide():
    wide = program(dac=xbar.Converter(bits=8), adc=xbar.Converter(bits=6, range=1e-3))
    open_ = program(dac=xbar.Converter(bits=8), adc=xbar.Converter(bits=6))
    fixed = xbar.simulate(wide, {"fc": X}).layers[0].snr_db
    for method in ("max", "percentile", "least-squares"):
        assert xbar.simulate(open_, {"fc": X}, calibrate=method).layers[0].snr_db > fixed + 10


def test_a_sample_keeps_the_largest_value_and_stays_small():
    sample = Sample(room=100)
    values = np.random.default_rng(1).normal(size=(50, 40, 3))
    values[17, 22, 1] = -9.0
    for each in values:
        sample.add(each)
    assert sample.largest == 9.0
    assert 33 <= sample.values.size <= 300
    whole = Sample()
    whole.add(values.reshape(-1, 3))
    assert values.size < KEPT
    np.testing.assert_array_equal(np.sort(whole.values), np.sort(np.abs(values).ravel()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calibrate": "mean"}, "calibrate must be one of max, percentile, least-squares"),
        ({"calibrate": "max", "calibration": 0}, "calibration must be at least 1 input, not 0"),
        ({"calibrate": "max", "calibration": {"fc": X[:, :3]}}, r"must have the shape \(N, 19\)"),
        ({"calibrate": "max", "calibration": {"fc": X * np.nan}}, "must be finite"),
    ],
)
def test_bad_calibrations_are_refused(change, message):
    with pytest.raises(SpecError, match=message):
        xbar.simulate(program(**CONVERTERS), {"fc": X}, **change)


def test_a_percentile_beyond_all_is_refused():
    with pytest.raises(SpecError, match="percentile must be over 0 and at most 100, not 0"):
        Calibration("percentile", 0.0)
