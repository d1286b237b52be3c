"""Effects of real converters and amplifiers: each against its formula, and all of them off."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.effects.chain import Chain
from xbar.effects.sampling import sampling_noise
from xbar.effects.transfer import AFFINE, normals, transfer_of
from xbar.errors import SpecError
from xbar.simulation.readout import AnalogProducts

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((11, 30))}
X = np.random.default_rng(1).standard_normal((50, 1, 30))
TILE = xbar.Tile(word_lines=16, bit_lines=24)
BANK = xbar.Bank(resistors=4, nominal=20e3)
RANGE = 40e-6
ADC = xbar.Converter(bits=7, range=RANGE)
REAL = xbar.Hardware(
    bank=BANK,
    tile=TILE,
    dac=xbar.Converter(bits=6, kind="string", mismatch=0.1),
    amplifier=xbar.Amplifier(
        feedback="10k", offset="1 mV", gain_error=0.02, noise="0.1 uA", swing="0.3 V"
    ),
    adc=ADC.model_copy(
        update={
            "kind": "sar",
            "mismatch": 0.05,
            "offset": 0.02,
            "gain_error": 0.01,
            "noise": 0.01,
            "capacitance": 2e-15,
            "swing": 0.5,
        }
    ),
)
ROWS = ("dac_inl", "amplifier_noise", "amplifier", "swing", "sampling", "adc_offset", "adc_noise",
        "adc_inl")  # fmt: skip


def program(**parts):
    return xbar.compile(WEIGHTS, xbar.Hardware(bank=BANK, tile=TILE, **parts), seed=4)


def read(p, *names, seed=0, readout="ideal"):
    """Outputs (N, outputs) with the named effects, and selection."""
    return AnalogProducts(p, readout, seed, {"selection", *names})("fc", X)[:, 0]


class Seen:
    """Keeps the currents of each stage, as a calibration would."""

    def __init__(self):
        self.stages = {}

    def inputs(self, layer, x):
        pass

    def currents(self, layer, stage, current):
        self.stages.setdefault(stage, []).append(current.copy())


def currents(p, *names, repeats=1, x=X):
    """(N, columns) amperes of the first stage's columns with the named effects, and the stage."""
    seen = Seen()
    AnalogProducts(p, "ideal", 0, {"selection", *names}, watch=seen)("fc", np.repeat(x, repeats, 0))
    stage, parts = next(iter(seen.stages.items()))
    return np.concatenate(parts), stage


def test_every_effect_is_a_row_that_does_harm_alone_and_all_off_is_the_digital_network():
    p = xbar.compile(WEIGHTS, REAL, seed=4)
    budget = xbar.simulate(p, {"fc": X[:, 0]}, budget=True).budget
    parts = {part.part: part for part in budget.parts}
    assert [name for name in parts if name in ROWS] == list(ROWS)
    assert all(parts[name].error_alone > 1e-4 for name in ROWS)
    assert budget.error_without_all < 1e-12
    without = AnalogProducts(p, "ideal", 0, frozenset())("fc", X)[:, 0]
    np.testing.assert_allclose(without, X[:, 0] @ WEIGHTS["fc"].T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["sar", "ramp", "pipeline", "cyclic", "flash"])
def test_readings_are_the_codes_of_the_circuit(kind):
    p = program(adc=ADC.model_copy(update={"kind": kind, "mismatch": 0.1}))
    found, stage = currents(p, "adc_inl", "adc")
    plain, _ = currents(p)
    (block,) = stage.blocks
    curve = transfer_of(p.hardware.adc, p.chip, [(block.key[0], block.block.columns)])
    expected = curve.codes(plain * 63 / RANGE) * RANGE / 63
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * RANGE)
    nearest, _ = currents(p, "adc")
    assert (np.abs(found - nearest) > 0.5 * RANGE / 63).any()
    alone, _ = currents(p, "adc_inl")
    np.testing.assert_allclose(alone - plain, found - nearest, rtol=0, atol=1e-9 * RANGE)


def test_a_converter_sees_a_gain_and_an_offset_of_its_own():
    adc = ADC.model_copy(update={"offset": 0.03, "gain_error": 0.05, "shared": 2})
    p = program(adc=adc)
    found, stage = currents(p, "adc_offset")
    plain, _ = currents(p)
    (block,) = stage.blocks
    z = normals(p.chip, AFFINE, block.key[0], (TILE.bit_lines, 2))[block.block.columns // 2]
    expected = plain * (1 + 0.05 * z[:, 1]) + 0.03 * z[:, 0] * RANGE
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-18)


