"""Line-preconditioned conjugate gradients, for single inputs, node voltages and IR drop.

The word lines are eliminated exactly, each by one tridiagonal solve. The remaining system for the
bit-line voltages is (T + G) x - G (Tw + G)^-1 G x = c, preconditioned with T + G, the bit lines
alone: tridiagonal solves again. Low wire resistances need a few steps; the number grows like
n sqrt(wire resistance x conductance). The iteration stops when the residual's natural norm (the
power of the unbalanced currents) has fallen by the tolerance; then word lines and bit lines are
each solved once more, and must agree with the result.

The norm says little about small currents, so the error of the currents is bounded by itself: an
ampere that is missing at a node changes the current through any resistor by an ampere at most, so
no current is off by more than the sum of the missing ones (and what rounding may add to it).

M. R. Hestenes, E. Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res.
Nat. Bur. Standards 49 (1952); line preconditioning: P. Concus, G. H. Golub, G. Meurant, "Block
preconditioning for the conjugate gradient method", SIAM J. Sci. Stat. Comput. 6 (1985).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, frozen
from xbar.circuit.solvers.coarse import CoarseGrid
from xbar.circuit.solvers.grid import Grid, as_grid
from xbar.circuit.solvers.ladders import (
    Factor,
    Shape,
    compare,
    conjugate_gradients,
    factorise,
    solve_bits,
    solve_words,
)
from xbar.circuit.solvers.lanes import LANES
from xbar.circuit.solvers.memory import check_memory
from xbar.errors import SolverError, SpecError

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


TOLERANCE = 1e-12
_MOST = 10_000
_FEW_LINES, _TIGHTEST = 512, 2e-14
_DRIFT = 1e-9  # largest change by solving the lines once more, relative to the largest voltage
_ENOUGH = 3e-9  # largest bound on the currents' error, relative to the largest current of interest
_ENOUGH_VOLTS = 3e-8  # largest bound on the voltages' error, relative to the largest voltage
_ROUNDING = 1.1e-16
_WIDE = (
    "the resistances span too wide a range for conjugate gradients; use the transfer matrix "
    "(solver merge-tree), or the direct solver"
)
_BYTES_PER_CELL = 140  # six vectors, the factor and the wires


@dataclass(frozen=True, eq=False)
class LineSolution:
    """Voltages and currents of a crossbar for N inputs, with convergence data.

    Attributes:
        word: (N, W, B) voltage at the word-line side of each cell.
        bit: (N, W, B) voltage at the bit-line side of each cell.
        current: (N, B) amperes into the sense amplifiers.
        residual: (N,) largest change of a bit-line voltage when all lines are solved once more,
            relative to the largest voltage.
        error: (N,) bound on the error of any current, in amperes.
        steps: (N,) conjugate-gradient steps.
    """

    word: Floats
    bit: Floats
    current: Floats
    residual: Floats
    error: Floats
    steps: NDArray[np.int64]


class LineGradientsSolver:
    """A crossbar prepared for conjugate gradients: word lines and bit lines factorised.

    Handles every crossbar, ideal wires included. The workspace is about 140 bytes per cell.

    Args:
        crossbar: crossbar to solve.
        tolerance: reduction of the residual's natural norm at which to stop. 1e-10 gives currents
            to about 1e-9 of the largest in the worst cases observed, usually far better.
        most: maximum number of conjugate-gradient steps, for all inputs of one call together.

    Raises:
        SpecError: the tolerance is out of range.
        SolverError: the array does not fit into this machine's memory.
    """

    def __init__(self, crossbar: Crossbar, tolerance: float = TOLERANCE, most: int = _MOST) -> None:
        if not 1e-15 <= tolerance < 1:
            raise SpecError(f"tolerance must be from 1e-15 to below 1, not {tolerance}")
        self.cells = crossbar.conductance
        self.shape = self.cells.shape
        # more cells have more missing currents
        tighter = tolerance * min(1.0, _FEW_LINES / max(self.shape)) ** 2
        self.tolerance = max(tighter, min(tolerance, _TIGHTEST))
        self.most = most
        check_memory(_BYTES_PER_CELL * crossbar.conductance.size, self.shape)
        self.grid: Grid = as_grid(crossbar)
        lines, columns = self.shape
        # a pitch that is not a multiple of 512 bytes spreads rows over all cache sets
        pitch = -(-columns // LANES) * LANES
        self._layout: Shape = lines, columns, pitch + LANES * (pitch % 64 == 0)
        self._rows = -(-lines // LANES) * LANES

    @cached_property
    def _prepared(self) -> tuple[Factor, Floats]:
        """The factor and six work vectors, the last but one free between calls."""
        grid, (lines, columns, pitch) = self.grid, self._layout
        # a single allocation, which the allocator can reuse for the next crossbar
        memory = np.empty((12, self._rows * pitch))
        cells, f, h, flat, f_bit, h_bit = memory[:6]
        work = memory[6:]
        work[:] = 0.0
        flat[:] = 0.0
        self._cut(flat)[:] = grid.cells
        self._cut(work[0])[:] = grid.word
        self._cut(work[1])[:] = grid.bit
        right, top = np.full(self._rows, np.inf), np.full(pitch, np.inf)
        if grid.right is not None:
            right[:lines] = grid.right
        if grid.top is not None:
            top[:columns] = grid.top
        factor = (cells, f, h, flat, f_bit, h_bit)
        factorise((work[0], work[1], right, top), factor, self._layout)
        work[:2] = 0.0
        return factor, work

    @cached_property
    def _coarse(self) -> CoarseGrid | None:
        return CoarseGrid.of(self.grid, self._layout, self._rows)

    def transfer(self) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens.

        Raises:
            SolverError: the tolerance was not reached.
        """
        return np.ascontiguousarray(self.current(np.eye(self.shape[0])).T)

    def current(self, voltage: Floats) -> Floats:
        """Bit-line currents (N, B) for word-line voltages (N, W).

        Raises:
            SolverError: the tolerance was not reached.
        """
        current = np.empty((len(voltage), self.shape[1]))
        left = self.most
        for n, volts in enumerate(voltage):
            _, _, current[n], (_, error), steps = self._solve(volts, None, left)
            _check_error(error, current[n])
            left -= steps
        return current

    def voltages(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Word-line and bit-line voltages (N, W, B) at every cell for voltages (N, W).

        Raises:
            SolverError: the tolerance was not reached.
        """
        solution = self.solve(voltage)
        try:
            self._check_voltages(voltage, solution)
        except SolverError:
            if self.tolerance <= _TIGHTEST:
                raise
            self.tolerance = _TIGHTEST
            solution = self.solve(voltage)
            self._check_voltages(voltage, solution)
        return solution.word, solution.bit

    def _check_voltages(self, voltage: Floats, solution: LineSolution) -> None:
        """Raise a SolverError unless the bounds on voltages and currents are small enough."""
        near = float(self.grid.word.sum(axis=1).max())  # a bound that takes little time
        for n, error in enumerate(solution.error):
            if error > _ENOUGH * np.abs(solution.current[n]).max():
                _check_error(error, self.cells * (solution.word[n] - solution.bit[n]))
            largest = np.abs(voltage[n]).max()
            if error * near <= _ENOUGH_VOLTS * largest:
                continue
            ohms = self._path()
            if error * ohms > _ENOUGH_VOLTS * largest:
                raise SolverError(
                    f"the voltages must be right to {_ENOUGH_VOLTS:g} of the largest, "
                    f"{largest:.1e} V, and may be off by {error * ohms:.1e} V: {_WIDE}"
                )

    def _path(self) -> float:
        """Largest resistance from any word-line node to a driver or an amplifier, or a bound on it.

        That of one path: along the word line to its driver, or through its best cell. No ampere
        missing at such a node changes any voltage by more.
        """
        grid = self.grid
        own = np.cumsum(grid.word, axis=1)
        through = np.full(grid.cells.shape, np.inf)
        np.divide(1.0, grid.cells, out=through, where=grid.cells > 0)
        through += np.cumsum(grid.bit[::-1], axis=0)[::-1]
        best = through.min(axis=1) + grid.word[:, 1:].sum(axis=1)
        return float(np.minimum(own, best[:, None]).max())

    def solve(self, voltage: Floats, inject: Floats | None = None) -> LineSolution:
        """Voltages and currents for word-line voltages (N, W), with currents injected at the cells.

        Args:
            voltage: word-line voltages (N, W).
            inject: injected currents (N, W, B) in amperes, from each cell's word line to its bit
                line.

        Raises:
            SolverError: the tolerance was not reached.
        """
        count = len(voltage)
        word, bit = np.empty((2, count, *self.shape))
        current, residual, error = (
            np.empty((count, self.shape[1])),
            np.empty(count),
            np.empty(count),
        )
        steps = np.empty(count, dtype=np.int64)
        left = self.most
        for n, volts in enumerate(voltage):
            word[n], bit[n], current[n], (residual[n], error[n]), steps[n] = self._solve(
                volts, None if inject is None else inject[n], left
            )
            left -= int(steps[n])
        return LineSolution(*map(frozen, (word, bit, current, residual, error, steps)))

    def _solve(
        self, voltage: Floats, inject: Floats | None, most: int
    ) -> tuple[Floats, Floats, Floats, tuple[float, float], int]:
        grid, layout, (factor, work) = self.grid, self._layout, self._prepared
        lines, columns, pitch = layout
        source = np.zeros(0) if inject is None else self._pad(inject[grid.rows, grid.columns])
        volts, still = np.zeros((2, self._rows))
        volts[:lines] = voltage[grid.rows]
        drive = (still, volts) if grid.right is None else (volts, still)
        right, bit, word, x = work[0], work[1], work[3], work[5]
        out = np.empty(pitch)
        x[:] = 0.0
        solve_words(factor, layout, drive, x, source, word)
        _cell_current(factor[3], word, source, right)
        steps, ratio = self._iterate(most)
        if not ratio <= self.tolerance:
            raise SolverError(
                f"conjugate gradients must reduce the residual to {self.tolerance:g}, but stopped "
                f"at {ratio:.1e} after {steps} steps; use the transfer matrix (solver "
                f"merge-tree), allow more steps, or relax the tolerance"
            )
        solve_words(factor, layout, drive, x, source, word)
        _cell_current(factor[3], word, source, right)
        solve_bits(factor, layout, right, bit, out)
        checked = self._check(x, bit, word, inject)
        word_volts, bit_volts = self._cut(word), self._cut(bit)
        current = out[:columns]
        if grid.top is not None:
            current = self._both_ends(current, word_volts, bit_volts, inject)
        cut = (grid.rows, grid.columns)
        return word_volts[cut], bit_volts[cut], current[grid.columns], checked, steps

    def _iterate(self, most: int) -> tuple[int, float]:
        """Solve for the bit-line voltages; steps, and the residual's norm relative to the first."""
        factor, work = self._prepared
        if self._coarse is not None:
            right = work[0].copy()
            how = self._layout, work, self.tolerance, most
            found = self._coarse.conjugate_gradients(factor, *how)
            if found is not None:
                return found
            work[0] = right
        return conjugate_gradients(factor, self._layout, work, self.tolerance, most)

    def _both_ends(self, lower: Floats, word: Floats, bit: Floats, inject: Floats | None) -> Floats:
        """Currents (B,) of both ends of each bit line."""
        top = self.grid.top
        assert top is not None
        upper = np.divide(bit[0], top, out=np.zeros_like(top), where=top > 0)
        # at an ideal top end there is no voltage drop: all of the cells' current arrives
        through = self.grid.cells[:, top == 0] * (word - bit)[:, top == 0]
        current = np.asarray(lower + upper)
        current[top == 0] = through.sum(axis=0)
        if inject is not None:
            current[top == 0] += inject[:, self.grid.columns][:, top == 0].sum(axis=0)
        return current

    def _check(
        self, x: Floats, bit: Floats, word: Floats, inject: Floats | None
    ) -> tuple[float, float]:
        """Change of the bit-line voltages when solved once more, and the bound on currents.

        Raises:
            SolverError: the change is too large.
        """
        cells = self._prepared[0][3]
        drift, missing, driven = compare(x, bit, word, cells, self._layout)
        if not drift <= max(_DRIFT, self.tolerance):
            raise SolverError(
                f"the voltages must agree to {_DRIFT:g} when the lines are solved once more, but "
                f"differ by {drift:.1e}: {_WIDE}"
            )
        if inject is not None:
            driven += float(np.abs(inject).sum())
        roundings = 4 + np.sqrt(sum(self.shape))  # along the lines, in random directions
        return drift, missing + roundings * _ROUNDING * driven

    def _pad(self, array: Floats) -> Floats:
        padded = np.zeros((self._rows, self._layout[2]))
        padded[: self.shape[0], : self.shape[1]] = array
        return padded.reshape(-1)

    def _cut(self, flat: Floats) -> Floats:
        return flat.reshape(self._rows, -1)[: self.shape[0], : self.shape[1]]


def _check_error(error: float, currents: Floats) -> None:
    """Raise a SolverError if the bound on the error is too large for these currents."""
    largest = np.abs(currents).max(initial=0.0)
    if error > _ENOUGH * largest:
        raise SolverError(
            f"the currents must be right to {_ENOUGH:g} of the largest, {largest:.1e} A, and may "
            f"be off by {error:.1e} A: {_WIDE}"
        )


def _cell_current(cells: Floats, word: Floats, source: Floats, out: Floats) -> None:
    """Amperes into the bit lines if they were at 0 V."""
    np.multiply(cells, word, out=out)
    if len(source):
        out += source
