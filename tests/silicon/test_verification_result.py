"""The arithmetic of a verification's result, worked by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from xbar.silicon.branch import Conditions
from xbar.silicon.verification import Verification, VerificationSweep


def result(read, target, predicted=None, tolerance=1e-3):
    read, target = np.array(read), np.array(target)
    return Verification(
        tile=0,
        layer="fc",
        process="sky130",
        conditions=Conditions("tt", 27.0, 1.8),
        cells=(2, 4),
        target=target,
        predicted=read if predicted is None else np.array(predicted),
        read=read,
        largest=2.0,
        predicted_current=np.array([[1e-6, 2e-6]]),
        current=np.array([[1e-6, 2.001e-6]]),
        tolerance=tolerance,
        current_tolerance=tolerance,
    )


def test_one_gain_takes_out_what_all_weights_share():
    found = result([[0.9, -1.8]], [[1.0, -2.0]])
    assert found.rms() == pytest.approx(np.sqrt((0.01 + 0.04) / 2) / 2)
    np.testing.assert_allclose(found.gain(), [0.9, 0.9])
    assert found.rms("chip") == pytest.approx(0, abs=1e-15)


def test_gains_by_column_take_out_what_each_output_shares():
    found = result([[0.9, 1.1], [1.8, 0.55]], [[1.0, 1.0], [2.0, 0.5]])
    np.testing.assert_allclose(found.gain("columns"), [0.9, 1.1])
    assert found.rms("columns") == pytest.approx(0, abs=1e-15)
    assert found.rms("chip") > 0.01
    # (0.81 + 1.21 + 3.24 + 0.3025) / (0.9 + 1.1 + 3.6 + 0.275)
    np.testing.assert_allclose(found.gain(), [5.5625 / 5.875] * 2)


@pytest.mark.parametrize("seed", range(4))
def test_no_other_gain_leaves_less_error(seed):
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((5, 3))
    found = result(0.8 * target + 0.5 * rng.standard_normal((5, 3)), target)
    best = found.gain()[0]
    assert found.rms("columns") <= found.rms("chip") <= found.rms()
    for other in (0.99 * best, 1.01 * best):
        rms = np.sqrt(np.mean((found.read / other - target) ** 2)) / found.largest
        assert rms > found.rms("chip")


def test_a_column_of_zeros_has_no_gain_to_calibrate():
    np.testing.assert_allclose(result([[0.1, 1.0]], [[0.0, 2.0]]).gain("columns"), [1.0, 0.5])


def test_gains_as_many_as_weights_tell_no_bits():
    one, row = result([[0.9]], [[1.0]]), result([[0.9, -1.8]], [[1.0, -2.0]])
    assert [one.judges(of) for of in ("none", "chip", "columns")] == [True, False, False]
    assert [row.judges(of) for of in ("none", "chip", "columns")] == [True, True, False]
    told = row.to_json()["calibrated"]
    assert told["columns"] == {"rms": None, "bits": None, "gain": [0.9, 0.9]}
    assert told["chip"]["rms"] == pytest.approx(0, abs=1e-15)
    last = [line.split() for line in str(row).splitlines() if "by column" in line]
    assert last == [["by", "column", "0.9000", "-"]]


def test_a_tile_that_no_input_drives_has_no_currents_to_pass():
    still = np.zeros((0, 2))
    found = replace(result([[1.0, 2.0]], [[1.0, 2.0]]), current=still, predicted_current=still)
    assert found.to_json()["current_error"] is None
    for text in (str(found), str(VerificationSweep((found,)))):
        assert "none compared" in text


def test_bits_are_those_of_a_uniform_quantiser():
    # b bits over -1 to 1 have steps of 2 / 2^b, and an rms error of a step / sqrt 12
    step = 2 / 2**10
    error = 2 * step / np.sqrt(12)  # of weights up to 2
    assert result([[2 + error]], [[2.0]]).bits() == pytest.approx(10)
    assert result([[2.0]], [[2.0]]).bits() == np.inf


def test_it_passes_within_the_tolerance_only():
    good = result([[1.0, 2.0]], [[1.0, 2.0]], [[1.0, 2.001]])
    assert good.weight_error == pytest.approx(5e-4)
    assert good.current_error == pytest.approx(5e-4)
    assert good.passed
    assert not replace(good, tolerance=4e-4).passed
    assert not replace(good, current_tolerance=4e-4).passed
    assert not replace(good, current=good.current * 1.01).passed


def test_results_are_json_and_tables():
    found = result([[1.0, 2.0]], [[1.0, 2.0]])
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["calibrated"]["none"]["bits"] is None  # infinitely many
    assert told["corner"] == "tt"
    assert "tt, 27 C, 1.8 V" in str(found)
    assert "2 x 4 cells" in repr(found)
    table = VerificationSweep((found, replace(found, current_tolerance=1e-9)))
    assert not table.passed
    assert str(table).count("tt, 27 C, 1.8 V") == 2
    assert "FAIL" in str(table)
