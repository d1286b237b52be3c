"""The coarse grid under conjugate gradients: the same currents in a number of steps that stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit import Crossbar
from xbar.circuit.solvers import coarse
from xbar.circuit.solvers.coarse_kernels import SPACING, add_coarse, restrict
from xbar.circuit.solvers.grid import as_grid
from xbar.circuit.solvers.line_gradients import LineGradientsSolver
from xbar.circuit.solvers.merge_tree import MergeTreeSolver


def harsh(lines: int, columns: int, seed: int = 0) -> Floats:
    """Cells of 1 nS or 1 mS at random."""
    return np.random.default_rng(seed).choice([1e-9, 1e-3], (lines, columns))


def hats(nodes: int) -> Floats:
    """Interpolation (nodes, count) between every SPACING-th of some nodes."""
    at, grid = np.arange(nodes), SPACING * np.arange((nodes - 1) // SPACING + 2)
    return np.maximum(0.0, 1 - np.abs(at[:, None] - grid) / SPACING)


def path(siemens: Floats, ends: tuple[float, float]) -> Floats:
    """Conductance matrix of a line's segments, with ends to terminals."""
    matrix = np.diag(np.append(siemens, 0.0) + np.append(0.0, siemens))
    matrix -= np.diag(siemens, 1) + np.diag(siemens, -1)
    matrix[0, 0] += ends[0]
    matrix[-1, -1] += ends[1]
    return matrix


def segments(shape: tuple[int, int], drive: str, sense: str, seed: int) -> dict[str, Any]:
    """Wires of 5 to 40 ohm."""
    rng = np.random.default_rng(seed)
    word = rng.uniform(5.0, 40.0, (shape[0], shape[1] + (drive == "both")))
    bit = rng.uniform(5.0, 40.0, (shape[0] + (sense == "both"), shape[1]))
    return {"word_wire": word, "bit_wire": bit, "drive": drive, "sense": sense}


@pytest.mark.parametrize("shape", [(37, 50), (33, 18), (1, 17), (17, 1), (16, 5)])
@pytest.mark.parametrize(("drive", "sense"), [("left", "bottom"), ("both", "both")])
def test_its_matrix_is_the_segments_between_interpolated_voltages(
    shape: tuple[int, int], drive: str, sense: str
) -> None:
    given = segments(shape, drive, sense, 1)
    grid = as_grid(Crossbar(np.zeros(shape), **given, source=3.0, load=4.0))
    down, across = hats(shape[0]), hats(shape[1])
    count = down.shape[1] * across.shape[1]
    expected = np.zeros((count, count))
    for i in range(shape[0]):
        far = 0.0 if grid.right is None else 1 / grid.right[i]
        line = path(1 / grid.word[i, 1:], (1 / grid.word[i, 0], far))
        expected += np.kron(np.outer(down[i], down[i]), across.T @ line @ across)
    for j in range(shape[1]):
        far = 0.0 if grid.top is None else 1 / grid.top[j]
        line = path(1 / grid.bit[:-1, j], (far, 1 / grid.bit[-1, j]))
        expected += np.kron(down.T @ line @ down, np.outer(across[j], across[j]))
    bands, nodes = coarse._matrix(grid)
    assert nodes == (down.shape[1], across.shape[1])
    found = sum(np.diag(band[: count - k], -k) for k, band in enumerate(bands))
    unused = np.diag(expected) == 0
    assert np.all(np.diag(found)[unused] == 1.0)
    lower = np.tril(expected) + np.diag(unused.astype(float))
    np.testing.assert_allclose(found, lower, rtol=1e-12, atol=1e-14)


def padded(array: Floats, pitch: int) -> NDArray[np.float64]:
    """Flat, in rows of a pitch."""
    whole = np.zeros((len(array), pitch))
    whole[:, : array.shape[1]] = array
    return whole.reshape(-1)


def test_its_kernels_are_interpolation_and_its_transpose() -> None:
    rng = np.random.default_rng(2)
    lines, columns, pitch = 35, 21, 24
    cells, below, r, z = rng.uniform(0.1, 1.0, (4, lines, columns))
    top = rng.uniform(0.1, 1.0, columns)
    down, across = hats(lines), hats(columns)
    shares = np.empty((down.shape[1], across.shape[1]))
    restrict(padded(r, pitch), (lines, columns, pitch), shares)
    np.testing.assert_allclose(shares, down.T @ r @ across, rtol=1e-13)
    volts = rng.uniform(-1.0, 1.0, shares.shape)
    added = down @ volts @ across.T
    net = cells * added
    for j in range(columns):
        net[:, j] += path(below[:-1, j], (top[j], below[-1, j])) @ added[:, j]
    flat, out = padded(z, pitch), np.full(lines * pitch, np.nan)
    lines_of = padded(cells, pitch), padded(below, pitch), np.append(top, np.zeros(3))
    add_coarse(volts, lines_of, (lines, columns, pitch), padded(r, pitch), flat, out)
    np.testing.assert_allclose(flat, padded(z + added, pitch), rtol=1e-12)
    np.testing.assert_allclose(out, padded(r + net, pitch), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
def test_currents_are_those_of_the_transfer_matrix(drive: Any, sense: Any) -> None:
    shape = (230, 210)
    crossbar = Crossbar(harsh(*shape), **segments(shape, drive, sense, 3), source=10.0, load=5.0)
    solver = LineGradientsSolver(crossbar)
    assert solver._coarse is not None
    volts = np.random.default_rng(4).uniform(-1.0, 1.0, (1, shape[0]))
    exact = MergeTreeSolver(crossbar).current(volts)
    assert np.abs(solver.current(volts) - exact).max() < 1e-10 * np.abs(exact).max()


def steps(cells: Floats, ohms: float = 20.0) -> int:
    """Steps for one input of equal voltages."""
    solver = LineGradientsSolver(Crossbar(cells, ohms, ohms))
    return int(solver.solve(np.ones((1, len(cells)))).steps[0])


def test_steps_do_not_grow_with_a_harsh_array() -> None:
    counts = [steps(harsh(n, n)) for n in (200, 300, 450)]
    assert max(counts) < 30
    assert max(counts) - min(counts) <= 3


def test_arrays_that_are_no_sheet_do_without() -> None:
    rng = np.random.default_rng(5)
    mild = 10 ** rng.uniform(-6, -4, (300, 300))
    shorts = np.where(rng.random((300, 300)) < 0.001, 1.0, mild)
    ideal = np.full((300, 300), 20.0)
    ideal[7, 9] = 0.0
    for cells, word in ((mild, 1.0), (shorts, 1.0), (harsh(300, 300), ideal)):
        assert LineGradientsSolver(Crossbar(cells, word, 1.0))._coarse is None
    assert LineGradientsSolver(Crossbar(harsh(300, 4), 20.0, 20.0))._coarse is None


def test_several_sheets_in_one_array_are_solved_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n, rng = 350, np.random.default_rng(6)
    cells = np.where(np.add.outer(np.arange(n), np.arange(n)) % 7 == 0, 1e-2, 1e-8)
    crossbar, volts = Crossbar(cells, 20.0, 20.0), rng.uniform(-1.0, 1.0, (1, n))
    solver = LineGradientsSolver(crossbar)
    assert solver._coarse is not None
    found = solver.current(volts)
    monkeypatch.setattr(coarse, "_MANY", np.inf)
    assert np.array_equal(found, LineGradientsSolver(crossbar).current(volts))