def test_an_amplifiers_offset_drives_its_lines_whole_conductance():
    """Both lines of a column by hand: their cells see the word lines' volts less the inputs'."""
    p = program(amplifier=xbar.Amplifier(offset="2 mV"))
    found, stage = currents(p, "amplifier")
    plain, _ = currents(p)
    (block,) = stage.blocks
    cells = p.tiles[block.key[0]].cells("ideal")
    columns = block.block.columns
    volts = stage.drawn["amplifier"].offset / (
        (cells[:, 2 * columns].sum(0) + cells[:, 2 * columns + 1].sum(0)) / 2
    )
    assert 0.5e-3 < volts.std() < 4e-3
    lines = np.zeros((len(X), TILE.word_lines))
    peak = np.abs(X).max(axis=(1, 2))
    lines[:, block.block.word_lines] = 0.2 * X[:, 0][:, block.block.inputs] / peak[:, None]
    plus = (lines[:, :, None] + volts / 2) * cells[:, 2 * columns]
    minus = (lines[:, :, None] - volts / 2) * cells[:, 2 * columns + 1]
    np.testing.assert_allclose(found, plus.sum(1) - minus.sum(1), rtol=1e-9)
    assert np.abs(found - plain).max() > 1e-7


@pytest.mark.parametrize(
    ("part", "name", "deviation"),
    [
        ({"amplifier": xbar.Amplifier(noise="0.2 uA")}, "amplifier_noise", 0.2e-6),
        ({"adc": ADC.model_copy(update={"noise": 0.02})}, "adc_noise", 0.02 * RANGE),
        (
            {"adc": ADC.model_copy(update={"capacitance": 5e-15, "swing": 0.4})},
            "sampling",
            np.sqrt(1.380649e-23 * 300 / 5e-15) / 0.4 * RANGE,
        ),
    ],
)
def test_noise_of_each_read_has_its_deviation_and_is_drawn_anew(part, name, deviation):
    p = program(**part)
    found, _ = currents(p, name, repeats=60)
    plain, _ = currents(p, repeats=60)
    noise = found - plain
    assert noise.std() == pytest.approx(deviation, rel=0.03)
    assert abs(np.corrcoef(noise[0::2].ravel(), noise[1::2].ravel())[0, 1]) < 0.05


def test_a_warm_capacitor_is_noisier_by_the_root_of_its_temperature():
    hardware = REAL.model_copy(update={"temperature": {"reference": "27 C", "wires": "copper"}})
    warm = xbar.Chip.sample(hardware, 0).at(temperature="127 C").hardware
    ratio = sampling_noise(warm) / sampling_noise(hardware)
    assert ratio == pytest.approx(np.sqrt(400.15 / 300.15), rel=1e-9)


def test_an_amplifier_stops_at_its_swing_and_what_it_clips_is_counted():
    p = program(amplifier=xbar.Amplifier(feedback="10k", swing="0.1 V"))
    found, _ = currents(p, "swing")
    plain, _ = currents(p)
    np.testing.assert_array_equal(found, np.clip(plain, -1e-5, 1e-5))
    assert 0.01 < (np.abs(plain) > 1e-5).mean() < 0.9
    result = xbar.simulate(p, {"fc": X[:, 0]})
    assert 0 < result.layers[0].swing_clipped < 1
    assert "amplifier clipped" in str(result)


def test_a_finite_gain_is_ohms_at_the_amplifiers_input():
    """20 kohm fed back by a gain of 99 are 200 ohm, as a load of the tile."""
    amplifier = xbar.Amplifier(feedback="20k", open_loop=99.0)
    load = TILE.model_copy(update={"load": 200.0})
    real = xbar.Hardware(bank=BANK, tile=TILE, amplifier=amplifier)
    same = xbar.Hardware(bank=BANK, tile=load)
    found, expected = (
        xbar.compile(WEIGHTS, each, seed=4).run(X[:, 0], readout="nodal") for each in (real, same)
    )
    np.testing.assert_array_equal(found, expected)
    assert "amplifier 200 ohm" in str(real)
    assert "offset 1 mV, noise 100 nA, swing 300 mV, gain error 2 %" in str(REAL)
    assert "7 bits, sar" in str(REAL)


