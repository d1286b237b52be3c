"""Non-linearity: cells that do not obey Ohm's law.

Solved by Newton's method for each input vector, so it is slow: about ten linear solutions of a tile
per vector, where the other read-outs need one per tile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats
from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.nonlinearity import Nonlinearity as Design
from xbar.hardware.spec import Hardware

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar
    from xbar.circuit.nonlinear import CellLaw


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
        design, stage = read.hardware.bank.nonlinearity, read.stage
        if design is None or stage is None:
            return current
        excess = stage.currents(read.xp.to_numpy(read.voltage), partial(excess_currents, design))
        return current + read.xp.asarray(excess)


def excess_currents(design: Design, crossbar: Crossbar, voltage: Floats) -> Floats:
    """(N, B) amperes of the bit lines beyond those of Ohm's law, for volts (N, W)."""
    return line_currents(design, crossbar, voltage) - crossbar.read(voltage)


def line_currents(design: Design, crossbar: Crossbar, voltage: Floats) -> Floats:
    """(N, B) amperes of the bit lines for volts (N, W) on the word lines."""
    from xbar.circuit.nonlinear import solve_nonlinear

    law = cell_law(design, crossbar.conductance)
    if not crossbar.ideal:
        return solve_nonlinear(crossbar, law, voltage).current
    shape = crossbar.conductance.shape
    return np.array(
        [law.current(np.broadcast_to(v[:, None], shape))[0].sum(axis=0) for v in voltage]
    )


def cell_law(design: Design, conductance: Floats) -> CellLaw:
    """The law of cells with these conductances (W, B) at 0 V."""
    from xbar.circuit.nonlinear import PolynomialCell, SinhCell

    if design.sinh is not None:
        return SinhCell(conductance, design.sinh)
    relative = [1.0]
    for coefficient in design.odd:
        relative += [0.0, coefficient]
    return PolynomialCell(np.array([c * conductance for c in relative]))
