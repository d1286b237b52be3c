"""What is zero takes no cell, and every other weight has one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xbar
from xbar.compiler import compaction
from xbar.compiler.compaction import compact, grid, parts


def covered(support, pieces):
    count = np.zeros(support.shape, int)
    for inputs, outputs in pieces:
        count[outputs[:, None], inputs] += 1
    return count


@given(
    outputs=st.integers(1, 40),
    inputs=st.integers(1, 40),
    density=st.sampled_from([0.0, 0.02, 0.1, 0.4, 0.9, 1.0]),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    cut=st.sampled_from(["even", "full"]),
    seed=st.integers(0, 10**6),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_every_weight_but_zeros_lies_in_one_piece_that_fits(
    outputs, inputs, density, size, cut, seed
):
    support = np.random.default_rng(seed).random((outputs, inputs)) < density
    pieces = compact(support, size, cut)
    count = covered(support, pieces)
    assert (count[support] == 1).all()
    assert count.max(initial=0) <= 1
    for rows, columns in pieces:
        assert 0 < len(rows) <= size[0]
        assert 0 < len(columns) <= size[1]
        part = support[columns[:, None], rows]
        assert part.any(axis=1).all()
    kept = support.any(axis=1).sum(), support.any(axis=0).sum()
    assert len(pieces) <= -(-kept[0] // size[1]) * -(-kept[1] // size[0])


def test_a_matrix_without_zeros_is_a_plain_grid():
    for cut in ("even", "full"):
        found, plain = compact(np.ones((7, 10), bool), (4, 3), cut), grid((7, 10), (4, 3), cut)
        for (a, b), (c, d) in zip(found, plain, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)


def test_zero_lines_vanish_and_the_rest_is_cut_as_if_they_had_never_been():
    support = np.zeros((9, 12), bool)
    rows, columns = np.array([1, 4, 5]), np.array([0, 2, 3, 7, 11])
    support[rows[:, None], columns] = True
    dense = grid((3, 5), (4, 2))
    for (inputs, outputs), (i, o) in zip(compact(support, (4, 2)), dense, strict=True):
        np.testing.assert_array_equal(inputs, columns[i])
        np.testing.assert_array_equal(outputs, rows[o])


@pytest.mark.parametrize("turned", [False, True])
def test_shuffled_blocks_of_a_tiles_size_are_found_again(turned):
    rng = np.random.default_rng(5)
    support = np.kron(np.eye(6, dtype=bool), np.ones((8, 16), bool))
    support = support[rng.permutation(48)][:, rng.permutation(96)]
    size = (16, 8)
    if turned:
        support, size = support.T.copy(), (8, 16)
    pieces = compact(support, size)
    assert len(pieces) == 6
    assert sum(len(a) * len(b) for a, b in pieces) == support.sum()


@pytest.mark.parametrize("inputs", [64, 40])
def test_blocks_narrower_than_a_tile_are_not_mixed(inputs):
    rng = np.random.default_rng(6)
    support = np.kron(np.eye(5, dtype=bool), np.ones((20, inputs), bool))
    support = support[rng.permutation(100)][:, rng.permutation(5 * inputs)]
    assert len(compact(support, (64, 32))) == 5


def fewest(support, size):
    """Fewest pieces by trying every partition of the outputs into strips."""
    best = len(support) * support.shape[1]
    for labels in itertools.product(range(len(support)), repeat=len(support)):
        labels = np.array(labels)
        if (np.bincount(labels) > size[1]).any():
            continue
        used = [support[labels == strip].any(axis=0).sum() for strip in set(labels.tolist())]
        best = min(best, sum(-(-u // size[0]) for u in used))
    return best


def test_gathering_comes_close_to_the_best_of_all_partitions():
    rng = np.random.default_rng(7)
    found, best = 0, 0
    for _ in range(25):
        support = rng.random((5, 8)) < 0.25
        support[np.arange(5), rng.integers(0, 8, 5)] = True
        found += len(compact(support, (3, 2)))
        best += fewest(support, (3, 2))
    assert found <= 1.05 * best


def test_full_cuts_leave_one_remainder():
    assert parts(150, 64, "full") == [(0, 64), (64, 128), (128, 150)]
    assert parts(150, 64) == [(0, 50), (50, 100), (100, 150)]


@pytest.fixture
def pruned():
    rng = np.random.default_rng(8)
    weights = rng.standard_normal((12, 30))
    weights[rng.random(weights.shape) < 0.6] = 0.0
    weights[[2, 7]] = 0.0
    weights[:, [0, 5, 29]] = 0.0
    return weights


HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=10, on_off_ratio=1e3),
    tile=xbar.Tile(word_lines=8, bit_lines=8, word_wire=1.0, bit_wire=1.0),
)


def test_a_compacted_layer_multiplies_like_the_whole_one(pruned):
    program = xbar.compile({"fc": pruned}, HARDWARE, seed=1)
    realised = program.matrices()["fc"]
    assert np.abs(realised - pruned).max() < 1e-3 * np.abs(pruned).max()
    assert (realised[[2, 7]] == 0).all()
    assert (realised[:, [0, 5, 29]] == 0).all()
    x = np.random.default_rng(9).standard_normal((5, 30))
    np.testing.assert_allclose(program.run(x), x @ realised.T, atol=1e-12)
    nodal = program.matrices("nodal")["fc"]
    np.testing.assert_allclose(program.run(x, readout="nodal"), x @ nodal.T, atol=1e-12)


def test_compaction_can_be_left_out(pruned):
    whole = xbar.compile({"fc": pruned}, HARDWARE, seed=1, options=xbar.Options(compact=False))
    small = xbar.compile({"fc": pruned}, HARDWARE, seed=1)
    assert whole.placement.dropped == 0
    assert small.placement.dropped >= 2 * 30 + 3 * 12 - 6
    assert len(small.tiles) <= len(whole.tiles)
    assert len(whole.tiles) == 4 * 3


def test_layers_of_zeros_take_no_tile_and_everything_still_works(tmp_path, pruned):
    from xbar.report.metrics import layer_metrics
    from xbar.report.text import program_text

    hardware = HARDWARE.model_copy(
        update={"dac": xbar.Converter(bits=8), "adc": xbar.Converter(bits=10)}
    )
    program = xbar.compile({"none": np.zeros((3, 4)), "fc": pruned}, hardware, seed=1)
    assert program.tiles_of("none") == ()
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert loaded.placement == program.placement
    found = loaded.run({"none": np.ones((2, 4)), "fc": np.ones((2, 30))}, readout="nodal")
    assert (found["none"] == 0).all()
    assert found["none"].shape == (2, 3)
    layers = xbar.simulate(loaded, {"none": np.ones((2, 4)), "fc": np.ones((2, 30))}).layers
    assert [layer.tiles for layer in layers] == [0, len(program.tiles)]
    metrics = layer_metrics(loaded)
    assert (metrics[0].tiles, metrics[0].worst_residual, metrics[0].bits) == (0, 0.0, None)
    assert "none" in program_text(loaded, metrics)


def test_a_network_of_zeros_is_a_program_without_tiles(tmp_path):
    program = xbar.compile({"fc": np.zeros((3, 4))}, HARDWARE, seed=1)
    assert (program.tiles, program.placement.utilisation) == ((), 0.0)
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    np.testing.assert_array_equal(loaded.run(np.ones((2, 4))), np.zeros((2, 3)))
    np.testing.assert_array_equal(loaded.matrices("nodal")["fc"], np.zeros((3, 4)))


def test_a_few_zeros_are_placed_as_the_search_places_them(monkeypatch):
    rng = np.random.default_rng(3)
    known, skipped = compaction._hardly_any_zeros, 0
    for number in range(600):
        outputs, inputs = (int(n) for n in rng.integers(1, 40, 2))
        size = int(rng.integers(1, 14)), int(rng.integers(1, 14))
        cut = "even" if number % 2 else "full"
        support = np.ones((outputs, inputs), dtype=bool)
        zeros = int(rng.integers(1, max(3, outputs * inputs // 16)))
        support[rng.integers(0, outputs, zeros), rng.integers(0, inputs, zeros)] = False
        skipped += known(support, size, cut)
        found = compaction.compact(support, size, cut)
        with monkeypatch.context() as patched:
            patched.setattr(compaction, "_hardly_any_zeros", lambda *_: False)
            searched = compaction.compact(support, size, cut)
        assert [(r.tolist(), c.tolist()) for r, c in found] == [
            (r.tolist(), c.tolist()) for r, c in searched
        ]
    assert skipped > 100
