"""A prepared array gives the transfer matrix of its cells, bit for bit, whatever came before."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import xbar
from xbar.circuit.prepared import PreparedArray
from xbar.circuit.solvers import merge_tree
from xbar.errors import SolverError, SpecError

SHAPE = (70, 100)
WIRES = {"word_wire": 1.0, "bit_wire": 2.0, "load": 5.0}


def some_cells(seed):
    return np.random.default_rng(seed).uniform(1e-5, 1e-3, SHAPE)


def changes(seed, count):
    """Cells of which each differ from those before in ten neighbouring columns."""
    rng, cells = np.random.default_rng(seed), some_cells(seed)
    for _ in range(count):
        yield cells
        cells = cells.copy()
        first = rng.integers(0, 90)
        cells[:, first : first + 10] = rng.uniform(1e-5, 1e-3, (SHAPE[0], 10))


def afresh(cells, **wires):
    return xbar.Crossbar(cells, **{**WIRES, **wires}).transfer


@pytest.fixture
def counted(monkeypatch):
    """How many patches were joined, and how many reduced from cells."""
    joined, reduced = [], []
    join, reduce_patches = merge_tree._join, merge_tree.reduce_patches

    def count_join(*arguments):
        joined.append(1)
        return join(*arguments)

    def count_reduced(arrays, shape, origin, pool, patches):
        reduced.extend([1] * len(origin))
        return reduce_patches(arrays, shape, origin, pool, patches)

    monkeypatch.setattr(merge_tree, "_join", count_join)
    monkeypatch.setattr(merge_tree, "reduce_patches", count_reduced)
    return joined, reduced


@pytest.mark.parametrize(
    "wires",
    [
        {},
        {"drive": "both", "sense": "both"},
        {"drive": "right", "sense": "top"},
        {"word_wire": 0.0},
        {"bit_wire": np.where(np.random.default_rng(9).random(SHAPE) < 0.2, 0.0, 1.0)},
        {"word_wire": 0.0, "bit_wire": 0.0, "load": 0.0},
    ],
)
def test_a_sequence_of_arrays_is_solved_to_the_same_bits(wires):
    array = PreparedArray(SHAPE, **{**WIRES, **wires})
    for cells in changes(1, 5):
        np.testing.assert_array_equal(array.transfer(cells), afresh(cells, **wires))


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (33, 32), (64, 64), (65, 65)])
def test_arrays_that_differ_in_every_cell_are_solved_to_the_same_bits(shape):
    array, rng = PreparedArray(shape, **WIRES), np.random.default_rng(2)
    for contrast in (0, 3, 9):
        cells = 10 ** rng.uniform(-3 - contrast, -3, shape)
        cells[rng.random(shape) < 0.1] = 0.0
        np.testing.assert_array_equal(array.transfer(cells), afresh(cells))


def test_the_wires_of_a_crossbar_can_be_prepared_without_its_cells():
    wires = {
        "word_wire": np.random.default_rng(3).uniform(0, 2, (70, 101)),
        "bit_wire": np.random.default_rng(4).uniform(0, 2, SHAPE),
        "source": np.linspace(0, 50, 70),
        "load": np.linspace(0, 5, 100),
        "drive": "both",
        "sense": "top",
    }
    array = PreparedArray.of(xbar.Crossbar(some_cells(5), **wires))
    np.testing.assert_array_equal(array.transfer(some_cells(6)), afresh(some_cells(6), **wires))


def test_other_wires_share_nothing():
    cells = some_cells(0)
    arrays = [PreparedArray(SHAPE, **{**WIRES, "load": load}) for load in (5.0, 6.0)]
    for array, load in zip(arrays, (5.0, 6.0), strict=True):
        np.testing.assert_array_equal(array.transfer(cells), afresh(cells, load=load))
    assert not np.array_equal(arrays[0].transfer(cells), arrays[1].transfer(cells))


def test_the_same_cells_again_cost_no_patch_and_a_changed_column_some(counted):
    joined, reduced = counted
    array, cells = PreparedArray(SHAPE, **WIRES), some_cells(0)
    first = array.transfer(cells)
    whole = len(joined), len(reduced)
    joined.clear(), reduced.clear()
    np.testing.assert_array_equal(array.transfer(cells), first)
    assert not joined
    assert not reduced
    cells[:, -1] *= 2.0
    changed = array.transfer(cells)
    assert 0 < len(joined) < whole[0]
    assert 0 < len(reduced) < whole[1]
    np.testing.assert_array_equal(changed, afresh(cells))


def test_cells_that_are_written_to_afterwards_do_not_reach_the_cache():
    array, cells = PreparedArray(SHAPE, **WIRES), some_cells(0)
    assert array.transfer(cells).shape == SHAPE[::-1]
    cells *= 3.0
    np.testing.assert_array_equal(array.transfer(cells), afresh(cells))


def test_a_solution_that_was_broken_off_leaves_no_wrong_patch(monkeypatch):
    array, first, second = PreparedArray(SHAPE, **WIRES), some_cells(0), some_cells(1)
    assert array.transfer(first).shape == SHAPE[::-1]

    def fail(*arguments):
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr("xbar.circuit.solvers.merge_tree.reduce_patches", fail)
        with pytest.raises(MemoryError):
            array.transfer(second)
    np.testing.assert_array_equal(array.transfer(second), afresh(second))


def test_threads_that_share_an_array_get_the_same_bits():
    array, many = PreparedArray(SHAPE, **WIRES), list(changes(7, 12))
    expected = [afresh(cells) for cells in many]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(array.transfer, many * 3))
    for one, other in zip(found, expected * 3, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2.5, 3), "shape of a PreparedArray must be a row of whole numbers"),
        ("ab", "shape of a PreparedArray must be a row of whole numbers"),
        ((-1, 3), "must be numbers of lines from 0 upwards, not -1 at position 0"),
        ((0, 3), "with at least one word line and one bit line"),
        (4, "must have the shape"),
    ],
)
def test_a_shape_that_no_array_has_is_refused(shape, message):
    with pytest.raises(SpecError, match=message):
        PreparedArray(shape)


def test_bad_cells_are_refused_with_their_place():
    array = PreparedArray((2, 3), word_wire=1.0)
    with pytest.raises(SpecError, match=r"conductance must have the shape \(2, 3\), not \(3, 2\)"):
        array.transfer(np.ones((3, 2)))
    with pytest.raises(SpecError, match=r"non-negative, not -1\.0 S at word line 1, bit line 2"):
        array.transfer([[1, 1, 1], [1, 1, -1]])
    with pytest.raises(SpecError, match="bit_wire must be finite and non-negative"):
        PreparedArray((2, 3), bit_wire=-1.0)


def test_an_array_whose_patches_do_not_fit_into_memory_is_refused(monkeypatch):
    """Ten levels of 144 bytes a cell and the workspace's 300, which would fit by itself."""
    monkeypatch.setattr("os.sysconf", lambda name: 4096 if name == "SC_PAGE_SIZE" else 2**18)
    array = PreparedArray((1024, 1024), word_wire=1.0)
    with pytest.raises(SolverError, match=r"1024 x 1024 needs about 1\.8 GB .* has 1\.1 GB"):
        array.transfer(np.ones((1024, 1024)))


def test_a_shape_beyond_memory_is_refused_before_it_is_taken():
    with pytest.raises(SolverError, match="1000000000 x 1000000000 needs about"):
        PreparedArray((10**9, 10**9))
