"""A signed bank says exactly what the switches do to the difference of two bit lines."""

import numpy as np
import pytest

from xbar.compiler.block import Block, span
from xbar.compiler.mapping import DifferentialPair, ReferenceColumn

PAIR, REFERENCE = DifferentialPair(), ReferenceColumn()
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


def test_a_reference_cell_lies_near_the_middle_of_its_rows_banks(resistors):
    on, off, stuck = resistors
    block = Block("fc", 0, span(0, 5), span(0, 5), span(0, 5), span(0, 5))
    mask = np.zeros(on.shape, bool)
    REFERENCE.close_references(mask, on, off, stuck, [block])
    assert not mask[:, :-1].any()
    assert not (mask & (stuck != 0)).any()
    lowest = np.where(stuck == 1, on, off).sum(axis=-1)
    highest = np.where(stuck == -1, off, on).sum(axis=-1)
    middle = ((lowest + highest) / 2)[:, :-1].mean(axis=1)
    choices = ((np.arange(8)[:, None] >> np.arange(3)) & 1).astype(bool)
    for row in range(5):
        closed = (choices & (stuck[row, -1] == 0)) | (stuck[row, -1] == 1)
        every = np.where(closed, on[row, -1], off[row, -1]).sum(axis=-1)
        closed = (mask[row, -1] & (stuck[row, -1] == 0)) | (stuck[row, -1] == 1)
        found = np.where(closed, on[row, -1], off[row, -1]).sum()
        best = np.abs(every - middle[row]).min()
        assert abs(found - middle[row]) == pytest.approx(best, abs=1e-20)


def test_rows_without_weights_need_no_reference(resistors):
    on, off, stuck = resistors
    mask = np.zeros(on.shape, bool)
    REFERENCE.close_references(mask, on, off, 0 * stuck, [SCATTERED])
    assert mask[[3, 1], -1].any(axis=1).all()
    assert not mask[[0, 2, 4]].any()


@pytest.mark.parametrize("block", [WHOLE, SCATTERED])
def test_with_a_reference_offset_and_elements_are_the_difference_to_it(resistors, block):
    on, off, stuck = resistors
    mask = np.zeros(on.shape, bool)
    REFERENCE.close_references(mask, on, off, stuck, [block])
    bank = REFERENCE.bank(on, off, stuck, block, mask)
    choice = np.random.default_rng(1).random(bank.element.shape) < 0.5
    REFERENCE.switch(mask, block, choice)
    np.testing.assert_array_equal(REFERENCE.choice(mask, block), choice)
    closed = (mask & (stuck == 0)) | (stuck == 1)
    cell = np.where(closed, on, off).sum(axis=-1)
    rows = block.word_lines
    difference = cell[rows[:, None], block.columns] - cell[rows, -1][:, None]
    predicted = bank.offset + (bank.element * choice).sum(axis=-1)
    np.testing.assert_allclose(predicted, difference, rtol=0, atol=1e-19)
    np.testing.assert_allclose(REFERENCE.difference(cell, block), difference, rtol=0, atol=1e-19)
    current = np.random.default_rng(2).random((4, 6))
    expected = current[:, block.columns] - current[:, -1:]
    np.testing.assert_array_equal(REFERENCE.currents(current, block), expected)


def test_before_references_are_chosen_each_row_is_judged_by_its_middle(resistors):
    on, off, stuck = resistors
    bank = REFERENCE.bank(on, off, 0 * stuck, WHOLE)
    middle = bank.offset + bank.element.sum(axis=-1) / 2
    np.testing.assert_allclose(middle.mean(axis=1), 0.0, atol=1e-19)


@pytest.mark.parametrize(
    ("mapping", "bit_lines", "columns"),
    [(PAIR, 6, 3), (PAIR, 7, 3), (PAIR, 1, 0), (REFERENCE, 6, 5), (REFERENCE, 1, 0)],
)
def test_columns_and_bit_lines_belong_to_each_other(mapping, bit_lines, columns):
    assert mapping.columns(bit_lines) == columns
    every = span(0, columns)
    for sign, lines in ((1, mapping.plus(every)), (-1, mapping.minus(every))):
        for column, line in zip(every, lines % bit_lines, strict=True):
            shared = mapping is REFERENCE and sign < 0
            found = mapping.column_of(int(line), bit_lines)
            assert found == (None if shared else column, sign)


@pytest.mark.parametrize(
    ("bit_lines", "pairs", "referenced"), [(0, 0, 0), (1, 0, 0), (2, 1, 1), (3, 1, 2), (7, 3, 6)]
)
def test_a_pair_takes_two_bit_lines_and_a_reference_one_of_each_tile(bit_lines, pairs, referenced):
    assert PAIR.columns(bit_lines) == pairs
    assert REFERENCE.columns(bit_lines) == referenced
