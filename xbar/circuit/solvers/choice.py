"""Which method answers what `Crossbar` is asked: decided by shapes and values alone.

So the same question gives the same bytes at any time, whatever was asked before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.solvers.cache import BlockCache
from xbar.circuit.solvers.direct import DirectSolver
from xbar.circuit.solvers.grid import Grid, as_grid
from xbar.circuit.solvers.kirchhoff import residual
from xbar.circuit.solvers.line_gradients import LineGradientsSolver
from xbar.circuit.solvers.merge_tree import MergeTreeSolver, prepared_transfer
from xbar.errors import SolverError

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


_STEPS = 4  # conjugate-gradient steps that the mildest wires need


def steps_worth(shape: tuple[int, ...]) -> int:
    """How many conjugate-gradient steps take as long as the whole transfer matrix.

    Measured: a step takes 4 ns per cell, the merge tree 170 + 1.6 min(W, B) ns per cell.
    """
    return 40 + 2 * min(shape) // 5


def transfer(crossbar: Crossbar) -> Floats:
    """The transfer matrix (B, W)."""
    return MergeTreeSolver(crossbar).transfer()


def cached_transfer(grid: Grid, cache: BlockCache) -> Floats:
    """The same of an array whose wires were solved before, with other cells."""
    return prepared_transfer(grid, cache)


def few_currents(crossbar: Crossbar, voltage: Floats) -> Floats | None:
    """Bit-line currents (N, B) without the transfer matrix, or None where that is cheaper."""
    most = steps_worth(crossbar.conductance.shape)
    if _STEPS * len(voltage) > most:
        return None
    gradients = LineGradientsSolver(crossbar, most=most)
    try:
        return gradients.current(voltage)
    except SolverError:  # the wires are too bad, and the merge tree does not mind
        return None


def voltages(crossbar: Crossbar, voltage: Floats) -> tuple[Floats, Floats, Floats]:
    """Word-line and bit-line voltages (N, W, B) and Kirchhoff's residual (N,)."""
    gradients = LineGradientsSolver(crossbar)
    try:
        word, bit = gradients.voltages(voltage)
    except SolverError:
        word, bit = DirectSolver(crossbar).voltages(voltage)
    grid = as_grid(crossbar)
    violated = [residual(grid, *one) for one in zip(voltage, word, bit, strict=True)]
    return word, bit, np.array(violated)
