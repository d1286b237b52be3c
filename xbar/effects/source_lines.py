"""Source lines: IR drop of gated arrays, whose cells in use depend on the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats
from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware

if TYPE_CHECKING:
    from xbar.circuit.nonlinear import CellLaw
    from xbar.effects.nonlinearity import Lines


class SourceLines(Effect):
    """Cells between source lines and bit lines are read through these lines' resistance.

    Which cells load the lines depends on the input, so the currents of each are solved, and their
    difference from those of ideal lines is added. Gradients are those of ideal lines.
    """

    name = "sources"
    key = "tile.topology with source lines, and tile.source_wire, bit_wire, source or load"
    readouts = ("nodal", "nonlinear")

    def given(self, hardware: Hardware) -> bool:
        """The design has source lines, and a resistance of a line, driver or amplifier."""
        return hardware.wired and hardware.tile.separate

    def current(self, current: Array, read: Read) -> Array:
        """The currents without what the lines take."""
        return read.beyond(current, wire_currents)


def wire_currents(array: Lines, law: CellLaw, voltage: Floats) -> Floats:
    """(N, B) amperes of the bit lines beyond those of ideal lines, for volts (N, W)."""
    del law
    return np.asarray(array.read(voltage) - array.with_ideal_lines().read(voltage))
