"""Crossbars solved in lock-step, a SIMD lane each, against solutions one by one."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.arrays import Floats
from xbar.circuit import Crossbar, transfers
from xbar.circuit.solvers import lockstep
from xbar.circuit.solvers.direct import DirectSolver
from xbar.circuit.solvers.grid import as_grid
from xbar.circuit.solvers.merge_tree import MergeTreeSolver
from xbar.parallel import one_thread

SHAPES = ((1, 1), (1, 2), (2, 1), (3, 5), (8, 8), (13, 40), (40, 13), (33, 31), (1, 50), (50, 1))


def siemens(shape: tuple[int, ...], seed: int = 0) -> Floats:
    """Cells over four decades, a tenth of them open."""
    rng = np.random.default_rng(seed)
    return 10 ** rng.uniform(-7, -3, shape) * (rng.random(shape) > 0.1)


def error(found: Floats, exact: Floats) -> float:
    """Largest difference, of the largest entry."""
    return float(np.abs(found - exact).max() / max(exact.max(), 1e-300))


@pytest.mark.parametrize("wire", [(1.0, 1.0), (20.0, 0.0), (0.0, 20.0), (0.0, 0.0), (1e-6, 1e4)])
def test_each_crossbar_is_that_of_the_merge_tree(wire: tuple[float, float]) -> None:
    for shape in SHAPES:
        cells = siemens((3, *shape))
        for source, load in ((0.0, 0.0), (5.0, 7.0), (0.0, 1e3)):
            found = transfers(cells, word_wire=wire[0], bit_wire=wire[1], source=source, load=load)
            for one, own in zip(found, cells, strict=True):
                exact = MergeTreeSolver(Crossbar(own, *wire, source, load)).transfer()
                assert error(one, exact) < 1e-13


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
def test_lines_may_be_driven_and_read_at_any_end(drive: str, sense: str) -> None:
    cells = siemens((9, 11, 6), 1)
    ends = {"drive": drive, "sense": sense}
    rng = np.random.default_rng(2)
    word = rng.uniform(1.0, 5.0, (11, 6 + (drive == "both")))
    bit = rng.uniform(0.0, 2.0, (11 + (sense == "both"), 6))
    bit[rng.random(bit.shape) < 0.3] = 0.0
    wires = (word, bit, rng.uniform(0.0, 9.0, 11), rng.uniform(0.0, 9.0, 6))
    grid = as_grid(Crossbar(np.zeros((11, 6)), *wires, **ends))
    turned = np.ascontiguousarray(cells[:, grid.rows, grid.columns])
    found = np.empty((9, 6, 11))
    left = lockstep.solve_batch(grid, turned, found, np.ones(9, np.bool_), 1)
    assert not left.any()
    for one, own in zip(found[:, grid.columns, grid.rows], cells, strict=True):
        assert error(one, DirectSolver(Crossbar(own, *wires, **ends)).transfer()) < 1e-11


def test_harsh_wires_and_ends_lose_no_digits() -> None:
    rng = np.random.default_rng(3)
    cells = np.where(rng.random((2, 64, 48)) < 0.5, 1e-9, 1e-3)
    for wire, source in ((20.0, 0.0), (1e-12, 1e6), (1e8, 0.0)):
        found = transfers(cells, word_wire=wire, bit_wire=wire, source=source, load=source)
        for one, own in zip(found, cells, strict=True):
            exact = MergeTreeSolver(Crossbar(own, wire, wire, source, source)).transfer()
            assert np.max(np.abs(one / exact - 1)) < 1e-11


def test_ideal_bit_lines_divide_a_drivers_current() -> None:
    """Cells of one word line behind a source, all bit lines ideal: the currents are known."""
    cells = siemens((4, 1, 30), 4)
    found = transfers(cells, source=1e3)[:, :, 0]
    volts = 1 / (1 + 1e3 * cells[:, 0].sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, cells[:, 0] * volts, rtol=1e-13)


def test_lines_that_nothing_drives_or_reads_have_exact_zeros() -> None:
    cells = siemens((3, 5, 4), 5) + 1e-6
    source, load = np.array([1.0, np.inf, 0.0, 2.0, 1.0]), np.array([0.0, 1.0, np.inf, 3.0])
    found = transfers(cells, word_wire=1.0, bit_wire=2.0, source=source, load=load)
    for one, own in zip(found, cells, strict=True):
        exact = Crossbar(own, 1.0, 2.0, source, load).transfer
        assert np.array_equal(one == 0, exact == 0)
        assert error(one, exact) < 1e-13


def test_the_bits_depend_neither_on_neighbours_nor_on_threads() -> None:
    cells = siemens((19, 20, 17), 6)
    given = {"word_wire": 2.0, "bit_wire": 0.0, "load": 30.0}
    found = transfers(cells, **given)
    with one_thread():
        assert np.array_equal(found, transfers(cells, **given))
    for count in (1, 7, 9):
        assert np.array_equal(found[-count:], transfers(cells[-count:], **given))
    assert np.array_equal(found[::-1], transfers(cells[::-1], **given))


def test_a_lane_that_leaves_the_range_of_numbers_is_told_and_spoils_no_other() -> None:
    """Neither those beside it nor those that use its scratch afterwards."""
    cells, grid = siemens((12, 20, 17), 8), as_grid(Crossbar(np.zeros((20, 17)), 2.0, 1.0))
    sound, spoilt, wanted = *np.empty((2, 12, 17, 20)), np.ones(12, np.bool_)
    assert not lockstep.solve_batch(grid, cells, sound, wanted, 1).any()
    cells[3] = np.inf
    assert np.flatnonzero(lockstep.solve_batch(grid, cells, spoilt, wanted, 1)).tolist() == [3]
    assert np.array_equal(np.delete(sound, 3, axis=0), np.delete(spoilt, 3, axis=0))


@pytest.mark.parametrize(
    ("siemens_of_one", "ohms", "lines"), [(1e80, 1.0, 6), (1e-4, 1e-70, 6), (1e-4, 1.0, 300)]
)
def test_what_lock_step_does_not_take_has_the_bits_of_each_crossbar(
    siemens_of_one: float, ohms: float, lines: int
) -> None:
    cells = siemens((3, lines, 2), 7)
    cells[1, 0, 0] = siemens_of_one
    found = transfers(cells, word_wire=ohms, bit_wire=1.0)
    assert np.array_equal(found[1], Crossbar(cells[1], ohms, 1.0).transfer)
    for one, own in zip(found, cells, strict=True):
        assert error(one, Crossbar(own, ohms, 1.0).transfer) < 1e-13
