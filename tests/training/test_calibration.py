"""Digital corrections that a program keeps, beside least squares by numpy."""

import warnings

import numpy as np
import pytest

import xbar
from xbar.simulation.calibration import Calibration
from xbar.simulation.calibration import calibrate as find_ranges
from xbar.simulation.compensation import Correction, Spread
from xbar.simulation.data import Data
from xbar.simulation.readout import AnalogProducts
from xbar.training import AnalogLayer, calibrate, compare

torch = pytest.importorskip("torch")

DRIFT = {"first": "1 s", "mean": {"polynomial": [0.04]}, "sigma": {"polynomial": [0.02]}}
DESIGN = xbar.Hardware(
    bank=xbar.Bank(resistors=4, nominal=2e4),
    tile=xbar.Tile(word_lines=16, bit_lines=16, word_wire=20, bit_wire=20),
    device={"drift": DRIFT},
)  # fmt: skip
CHIP = xbar.Chip.sample(DESIGN, 3)
RNG = np.random.default_rng(5)
WEIGHTS = {"a": RNG.normal(size=(5, 12))}
X = RNG.normal(0.5, 1.0, size=(200, 12))
NEW = RNG.normal(0.5, 1.0, size=(50, 12))


@pytest.fixture(scope="module")
def program():
    """One matrix, behind wires that take much of it."""
    return xbar.compile(WEIGHTS, CHIP)


@pytest.fixture(scope="module")
def network():
    """A program of two layers with biases, and its graph."""
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(12, 7), torch.nn.ReLU(), torch.nn.Linear(7, 4))
    return xbar.compile(net, CHIP, input_shape=(12,))


def lines(reading, exact):
    """Exact products as least squares predict them from readings, column by column."""
    fits = [np.polyfit(r, e, 1) for r, e in zip(reading.T, exact.T, strict=True)]
    return np.array(fits).T


def test_columns_are_the_lines_of_least_squares(program):
    reading, exact = X @ program.matrices("nodal")["a"].T, X @ WEIGHTS["a"].T
    factor, shift = lines(reading, exact)
    found = calibrate(program, X).run(NEW, "nodal")
    expected = NEW @ program.matrices("nodal")["a"].T * factor + shift
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    plain, wanted = program.run(NEW, "nodal"), NEW @ WEIGHTS["a"].T
    assert np.linalg.norm(found - wanted) < 0.7 * np.linalg.norm(plain - wanted)


def test_a_gain_is_the_factor_of_least_squares(program):
    reading, exact = X @ program.matrices("nodal")["a"].T, X @ WEIGHTS["a"].T
    factor = np.linalg.lstsq(reading.reshape(-1, 1), exact.ravel(), rcond=None)[0]
    found = calibrate(program, X, "gain").run(NEW, "nodal")
    np.testing.assert_allclose(found, program.run(NEW, "nodal") * factor, rtol=1e-9)


def test_batchnorm_gives_each_output_the_digital_mean_and_deviation(program):
    found, exact = calibrate(program, X, "batchnorm").run(X, "nodal"), X @ WEIGHTS["a"].T
    np.testing.assert_allclose(found.mean(axis=0), exact.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.std(axis=0), exact.std(axis=0), rtol=1e-9)


