"""The merge tree: blocks of every size, ideal wires anywhere, and wires of next to nothing."""

from __future__ import annotations

import os

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.solvers import memory
from xbar.circuit.solvers.direct import DirectSolver
from xbar.circuit.solvers.joining import star_mesh
from xbar.circuit.solvers.line_gradients import LineGradientsSolver
from xbar.circuit.solvers.merge_tree import MergeTreeSolver
from xbar.errors import SolverError


def assert_same(crossbar, relative=1e-11):
    ours, direct = MergeTreeSolver(crossbar).transfer(), DirectSolver(crossbar).transfer()
    assert np.abs(ours - direct).max() <= relative * direct.max()


@pytest.mark.parametrize("shape", [(33, 32), (1, 200), (200, 1), (65, 97), (100, 31), (17, 150)])
@pytest.mark.parametrize("drive", ["left", "both"])
def test_blocks_of_every_size_give_the_direct_solution(shape, drive):
    cells = 10 ** np.random.default_rng(0).uniform(-6, -3, shape)
    assert_same(Crossbar(cells, 2.0, 3.0, 10.0, 5.0, drive, "both"))


@pytest.mark.parametrize("word", ["none", "first", "some", "all"])
@pytest.mark.parametrize("bit", ["none", "last", "some", "all"])
def test_ideal_wires_anywhere_give_the_direct_solution(word, bit):
    rng = np.random.default_rng(1)
    cells = 10 ** rng.uniform(-6, -3, (40, 37))
    where = {"none": (0, 0), "first": (0, 1), "last": (-1, None), "some": (5, 9), "all": (0, None)}
    word_wire, bit_wire = np.full((2, 40, 37), 3.0)
    word_wire[:, slice(*where[word])] = 0
    bit_wire[slice(*where[bit])] = 0
    for source in (0.0, 7.0):
        assert_same(Crossbar(cells, word_wire, bit_wire, source, 2.0))


@pytest.mark.parametrize("seed", range(6))
def test_ideal_segments_scattered_among_others_give_the_direct_solution(seed):
    rng = np.random.default_rng(seed)
    lines, columns = rng.integers(20, 80, 2)
    cells = 10 ** rng.uniform(-8, -3, (lines, columns)) * (rng.random((lines, columns)) > 0.3)
    word, bit = rng.uniform(1.0, 9.0, (lines, columns + 1)), rng.uniform(1.0, 9.0, cells.shape)
    word[rng.random(word.shape) < 0.8] = 0
    bit[rng.random(bit.shape) < 0.3] = 0
    assert_same(Crossbar(cells, word, bit, rng.uniform(0, 9, lines), 0.0, "both"), 1e-12)


def test_ideal_wires_beside_cells_of_next_to_no_ohms_are_ideal():
    """Two cells in series with 1 ohm each: the one of 1e80 S takes nothing off the other's line."""
    cells = np.array([[1e80, 0.0], [0.0, 1e-3]])
    found = Crossbar(cells, 0.0, 0.0, source=1.0, load=0.0).transfer
    np.testing.assert_allclose(found, [[1.0, 0.0], [0.0, 1e-3 / (1 + 1e-3)]], rtol=1e-15)


def test_high_contrast_loses_no_accuracy():
    cells = np.where(np.random.default_rng(2).random((64, 64)) < 0.5, 1e-9, 1e-3)
    assert_same(Crossbar(cells, 20.0, 20.0), 1e-12)


def test_wires_of_next_to_nothing_lose_no_accuracy():
    """Pivots cancel here, so star-mesh takes the place of Cholesky."""
    cells = 10 ** np.random.default_rng(2).uniform(-6, -4, (40, 70))
    ideal = Crossbar(cells, source=1e6, load=1e6).transfer
    tiny = Crossbar(cells, 1e-12, 1e-12, source=1e6, load=1e6).transfer
    np.testing.assert_allclose(tiny, ideal, rtol=1e-11)


def test_star_mesh_is_cholesky_without_differences():
    rng = np.random.default_rng(3)
    coupling = np.triu(rng.uniform(0, 1, (9, 9)), 1)
    across = rng.uniform(0, 1, (9, 5))
    full = coupling + coupling.T
    matrix = np.diag(full.sum(axis=1) + across.sum(axis=1)) - full
    expected = np.linalg.solve(np.linalg.cholesky(matrix), across)
    upper, found = np.triu(matrix), across.copy()
    star_mesh(upper, found)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("prepare", [MergeTreeSolver, LineGradientsSolver])
def test_an_array_too_large_for_memory_is_refused_with_its_size(prepare, monkeypatch):
    crossbar = Crossbar(np.zeros((1000, 2000)), 1.0)
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10_000}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    with pytest.raises(SolverError, match=r"1000 x 2000 needs about 0\.\d GB .* has 0\.0 GB"):
        prepare(crossbar)
    memory.check_memory(4e7, (1, 1))
