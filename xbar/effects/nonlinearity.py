"""Non-linearity: cells that do not obey Ohm's law.

Solved by Newton's method for each input vector, so it is slow: about ten linear solutions of a tile
per vector, where the other read-outs need one per tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.bank import Bank
from xbar.hardware.nonlinearity import Nonlinearity as Design
from xbar.hardware.spec import Hardware

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar
    from xbar.circuit.nonlinear import CellLaw
    from xbar.circuit.source_lines import SourceLines

Lines: TypeAlias = "Crossbar | SourceLines"
"""An array of either kind."""


class Nonlinearity(Effect):
    """Cells follow ``bank.nonlinearity``.

    The difference of their currents from Ohm's law is added, so that switching selection off sets
    only the linear part to the targets. Gradients are those of Ohm's law.
    """

    name = "nonlinearity"
    key = "bank.nonlinearity"
    readouts = ("nonlinear",)

    def given(self, hardware: Hardware) -> bool:
        """The design has a nonlinear cell law."""
        return hardware.bank.nonlinearity is not None

    def current(self, current: Array, read: Read) -> Array:
        """The linear currents plus the excess of the nonlinear law."""
        return read.beyond(current, excess_currents)


def excess_currents(array: Lines, law: CellLaw, voltage: Floats) -> Floats:
    """(N, B) amperes of the bit lines beyond those of Ohm's law, for volts (N, W)."""
    return line_currents(array, law, voltage) - array.read(voltage)


def line_currents(array: Lines, law: CellLaw, voltage: Floats) -> Floats:
    """(N, B) amperes of the bit lines for volts (N, W) on the word lines."""
    from xbar.circuit.crossbar import Crossbar
    from xbar.circuit.nonlinear import solve_nonlinear
    from xbar.circuit.selectors import check_range

    if not isinstance(array, Crossbar):
        return array.solve(voltage, law).current
    if not array.ideal:
        return solve_nonlinear(array, law, voltage).current
    found = np.zeros((len(voltage), array.conductance.shape[1]))
    for current, volts in zip(found, voltage, strict=True):
        across = np.broadcast_to(volts[:, None], array.conductance.shape)
        check_range(law, across)
        current[:] = law.current(across)[0].sum(axis=0)
    return found


def ohmic(conductance: Floats) -> CellLaw:
    """Ohm's law of cells (W, B), siemens."""
    from xbar.circuit.nonlinear import PolynomialCell

    return PolynomialCell(conductance[None])


def powers(
    bank: Bank, branch: Floats, closed: NDArray[np.bool_], threshold: Floats | None = None
) -> Floats:
    """(P, ..., K) coefficients of v², v³, ... of each resistor's current, beyond Ohm's law.

    None (P = 0) for the sinh law; of v², v³, v |v| and v times the bit line's voltage (P = 4) where
    the law by resistor is no polynomial. Open switches leak in proportion to the voltage, unless
    all cells have one law.

    Args:
        bank: design of the bank, with a law.
        branch: (..., K) siemens of each resistor in its switch state.
        closed: (..., K) whether its switch is closed.
        threshold: (..., K) volts, deviations of the switches' thresholds; None for none.
    """
    design = bank.nonlinearity
    assert design is not None  # whoever asks has one
    if design.sinh is not None:
        return np.zeros((0, *branch.shape))
    if design.by_resistor:
        found = bank.bends(branch, threshold)[: 2 if design.is_polynomial else 4]
        found *= np.where(closed, branch, 0.0)
        return found
    relative = [each for coefficient in design.odd for each in (0.0, coefficient)]
    return np.array([each * branch for each in relative])


def cell_law(design: Design, conductance: Floats, bends: Floats) -> CellLaw:
    """The law of cells.

    Args:
        design: the law.
        conductance: (W, B) siemens of each cell at 0 V.
        bends: (P, W, B) the sum of ``powers`` over its resistors.
    """
    from xbar.circuit.nonlinear import BranchCell, PolynomialCell, SinhCell

    if design.sinh is not None:
        return SinhCell(conductance, design.sinh)
    if design.by_resistor and len(bends) == 4:
        linear = conductance + at_rest(design, bends)
        return BranchCell(np.stack([linear, bends[0], bends[1]]), bends[2], bends[3])
    return PolynomialCell(np.concatenate([conductance[None], bends]))


def at_rest(design: Design, bends: Floats) -> Floats:
    """(...) siemens by which the law's slope at 0 V differs from the told conductance.

    Args:
        design: the law, by resistor.
        bends: (4, ...) of ``powers``, or sums of them.
    """
    test = design.test or 0.0
    return np.asarray(-test * (test * bends[1] + bends[2]))
