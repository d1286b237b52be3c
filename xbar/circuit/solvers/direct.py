"""Direct solution of a crossbar by star-mesh elimination: exact for any wires."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.assembly import KINDS, Assembly, assemble
from xbar.circuit.solvers.elimination import Elimination
from xbar.circuit.solvers.grid import FAR

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar
    from xbar.circuit.source_lines import SourceLines


class DirectSolver:
    """An array prepared for solving: eliminated once, on first use.

    Of one with source lines, the voltages of drivers are those of L source lines, and all cells
    that conduct are on; W x B is then W x L.
    """

    def __init__(self, crossbar: Crossbar | SourceLines) -> None:
        self.shape = crossbar.conductance.shape
        self.assembly: Assembly = assemble(crossbar, FAR)
        self._drivers, self._amplifiers = self.assembly.drivers, self.assembly.amplifiers
        self._known = self._drivers + self._amplifiers

    @cached_property
    def _factor(self) -> Elimination:
        a = self.assembly
        return Elimination(a.tail, a.head, a.conductance, a.nodes, self._known)

    def transfer(self) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens."""
        return self._factor.between[self._drivers :, : self._drivers].copy()

    def current(self, voltage: Floats, bit_voltage: Floats | None = None) -> Floats:
        """Bit-line currents (N, B), without the transfer matrix.

        Args:
            voltage: (N, W) volts of the drivers.
            bit_voltage: (N, B) volts of the sense amplifiers; 0 by default.
        """
        return self._into_amplifiers(self._solved(voltage, bit_voltage)[1])

    def voltages(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Word-line and bit-line voltages (N, W, B) at every cell for voltages (N, W)."""
        word, bit, *_ = self.solve(voltage)
        return word, bit

    def solve(
        self, voltage: Floats, bit_voltage: Floats | None = None
    ) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Word-line and bit-line voltages, cell currents (N, W, B), currents (N, B), residual (N,).

        Cell currents are not computed from the voltages, of which they may be tiny differences.
        """
        a = self.assembly
        node, through = self._solved(voltage, bit_voltage)
        cells = np.zeros((len(voltage), *self.shape))
        is_cell = a.kind == KINDS.index("cell")
        cells[:, a.row[is_cell], a.column[is_cell]] = through[:, is_cell]
        current = self._into_amplifiers(through)
        word, bit = node[:, a.word_node], node[:, a.bit_node]
        return word, bit, cells, current, self._residual(through)

    def solve_with_sources(
        self, voltage: Floats, inject: Floats, bit_voltage: Floats | None = None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Word-line and bit-line voltages, voltages across cells (N, W, B), and currents (N, B).

        Args:
            voltage: (N, W) volts of the drivers.
            inject: (N, W, B) amperes from each cell's word line to its bit line, beside the cell.
            bit_voltage: (N, B) volts of the sense amplifiers; 0 by default.
        """
        a = self.assembly
        into = np.zeros((len(voltage), a.nodes))
        for n, amperes in enumerate(inject):
            into[n] = np.bincount(a.bit_node.ravel(), amperes.ravel(), a.nodes)
            into[n] -= np.bincount(a.word_node.ravel(), amperes.ravel(), a.nodes)
        node, through = self._solved(voltage, bit_voltage, into)
        word, bit = node[:, a.word_node], node[:, a.bit_node]
        drop = word - bit
        is_cell = a.kind == KINDS.index("cell")
        drop[:, a.row[is_cell], a.column[is_cell]] = through[:, is_cell] / a.conductance[is_cell]
        current = self._into_amplifiers(through) + into[:, self._drivers : self._known]
        return word, bit, drop, current

    def _solved(
        self, voltage: Floats, bit_voltage: Floats | None, into: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Voltages (N, nodes) of the assembly's nodes, and amperes (N, E) through resistors."""
        known = np.zeros((self._known, len(voltage)))
        known[: self._drivers] = voltage.T
        if bit_voltage is not None:
            known[self._drivers :] = bit_voltage.T
        node, across = self._factor.solve(known, None if into is None else into.T)
        return node.T, (self.assembly.conductance[:, None] * across).T

    def _net(self, through: Floats) -> Floats:
        """Net current (N, nodes) into each node."""
        a, count = self.assembly, len(through)
        net = np.zeros((count, a.nodes))
        for n, amperes in enumerate(through):
            net[n] = np.bincount(a.head, amperes, a.nodes) - np.bincount(a.tail, amperes, a.nodes)
        return net

    def _into_amplifiers(self, through: Floats) -> Floats:
        return self._net(through)[:, self._drivers : self._known].copy()

    def _residual(self, through: Floats) -> Floats:
        """The largest net current (N,) into an unknown node, relative to the largest current."""
        net = np.abs(self._net(through)[:, self._known :]).max(axis=1, initial=0.0)
        largest = np.abs(through).max(axis=1, initial=0.0)
        return np.asarray(np.divide(net, largest, out=np.zeros_like(net), where=largest > 0))
