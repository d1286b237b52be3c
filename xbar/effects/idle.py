"""Idle lines: what sneaks through lines of a tile that a read leaves floating."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Idle(Effect):
    """Word lines and bit lines that a read does not use float, instead of being at 0 V.

    With ideal wires no current flows through them. Exact like ``Wires``: the array is solved once a
    block.
    """

    name = "idle"
    key = "tile.idle, with a resistance of a line, driver or amplifier"
    readouts = ("nodal", "nonlinear")

    def given(self, hardware: Hardware) -> bool:
        """The design's idle lines float, and there are wires."""
        return hardware.tile.idle == "float" and hardware.wired

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """Effective conductances with what goes through floating lines."""
        return conductance + (cells.floating - cells.wired)
