"""Voltages of a resistor network with known voltages at some nodes.

With the known nodes eliminated, Kirchhoff's current law reads A v = c: A is a sparse, symmetric,
diagonally dominant matrix, factorised once. Its diagonal is a sum of conductances, so a cell can be
lost to rounding beside a huge wire conductance. Currents are therefore always summed edge by edge,
g (v_tail - v_head), where nothing cancels, and the solution is refined against that sum if a probe
shows a benefit.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import SuperLU, splu

from xbar.arrays import Floats
from xbar.errors import SolverError

_COLUMNS = 8  # right-hand sides solved at once: SuperLU is fastest when these stay in cache
_GOOD = 1e-12  # relative correction below which refinement stops
_ENOUGH = 1e-10  # largest relative correction accepted
_STEPS = 8
_ADVICE = "make wires that hardly matter ideal (0 ohm)"


class Factor:
    """A factorised network of E resistors whose first nodes have known voltages.

    Every unknown node must be connected to a known one.

    Args:
        tail: (E,) node at one end of each resistor.
        head: (E,) node at the other end of each resistor.
        conductance: (E,) siemens, all positive.
        nodes: number of nodes.
        known: number of known nodes, the first ones.
    """

    def __init__(
        self,
        tail: NDArray[np.int64],
        head: NDArray[np.int64],
        conductance: Floats,
        nodes: int,
        known: int,
    ) -> None:
        self.nodes, self.known, self.conductance = nodes, known, conductance
        edges = np.arange(len(tail))
        ones = np.ones(len(tail))
        rows = np.concatenate([edges, edges])
        columns = np.concatenate([tail, head])
        signs = np.concatenate([ones, -ones])
        #: (E, nodes) operator from node voltages to voltages across resistors
        self.drop = sp.csr_array((signs, (rows, columns)), shape=(len(tail), nodes))
        #: (nodes, E) operator from voltages across resistors to net currents out of nodes
        self.leaving = (self.drop.T * conductance).tocsr()
        laplacian = (self.leaving @ self.drop).tocsc()
        #: (nodes, known) siemens from each node to each known node
        self.feed = (sp.diags_array(laplacian.diagonal()) - laplacian).tocsc()[:, :known]
        self._matrix = laplacian[known:, known:].tocsc()

    @cached_property
    def _lu(self) -> SuperLU:
        try:
            return splu(
                self._matrix,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,  # diagonal pivots, possible by symmetry
                relax=8,  # this and the next: measured on crossbars of 64 x 64
                panel_size=4,
                options={"SymmetricMode": True},
            )
        except RuntimeError as error:  # a pivot was rounded to zero
            raise SolverError(f"the resistances span too wide a range; {_ADVICE}") from error

    @cached_property
    def _steps(self) -> int:
        """Number of refinement steps per solution, determined on one probe."""
        probe = self.feed[self.known :] @ np.linspace(1.0, 2.0, self.known)[:, None]
        voltage = np.vstack([np.linspace(1.0, 2.0, self.known)[:, None], self._lu.solve(probe)])
        last = np.inf
        for step in range(_STEPS):
            correction = self._correction(voltage)
            size = _relative(correction, voltage[self.known :])
            if size < _GOOD or (size >= last / 2 and last < _ENOUGH):
                return step
            if not size < last:
                break
            voltage[self.known :] += correction
            last = size
        raise SolverError(
            f"the resistances span too wide a range: the voltages must settle to {_ENOUGH:g}, and "
            f"refining them stopped at {size:.1e}; {_ADVICE}"
        )

    def _correction(self, voltage: Floats) -> Floats:
        excess = self.leaving[self.known :] @ (self.drop @ voltage)
        return -self._lu.solve(excess)

    def solve(self, known: Floats) -> Floats:
        """Voltages (nodes, N) of all nodes for known voltages (known, N).

        Raises:
            SolverError: the conductances span too wide a range for double precision.
        """
        voltage = np.empty((self.nodes, known.shape[1]))
        voltage[: self.known] = known
        if self.nodes == self.known:
            return voltage
        feed = self.feed[self.known :]
        for start in range(0, known.shape[1], _COLUMNS):
            part = voltage[:, start : start + _COLUMNS]
            part[self.known :] = self._lu.solve(feed @ part[: self.known])
            for _ in range(self._steps):
                part[self.known :] += self._correction(part)
        return voltage

    def residual(self, voltage: Floats) -> Floats:
        """The largest net current (N,) out of an unknown node, relative to the largest current.

        The largest current is that through any one resistor.
        """
        drop = self.drop @ voltage
        if self.nodes == self.known or not len(drop):
            return np.zeros(voltage.shape[1])
        net: Floats = np.abs(self.leaving[self.known :] @ drop).max(axis=0)
        largest = np.abs(self.conductance[:, None] * drop).max(axis=0)
        ratio = np.divide(net, largest, out=np.zeros_like(net), where=largest > 0)
        return np.asarray(ratio)


def _relative(correction: Floats, voltage: Floats) -> float:
    size = np.divide(
        np.abs(correction), np.abs(voltage), out=np.zeros_like(voltage), where=voltage != 0
    )
    return float(size.max(initial=0.0))
