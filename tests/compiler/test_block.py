"""A block is its part of a layer's matrix, transposed, and a few words of JSON."""

import json

import numpy as np
import pytest

from xbar.compiler.block import Block

MATRIX = np.random.default_rng(0).standard_normal((2, 7, 9))
NEIGHBOURS, SCATTERED, BACKWARDS = [2, 3, 4], [0, 2, 5], [4, 3, 2]


def block(inputs, outputs):
    lines = np.arange(3)
    return Block("fc", 1, np.array(inputs), np.array(outputs), lines, lines + 4)


@pytest.mark.parametrize("inputs", [NEIGHBOURS, SCATTERED, BACKWARDS])
@pytest.mark.parametrize("outputs", [NEIGHBOURS, SCATTERED, BACKWARDS])
def test_it_holds_the_weights_of_its_inputs_and_outputs(inputs, outputs):
    part = block(inputs, outputs).of(MATRIX)
    assert part.tolist() == [[MATRIX[1, o, i] for o in outputs] for i in inputs]
    view = inputs == outputs == NEIGHBOURS
    assert np.shares_memory(part, MATRIX) == view
    changed = np.zeros_like(MATRIX)
    block(inputs, outputs).put(changed, part)
    wanted = np.zeros_like(MATRIX)
    wanted[1][np.ix_(outputs, inputs)] = MATRIX[1][np.ix_(outputs, inputs)]
    np.testing.assert_array_equal(changed, wanted)


def test_neighbours_are_written_as_their_ends_and_others_one_by_one():
    record = block(NEIGHBOURS, SCATTERED).to_json()
    assert record == {
        "layer": "fc",
        "group": 1,
        "inputs": {"from": 2, "to": 5},
        "outputs": [0, 2, 5],
        "word_lines": {"from": 0, "to": 3},
        "columns": {"from": 4, "to": 7},
    }
    again = Block.from_json(json.loads(json.dumps(record)))
    assert again == block(NEIGHBOURS, SCATTERED)
    assert again != block(NEIGHBOURS, BACKWARDS)
    assert hash(again) == hash(block(NEIGHBOURS, SCATTERED))
    assert again.shape == (3, 3)


@pytest.mark.parametrize("word_lines", [NEIGHBOURS, SCATTERED, BACKWARDS])
@pytest.mark.parametrize("columns", [NEIGHBOURS, SCATTERED, BACKWARDS])
def test_its_cells_are_those_of_its_lines(word_lines, columns):
    own = Block("fc", 1, np.arange(3), np.arange(3), np.array(word_lines), np.array(columns))
    tile = np.random.default_rng(1).standard_normal((6, 7))
    assert own.cells_of(tile).tolist() == [[tile[w, c] for c in columns] for w in word_lines]
    view = word_lines == columns == NEIGHBOURS
    assert np.shares_memory(own.cells_of(tile), tile) == view