def test_a_layer_is_corrected_for_what_arrives_behind_the_one_before(network):
    first, second = network.matrices("nodal").values()
    exact_first, exact_second = (m[0] for m in network.weights.values())
    constants = [np.asarray(each) for each in network.graph.constants.values()]
    offsets, last = (next(c for c in constants if c.shape == (size,)) for size in (7, 4))
    factor, shift = lines(X @ first.T, X @ exact_first.T)
    arrives = np.maximum(X @ first.T * factor + shift + offsets, 0)
    wanted = np.maximum(X @ exact_first.T + offsets, 0) @ exact_second.T
    factor2, shift2 = lines(arrives @ second.T, wanted)
    new = np.maximum(NEW @ first.T * factor + shift + offsets, 0)
    expected = new @ second.T * factor2 + shift2 + last
    found = calibrate(network, X).run(NEW, "nodal")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_more_than_a_batch_of_inputs_gives_the_line_through_all(program):
    x = np.random.default_rng(1).normal(size=(400, 12))
    factor, shift = lines(x @ program.matrices("nodal")["a"].T, x @ WEIGHTS["a"].T)
    found = calibrate(program, x).run(NEW, "nodal")
    expected = NEW @ program.matrices("nodal")["a"].T * factor + shift
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_an_output_whose_readings_are_noise_becomes_its_mean():
    noisy = DESIGN.model_copy(update={"variation": xbar.Variation(read_noise=0.9)})
    weights = {"a": np.array(WEIGHTS["a"])}
    weights["a"][2] *= 1e-4
    program = xbar.compile(weights, xbar.Chip.sample(noisy, 3))
    found = calibrate(program, X, seed=1).run(NEW, "nodal", seed=2)
    exact = NEW @ weights["a"].T
    spread = found[:, 2].std() / exact[:, 2].std()
    assert spread < 1.2
    assert np.abs(found[:, 2].mean() - exact[:, 2].mean()) < exact[:, 2].std()


@pytest.mark.parametrize("what", ["columns", "batchnorm"])
def test_inputs_that_never_differ_tell_offsets_alone_also_where_readings_are_noisy(what):
    noisy = DESIGN.model_copy(update={"variation": xbar.Variation(read_noise=0.05)})
    program = xbar.compile(WEIGHTS, xbar.Chip.sample(noisy, 3))
    with pytest.warns(xbar.XbarWarning, match="that reach a are all alike"):
        corrected = calibrate(program, np.tile(X[:1], (64, 1)), what)
    assert (corrected.corrections.slope["a"] == 1).all()
    shift = (program.run(NEW, "nodal", seed=1) - corrected.run(NEW, "nodal", seed=1)).T
    np.testing.assert_allclose(shift, np.broadcast_to(shift[:, :1], shift.shape), rtol=1e-9)


def test_an_output_that_nothing_reaches_gets_its_mean(program):
    weights = {"a": np.array(WEIGHTS["a"])}
    weights["a"][1] = 0
    zeros = xbar.compile(weights, CHIP)
    found = calibrate(zeros, X).run(NEW, "nodal")
    assert not found[:, 1].any()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("what", ["gain", "columns", "batchnorm"])
def test_a_saved_program_reads_the_same(network, what, tmp_path):
    made = calibrate(network, X, what)
    made.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert np.array_equal(loaded.run(NEW, "nodal"), made.run(NEW, "nodal"))
    assert str(loaded.corrections) == str(made.corrections)
    loaded.save(tmp_path / "b.xbar")
    names = [path.relative_to(tmp_path / "a.xbar") for path in (tmp_path / "a.xbar").rglob("*.*")]
    for name in names:
        assert (tmp_path / "a.xbar" / name).read_bytes() == (
            tmp_path / "b.xbar" / name
        ).read_bytes()


def test_every_read_of_the_program_is_corrected(program):
    made = calibrate(program, X)
    wanted = made.run(NEW, "nodal")
    assert np.abs(wanted - program.run(NEW, "nodal")).max() > 0.01
    layer = AnalogLayer.of(made, "a", "nodal")
    read = layer(torch.tensor(NEW[:, None])).numpy()[:, 0]
    np.testing.assert_allclose(read, wanted, rtol=1e-9, atol=1e-12)
    single = made.run(NEW, "nodal", precision="float32")
    np.testing.assert_allclose(single, wanted, atol=1e-5 * np.abs(wanted).max())
    exact = NEW @ WEIGHTS["a"].T
    told = xbar.simulate(made, {"a": NEW}, readout="nodal").layers[0].snr_db
    assert told == pytest.approx(10 * np.log10((exact**2).sum() / ((wanted - exact) ** 2).sum()))


