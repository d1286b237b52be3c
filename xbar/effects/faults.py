"""Faults: devices that died after their switches were chosen."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Faults(Effect):
    """Devices are stuck that were sound when they were chosen: ``Chip.at`` with ``stuck_open``.

    Those that were stuck already are no effect: subsets were chosen around them.
    """

    name = "faults"
    key = "later.stuck_open, later.stuck_closed (Chip.at)"

    def given(self, hardware: Hardware) -> bool:
        """Devices of the chips have died since they were programmed."""
        return hardware.later is not None and hardware.later.died

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """The conductances with them."""
        if conductance is cells.alive:
            return cells.achieved
        return conductance + (cells.achieved - cells.alive)
