"""A coarse grid for conjugate gradients in crossbars with harsh wires.

Where a cell conducts much more than the wires across many lines, word line and bit line have the
same voltage there, and the array is a sheet: line by line, a change passes a few lines in a step,
and the number of steps grows with the array. A grid of every SPACING lines, whose voltages are
interpolated, carries the sheet's slow variations in one step. With P the bit lines alone, the
preconditioner is

    P^-1 + Z A^-1 Z'      Z interpolation, A = Z' (word-line and bit-line segments) Z

and the number of steps, about 20, hardly depends on the array. Where cells in a regular pattern
make several sheets of one array, one grid doesn't help, and after a few steps it is given up.

J. H. Bramble, J. E. Pasciak, J. Xu, "Parallel multilevel preconditioners", Math. Comp. 55 (1990).

Shapes: W word lines, B bit lines, I x J nodes of the coarse grid. Units: SI.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.solvers.coarse_kernels import SPACING, add_coarse, restrict
from xbar.circuit.solvers.grid import Grid
from xbar.circuit.solvers.ladders import Factor, Shape, descend, sweep

_MANY = 36  # steps line by line; with fewer, they cost less, measured
_JUDGED = 24  # steps after which it is judged whether fewer are needed than expected without
_SAMPLE = 4096  # cells by which that is judged
_USUAL = 0.99  # of the cells; others are no sheet, however much they conduct


@dataclass(frozen=True, eq=False)
class CoarseGrid:
    """A crossbar's coarse grid.

    Attributes:
        factor: Cholesky factor of A, banded, as LAPACK's dpbtrf leaves it.
        nodes: I, J.
        below: siemens of the bit lines' segments, flat and padded.
        top: (pitch,) siemens to amplifiers at the top.
        without: steps that are expected without it.
    """

    factor: Floats
    nodes: tuple[int, int]
    below: Floats
    top: Floats
    without: float

    @classmethod
    def of(cls, grid: Grid, shape: Shape, rows: int) -> CoarseGrid | None:
        """The coarse grid of an array; None where it doesn't pay, or wires are ideal.

        Args:
            grid: the array.
            shape: W, B and pitch of flat arrays.
            rows: padded number of their rows.
        """
        without = _steps_without(grid)
        if without < _MANY:
            return None
        from scipy.linalg.lapack import dpbtrf

        matrix, nodes = _matrix(grid)
        factor, failed = dpbtrf(matrix, lower=1)
        if failed:
            return None
        lines, columns, pitch = shape
        below, top = np.zeros((rows, pitch)), np.zeros(pitch)
        np.divide(1.0, grid.bit, out=below[:lines, :columns])
        if grid.top is not None:
            top[:columns] = 1.0 / grid.top
        return cls(factor, nodes, below.reshape(-1), top, without)

    def conjugate_gradients(
        self, factor: Factor, shape: Shape, work: Floats, tolerance: float, most: int
    ) -> tuple[int, float] | None:
        """Solve for the bit-line voltages with the word lines eliminated; see `ladders`.

        Returns:
            Steps and ratio as there; None if it converges so slowly that it doesn't pay.
        """
        r, z, q, p, own, x = work
        x[:] = 0.0
        net = np.zeros_like(r)
        first = energy = self._precondition(factor, shape, (r, z, q, net), 0.0)
        beta, alpha, steps = 0.0, 0.0, 0
        while energy > tolerance * tolerance * first and steps < most:
            power = sweep(factor, shape, (net, z, q, p, own, x), beta, alpha)
            if not power > 0:  # next to nothing holds the lines at a voltage
                return None
            alpha, before = energy / power, energy
            energy = self._precondition(factor, shape, (r, z, q, net), alpha)
            beta = energy / before
            steps += 1
            if steps % _JUDGED == 0 and energy > 0:
                needed = steps * np.log(tolerance**2) / np.log(energy / first)
                if not 0 < needed < max(self.without, 2 * _JUDGED):
                    return None
        x += alpha * p
        return steps, float(np.sqrt(energy / first)) if first != 0 else 0.0

    def _precondition(
        self,
        factor: Factor,
        shape: Shape,
        vectors: tuple[Floats, Floats, Floats, Floats],
        alpha: float,
    ) -> float:
        """`ladders.descend`, and the coarse grid's part; net becomes the bit lines' part of z."""
        from scipy.linalg.lapack import dpbtrs

        r, z, q, net = vectors
        energy = descend(factor, shape, (r, z, q), alpha)
        currents = np.empty(self.nodes)
        restrict(r, shape, currents)
        volts, _ = dpbtrs(self.factor, currents.reshape(-1), lower=1)
        add_coarse(volts.reshape(self.nodes), (factor[3], self.below, self.top), shape, r, z, net)
        return energy + float(currents.reshape(-1) @ volts)


def _steps_without(grid: Grid) -> float:
    """Steps that are expected line by line; 0 where there is no sheet, or wires are ideal.

    About 2 n sqrt(R G), measured, with R ohms of a segment and G siemens of a cell, in the
    direction in which they are fewer.
    """
    lines, columns = grid.cells.shape
    some = slice(None, None, grid.cells.size // _SAMPLE | 1)
    cells = grid.cells.ravel()[some]
    with np.errstate(divide="ignore"):
        word, bit = (1.0 / np.mean(1.0 / wire.ravel()[some]) for wire in (grid.word, grid.bit))
    most = 2 * min(columns * np.sqrt(word), lines * np.sqrt(bit))
    if most * np.sqrt(cells.mean()) < _MANY:
        return 0.0
    wires = (grid.word, grid.bit, grid.right, grid.top)
    if not all(wire is None or wire.all() for wire in wires):
        return 0.0
    return float(most * np.sqrt(np.minimum(cells, np.quantile(cells, _USUAL)).mean()))


def _matrix(grid: Grid) -> tuple[Floats, tuple[int, int]]:
    """A as LAPACK's lower bands (J + 2, I J), and I, J."""
    lines, columns = grid.cells.shape
    high, wide = (lines - 1) // SPACING + 2, (columns - 1) // SPACING + 2
    word, bit = 1.0 / grid.word, 1.0 / grid.bit.T
    right = None if grid.right is None else 1.0 / grid.right
    top = None if grid.top is None else 1.0 / grid.top
    by_word = _chains(word[:, 1:], word[:, 0], right, wide)
    by_bit = _chains(bit[:, :-1], top, bit[:, -1], high)
    bands = np.zeros((wide + 2, high, wide))
    own, beside = _weights(lines, high)
    for k, part in enumerate(by_word):  # one node, or this and the next one on a word line
        bands[k] += own.T @ part
        bands[wide + k] += beside.T @ part
    bands[wide - 1, :, 1:] += (beside.T @ by_word[1])[:, :-1]
    own, beside = _weights(columns, wide)
    for k, part in zip((0, wide), by_bit, strict=True):  # likewise, on a bit line
        bands[k] += part.T @ own
        bands[k + 1] += part.T @ beside
    bands[wide - 1, :, 1:] += (by_bit[1].T @ beside)[:, :-1]
    bands[0][bands[0] == 0] = 1.0  # nodes beyond the array
    return bands.reshape(wide + 2, high * wide), (high, wide)


