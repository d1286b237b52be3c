"""The error to be expected of what arrives, against sampled reads and searched scales."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from xbar.compiler.passes.wires.array import Reading
from xbar.compiler.passes.wires.score import Score
from xbar.effects.expected import ExpectedError

RNG = np.random.default_rng(3)
WEIGHTS = [RNG.standard_normal((6, 4)), 10.0 * RNG.standard_normal((3, 2))]
SCALES = [np.full(4, 1e-5), np.full(2, 1e-6)]


def reading(noise=0.2):
    arrives = [
        w * s * gain + noise * np.abs(w * s).mean() * RNG.standard_normal(w.shape)
        for w, s, gain in zip(WEIGHTS, SCALES, (0.3, 0.7), strict=True)
    ]
    difference = np.concatenate([e.ravel() for e in arrives])
    return Reading(difference, 2.0 * difference**2, lambda: difference)


def score_of(noise, alike=False, gain=1.0):
    return Score.of(WEIGHTS, SCALES, ExpectedError(gain, noise), alike=alike)


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize(("noise", "gain"), [(0.0, 1.0), (0.3, 1.0), (0.3, 0.7)])
def test_no_other_scale_of_a_column_or_block_has_less_error(alike, noise, gain):
    score, found = score_of(noise, alike, gain), reading()
    scale = score.fit(found)
    assert len(scale) == (2 if alike else 6)
    for k in range(len(scale)):

        def error(factor, k=k):
            return score.error(found, np.where(np.arange(len(scale)) == k, factor, 1.0) * scale)

        best = minimize_scalar(error, bounds=(0.5, 2.0), method="bounded", options={"xatol": 1e-9})
        assert best.x == pytest.approx(1.0, abs=1e-4)


def test_the_error_is_that_of_noisy_reads_relative_to_each_blocks_weights():
    score, found = score_of(0.1), reading()
    scale = score.fit(found)
    rng, reads = np.random.default_rng(0), 20_000
    shaken = 0.1 * np.sqrt(found.power) * rng.standard_normal((reads, 30))
    read = (found.difference + shaken) / np.concatenate(
        [np.tile(scale[:4], 6), np.tile(scale[4:], 3)]
    )
    mean = ((read - np.concatenate([w.ravel() for w in WEIGHTS])) ** 2).mean(axis=0)
    blocks = [mean[:24].sum() / (WEIGHTS[0] ** 2).sum(), mean[24:].sum() / (WEIGHTS[1] ** 2).sum()]
    expected = np.sqrt((24 * blocks[0] + 6 * blocks[1]) / 30)
    assert score.error(found, scale) == pytest.approx(expected, rel=0.01)


def test_a_column_that_nothing_arrives_from_keeps_its_scale():
    score = score_of(0.0)
    nothing = Reading(np.zeros(30), np.zeros(30), lambda: np.zeros(30))
    np.testing.assert_array_equal(score.fit(nothing), np.concatenate(SCALES))
    assert score.error(nothing, score.fit(nothing)) == pytest.approx(1.0)


def test_what_arrives_with_the_wrong_sign_is_kept_small_not_turned():
    score = score_of(0.0)
    wrong = -np.concatenate([(w * s).ravel() for w, s in zip(WEIGHTS, SCALES, strict=True)])
    scale = score.fit(Reading(wrong, np.zeros(30), lambda: wrong))
    assert (scale > 0).all()
    assert np.abs(wrong / scale[score.scale_of]).max() < 0.1 * np.abs(score.weight).max()


def test_the_slope_is_the_regression_of_what_arrives_on_the_weights():
    score, found = score_of(0.0), reading()
    first = np.polynomial.polynomial.polyfit(WEIGHTS[0][:, 0], found.difference[0:24:4], [1])[1]
    assert score.slope(found)[0] == pytest.approx(first)


def test_a_block_of_zeros_has_no_error_to_weigh():
    zeros, scales = np.zeros((2, 2)), np.full(2, 1e-6)
    score = Score.of([*WEIGHTS, zeros], [*SCALES, scales], ExpectedError(1.0, 0.0), alike=False)
    found = reading()
    more = Reading(
        np.concatenate([found.difference, np.full(4, 1e-7)]),
        np.concatenate([found.power, np.zeros(4)]),
        lambda: found.difference,
    )
    alone = score_of(0.0)
    # each block counts by its number of weights: 30 of these 34 have one
    share = 30 / 34
    expected = alone.error(found, np.concatenate(SCALES)) * np.sqrt(share)
    assert score.error(more, np.concatenate([*SCALES, scales])) == pytest.approx(expected)
