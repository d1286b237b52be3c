"""Blocks cover every weight once and fit their tiles."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xbar
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.options import Options
from xbar.compiler.placement import cut, place
from xbar.compiler.tile import pack
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


def cells(block):
    """The cells that a block takes, row and column of weights."""
    return {(w, c) for w in block.word_lines.tolist() for c in block.columns.tolist()}


@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 20)),
        min_size=1,
        max_size=3,
    ),
    rule=st.sampled_from(["none", "apart", "beside", "any"]),
    drive=st.sampled_from(["left", "right", "both"]),
    sense=st.sampled_from(["bottom", "top", "both"]),
    density=st.sampled_from([0.1, 0.5, 1.0]),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_blocks_that_share_a_tile_have_cells_of_their_own(shapes, rule, drive, sense, density):
    rng = np.random.default_rng(0)
    matrices = {f"l{i}": 1.0 * (rng.random(shape) < density) for i, shape in enumerate(shapes)}
    hardware = Hardware(tile=Tile(word_lines=9, bit_lines=13, drive=drive, sense=sense))
    placed = place(matrices, hardware, PAIR, Options(pack=rule))
    seen = {name: np.zeros(matrix.shape, int) for name, matrix in matrices.items()}
    taken = 0
    for blocks in placed.tiles:
        assert len(blocks) == 1 or rule != "none"
        assert len(set().union(*map(cells, blocks))) == sum(map(len, map(cells, blocks)))
        for block in blocks:
            seen[block.layer][block.group, block.outputs[:, None], block.inputs] += 1
            assert 0 <= block.word_lines.min() <= block.word_lines.max() < 9
            assert 0 <= block.columns.min() <= block.columns.max() < 6
            taken += block.word_lines.size * block.columns.size
        for a, b in itertools.combinations(blocks, 2):
            assert rule == "any" or not set(a.columns) & set(b.columns)
            assert rule != "apart" or not set(a.word_lines) & set(b.word_lines)
    for name, matrix in matrices.items():
        assert (seen[name][matrix != 0] == 1).all()
        assert seen[name].max() <= 1
    report = placed.report
    assert (report.tiles, report.weights) == (len(placed.tiles), taken)
    assert report.weights + report.dropped == sum(m.size for m in matrices.values())
    assert report.bound <= report.tiles
    assert report.utilisation <= 1.0
    if report.tiles:
        assert abs(report.utilisation - taken / (54 * report.tiles)) < 1e-12


def test_full_cuts_save_tiles_where_lines_may_be_shared():
    matrices = {"fc": np.ones((1, 48, 96))}
    tiles = [len(place(matrices, Hardware(), PAIR, Options(pack=r)).tiles) for r in ("none", "any")]
    assert tiles == [4, 3]  # 96 x 48 weights on tiles of 64 x 32: 2.25 by area


def test_a_depthwise_layer_shares_tiles():
    matrices = {"depthwise": np.ones((512, 1, 9))}
    tiles = {
        rule: len(place(matrices, Hardware(), PAIR, Options(pack=rule)).tiles)
        for rule in ("none", "apart", "beside", "any")
    }
    assert tiles == {"none": 512, "apart": 74, "beside": 16, "any": 3}


SHARED = xbar.Hardware(
    bank=xbar.Bank(resistors=6, nominal=10e3),
    tile=Tile(word_lines=12, bit_lines=16, word_wire=3.0, bit_wire=4.0, source=20.0, load=30.0),
)
SMALL = {
    name: np.random.default_rng(seed).standard_normal(shape)
    for seed, (name, shape) in enumerate({"a": (3, 5), "b": (2, 4), "c": (3, 3)}.items())
}


@pytest.mark.parametrize("rule", ["apart", "beside", "any"])
def test_a_shared_tile_is_read_as_the_circuit_says(rule):
    program = xbar.compile(SMALL, SHARED, seed=2, options=Options(pack=rule))
    (tile,) = program.tiles
    assert len(tile.blocks) == 3
    for name, matrix in program.matrices("nodal").items():
        (_, number, part), *_ = program.blocks_of(name)
        volts = np.zeros((matrix.shape[1], 12))
        volts[part.block.inputs.argsort(), part.block.word_lines] = 1.0
        solved = tile.crossbar().solve(volts).current
        found = np.empty_like(matrix)
        found[part.block.outputs] = (PAIR.currents(solved, part.block) / part.scale).T
        np.testing.assert_allclose(matrix, found, rtol=1e-9)
        driven = tile.voltage(np.eye(len(volts)), number).any(axis=0)
        np.testing.assert_array_equal(driven, np.isin(np.arange(12), part.block.word_lines))


def test_blocks_apart_are_read_as_if_each_were_alone():
    together = xbar.compile(SMALL, SHARED, seed=2, options=Options(pack="apart"))
    (tile,) = together.tiles
    for number, part in enumerate(tile.blocks):
        mask = np.zeros_like(tile.mask)
        PAIR.switch(mask, part.block, PAIR.choice(tile.mask, part.block))
        alone = replace(tile, packed=pack(mask))
        np.testing.assert_allclose(
            alone.difference("nodal")[number], tile.difference("nodal")[number], rtol=1e-11
        )


def test_blocks_that_share_bit_lines_load_each_other():
    together = xbar.compile(SMALL, SHARED, seed=2, options=Options(pack="any"))
    (tile,) = together.tiles
    lines = [set(part.block.columns.tolist()) for part in tile.blocks]
    assert any(a & b for a, b in itertools.combinations(lines, 2))
    worst = 0.0
    for number, part in enumerate(tile.blocks):
        mask = np.zeros_like(tile.mask)
        PAIR.switch(mask, part.block, PAIR.choice(tile.mask, part.block))
        alone = replace(tile, packed=pack(mask)).difference("nodal")[number]
        change = np.abs(tile.difference("nodal")[number] - alone).max() / np.abs(alone).max()
        worst = max(worst, change)
    assert 1e-3 < worst < 0.2


def test_a_packed_network_can_be_programmed_for_its_wires():
    options = Options(pack="any", wire_aware=True)
    program = xbar.compile(SMALL, SHARED, seed=2, options=options)
    (tile,) = program.tiles
    assert tile.wire_errors[-1] < 0.2 * tile.wire_errors[0]
    for name, matrix in program.matrices("nodal").items():
        assert np.abs(matrix - SMALL[name]).max() < 0.05 * np.abs(SMALL[name]).max()
