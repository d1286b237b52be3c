"""Selectors: what a device in series takes of each cell's voltage.

Solved by Newton's method for each input vector, like non-linearity.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xbar.arrays import Floats
from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.effects.nonlinearity import Lines, line_currents
from xbar.hardware.selector import Selector as Design
from xbar.hardware.spec import Hardware

if TYPE_CHECKING:
    from xbar.circuit.nonlinear import CellLaw


class Selector(Effect):
    """Each crossing's resistors are in series with a selector of ``selector``'s I-V curve.

    The difference of currents with and without selectors is added. Gradients are those of cells
    without.
    """

    name = "selector"
    key = "selector"
    readouts = ("nonlinear",)

    def given(self, hardware: Hardware) -> bool:
        """The design has selectors."""
        return hardware.selector is not None

    def current(self, current: Array, read: Read) -> Array:
        """The currents without what the selectors hold back."""
        return read.beyond(current, partial(selector_currents, read.hardware.selector))


def selector_currents(
    selector: Design | None, array: Lines, law: CellLaw, voltage: Floats
) -> Floats:
    """(N, B) amperes of the bit lines with selectors beyond those without, for volts (N, W)."""
    return line_currents(array, selected(law, selector), voltage) - line_currents(
        array, law, voltage
    )


def selected(law: CellLaw, selector: Design | None) -> CellLaw:
    """The law of cells in series with selectors."""
    from xbar.circuit.selectors import SeriesCell, TableCell

    return law if selector is None else SeriesCell(law, TableCell(*selector.points()))
