"""Selection: deviation of the chosen resistors from their targets."""

from __future__ import annotations

from xbar.effects.effect import Cells, Effect
from xbar.effects.namespace import Array


class Selection(Effect):
    """A weight is the sum of its chosen resistors, not its target.

    With wires, switching it off subtracts the residuals as attenuated by the wires, which is exact
    to first order.
    """

    name = "selection"

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """The conductances that were chosen instead of the targets."""
        del conductance
        return cells.programmed