def _weights(nodes: int, count: int) -> tuple[Floats, Floats]:
    """Squares of each node's weights on the coarse grid, and products of neighbours: (n, count)."""
    at = np.arange(nodes)
    k, share = at // SPACING, at % SPACING / SPACING
    own, beside = np.zeros((2, nodes, count))
    own[at, k], own[at, k + 1] = (1 - share) ** 2, share**2
    beside[at, k] = share * (1 - share)
    return own, beside


def _chains(
    inner: Floats, first: Floats | None, last: Floats | None, count: int
) -> tuple[Floats, Floats]:
    """Lines' own tridiagonal matrices on the coarse grid: diagonals, and entries beside them.

    Args:
        inner: (L, n - 1) siemens between neighbours.
        first: (L,) siemens from the first node to a terminal, if any.
        last: (L,) siemens from the last node to one, if any.
        count: nodes of the coarse grid along a line.
    """
    lines, nodes = len(inner), inner.shape[1] + 1
    diagonal, beside = np.zeros((2, lines, count))
    if nodes > 1:
        part = np.add.reduceat(inner, np.arange(0, nodes - 1, SPACING), axis=1) / SPACING**2
        many = part.shape[1]
        diagonal[:, :many] += part
        diagonal[:, 1 : many + 1] += part
        beside[:, :many] -= part
    if first is not None:
        diagonal[:, 0] += first
    if last is not None:
        k, share = (nodes - 1) // SPACING, (nodes - 1) % SPACING / SPACING
        diagonal[:, k] += (1 - share) ** 2 * last
        diagonal[:, k + 1] += share**2 * last
        beside[:, k] += share * (1 - share) * last
    return diagonal, beside