def test_levels_of_a_string_are_the_same_at_every_driver_and_exact_at_the_ends():
    dac = xbar.Converter(bits=5, kind="string", mismatch=0.2)
    p = program(dac=dac)
    x = np.zeros((31, 1, 30))
    x[:, 0, 7], x[:, 0, 20] = np.arange(-15, 16), 15.0  # driver 20 at full scale: no own scale
    plain, found = (read_of(p, x, {"selection", "dac", *more}) for more in ((), ("dac_inl",)))
    shift = (found - plain) / p.matrices()["fc"][:, 7]
    level = shift.mean(axis=1)
    np.testing.assert_allclose(shift, np.repeat(level[:, None], 11, axis=1), atol=1e-9)
    np.testing.assert_allclose(level, -level[::-1], atol=1e-9)
    np.testing.assert_allclose(level[[0, 15, 30]], 0, atol=1e-9)
    assert np.abs(level).max() > 0.05
    x[:, 0, 7], x[:, 0, 8] = 0.0, np.arange(-15, 16)
    other = read_of(p, x, {"selection", "dac", "dac_inl"}) - read_of(p, x, {"selection", "dac"})
    np.testing.assert_allclose(other / p.matrices()["fc"][:, 8], shift, atol=1e-9)


def read_of(p, x, names):
    return AnalogProducts(p, "ideal", 0, names)("fc", x)[:, 0]


def test_binary_drivers_deviate_by_word_line_and_the_middle_most():
    """The step at the middle has the deviation σ √(2^b - 1) of binary elements."""
    dac = xbar.Converter(bits=6, kind="binary", mismatch=0.02)
    from xbar.effects.dac_inl import errors_of

    chip = xbar.Chip.sample(xbar.Hardware(dac=dac, tile=xbar.Tile(word_lines=4000)), 0)
    error = errors_of(dac, chip, 3, np.arange(4000)) * 31
    assert error.shape == (4000, 32)
    np.testing.assert_allclose(error[:, [0, 31]], 0, atol=1e-12)
    step = error[:, 16] - error[:, 15]
    assert step.std() == pytest.approx(0.02 * np.sqrt(31), rel=0.06)
    p = program(dac=dac.model_copy(update={"mismatch": 0.2}))
    assert np.abs(read(p, "dac", "dac_inl") - read(p, "dac")).max() > 1e-3


def test_one_bit_drivers_have_no_levels_between():
    p = program(dac=xbar.Converter(bits=5, bit_serial=1, kind="binary", mismatch=0.3))
    np.testing.assert_allclose(read(p, "dac", "dac_inl"), read(p, "dac"), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["sar", "flash"])
def test_the_training_layer_reads_alike(kind):
    torch = pytest.importorskip("torch")
    from xbar.training.layer import AnalogLayer

    adc = REAL.adc.model_copy(update={"kind": kind})
    p = xbar.compile(WEIGHTS, REAL.model_copy(update={"adc": adc}), seed=4)
    quiet = Chain.of(p.hardware, "ideal").names - {"sampling", "adc_noise", "amplifier_noise"}
    x = torch.from_numpy(X).requires_grad_()
    found = AnalogLayer(p, "fc", effects=quiet)(x)
    expected = AnalogProducts(p, "ideal", 0, quiet)("fc", X)
    step = 2 * RANGE / 63 / 1e-5
    assert np.abs(found.detach().numpy() - expected).max() < step
    assert np.mean(np.abs(found.detach().numpy() - expected) > 1e-9) < 0.01
    found.sum().backward()
    assert np.abs(x.grad.numpy()).max() > 0


def test_calibration_takes_offsets_and_gains_back_and_tells_what_is_left():
    """Without noise 256 readings of an 8-bit converter leave a few hundredths of a level."""
    adc = xbar.Converter(bits=8, offset=0.03, gain_error=0.04, shared=2)
    p = program(adc=adc, amplifier=xbar.Amplifier(offset="2 mV", gain_error=0.02))
    data = {"fc": X[:, 0]}
    plain = xbar.simulate(p, data)
    found = xbar.simulate(p, data, calibrate=xbar.Calibration("max", own_scale=True))
    assert plain.trim is None
    assert found.trim["offset"] > 0.03
    assert found.trim["gain"] > 0.03
    assert found.trim["offset_left"] < 0.1 / 127
    assert found.trim["gain_left"] < 5e-4
    assert "left by calibration" in str(found)
    perfect = program(adc=xbar.Converter(bits=8))
    ideal = xbar.simulate(perfect, data, calibrate=xbar.Calibration("max", own_scale=True))
    assert found.layers[0].snr_db > ideal.layers[0].snr_db - 1.5
    assert found.layers[0].snr_db > plain.layers[0].snr_db + 10


