"""The methods that solve a crossbar, by name. A new method is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from xbar.arrays import Floats
from xbar.circuit.solvers.direct import DirectSolver
from xbar.circuit.solvers.line_gradients import LineGradientsSolver
from xbar.circuit.solvers.merge_tree import MergeTreeSolver
from xbar.errors import SpecError

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


class CrossbarSolver(Protocol):
    """A crossbar prepared for solving by one method."""

    def transfer(self) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens."""

    def current(self, voltage: Floats) -> Floats:
        """Bit-line currents (N, B) for word-line voltages (N, W)."""


class VoltageSolver(CrossbarSolver, Protocol):
    """A method that also finds the voltages inside."""

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


def get_solver(name: str) -> Callable[[Crossbar], CrossbarSolver]:
    """The method of that name: called with a crossbar, it prepares it for solving.

    Raises:
        SpecError: there is no such method.
    """
    if name not in SOLVERS:
        raise SpecError(f"circuit solver must be one of {', '.join(sorted(SOLVERS))}, not {name!r}")
    return SOLVERS[name]