def test_corrections_of_a_later_time_are_found_and_read_there(program):
    later = program.on(program.chip.at(time="30 d"))
    at_once = calibrate(later, X)
    made = calibrate(program, X, time="30 d")
    read = made.on(program.chip.at(time="30 d")).run(NEW, "nodal")
    np.testing.assert_array_equal(read, at_once.run(NEW, "nodal"))
    assert "30 d after programming" in str(made.corrections)
    exact = NEW @ WEIGHTS["a"].T
    fresh = calibrate(program, X).on(program.chip.at(time="30 d")).run(NEW, "nodal")
    assert np.linalg.norm(read - exact) < 0.9 * np.linalg.norm(fresh - exact)


def test_compensation_at_a_time_goes_on_from_corrected_readings(program):
    made, exact = calibrate(program, X), X @ WEIGHTS["a"].T
    reading = made.on(CHIP.at(time="30 d")).run(X, "nodal")
    slope = (reading[:64] * exact[:64]).sum() / (exact[:64] ** 2).sum()
    lost = ((reading / slope - exact) ** 2).sum()
    life = xbar.simulate(made, {"a": X}, readout="nodal", time="30 d", compensate="gain")
    told = life.layers[0].snr_db
    assert told == pytest.approx(10 * np.log10((exact**2).sum() / lost), rel=1e-9)


def test_ranges_of_converters_are_kept_with_them():
    design = DESIGN.model_copy(
        update={"adc": xbar.Converter(bits=6), "dac": xbar.Converter(bits=8)}
    )
    program = xbar.compile(WEIGHTS, xbar.Chip.sample(design, 3))
    data = Data.of(program, {"a": X}, None)
    ranges = find_ranges(
        program, lambda products: data.run(program, products), Calibration("max"), "nodal"
    )
    made = calibrate(program, X, "gain", ranges="max")
    slope, _ = made.corrections.of("a")
    by_hand = AnalogProducts(program, "nodal", 0, ranges=ranges)("a", NEW[:, None]) / slope
    np.testing.assert_allclose(made.run(NEW, "nodal"), by_hand[:, 0], rtol=1e-12)
    automatic = calibrate(program, X, "gain").run(NEW, "nodal")
    assert np.abs(automatic - by_hand[:, 0]).max() > 1e-3


def test_ranges_survive_the_disk(tmp_path):
    design = DESIGN.model_copy(
        update={"adc": xbar.Converter(bits=6), "dac": xbar.Converter(bits=8)}
    )
    made = calibrate(xbar.compile(WEIGHTS, xbar.Chip.sample(design, 3)), X, ranges="percentile")
    made.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert np.array_equal(loaded.run(NEW, "nodal"), made.run(NEW, "nodal"))
    assert "ranges by percentile" in str(loaded.corrections)


def test_what_would_misuse_corrections_is_told_or_refused(network):
    made = calibrate(network, X)
    with pytest.warns(xbar.XbarWarning, match="dropped"):
        again = made.reprogram(CHIP.at(time="1 d"))
    assert again.corrections is None
    with pytest.warns(xbar.XbarWarning, match="another chip"):
        moved = made.on(xbar.Chip.sample(DESIGN, 4))
    assert moved.corrections is made.corrections
    with pytest.warns(xbar.XbarWarning, match="are replaced"):
        calibrate(made, X, "gain")
    with pytest.warns(xbar.XbarWarning, match="found with read-out 'nodal'"):
        made.run(NEW)
    with pytest.warns(xbar.XbarWarning, match="only 3 vectors"):
        calibrate(network, X[:3])
    for words in ({"trials": 2}, {"budget": True}):
        with pytest.raises(xbar.SpecError, match="digital corrections"):
            xbar.simulate(made, NEW, readout="nodal", **words)
    pair = xbar.compile({**WEIGHTS, "b": WEIGHTS["a"]}, CHIP)
    with pytest.warns(xbar.XbarWarning, match="no input reaches b, without corrections"):
        calibrate(pair, {"a": X})
    with pytest.raises(xbar.SpecError, match="at least one input"):
        calibrate(pair, {"a": X[:0]})
    with pytest.raises(xbar.SpecError, match="ranges need a DAC"):
        calibrate(network, X, ranges="max")
    with pytest.raises(xbar.SpecError, match="what must be one of gain, columns, batchnorm"):
        calibrate(network, X, "rows")
    told = xbar.simulate(made, NEW, readout="nodal")
    assert any("digital corrections: factor and offset" in note for note in told.notes)


