"""INL, DNL and effective bits, against closed forms and against curves worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.simulation import adc_linearity, dac_linearity


def design(**adc):
    return xbar.Hardware(adc=adc, tile=xbar.Tile(bit_lines=200))


@pytest.mark.parametrize("kind", ["ideal", "sar", "ramp", "flash", "pipeline", "cyclic"])
@pytest.mark.parametrize("bits", [4, 9])
def test_a_perfect_converter_is_straight_and_has_all_its_bits(kind, bits):
    found = adc_linearity(design(bits=bits, kind=kind), 5)
    assert found.inl.shape == (5, 2**bits - 2)
    np.testing.assert_allclose(found.inl, 0, atol=0.05)
    np.testing.assert_allclose(found.dnl, 0, atol=0.05)
    assert found.missing.sum() == 0
    np.testing.assert_allclose(found.enob, np.log2(2**bits - 1), atol=0.1)


@pytest.mark.parametrize("levels", [0.3, 1.0, 4.0])
def test_noise_costs_half_a_bit_times_the_logarithm_of_its_power_over_roundings(levels):
    """Rounding has 1/12 of a level squared: ENOB = log2(2^b - 1) - log2(1 + 12 σ²) / 2."""
    bits = 9
    found = adc_linearity(design(bits=bits, noise=levels / 255), 20)
    assert found.noise == pytest.approx(levels)
    expected = np.log2(2**bits - 1) - np.log2(1 + 12 * levels**2) / 2
    assert found.enob.mean() == pytest.approx(expected, abs=0.05)


def test_a_sars_inl_and_dnl_spread_by_the_published_formulas():
    """Middle threshold σ √(2^b) / 2, step there σ √(2^b - 1), for a unit's deviation σ."""
    bits, sigma = 8, 0.01
    found = adc_linearity(design(bits=bits, kind="sar", mismatch=sigma), 1500)
    middle = 2 ** (bits - 1) - 2  # thresholds count from -top + 1; that of code 0 is the middle
    assert found.inl[:, middle].std() == pytest.approx(sigma * np.sqrt(2**bits) / 2, rel=0.06)
    assert found.dnl.std(axis=0).argmax() in (middle - 1, middle)
    assert found.dnl.std(axis=0).max() == pytest.approx(sigma * np.sqrt(2**bits - 1), rel=0.06)


def test_a_flashes_steps_spread_by_two_comparators_offsets():
    """DNL of σ √2 levels for offsets of σ, as long as thresholds keep their order."""
    found = adc_linearity(design(bits=6, kind="flash", comparator=0.1 / 31), 1500)
    assert found.dnl[:, 5:-5].std() == pytest.approx(0.1 * np.sqrt(2), rel=0.03)
    assert found.inl[:, 30].std() == pytest.approx(0.1 * np.sqrt(1.5), rel=0.06)


def test_an_integrators_ramp_bends_by_an_eighth_of_its_levels_over_the_gain():
    found = adc_linearity(design(bits=10, kind="ramp", open_loop=100), 1)
    assert np.abs(found.inl).max() == pytest.approx(2**10 / 800, rel=0.02)
    assert found.dnl[0, 0] > 0 > found.dnl[0, -1]


def test_a_pipeline_whose_first_stage_gives_too_little_misses_codes():
    """Each stage of gain A loses 2 / A of its range at its thresholds: codes that nobody gives."""
    good, bad = (adc_linearity(design(bits=9, kind="pipeline", open_loop=a), 1) for a in (1e5, 60))
    assert good.missing[0] == 0
    assert bad.missing[0] >= 2 * np.floor(2**7 * (2 / 60) / (1 + 2 / 60) - 1)
    assert bad.enob[0] < good.enob[0] - 0.5


def test_curves_that_fall_back_are_told_by_the_lengths_of_signal_that_give_each_code():
    """Of a stage that gives too much, codes near its thresholds come twice: longer steps."""
    found = adc_linearity(design(bits=7, kind="pipeline", mismatch=0.1), 40)
    signal = (np.arange(132 * 64) + 0.5) / 64 - 66
    from xbar.effects.transfer import transfer_of

    chip = xbar.Chip.sample(design(bits=7, kind="pipeline", mismatch=0.1), 0)
    curve = transfer_of(chip.hardware.adc, chip, [(0, np.arange(40))])
    codes = curve.codes(np.repeat(signal[:, None], 40, axis=1))
    assert (np.diff(codes, axis=0) < 0).any()
    for k in range(40):
        lengths = np.array([(codes[:, k] == code).sum() for code in range(-62, 63)]) / 64
        np.testing.assert_allclose(found.dnl[k], lengths / lengths.mean() - 1, atol=1e-9)


def test_strings_and_binary_drivers_deviate_where_theory_says():
    string, binary = (
        dac_linearity(
            xbar.Hardware(
                dac={"bits": 7, "kind": kind, "mismatch": 0.01}, tile=xbar.Tile(word_lines=1500)
            ),
            1500,
        )
        for kind in ("string", "binary")
    )
    assert string.inl.shape == (1, 64)
    assert string.dnl.std() == pytest.approx(0.01, rel=0.2)
    assert binary.dnl[:, 31].std() == pytest.approx(0.01 * np.sqrt(63), rel=0.06)


def test_offset_gain_and_capacitors_noise_are_told():
    found = adc_linearity(
        design(bits=8, offset=0.02, gain_error=0.03, capacitance=1e-15, swing=0.2), 2000
    )
    assert found.offset.std() == pytest.approx(0.02 * 127, rel=0.05)
    assert found.gain.std() == pytest.approx(0.03, rel=0.05)
    assert found.noise == pytest.approx(np.sqrt(1.380649e-23 * 300 / 1e-15) / 0.2 * 127, rel=1e-9)
    text = str(found)
    assert "ADC: ideal, 8 bits, 2,000 converters" in text
    assert "ENOB" in text


def test_an_ideal_converter_is_told_without_the_dust_of_its_halvings():
    found = adc_linearity(design(bits=8), 1)
    assert 0 < np.abs(found.inl).max() < 1e-8
    title, _, rows = found.table()
    assert title == "ADC: ideal, 8 bits, 1 converter"
    assert [row[:3] for row in rows[:2]] == [["INL", "0", "0"], ["DNL", "0", "0"]]


def test_what_has_no_curve_is_refused():
    with pytest.raises(SpecError, match=r"must have ADCs to tell of, a \[adc\] section"):
        adc_linearity(xbar.Hardware())
    with pytest.raises(SpecError, match=r"adc\.bits must be at most 16 for its curve, not 20"):
        adc_linearity(design(bits=20))
    with pytest.raises(SpecError, match="converters must be"):
        adc_linearity(design(bits=8), 0)
