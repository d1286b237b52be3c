"""Curves of ADCs: against their circuits simulated decision by decision, and published formulas."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import pytest

import xbar
from xbar.effects.transfer import Transfer, rising, transfer_of, weights_of

RNG = np.random.default_rng(0)


def columns(count):
    return np.arange(count, dtype=np.int64)


def level_sweep(bits, count, width=3):
    """Signals in levels (count, width), somewhat beyond the range at both ends."""
    half = 2.0 ** (bits - 1)
    return RNG.uniform(-1.1 * half, 1.1 * half, (count, width))


def charge_redistribution(units, sample):
    """The code of one sample in levels, by charges on the capacitors, largest first."""
    bits, total = len(units) - 1, sum(units)
    kept = 0.0
    code = 0
    for bit in range(bits):
        trial = kept + units[bit]  # bottom plate to the reference; the top plate compares
        top_plate = trial / total - (sample + 2 ** (bits - 1) + 0.5) / 2**bits
        if top_plate <= 0:
            kept, code = trial, code + 2 ** (bits - 1 - bit)
    return max(code - 2 ** (bits - 1), -(2 ** (bits - 1) - 1))


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_a_sar_gives_the_codes_of_its_charges_missing_ones_included(bits):
    units = np.append(2.0 ** np.arange(bits - 1, -1, -1), 1.0)
    units = units + 0.15 * np.sqrt(units) * RNG.standard_normal((3, bits + 1))
    level = level_sweep(bits, 400)
    found = Transfer("sar", 2.0 ** (bits - 1) - 1, weights_of(units), columns(3)).codes(level)
    expected = [
        [charge_redistribution(units[k], row[k]) for k in range(3)] for row in level.tolist()
    ]
    np.testing.assert_array_equal(found, expected)


def switched_capacitors(ratio, open_loop, offsets, bits, level):
    """The code of one signal, stage by stage: charge of two capacitors through a real amplifier."""
    v, code = level / 2 ** (bits - 1), 0
    for stage in range(bits - 2):
        low, high = offsets[stage]
        digit = 1 if v >= 0.25 + high else -1 if v < -0.25 + low else 0
        first, second = ratio[stage], 1.0  # both sample v; then the first goes to the reference
        charge = v * (first + second) - digit * first
        v = charge / (second + (first + second) / open_loop[stage])
        code = 2 * code + digit
    # the last stage: two bits, thresholds of a nearest half
    last = -2 + sum(v > each for each in (-0.75, -0.25, 0.25, 0.75))
    top = 2 ** (bits - 1) - 1
    return min(max(4 * code // 2 + last, -top), top)


@pytest.mark.parametrize("bits", [3, 6, 9])
def test_a_pipeline_gives_the_codes_of_its_stages(bits):
    count = bits - 2
    ratio = 1 + 0.03 * RNG.standard_normal((count, 3))
    open_loop = RNG.uniform(50, 500, (count, 3))
    offset = 0.05 * RNG.standard_normal((count, 2, 3))
    closed = 1 / (1 + (1 + ratio) / open_loop)
    thresholds = offset[:, 0] - 0.25, offset[:, 1] + 0.25
    stages = np.stack([(1 + ratio) * closed, ratio * closed, *thresholds], axis=1)
    level = level_sweep(bits, 400)
    found = Transfer("pipeline", 2.0 ** (bits - 1) - 1, stages, columns(3)).codes(level)
    expected = [
        [
            switched_capacitors(ratio[:, k], open_loop[:, k], offset[..., k], bits, row[k])
            for k in range(3)
        ]
        for row in level.tolist()
    ]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("noise", "less"), [(0.2, 0.0), (0.5, 0.04), (1.0, 0.13)])
def test_noise_of_each_decision_is_about_that_of_the_sample(noise, less):
    """Six decisions, each with its own noise, against one noisy sample and the nearest level."""
    rng = np.random.default_rng(5)
    signal = rng.uniform(-25, 25, 200_000)
    kept = np.zeros_like(signal)
    for bit in range(5, -1, -1):
        seen = signal + 32.5 + noise * rng.standard_normal(signal.shape)
        kept += np.where(seen >= kept + 2**bit, 2**bit, 0)
    sar = Transfer("sar", 31.0, 2.0 ** np.arange(5, -1, -1)[:, None], columns(1))
    one = sar.codes((signal + noise * rng.standard_normal(signal.shape))[:, None])[:, 0]
    ratio = np.std(kept - 32 - signal) / np.std(one - signal)
    assert ratio == pytest.approx(1 - less, abs=0.01)


def chip(bits, **keys):
    adc = xbar.Converter(bits=bits, **keys)
    return xbar.Chip.sample(xbar.Hardware(adc=adc, tile=xbar.Tile(bit_lines=40)), seed=3)


def curves(one, count=40, tile=0):
    return transfer_of(one.hardware.adc, one, [(tile, columns(count))])


@pytest.mark.parametrize("kind", ["sar", "ramp", "flash", "pipeline", "cyclic"])
def test_without_deviations_every_kind_gives_the_nearest_level(kind):
    level = level_sweep(6, 300, 40)
    found = curves(chip(6, kind=kind)).codes(level)
    np.testing.assert_array_equal(found, np.rint(np.clip(level, -31, 31)))


def test_a_flash_counts_the_comparators_that_trip():
    found = curves(chip(5, kind="flash", mismatch=0.05, comparator=0.03))
    level = level_sweep(5, 200, 40)
    codes = found.codes(level)
    trips = (level[:, :, None] >= found.values[None]).sum(axis=-1) - 15
    np.testing.assert_array_equal(codes, trips)
    assert (np.diff(found.values) >= 0).all()


def test_a_ramp_stops_at_the_first_step_that_reaches_the_sample():
    """Nodal analysis of resistor, capacitor and amplifier -A, by trapezoids of a 64th of a step."""
    steps, gain, fine = 2**7, 4.0, 64
    ramp, node = [0.0], 0.0  # the amplifier's input; 1 V through 1 ohm, 1 F to its output -A node
    dt = 1.0 / (steps * fine)
    for _ in range(steps):
        for _ in range(fine):  # 1 - node = (1 + gain) d node / dt
            half = dt / (2.0 * (1.0 + gain))
            node = (node * (1.0 - half) + 2.0 * half) / (1.0 + half)
        ramp.append(gain * node)
    ramp = [each / ramp[-1] * steps for each in ramp]
    table = curves(chip(7, kind="ramp", open_loop=gain))
    level = level_sweep(7, 500, 40)
    expected = [
        [max(bisect_right(ramp, each + steps / 2 + 0.5) - 1 - steps // 2, -63) for each in row]
        for row in level.tolist()
    ]
    np.testing.assert_array_equal(table.codes(level), np.minimum(expected, 63))


def rounded(transfer, level):
    """Codes of signals in levels, with the quantiser that follows in a read-out."""
    signal, one = level.copy(), np.ones(level.shape[1])
    transfer.add(signal, one, one)
    return np.rint(np.clip(signal, -transfer.top, transfer.top))


def test_a_signal_beyond_the_range_is_read_by_the_code_of_its_circuit():
    """Weak amplifiers, and comparators of thresholds above the range: not the outermost code."""
    open_loop = RNG.uniform(20, 40, (5, 3))
    closed = 1 / (1 + 2 / open_loop)
    quarter = np.full((5, 3), 0.25)
    weak = Transfer(
        "pipeline", 63.0, np.stack([2 * closed, closed, -quarter, quarter], axis=1), columns(3)
    )
    level = level_sweep(7, 2000)
    expected = [
        [
            switched_capacitors(np.ones(5), open_loop[:, k], np.zeros((5, 2)), 7, row[k])
            for k in range(3)
        ]
        for row in level.tolist()
    ]
    np.testing.assert_array_equal(rounded(weak, level), expected)
    beyond = np.abs(level) > 64
    assert (np.abs(np.array(expected)[beyond]) < 63).any()
    late = curves(chip(5, kind="flash", comparator=0.1))
    level = level_sweep(5, 2000, 40)
    trips = (level[:, :, None] >= late.values[None]).sum(axis=-1) - 15
    np.testing.assert_array_equal(rounded(late, level), trips)
    assert (np.abs(trips[np.abs(level) > 16]) < 15).any()


def test_all_columns_of_a_tile_share_its_ramp_and_each_has_a_ladder_of_its_own():
    ramp, flash = (curves(chip(6, kind=kind, mismatch=0.05)) for kind in ("ramp", "flash"))
    assert ramp.values.shape == (1, 62)
    assert flash.values.shape == (40, 62)
    assert not np.array_equal(flash.values[0], flash.values[1])


@pytest.mark.parametrize("kind", ["sar", "flash", "pipeline", "cyclic"])
def test_a_converter_is_the_same_whoever_asks_and_columns_that_share_one_have_one(kind):
    one = chip(6, kind=kind, mismatch=0.05, shared=4)
    whole = transfer_of(one.hardware.adc, one, [(5, columns(40)), (7, columns(40))])
    some = transfer_of(one.hardware.adc, one, [(7, columns(40)[9:13])])
    level = np.repeat(level_sweep(6, 300, 1), 4, axis=1)
    wide = np.repeat(level[:, :1], 80, axis=1)
    codes = whole.codes(wide)
    np.testing.assert_array_equal(some.codes(level), codes[:, 49:53])
    np.testing.assert_array_equal(codes[:, 48], codes[:, 51])
    assert not np.array_equal(codes[:, 51], codes[:, 52])
    assert not np.array_equal(codes[:, :40], codes[:, 40:])


def deviation_of_thresholds(bits, draws=4000, sigma=0.01):
    """(draws, codes) thresholds of SARs in levels, from their units alone."""
    rng = np.random.default_rng(1)
    units = np.append(2.0 ** np.arange(bits - 1, -1, -1), 1.0)
    weights = weights_of(units + sigma * np.sqrt(units) * rng.standard_normal((draws, bits + 1)))
    codes = np.arange(2**bits)[:, None] >> np.arange(bits - 1, -1, -1) & 1
    return weights.T @ codes.T


def test_a_sars_middle_deviates_by_the_published_amounts():
    """σ √(2^b - 1) of the step at the middle, σ √(2^b) / 2 of its place, for unit deviations σ."""
    bits, sigma = 8, 0.01
    level = deviation_of_thresholds(bits)
    step = level[:, 128] - level[:, 127] - 1
    assert step.std() == pytest.approx(sigma * np.sqrt(2**bits - 1), rel=0.05)
    assert (level[:, 128] - 128).std() == pytest.approx(sigma * np.sqrt(2**bits) / 2, rel=0.05)


def test_a_strings_tap_deviates_by_the_root_of_its_place_times_the_rest():
    """σ √(k (1 - k / n)) levels at tap k of n, of ramps and ladders."""
    count, sigma = 64, 0.02
    z = np.random.default_rng(2).standard_normal((4000, count))
    taps = rising(1 + sigma * z)
    ideal = np.arange(2, count) - count / 2 - 0.5
    k = np.arange(2, count)
    expected = sigma * np.sqrt(k * (1 - k / count))
    np.testing.assert_allclose((taps - ideal).std(axis=0), expected, rtol=0.06)


@pytest.mark.parametrize("gain", [30.0, 300.0])
def test_an_integrators_ramp_bends_by_an_eighth_of_the_range_over_one_more_than_its_gain(gain):
    count = 2**10
    bend = rising(np.ones(count), gain) - rising(np.ones(count))
    assert bend.max() == pytest.approx(count / (8 * (1 + gain)), rel=0.005)


def test_a_first_stage_of_finite_gain_leaves_a_gap_at_its_thresholds():
    """2^(b-2) (2 / A) / (1 + 2 / A) levels at a quarter of the range."""
    bits, gain = 10, 150.0
    stages = np.tile(np.array([2.0, 1.0, -0.25, 0.25])[None, :, None], (bits - 2, 1, 1))
    stages[0, :2] /= 1 + 2 / gain
    curve = Transfer("pipeline", 2.0 ** (bits - 1) - 1, stages, columns(1))
    edge = 2.0 ** (bits - 3)
    below, above = curve.codes(np.array([[edge - 1e-6], [edge + 1e-6]]))[:, 0]
    jump = 2 ** (bits - 2) * (2 / gain) / (1 + 2 / gain)
    assert above - below == pytest.approx(jump, abs=1)
    assert jump > 3