def test_a_limit_of_memory_changes_no_bit(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pair = xbar.compile({**WEIGHTS, "b": WEIGHTS["a"][:, :7]}, CHIP)
    inputs = {"a": X, "b": X[:, :7]}
    whole, limited = (calibrate(pair, inputs, memory=limit) for limit in (None, 64))
    for name, slope in whole.corrections.slope.items():
        np.testing.assert_array_equal(limited.corrections.slope[name], slope)
    assert len([*(tmp_path / "xbar" / "layers").iterdir()]) == 2
    read = limited.run({"a": NEW}, "nodal", memory=64)["a"]
    np.testing.assert_array_equal(read, whole.run({"a": NEW}, "nodal")["a"])


def test_the_same_chip_later_is_no_other(network):
    made = calibrate(network, X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later = made.on(CHIP.at(time="1 d"))
    assert later.corrections is made.corrections
    assert made.uncorrected.corrections is None
    assert np.array_equal(made.uncorrected.run(NEW, "nodal"), network.run(NEW, "nodal"))


def test_ways_are_compared_on_inputs_held_apart(network):
    labels = network.graph.run(X).argmax(axis=1)
    found = compare(network, X, labels, seed=1)
    order = np.random.default_rng(1).permutation(len(X))
    mine, held = np.sort(order[:100]), np.sort(order[100:])
    made = calibrate(network, X[mine])
    digital = network.graph.run(X[held])
    outputs = made.run(X[held], "nodal")
    row = next(each for each in found.given if each.what == "columns")
    assert row.accuracy == pytest.approx((outputs.argmax(axis=1) == labels[held]).mean())
    error = np.linalg.norm(outputs - digital) / np.linalg.norm(digital)
    assert row.error == pytest.approx(error, rel=1e-6)
    assert found.given[-1].accuracy == 1
    assert (found.inputs, found.held) == (100, 100)
    chosen = found.programs["columns"].run(X[held], "nodal")
    np.testing.assert_array_equal(chosen, outputs)


@pytest.mark.parametrize("rows", [33, 40])
def test_inputs_that_are_all_alike_give_offsets_alone_and_are_told(program, rows):
    """Deviations that rounding leaves tell no factor: those of equal numbers are 1e-16 of them."""
    x = np.tile(X[:1], (rows, 1))
    for what in ("columns", "batchnorm"):
        with pytest.warns(xbar.XbarWarning, match="that reach a are all alike"):
            made = calibrate(program, x, what)
        np.testing.assert_array_equal(made.corrections.slope["a"], 1.0)
        np.testing.assert_allclose(made.run(X[:1], "nodal"), X[:1] @ WEIGHTS["a"].T, rtol=1e-9)


def test_compensation_takes_no_factor_from_inputs_that_are_all_alike():
    readings = np.random.default_rng(0).normal(size=(1, 2, 3)).repeat(33, axis=0)
    exact = np.random.default_rng(1).normal(size=(1, 2, 3)).repeat(33, axis=0)
    found = [
        Correction.fit(readings, exact, "columns"),
        Correction.match(Spread.of(readings), Spread.of(exact)),
    ]
    for each in found:
        np.testing.assert_array_equal(each.slope, 1.0)
        np.testing.assert_allclose(each.apply(readings), exact, rtol=1e-12)
