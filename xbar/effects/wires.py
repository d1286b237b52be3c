"""Wires: segments, drivers and sense amplifiers take a part of the voltage."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Wires(Effect):
    """Cells are read through the resistance of lines, drivers and sense amplifiers.

    Exact for the conductances that were programmed: the array is solved once. Of others, as where
    selection is switched off, the difference counts as the wires attenuate it (first order).
    """

    name = "wires"
    key = "tile.word_wire, tile.bit_wire, tile.source or tile.load"
    readouts = ("nodal", "nonlinear")

    def given(self, hardware: Hardware) -> bool:
        """Some resistance is not 0 ohm."""
        tile = hardware.tile
        return any((tile.word_wire, tile.bit_wire, tile.source, tile.load))

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """What is read of conductances through the wires."""
        if conductance is cells.achieved:
            return cells.wired
        if cells.wire_aware and conductance is cells.target:
            return conductance  # the target is what was to be read
        return cells.wired + (conductance - cells.achieved) * cells.attenuation
