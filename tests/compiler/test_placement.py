"""Blocks cover every weight once and fit their tiles."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.placement import cut
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile

PAIR = DifferentialPair()


@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 70)), min_size=1, max_size=3
    ),
    word_lines=st.integers(1, 33),
    bit_lines=st.integers(2, 33),
    drive=st.sampled_from(["left", "right", "both"]),
    sense=st.sampled_from(["bottom", "top", "both"]),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_every_weight_lies_on_one_cell_pair_within_its_tile(
    shapes, word_lines, bit_lines, drive, sense
):
    tile = Tile(word_lines=word_lines, bit_lines=bit_lines, drive=drive, sense=sense)
    matrices = {f"layer{i}": np.zeros(shape) for i, shape in enumerate(shapes)}
    seen = {name: np.zeros(matrix.shape, int) for name, matrix in matrices.items()}
    for block in cut(matrices, Hardware(tile=tile), PAIR):
        seen[block.layer][block.group, block.outputs[:, None], block.inputs] += 1
        lines, plus, minus = (
            block.word_lines,
            PAIR.plus(block.columns),
            PAIR.minus(block.columns),
        )
        assert lines.min() >= 0
        assert lines.max() < word_lines
        assert len(set(lines)) == len(lines)
        assert plus.min() >= 0
        assert minus.max() < bit_lines
        assert len({*plus, *minus}) == 2 * len(block.outputs)
    assert all((count == 1).all() for count in seen.values())


def test_a_large_matrix_takes_the_fewest_tiles():
    blocks = cut({"fc": np.zeros((1, 120, 256))}, Hardware(), PAIR)
    assert len(blocks) == 4 * 4


def test_a_matrix_is_cut_evenly():
    blocks = cut({"fc": np.zeros((1, 16, 150))}, Hardware(), PAIR)
    assert [len(block.inputs) for block in blocks] == [50, 50, 50]


@pytest.mark.parametrize(
    ("drive", "sense", "word_line", "bit_line"),
    [("left", "bottom", 54, 0), ("right", "bottom", 54, 56), ("left", "top", 0, 0)],
)
def test_a_small_block_lies_next_to_driver_and_amplifier(drive, sense, word_line, bit_line):
    tile = Tile(word_lines=64, bit_lines=64, drive=drive, sense=sense)
    (block,) = cut({"fc": np.zeros((1, 4, 10))}, Hardware(tile=tile), PAIR)
    assert (block.word_lines[0], PAIR.plus(block.columns)[0]) == (word_line, bit_line)


def test_groups_lie_on_tiles_of_their_own():
    blocks = cut({"conv": np.zeros((3, 2, 9))}, Hardware(), PAIR)
    assert [block.group for block in blocks] == [0, 1, 2]
    assert not any(a == b for a, b in itertools.combinations(blocks, 2))
