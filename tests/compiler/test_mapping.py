"""A differential pair's signed bank says exactly what the switches do to the difference."""

import numpy as np
import pytest

from xbar.compiler.mapping import DifferentialPair

PAIR = DifferentialPair()


@pytest.fixture
def resistors():
    rng = np.random.default_rng(0)
    on = rng.uniform(1e-6, 1e-5, (5, 6, 3))
    stuck = rng.choice([-1, 0, 1], p=[0.2, 0.6, 0.2], size=on.shape).astype(np.int8)
    return on, on / 40, stuck


def test_offset_plus_chosen_elements_is_the_difference_of_the_cells(resistors):
    on, off, stuck = resistors
    bank = PAIR.bank(on, off, stuck)
    choice = np.random.default_rng(1).random(bank.element.shape) < 0.5
    mask = PAIR.mask(choice)
    closed = (mask & (stuck == 0)) | (stuck == 1)
    cell = np.where(closed, on, off).sum(axis=-1)
    difference = cell[:, 0::2] - cell[:, 1::2]
    predicted = bank.offset + (bank.element * choice).sum(axis=-1)
    np.testing.assert_allclose(predicted, difference, rtol=0, atol=1e-19)


def test_plus_elements_raise_and_minus_elements_lower(resistors):
    on, off, _ = resistors
    element = PAIR.bank(on, off, np.zeros(on.shape, np.int8)).element
    assert (element[..., :3] > 0).all()
    assert (element[..., 3:] < 0).all()


def test_a_stuck_resistor_is_no_element(resistors):
    on, off, stuck = resistors
    element = PAIR.bank(on, off, stuck).element.reshape(5, 3, 2, 3)
    np.testing.assert_array_equal(element == 0, (stuck != 0).reshape(5, 3, 2, 3))


def test_an_odd_last_bit_line_stays_idle():
    assert PAIR.columns(7) == 3
    line = np.arange(7.0)
    np.testing.assert_array_equal(PAIR.difference(line), [-1, -1, -1])
    np.testing.assert_array_equal(PAIR.total(line), [1, 5, 9])
