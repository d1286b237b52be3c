"""Sparse direct solution of a crossbar: exact for any wires."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.assembly import Assembly, assemble
from xbar.circuit.solvers.factor import Factor

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


_BLOCK = 64  # inputs in memory at once


class DirectSolver:
    """A crossbar prepared for solving: factorised once, on first use."""

    def __init__(self, crossbar: Crossbar) -> None:
        self.shape = crossbar.conductance.shape
        self.assembly: Assembly = assemble(crossbar)

    @cached_property
    def _factor(self) -> Factor:
        a = self.assembly
        return Factor(a.tail, a.head, a.conductance, a.nodes, sum(self.shape))

    def transfer(self) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens."""
        lines, columns = self.shape
        # by reciprocity, the drivers' currents for 1 V at an amplifier are equivalent
        if columns < lines:
            return self._reach(lines, columns, slice(0, lines)).T.copy()
        return self._reach(0, lines, slice(lines, None))

    def _reach(self, first: int, count: int, seen: slice) -> Floats:
        """Currents into the terminals ``seen`` per volt at each of ``count`` others."""
        terminals = sum(self.shape)
        blocks = []
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            known = np.zeros((terminals, size))
            known[first + start + np.arange(size), np.arange(size)] = 1.0
            blocks.append(self._into_terminals(self._factor.solve(known))[seen])
        return np.hstack(blocks)

    def current(self, voltage: Floats) -> Floats:
        """Bit-line currents (N, B) for word-line voltages (N, W), without the transfer matrix."""
        blocks = [
            self._into_terminals(self.node_voltage(voltage[start : start + _BLOCK]).T)
            for start in range(0, max(len(voltage), 1), _BLOCK)
        ]
        return np.hstack(blocks)[self.shape[0] :].T.copy()

    def node_voltage(self, voltage: Floats) -> Floats:
        """Voltages (N, nodes) of the assembly's nodes for word-line voltages (N, W)."""
        known = np.zeros((sum(self.shape), len(voltage)))
        known[: self.shape[0]] = voltage.T
        return self._factor.solve(known).T

    def voltages(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Word-line and bit-line voltages (N, W, B) at every cell for voltages (N, W)."""
        node = self.node_voltage(voltage)
        return node[:, self.assembly.word_node], node[:, self.assembly.bit_node]

    def residual(self, node_voltage: Floats) -> Floats:
        """Relative violation (N,) of Kirchhoff's current law at node voltages (N, nodes)."""
        return self._factor.residual(node_voltage.T)

    def _into_terminals(self, voltage: Floats) -> Floats:
        # sensed terminals are at 0 V, so this sum has no cancellation
        return np.asarray(self._factor.feed.T @ voltage)
