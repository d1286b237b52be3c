"""The methods that solve a crossbar, by name. A new method is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.assembly import Assembly
from xbar.circuit.solvers.direct import DirectSolver
from xbar.circuit.solvers.merge_tree import MergeTreeSolver
from xbar.errors import SpecError

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


class CrossbarSolver(Protocol):
    """A crossbar prepared for solving by one method."""

    assembly: Assembly

    def transfer(self) -> NDArray[np.float64]:
        """Bit-line current per volt on each word line, (B, W) siemens."""

    def current(self, voltage: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bit-line currents (N, B) for word-line voltages (N, W)."""

    def node_voltage(self, voltage: NDArray[np.float64]) -> NDArray[np.float64]:
        """Voltages (N, nodes) of the assembly's nodes for word-line voltages (N, W)."""

    def residual(self, node_voltage: NDArray[np.float64]) -> NDArray[np.float64]:
        """Relative violation (N,) of Kirchhoff's current law at node voltages (N, nodes)."""


SOLVERS: dict[str, Callable[[Crossbar], CrossbarSolver]] = {
    "direct": DirectSolver,
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
