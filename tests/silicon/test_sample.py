"""Which cells of a tile stand for it as transistors."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.silicon.sample import sample_cells


def tile(weights, mapping="pair", **lines):
    lines = {"word_lines": 12, "bit_lines": 16, **lines}
    hardware = xbar.Hardware(tile=xbar.Tile(**lines))
    return xbar.compile(
        {"fc": weights}, xbar.Chip.sample(hardware, 0), options=xbar.Options(mapping=mapping)
    ).tiles[0]


WEIGHTS = np.random.default_rng(0).standard_normal((5, 7))


def test_the_first_inputs_and_outputs_are_taken():
    found = sample_cells(tile(WEIGHTS), (3, 4), None)
    np.testing.assert_array_equal(found.target, WEIGHTS[:2, :3].T)
    np.testing.assert_array_equal(found.word_lines, found.block.word_lines)
    assert (len(found.word_lines), len(found.bit_lines)) == (3, 4)
    assert found.largest == np.abs(WEIGHTS).max()
    assert found.notes == ()


@pytest.mark.parametrize(("mapping", "bit_lines"), [("pair", 4), ("reference", 3)])
def test_weights_are_those_that_the_cells_hold(mapping, bit_lines):
    made = tile(WEIGHTS, mapping)
    found = sample_cells(made, (3, bit_lines), 5)
    cells = made.conductance[np.ix_(found.word_lines, found.bit_lines)]
    held = found.weights(made.mapping, cells, made.conductance.shape)
    whole = made.difference("ideal")[0] / made.blocks[0].scale
    place = np.ix_(found.block.inputs, found.block.outputs)
    expected = whole[place]
    np.testing.assert_allclose(held, expected, rtol=1e-12)


def test_the_reference_line_is_always_among_them():
    assert 15 in sample_cells(tile(WEIGHTS, "reference"), (2, 3), None).bit_lines


def test_a_seed_draws_the_same_cells_again_and_another_seed_others():
    made = tile(np.random.default_rng(1).standard_normal((8, 12)))
    draws = [sample_cells(made, (4, 6), seed) for seed in (1, 1, 2)]
    lines = [(tuple(each.word_lines), tuple(each.bit_lines)) for each in draws]
    assert lines[0] == lines[1] != lines[2]


def test_a_small_block_gives_what_it_has_and_says_so():
    found = sample_cells(tile(WEIGHTS[:2, :3]), (8, 8), None)
    assert found.target.shape == (3, 2)
    assert found.notes == ("the block has 3 inputs and 2 outputs: 3 x 4 cells instead of 8 x 8",)


def test_the_block_with_the_most_weights_is_sampled():
    weights = {"small": WEIGHTS[:2, :3], "large": WEIGHTS[:4, :5]}
    hardware = xbar.Hardware(tile=xbar.Tile(word_lines=16, bit_lines=16))
    made = xbar.compile(
        weights, xbar.Chip.sample(hardware, 0), options=xbar.Options(pack="apart")
    ).tiles
    assert len(made) == 1
    assert sample_cells(made[0], (2, 2), None).block.layer == "large"


@pytest.mark.parametrize(
    ("cells", "mapping", "message"),
    [
        ((3, 3), "pair", "an even number from 2, not 3 x 3"),
        ((0, 2), "pair", "at least 1"),
        ((2, 0), "pair", "not 2 x 0"),
        ((2, 1), "reference", "at least 2, not 2 x 1"),
        ((2,), "pair", "two numbers, not 1"),
        ((2.5, 2), "pair", "whole numbers"),
        ((-1, 2), "pair", "from 0 upwards, not -1"),
    ],
)
def test_cells_that_hold_no_weight_are_refused(cells, mapping, message):
    with pytest.raises(SpecError, match=message):
        sample_cells(tile(WEIGHTS, mapping), cells, None)
