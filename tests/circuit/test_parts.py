"""Blocks taken from the array solved before leave the transfer matrix as it is, bit for bit."""

import numpy as np
import pytest

import xbar
from xbar.circuit.solvers.parts import Parts

SHAPE = (70, 100)


def crossbar(cells, **wires):
    return xbar.Crossbar(cells, **{"word_wire": 1.0, "bit_wire": 2.0, "load": 5.0, **wires})


def some_cells(seed):
    return np.random.default_rng(seed).uniform(1e-5, 1e-3, SHAPE)


@pytest.mark.parametrize(
    "wires",
    [
        {},
        {"drive": "both", "sense": "both"},
        {"drive": "right", "sense": "top"},
        {"word_wire": 0.0},
        {"bit_wire": np.where(np.random.default_rng(9).random(SHAPE) < 0.2, 0.0, 1.0)},
    ],
)
def test_a_sequence_of_arrays_is_solved_to_the_same_bits(wires):
    parts, cells = Parts(), some_cells(0)
    rng = np.random.default_rng(1)
    for _ in range(5):
        shared = crossbar(cells, **wires).sharing(parts).transfer
        np.testing.assert_array_equal(shared, crossbar(cells, **wires).transfer)
        cells = cells.copy()
        first = rng.integers(0, 90)
        cells[:, first : first + 10] = rng.uniform(1e-5, 1e-3, (SHAPE[0], 10))
    assert parts.joins


def test_other_wires_and_other_shapes_forget_what_was_known():
    parts, cells = Parts(), some_cells(0)
    for wires in ({}, {"word_wire": 3.0}, {"load": 0.0}, {"drive": "left"}, {"drive": "right"}):
        shared = crossbar(cells, **wires).sharing(parts).transfer
        np.testing.assert_array_equal(shared, crossbar(cells, **wires).transfer)
    shared = crossbar(cells[:40]).sharing(parts).transfer
    np.testing.assert_array_equal(shared, crossbar(cells[:40]).transfer)


def test_only_blocks_with_changed_cells_are_joined_again():
    parts, cells = Parts(), some_cells(0)
    assert crossbar(cells).sharing(parts).transfer.shape == SHAPE[::-1]
    before = dict(parts.joins)
    cells = cells.copy()
    cells[:, -1] *= 2.0
    shared = crossbar(cells).sharing(parts).transfer
    kept = [place for place, made in parts.joins.items() if made[2] is before[place][2]]
    assert 0 < len(kept) < len(before)
    np.testing.assert_array_equal(shared, crossbar(cells).transfer)


def test_an_array_whose_solution_was_broken_off_leaves_no_wrong_block(monkeypatch):
    parts, first, second = Parts(), some_cells(0), some_cells(1)
    assert crossbar(first).sharing(parts).transfer.shape == SHAPE[::-1]

    def fail(*arguments):
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr("xbar.circuit.solvers.merge_tree.reduce_blocks", fail)
        with pytest.raises(MemoryError):
            _ = crossbar(second).sharing(parts).transfer
    shared = crossbar(second).sharing(parts).transfer
    np.testing.assert_array_equal(shared, crossbar(second).transfer)
