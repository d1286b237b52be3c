"""What xbar says of a tile under some condition: conductances, weights, currents.

Shapes: W x B cells of K branches; w x b sampled cells; N inputs. Units: siemens, volts, amperes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.nonlinear import BranchCell, solve_nonlinear
from xbar.compiler.layout import wires_of
from xbar.compiler.tile import ProgrammedTile
from xbar.effects.nonlinearity import at_rest
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.fabricate import Deviations
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.silicon.sample import SampledCells
from xbar.silicon.tester import read_volts
from xbar.tables import Outline

LEAST = 1e-10
"""Cells that conduct less than this share of the largest one are left out of the netlist."""


def conductance(bank: Bank, deviations: Deviations) -> Floats:
    """(..., K) siemens of closed branches by a bank's law."""
    return bank.conductance(bank.ohms * (1.0 + deviations.resistor), deviations.threshold)


def deviations_of(tile: ProgrammedTile) -> Deviations:
    """Deviations (W, B, K) of a tile's branches.

    Those of a sampled chip are its own. A measured chip tells a resistor from its switch by its
    ``c2``; without, the whole deviation of a branch is given to the resistor; dead branches have
    none.

    Raises:
        SpecError: a measured branch conducts more than its switch and contacts alone.
    """
    chip, bank = tile.chip, tile.chip.hardware.bank
    if chip.measurement is None:
        return chip.deviations(tile.index)
    on, threshold = chip.on(tile.index), chip.thresholds(tile.index)
    threshold = np.zeros_like(on) if threshold is None else threshold
    live = np.where(on > 0, on, bank.nominal_conductance)
    resistor = bank.resistor_deviations(live, threshold)
    if resistor.min() <= -1:
        i, j, k = np.unravel_index(int(np.argmin(resistor)), resistor.shape)
        raise SpecError(
            f"tile {tile.index}, word line {i}, bit line {j}, resistor {k}: must conduct less than "
            f"its switch and contacts alone, not {on[i, j, k]:g} S; check the measurement's unit"
        )
    return Deviations(resistor, threshold)


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Outline):
    """A tile as xbar sees it under some condition.

    Attributes:
        tile: the tile.
        sample: its sampled cells.
        closed: (W, B, K) branches that conduct, stuck ones included.
        on: (W, B, K) siemens of closed branches.
        law: the law of the branches' currents; None for Ohm's.
        bends: (4, w, b, K) c2, c3, kink and rise of the sampled branches.
    """

    tile: ProgrammedTile
    sample: SampledCells
    closed: NDArray[np.bool_]
    on: Floats
    law: Nonlinearity | None
    bends: Floats

    @cached_property
    def branch(self) -> Floats:
        """(W, B, K) siemens that each closed branch adds to its cell."""
        return np.where(self.closed, self.on, 0.0)

    @cached_property
    def cells(self) -> Floats:
        """(W, B) siemens of each cell; 0 where it is next to nothing."""
        off = np.where(self.closed, 0.0, self.tile.chip.off(self.tile.index))
        total: Floats = (self.branch + off).sum(axis=-1)
        return np.where(total >= LEAST * total.max(), total, 0.0)

    @property
    def crossbar(self) -> Crossbar:
        """The tile with its wires."""
        return Crossbar(self.cells, **wires_of(self.tile.chip.hardware))

    @property
    def _place(self) -> tuple[NDArray[np.int64], ...]:
        return np.ix_(self.sample.word_lines, self.sample.bit_lines)

    @property
    def volts(self) -> float:
        """Amplitude by which weights are read; 0 for small signals."""
        return read_volts(self.law)

    def transfer(self) -> Floats:
        """(w, b) siemens: amperes of each sampled bit line a volt on each word line alone.

        Of small signals: by Ohm's law, as the nodal read-out. Of a law with a ``test`` voltage by
        this up and down: branches behind wires have less, and by their kink conduct otherwise.

        Raises:
            SolverError: the currents did not converge.
        """
        lines = self.sample.word_lines
        if not self.volts:
            return np.asarray(self.crossbar.transfer.T[self._place])
        drive = np.zeros((2, len(lines), len(self.cells)))
        drive[:, np.arange(len(lines)), lines] = [[self.volts], [-self.volts]]
        up, down = np.split(self.currents(drive.reshape(-1, len(self.cells))), 2)
        return np.asarray((up - down) / (2 * self.volts))

    def currents(self, voltage: Floats) -> Floats:
        """(N, b) amperes of the sampled bit lines for volts (N, W).

        The sampled branches follow their law, the other cells Ohm's.

        Raises:
            SolverError: the currents did not converge.
        """
        crossbar = self.crossbar
        if self.law is None:
            return np.asarray(crossbar.read(voltage)[:, self.sample.bit_lines])
        bent = np.zeros((5, *crossbar.conductance.shape))
        bent[0] = crossbar.conductance
        part = (self.bends * self.branch[self._place]).sum(axis=-1)
        bent[0][self._place] += at_rest(self.law, part)
        for each, found in zip(bent[1:], part, strict=True):
            each[self._place] = found
        law = BranchCell(bent[:3], bent[3], bent[4])
        if not crossbar.ideal:
            current = solve_nonlinear(crossbar, law, voltage).current
        else:
            shape = crossbar.conductance.shape
            cells = [law.current(np.broadcast_to(v[:, None], shape))[0] for v in voltage]
            current = np.array(cells).sum(axis=1)
        return np.asarray(current[:, self.sample.bit_lines])
