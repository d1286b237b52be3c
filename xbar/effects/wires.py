"""Wires: IR drop of line segments, drivers and sense amplifiers."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Wires(Effect):
    """Cells are read through the resistance of lines, drivers and sense amplifiers.

    Exact for the programmed conductances: the array is solved once. For others, such as the targets
    when selection is switched off, the difference is attenuated to first order.
    """

    name = "wires"
    key = "tile.word_wire, tile.bit_wire, tile.source, tile.load or amplifier.open_loop"
    readouts = ("nodal", "nonlinear")

    def given(self, hardware: Hardware) -> bool:
        """The design has a nonzero wire, source or load resistance."""
        return hardware.wired and not hardware.tile.separate

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """Effective conductances, wires included."""
        if conductance is cells.achieved:
            return cells.wired
        if cells.wire_aware and conductance is cells.target:
            return conductance  # the target already includes the wires
        return cells.wired + (conductance - cells.achieved) * cells.attenuation
