"""Temperature of resistors and switches."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Temperature(Effect):
    """Cells are warmer or colder than when they were chosen: ``Chip.at`` with a temperature.

    The resistances of wires at that temperature are part of the effect of the wires.
    """

    name = "temperature"
    key = "later.temperature (Chip.at)"

    def given(self, hardware: Hardware) -> bool:
        """The chips are at a temperature on which their cells depend."""
        later = hardware.later
        heat = None if later is None else later.design.temperature
        if later is None or later.temperature is None or heat is None:
            return False
        return heat.moves_resistors or bool(heat.switches) or bool(heat.leakage)

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """The conductances at that temperature."""
        if conductance is cells.aged:
            return cells.alive
        return conductance + (cells.alive - cells.aged)
