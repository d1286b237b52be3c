"""Selection: the chosen resistors miss their targets."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array


class Selection(Effect):
    """A weight is what the chosen resistors add up to, not its target.

    With wires, switching it off takes off what is missed as the wires attenuate it: exact to
    first order.
    """

    name = "selection"

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """The achieved conductances in place of the targets."""
        del conductance
        return cells.achieved