def test_noise_limits_how_well_offsets_are_told():
    """The mean of 256 noisy readings is off by a sixteenth of one reading's noise."""
    adc = xbar.Converter(bits=12, offset=0.03, noise=0.02)
    found = xbar.simulate(program(adc=adc), {"fc": X[:, 0]}, calibrate="max")
    assert found.trim["offset_left"] == pytest.approx(0.02 / 16, rel=0.35)


def test_a_budget_of_a_trimmed_chip_has_little_of_offsets_and_none_where_they_are_off():
    p = program(adc=xbar.Converter(bits=10, offset=0.03, gain_error=0.04))
    result = xbar.simulate(p, {"fc": X[:, 0]}, calibrate="max", budget=True)
    parts = {part.part: part for part in result.budget.parts}
    assert parts["adc_offset"].error_alone < 2e-3
    assert parts["adc_offset"].error_without == pytest.approx(result.budget.error, rel=0.1)
    untrimmed = xbar.simulate(p, {"fc": X[:, 0]}, budget=["adc_offset"]).budget
    assert untrimmed.parts[0].error_alone > 0.02


def test_ranges_from_data_are_of_what_reaches_the_converter():
    p = program(amplifier=xbar.Amplifier(gain_error=0.3), adc=xbar.Converter(bits=8))
    result = xbar.simulate(p, {"fc": X[:, 0]}, calibrate="max", calibration=50)
    assert result.layers[0].clipped == 0
    assert result.trim["gain"] > 0.2
    blind = xbar.simulation.calibration.calibrate(
        program(adc=xbar.Converter(bits=8)),
        lambda products: products("fc", X),
        xbar.Calibration("max"),
    )
    assert not blind.trimmed
    products = AnalogProducts(p, "ideal", 0, ranges=blind)
    products("fc", X)
    assert products.clips["fc"].clipped > 0


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"adc": {"bits": 8, "mismatch": 0.1}}, "adc.mismatch is of kind 'sar' or"),
        ({"adc": {"bits": 8, "kind": "sar", "comparator": 0.1}}, "adc.comparator is of kind"),
        ({"adc": {"bits": 8, "kind": "flash", "open_loop": 50}}, "adc.open_loop is of kind"),
        ({"adc": {"bits": 12, "kind": "flash"}}, "bits must be at most 10 for kind 'flash'"),
        ({"adc": {"bits": 2, "kind": "cyclic"}}, "bits must be at least 3 for kind 'cyclic'"),
        ({"adc": {"bits": 8, "capacitance": "1 fF"}}, "capacitance needs swing"),
        ({"adc": {"bits": 8, "kind": "string"}}, "adc.kind must be one of 'ideal', 'sar'"),
        ({"dac": {"bits": 8, "kind": "sar"}}, "dac.kind must be one of 'ideal', 'string'"),
        ({"dac": {"bits": 8, "offset": 0.1}}, "dac.offset is for an ADC; leave it out"),
        ({"adc": {"bits": 8, "kind": "sar", "mismatch": 20}}, "mismatch must be at most 1, not 20"),
        ({"amplifier": {"swing": "1 V"}}, "amplifier.swing needs feedback"),
        ({"amplifier": {"noise": "1 V"}}, "amplifier.noise"),
        ({"adc": {"bits": 8, "kind": "sar", "step_bits": [4]}}, "step_bits must all be bits, 8"),
    ],
)
def test_what_can_not_be_is_told_in_one_line(section, message):
    with pytest.raises(SpecError, match=message) as caught:
        xbar.Hardware(**section)
    assert "\n" not in str(caught.value)


def test_a_design_with_real_converters_survives_its_file(tmp_path):
    from xbar.hardware.toml import to_toml

    path = tmp_path / "chip.toml"
    path.write_text(to_toml(REAL))
    assert xbar.Hardware.load(path) == REAL


@pytest.mark.parametrize("kind", ["sar", "ramp", "pipeline", "cyclic", "flash"])
def test_the_worst_elements_give_numbers_still(kind):
    """Deviations as large as the elements: curves fall back and miss codes, but are curves."""
    hardware = xbar.Hardware(
        bank=BANK,
        tile=TILE,
        dac=xbar.Converter(bits=4, kind="binary", mismatch=1.0, bit_serial=1),
        adc=ADC.model_copy(update={"kind": kind, "mismatch": 1.0}),
    )
    found = xbar.compile(WEIGHTS, hardware, seed=0).run(X[:, 0])
    assert np.isfinite(found).all()
    assert found.std() > 0
