"""Registry of the crossbar solvers, and the choice of solver for each request of `Crossbar`.

A new method takes one module, one line in ``SOLVERS``, and a place in ``TRANSFER`` or ``VOLTAGES``
if it is better there. The choice depends only on shapes and values, so results are the same bytes
at any time, independent of previous requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.solvers.cache import PatchCache
from xbar.circuit.solvers.direct import DirectSolver
from xbar.circuit.solvers.grid import Grid, as_grid
from xbar.circuit.solvers.kirchhoff import residual
from xbar.circuit.solvers.line_gradients import LineGradientsSolver
from xbar.circuit.solvers.merge_tree import MergeTreeSolver, prepared_transfer
from xbar.errors import SolverError, SpecError

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


class CrossbarSolver(Protocol):
    """A crossbar prepared for one method."""

    def transfer(self) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens."""

    def current(self, voltage: Floats) -> Floats:
        """Bit-line currents (N, B) for word-line voltages (N, W)."""


class VoltageSolver(CrossbarSolver, Protocol):
    """A method that also computes node voltages."""

    def voltages(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Word-line and bit-line voltages (N, W, B) at every cell for voltages (N, W)."""


VOLTAGE_SOLVERS: dict[str, Callable[[Crossbar], VoltageSolver]] = {
    "direct": DirectSolver,
    "line-gradients": LineGradientsSolver,
}

SOLVERS: dict[str, Callable[[Crossbar], CrossbarSolver]] = {
    **VOLTAGE_SOLVERS,
    "merge-tree": MergeTreeSolver,
}

TRANSFER = "merge-tree"
"""The method for the whole transfer matrix, for any wires."""

VOLTAGES = ("line-gradients",)
"""The methods for node voltages, in turn until one succeeds; then the direct one, for any wires."""

_STEPS = 4  # conjugate-gradient steps for the lowest wire resistances


def get_solver(name: str) -> Callable[[Crossbar], CrossbarSolver]:
    """The method with a given name, a function that prepares a crossbar for solving.

    Raises:
        SpecError: the name is unknown.
    """
    if name not in SOLVERS:
        raise SpecError(f"circuit solver must be one of {', '.join(sorted(SOLVERS))}, not {name!r}")
    return SOLVERS[name]


def steps_worth(shape: tuple[int, ...]) -> int:
    """Number of conjugate-gradient steps that take as long as the whole transfer matrix.

    Measured: a step takes 4 ns per cell, the merge tree 170 + 1.6 min(W, B) ns per cell.
    """
    return 40 + 2 * min(shape) // 5


def transfer(crossbar: Crossbar) -> Floats:
    """The transfer matrix (B, W)."""
    return get_solver(TRANSFER)(crossbar).transfer()


def cached_transfer(grid: Grid, cache: PatchCache) -> Floats:
    """The transfer matrix (B, W), with cached patches of an array with the same wires.

    Always by the merge tree, whose patches are in the cache.
    """
    return prepared_transfer(grid, cache)


def few_currents(crossbar: Crossbar, voltage: Floats) -> Floats | None:
    """Bit-line currents (N, B) without the transfer matrix; None if that is cheaper.

    By conjugate gradients, the one method whose effort can be limited.
    """
    most = steps_worth(crossbar.conductance.shape)
    if _STEPS * len(voltage) > most:
        return None
    gradients = LineGradientsSolver(crossbar, most=most)
    try:
        return gradients.current(voltage)
    except SolverError:  # wire resistance too high; the merge tree handles it
        return None


def solution(crossbar: Crossbar, voltage: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Word-line and bit-line voltages, cell currents (N, W, B), and Kirchhoff's residual (N,)."""
    for name in VOLTAGES:
        try:
            word, bit = VOLTAGE_SOLVERS[name](crossbar).voltages(voltage)
        except SolverError:
            continue
        grid = as_grid(crossbar)
        violated = [residual(grid, *one) for one in zip(voltage, word, bit, strict=True)]
        return word, bit, crossbar.conductance * (word - bit), np.array(violated)
    word, bit, cell, _, violation = DirectSolver(crossbar).solve(voltage)
    return word, bit, cell, violation
