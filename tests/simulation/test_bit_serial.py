"""Bit-serial inputs: shift-and-add of the steps is the whole value, and what the ADC sees."""

import itertools

import numpy as np
import pytest

import xbar
from xbar.effects.converters import quantise
from xbar.effects.dac import serial_steps
from xbar.errors import SpecError
from xbar.simulation.ranges import adc_ranges
from xbar.simulation.readout import AnalogProducts

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((7, 19))}
X = np.random.default_rng(1).standard_normal((40, 19))
CODES = ("sign-magnitude", "twos-complement")


def program(**changes):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=6, on_off_ratio=200, nominal=20e3),
        tile=xbar.Tile(word_lines=8, bit_lines=9, word_wire=3.0, bit_wire=2.0),
    ).model_copy(update=changes)
    return xbar.compile(WEIGHTS, hardware, seed=0)


@pytest.mark.parametrize(
    ("bits", "digit", "code"), list(itertools.product((2, 3, 8, 9), (1, 2, 3, 7), CODES))
)
def test_steps_add_up_to_every_code(bits, digit, code):
    dac = xbar.Converter(bits=bits, bit_serial=digit, code=code)
    codes = np.arange(-dac.top, dac.top + 1, dtype=np.float64)
    steps = list(serial_steps(codes, dac))
    assert len(steps) == dac.steps
    total = sum(weight * share for weight, share in steps)
    np.testing.assert_allclose(total, codes, atol=1e-12 * dac.top)
    levels = np.unique(np.concatenate([share for _, share in steps]))
    assert np.abs(levels).max() <= 1.0
    np.testing.assert_allclose(levels * (2**digit - 1), np.rint(levels * (2**digit - 1)))
    if code == "twos-complement":
        assert levels.min() == 0.0


def test_twos_complement_is_pythons():
    dac = xbar.Converter(bits=6, bit_serial=1, code="twos-complement")
    for value in range(-31, 32):
        *low, sign = [int(share[0]) for _, share in serial_steps(np.array([float(value)]), dac)]
        assert [*low, sign] == [value >> place & 1 for place in range(6)]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("digit", [1, 3])
def test_without_adc_and_noise_steps_change_nothing(digit, code):
    whole = program(dac=xbar.Converter(bits=8))
    serial = program(dac=xbar.Converter(bits=8, bit_serial=digit, code=code))
    for readout in ("ideal", "nodal"):
        a, b = (p.run({"fc": X}, readout=readout)["fc"] for p in (whole, serial))
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_the_adc_reads_after_each_step():
    """Written out step by step and tile by tile."""
    bits, limit = 5, 4e-6
    p = program(
        dac=xbar.Converter(bits=6, bit_serial=2), adc=xbar.Converter(bits=bits, range=limit)
    )
    peak = np.abs(X).max(axis=1, keepdims=True)
    codes = np.rint(X / peak * 31).astype(int)
    y = np.zeros((len(X), 7))
    for tile, n, part in p.blocks_of("fc"):
        total = np.zeros((len(X), part.block.shape[1]))
        for step in range(3):
            digits = (np.abs(codes) >> (2 * step)) % 4 * np.sign(codes)
            volts = digits[:, part.block.inputs] / 3 * 0.2
            reading = quantise(volts @ tile.difference("ideal")[n], limit, bits)
            total += 4**step * reading
        y[:, part.block.outputs] += total * 3 / 0.2 / part.scale / 31 * peak
    np.testing.assert_allclose(p.run({"fc": X})["fc"], y, rtol=1e-9, atol=1e-9)


def test_one_bit_steps_need_a_smaller_adc():
    """Each step's currents are coarser, so the same ADC errs less than after whole inputs."""
    adc = xbar.Converter(bits=6)
    whole = program(dac=xbar.Converter(bits=8), adc=adc)
    serial = program(dac=xbar.Converter(bits=8, bit_serial=1), adc=adc)
    snr = [xbar.simulate(p, {"fc": X}).layers[0].snr_db for p in (whole, serial)]
    assert snr[1] > snr[0] + 1


def test_steps_may_have_adcs_of_their_own():
    dac = xbar.Converter(bits=5, bit_serial=1)
    uniform = program(dac=dac, adc=xbar.Converter(bits=7))
    listed = program(dac=dac, adc=xbar.Converter(bits=4, step_bits=(7, 7, 7, 7)))
    np.testing.assert_array_equal(uniform.run({"fc": X})["fc"], listed.run({"fc": X})["fc"])

    def snr(*step_bits):
        p = program(dac=dac, adc=xbar.Converter(bits=7, step_bits=step_bits))
        return xbar.simulate(p, {"fc": X}).layers[0].snr_db

    assert snr(3, 7, 7, 7) > snr(7, 7, 7, 3) + 3  # the last step counts eight times as much


def test_each_step_has_noise_of_its_own():
    """Equal steps: the variance of their weighted sum is the sum of squares of the weights."""
    sigma = 0.05
    noise = xbar.Variation(read_noise=sigma)
    p = program(dac=xbar.Converter(bits=4, bit_serial=1), variation=noise)
    x = np.ones((6000, 19))  # code 7: every bit is on
    noisy = p.run({"fc": x})["fc"]
    single = program(dac=xbar.Converter(bits=4), variation=noise).run({"fc": x})["fc"]
    expected = (1 + 4 + 16) / 7**2
    for output in range(7):
        ratio = noisy[:, output].var() / single[:, output].var()
        assert expected * 0.85 < ratio < expected * 1.15


def test_a_converter_of_its_own_never_has_more_range_than_the_tiles():
    tile_wide = program(adc=xbar.Converter(bits=6))
    own = program(adc=xbar.Converter(bits=6, ranging="converter"))
    layer = program(adc=xbar.Converter(bits=6, ranging="layer"))
    limits = {key: found.max() for key, found in adc_ranges(tile_wide, "fc", None).items()}
    for stage in AnalogProducts(own, "ideal", 0).reading("fc").stages:
        for block in stage.blocks:
            limit, full_scale = limits[block.key], stage.full_scale[block.columns]
            assert (full_scale <= limit * (1 + 1e-12)).all()
            assert full_scale.max() == pytest.approx(limit)
    widest = max(limits.values())
    for stage in AnalogProducts(layer, "ideal", 0).reading("fc").stages:
        np.testing.assert_allclose(stage.full_scale, widest)
    snr = [xbar.simulate(p, {"fc": X}).layers[0].snr_db for p in (layer, tile_wide, own)]
    assert snr[0] < snr[1] < snr[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adc": xbar.Converter(bits=6, step_bits=(4, 5))}, "must list 1 values.*not 2"),
        (
            {
                "dac": xbar.Converter(bits=8, bit_serial=2),
                "adc": xbar.Converter(bits=6, step_bits=(4, 5)),
            },
            "must list 4 values, one a step of the DAC, not 2",
        ),
        ({"adc": xbar.Converter(bits=6, bit_serial=1)}, r"adc\.bit_serial is for a DAC"),
        ({"dac": xbar.Converter(bits=6, shared=2)}, r"dac\.shared is for an ADC"),
        ({"dac": xbar.Converter(bits=6, ranging="layer")}, r"dac\.ranging is for an ADC"),
    ],
)
def test_converters_that_do_not_go_together_are_refused(change, message):
    with pytest.raises(SpecError, match=message):
        program(**change)


def test_resolutions_that_say_nothing_are_refused():
    with pytest.raises(SpecError, match=r"step_bits must each be from 2 to 32, not \[1, 4\]"):
        xbar.Converter(bits=6, step_bits=(1, 4))
