"""Line-preconditioned conjugate gradients: what they promise, and what they say if they can't."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.solvers.choice import few_currents, steps_worth
from xbar.circuit.solvers.line_gradients import LineGradientsSolver
from xbar.errors import SolverError, SpecError

HARSH = np.where(np.random.default_rng(0).random((64, 64)) < 0.5, 1e-9, 1e-3)


def test_a_tighter_tolerance_takes_more_steps_and_errs_less():
    crossbar = Crossbar(HARSH, 20.0, 20.0)
    voltage = np.random.default_rng(1).uniform(0, 1, (1, 64))
    expected = voltage @ crossbar.transfer.T
    steps, errors = [], []
    for tolerance in (1e-2, 1e-4, 1e-6, 1e-8, 1e-10):
        solution = LineGradientsSolver(crossbar, tolerance).solve(voltage)
        steps.append(solution.steps[0])
        errors.append(np.abs(solution.current - expected).max() / expected.max())
        assert errors[-1] <= 10 * tolerance
    assert steps == sorted(steps)
    assert errors == sorted(errors, reverse=True)


def test_too_few_steps_are_an_error_that_says_what_to_try():
    solver = LineGradientsSolver(Crossbar(HARSH, 20.0, 20.0), most=3)
    with pytest.raises(SolverError, match=r"stopped at .* after 3 steps; use the transfer matrix"):
        solver.current(np.ones((1, 64)))


@pytest.mark.parametrize("tolerance", [0.0, 1e-17, 1.0, np.nan])
def test_a_tolerance_that_means_nothing_is_refused(tolerance):
    with pytest.raises(SpecError, match="tolerance must be from 1e-15 to below 1, not"):
        LineGradientsSolver(Crossbar(HARSH, 20.0, 20.0), tolerance)


def test_ideal_bit_lines_take_no_step_and_ideal_word_lines_one():
    cells = np.random.default_rng(2).uniform(1e-6, 1e-3, (30, 20))
    ones = np.ones((1, 30))
    assert LineGradientsSolver(Crossbar(cells, 5.0)).solve(ones).steps[0] == 0
    assert LineGradientsSolver(Crossbar(cells, 0.0, 5.0)).solve(ones).steps[0] == 1


def test_wires_that_need_too_many_steps_are_left_to_the_transfer_matrix():
    crossbar = Crossbar(np.full((64, 64), 1.0), 20.0, 20.0)
    voltage = np.random.default_rng(1).uniform(0, 1, (1, 64))
    assert few_currents(crossbar, voltage) is None
    np.testing.assert_allclose(crossbar.read(voltage), voltage @ crossbar.transfer.T, rtol=1e-12)


def test_many_inputs_are_left_to_the_transfer_matrix():
    crossbar = Crossbar(HARSH, 1.0, 1.0)
    assert few_currents(crossbar, np.ones((steps_worth((64, 64)), 64))) is None


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
@pytest.mark.parametrize("end", [0.0, 4.0])
def test_a_current_put_in_at_a_cell_acts_like_the_cell_that_would_carry_it(drive, sense, end):
    """A source beside each cell that carries dG (v_word - v_bit) stands for a larger cell."""
    rng = np.random.default_rng(3)
    cells, more = rng.uniform(1e-5, 1e-3, (2, 11, 19))
    word, bit = rng.uniform(1, 9, (11, 19 + (drive == "both"))), 3.0
    if drive == "both":
        word[:, -1] = end
    whole = Crossbar(cells + more, word, bit, end, end, drive, sense)
    part = Crossbar(cells, word, bit, end, end, drive, sense)
    voltage = rng.uniform(0, 1, (2, 11))
    expected = LineGradientsSolver(whole).solve(voltage)
    inject = more * (expected.word - expected.bit)
    found = LineGradientsSolver(part).solve(voltage, inject)
    np.testing.assert_allclose(found.current, expected.current, rtol=1e-10)
    np.testing.assert_allclose(found.word, expected.word, rtol=1e-10)
    np.testing.assert_allclose(found.bit, expected.bit, rtol=1e-10)
