"""A differential pair's signed bank says exactly what the switches do to the difference."""

import numpy as np
import pytest

from xbar.compiler.block import Block, span
from xbar.compiler.mapping import DifferentialPair

PAIR = DifferentialPair()
WHOLE = Block("fc", 0, span(0, 5), span(0, 3), span(0, 5), span(0, 3))
SCATTERED = Block("fc", 0, np.array([7, 2]), np.array([4, 9]), np.array([3, 1]), np.array([2, 0]))


@pytest.fixture
def resistors():
    rng = np.random.default_rng(0)
    on = rng.uniform(1e-6, 1e-5, (5, 6, 3))
    stuck = rng.choice([-1, 0, 1], p=[0.2, 0.6, 0.2], size=on.shape).astype(np.int8)
    return on, on / 40, stuck


@pytest.mark.parametrize("block", [WHOLE, SCATTERED])
def test_offset_plus_chosen_elements_is_the_difference_of_the_cells(resistors, block):
    on, off, stuck = resistors
    bank = PAIR.bank(on, off, stuck, block)
    choice = np.random.default_rng(1).random(bank.element.shape) < 0.5
    mask = np.zeros(on.shape, bool)
    PAIR.switch(mask, block, choice)
    np.testing.assert_array_equal(PAIR.choice(mask, block), choice)
    closed = (mask & (stuck == 0)) | (stuck == 1)
    cell = np.where(closed, on, off).sum(axis=-1)
    rows, plus = block.word_lines[:, None], 2 * block.columns
    difference = cell[rows, plus] - cell[rows, plus + 1]
    predicted = bank.offset + (bank.element * choice).sum(axis=-1)
    np.testing.assert_allclose(predicted, difference, rtol=0, atol=1e-19)


def test_plus_elements_raise_and_minus_elements_lower(resistors):
    on, off, _ = resistors
    element = PAIR.bank(on, off, np.zeros(on.shape, np.int8), WHOLE).element
    assert (element[..., :3] > 0).all()
    assert (element[..., 3:] < 0).all()


def test_a_stuck_resistor_is_no_element(resistors):
    on, off, stuck = resistors
    element = PAIR.bank(on, off, stuck, WHOLE).element.reshape(5, 3, 2, 3)
    np.testing.assert_array_equal(element == 0, (stuck != 0).reshape(5, 3, 2, 3))


def test_an_odd_last_bit_line_stays_idle():
    assert PAIR.columns(7) == 3
    line = np.arange(7.0)
    np.testing.assert_array_equal(PAIR.currents(line[None], WHOLE), [[-1, -1, -1]])
    cell = np.broadcast_to(line, (5, 7))
    np.testing.assert_array_equal(PAIR.total(cell, WHOLE), [[1, 5, 9]] * 5)
