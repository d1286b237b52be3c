"""Selectors and access transistors of cells: an I-V table, and what lies in series or is off.

Shapes: W word lines, B bit lines. Units: SI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Bools, Floats, as_floats, frozen
from xbar.errors import SolverError, SpecError
from xbar.hardware.selector import curve_points
from xbar.tables import Outline

if TYPE_CHECKING:
    from xbar.circuit.nonlinear import CellLaw


_SPLIT_STEPS = 200


def _points(values: ArrayLike) -> Floats:
    return frozen(as_floats(values, "points of an I-V table"))


@attrs.frozen(eq=False, slots=False, repr=False)
class TableCell(Outline):
    """A curve through measured points, straight between them; all cells have the same.

    Attributes:
        voltage: (P,) volts, rising. Points from 0 V up hold for both directions.
        current_at: (P,) amperes, not falling; 0 at 0 V, a point that need not be given. Solutions
            with a cell beyond the outermost points are refused.

    Raises:
        SpecError: the points are no such curve.

    >>> TableCell([0.5, 1.0], [1e-9, 1e-5]).current(np.array([[-0.75]]))[0]
    array([[-5.0005e-06]])
    """

    voltage: Floats = attrs.field(converter=_points)
    current_at: Floats = attrs.field(converter=_points)

    def __attrs_post_init__(self) -> None:
        volts, amperes = curve_points(self.voltage, self.current_at)
        object.__setattr__(self, "voltage", volts)
        object.__setattr__(self, "current_at", amperes)

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""
        last = len(self.voltage) - 2
        place = np.clip(np.searchsorted(self.voltage, voltage, side="right") - 1, 0, last)
        slopes = np.diff(self.current_at) / np.diff(self.voltage)
        slope = slopes[place]
        near = np.where(voltage < 0, place + 1, place)  # the end towards 0 V, where nothing cancels
        return self.current_at[near] + slope * (voltage - self.voltage[near]), slope

    def check_range(self, voltage: Floats) -> None:
        """Check that cell voltages (W, B) are within the table.

        Raises:
            SpecError: one is beyond it.
        """
        low, high = self.voltage[[0, -1]] * (1 + 1e-9)
        bad = np.argwhere(~((voltage >= low) & (voltage <= high)))
        if len(bad):
            i, j = bad[0]
            raise SpecError(
                f"the I-V table ends at {self.voltage[0]:g} and {self.voltage[-1]:g} V, and there "
                f"are {voltage[i, j]:.4g} V at word line {i}, bit line {j}; lower the drive or "
                "measure further"
            )


@dataclass(frozen=True, eq=False)
class SeriesCell:
    """A device in series with a selector.

    Attributes:
        device: I-V curve of the device.
        selector: I-V curve of the selector.
    """

    device: CellLaw
    selector: CellLaw

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""
        return self._split(voltage)[1:]

    def check_range(self, voltage: Floats) -> None:
        """Check that each selector's part of cell voltages (W, B) is within its table.

        Raises:
            SpecError: one is beyond it.
        """
        if isinstance(self.selector, TableCell):
            self.selector.check_range(voltage - self._split(voltage)[0])

    def _split(self, voltage: Floats) -> tuple[Floats, Floats, Floats]:
        """The device's part of the voltage, the current and its slope."""
        # the device's share of the voltage is between none and all: Newton within that bracket
        low, high = np.minimum(voltage, 0), np.maximum(voltage, 0)
        part = voltage / 2
        for _ in range(_SPLIT_STEPS):
            current, slope = self.device.current(part)
            other, other_slope = self.selector.current(voltage - part)
            excess, total = current - other, slope + other_slope
            low, high = np.where(excess <= 0, part, low), np.where(excess >= 0, part, high)
            step = np.divide(excess, total, out=np.zeros_like(excess), where=total > 0)
            least = 1e-15 * np.abs(voltage)
            if np.all((np.abs(step) <= least) | (high - low <= least)):
                # the one that takes most of the voltage tells the current to more digits
                current = np.where(slope <= other_slope, current, other)
                return part, current, _in_series(slope, other_slope)
            guess = part - step
            part = np.where((guess > low) & (guess < high), guess, (low + high) / 2)
        raise SolverError(
            f"a cell's voltage must divide between device and selector within {_SPLIT_STEPS} "
            f"steps; check that both currents grow with voltage"
        )


def _in_series(one: Floats, other: Floats) -> Floats:
    total = one + other
    return np.divide(one * other, total, out=np.zeros_like(total), where=total > 0)


@dataclass(frozen=True, eq=False)
class GatedCell:
    """A law of cells whose access transistors are on, and that conduct nothing where they are off.

    Attributes:
        law: I-V curve of the cells.
        on: (W, B) whether a cell's transistor is on.
    """

    law: CellLaw
    on: Bools

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""
        current, slope = self.law.current(voltage)
        return np.where(self.on, current, 0.0), np.where(self.on, slope, 0.0)

    def check_range(self, voltage: Floats) -> None:
        """Check that the voltages (W, B) of cells that are on are within the law's table.

        Raises:
            SpecError: one is beyond it.
        """
        check_range(self.law, np.where(self.on, voltage, 0.0))


def check_range(law: CellLaw, voltage: Floats) -> None:
    """Check that cell voltages (W, B) are within the tables of a law, if it has one.

    Raises:
        SpecError: one is beyond.
    """
    if isinstance(law, (TableCell, SeriesCell, GatedCell)):
        law.check_range(voltage)
