"""Trials over chips and over noise, and the precision of the arithmetic."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.simulation.dataset import read_dataset
from xbar.simulation.readout import AnalogProducts
from xbar.statistics import wilson_interval

RNG = np.random.default_rng(1)
NOISY = xbar.Hardware(
    bank=xbar.Bank(resistors=3, on_off_ratio=30, nominal=10e3),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=4.0, bit_wire=4.0),
    variation=xbar.Variation(read_noise=0.3),
)


@pytest.fixture(scope="module")
def data(trained):
    return read_dataset(trained.data)


@pytest.fixture(scope="module")
def graph(trained):
    return xbar.read_model(trained.path)


@pytest.fixture(scope="module")
def program(graph):
    return xbar.compile(graph, NOISY, seed=2)


def test_each_chip_is_read_with_other_noise_each_time(program, data):
    many = xbar.simulate(program, data.inputs, data.labels, noise_trials=4, seed=1)
    assert many == xbar.simulate(program, data.inputs, data.labels, noise_trials=4, seed=1)
    one = xbar.simulate(program, data.inputs, data.labels, seed=1)
    assert many.noise_deviation > 0
    assert many.accuracies == (many.accuracy,)
    assert many.interval == wilson_interval(many.accuracy * 120, 120)
    assert one.noise_deviation is None
    # the first read is the single trial's, and four of its size can't hide it
    assert abs(many.accuracy - one.accuracy) <= 3 * many.noise_deviation
    assert many.layers[0].snr_db == pytest.approx(one.layers[0].snr_db, abs=0.2)


def test_chips_and_noise_are_told_apart(program, data):
    result = xbar.simulate(program, data.inputs, data.labels, trials=3, noise_trials=2)
    assert len(result.accuracies) == 3
    assert result.chip_deviation == pytest.approx(np.std(result.accuracies, ddof=1))
    assert result.noise_deviation > 0
    low, high = result.interval
    assert low <= result.accuracy <= high


def test_without_noise_reads_are_alike(graph, data):
    quiet = xbar.compile(graph, NOISY.model_copy(update={"variation": xbar.Variation()}), seed=2)
    result = xbar.simulate(quiet, data.inputs, data.labels, noise_trials=3)
    assert result.noise_deviation == 0.0
    assert result.accuracy == xbar.simulate(quiet, data.inputs, data.labels).accuracy


def test_the_digital_accuracy_has_wilsons_interval(program, data):
    result = xbar.simulate(program, data.inputs, data.labels)
    assert result.digital_interval == wilson_interval(result.digital_accuracy * 120, 120)


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
def test_float32_is_measured_against_float64(graph, data, readout):
    quiet = xbar.compile(graph, NOISY.model_copy(update={"variation": xbar.Variation()}), seed=2)
    result = xbar.simulate(quiet, data.inputs, readout=readout, precision="float32")
    exact = graph.run(data.inputs, AnalogProducts(quiet, readout, 0))
    single = graph.run(data.inputs, AnalogProducts(quiet, readout, 0, precision="float32"))
    expected = np.abs(single - exact).max() / np.abs(exact).max()
    assert result.precision_error == pytest.approx(expected)
    assert 0 < result.precision_error < 1e-5
    assert xbar.simulate(quiet, data.inputs).precision_error is None


def test_float32_products_round_as_float32_should():
    """Against float64, over the sum of the products' magnitudes: a few units in the last place."""
    p = xbar.compile({"fc": np.random.default_rng(0).normal(size=(20, 300))}, NOISY, seed=0)
    x = np.random.default_rng(1).normal(size=(50, 300))
    for effects in (frozenset({"selection"}), frozenset({"selection", "wires"})):
        double = AnalogProducts(p, "nodal", 0, effects)("fc", x[:, None])[:, 0]
        single = AnalogProducts(p, "nodal", 0, effects, precision="float32")("fc", x[:, None])
        size = np.abs(x) @ np.abs(p.weights["fc"][0]).T
        assert (np.abs(single[:, 0] - double) < 30 * 2.0**-24 * size).all()
        assert (single[:, 0] != double).any()


def test_converters_agree_in_both_precisions_but_for_ties():
    """A code may differ only where float64 stands within a thousandth of a step of a tie."""
    limit = 30e-6
    design = NOISY.model_copy(
        update={
            "dac": xbar.Converter(bits=5),
            "adc": xbar.Converter(bits=6, range=limit),
            "variation": xbar.Variation(),
        }
    )
    weights, x = np.random.default_rng(0).normal(size=(12, 30)), RNG.normal(size=(2000, 1, 30))
    p = xbar.compile({"fc": weights}, design, seed=2)
    ((_, _, part),) = p.blocks_of("fc")
    double, single, analog = (
        AnalogProducts(p, "nodal", 0, effects, precision=precision)("fc", x)[:, 0]
        for effects, precision in (
            (None, "float64"),
            (None, "float32"),
            (frozenset({"selection", "wires", "dac"}), "float64"),
        )
    )
    peak = np.abs(x).max(axis=2)
    step = limit / 31 / part.scale[np.argsort(part.block.outputs)] / 0.2 * peak
    driven = np.abs(x[:, 0] / peak * 15) % 1
    sure = (np.abs(driven - 0.5) > 1e-3).all(axis=1, keepdims=True)
    sure = sure & (np.abs(np.abs(analog / step) % 1 - 0.5) > 1e-3)
    assert sure.mean() > 0.9
    assert (np.abs(analog / step) > 31).any()
    np.testing.assert_allclose((single / step)[sure], (double / step)[sure], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise_trials": 0}, "noise_trials must be at least 1, not 0"),
        ({"precision": "float16"}, "precision must be one of float64, float32, not 'float16'"),
        ({"readout": "spice"}, "readout must be 'ideal', 'nodal' or 'nonlinear', not 'spice'"),
    ],
)
def test_bad_arguments_are_refused(program, data, change, message):
    with pytest.raises(SpecError, match=message):
        xbar.simulate(program, data.inputs, data.labels, **change)


def test_a_networks_inputs_are_no_mapping(program, data):
    with pytest.raises(SpecError, match="must be one array"):
        xbar.simulate(program, {"conv": data.inputs})


def test_progress_counts_every_pass(program, data):
    seen = []
    xbar.simulate(
        program,
        data.inputs,
        data.labels,
        noise_trials=2,
        budget=True,
        calibrate="max",
        progress=lambda *step: seen.append(step),
    )
    # digital, two reads, and the budget's: all, none, and selection and noise each the only one
    assert seen == [(done, 7) for done in range(1, 8)]


def test_bad_data_at_the_end_are_refused_before_all_is_run(program, data):
    done = []
    many, labels = np.tile(data.inputs, (10, 1, 1, 1)), np.tile(data.labels, 10)
    many[-1, 0, 2, 3] = np.inf
    with pytest.raises(SpecError, match=r"must be finite, not inf at \[1199, 0, 2, 3\]"):
        xbar.simulate(program, many, labels, progress=lambda *step: done.append(step))
    many[-1, 0, 2, 3], labels[-1] = 0.0, 10
    with pytest.raises(SpecError, match="labels must be under 10"):
        xbar.simulate(program, many, labels, progress=lambda *step: done.append(step))
    assert done == []
