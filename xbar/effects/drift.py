"""Drift: what time does to resistors after their switches were chosen."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Drift(Effect):
    """Resistors are no longer as they were when they were chosen: ``Chip.at`` with a time.

    No change for switches that were chosen for the aged chip itself.
    """

    name = "drift"
    key = "later.time (Chip.at)"

    def given(self, hardware: Hardware) -> bool:
        """The chips are those of later, of a law with time."""
        later = hardware.later
        law = None if later is None else later.design.device
        if later is None or later.time is None:
            return False
        return law is not None and law.first is not None  # which is 0 where tables begin at 0

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """The conductances after that time."""
        if conductance is cells.programmed:
            return cells.aged
        return conductance + (cells.aged - cells.programmed)
