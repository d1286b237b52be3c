"""Selectors in series with cells, 1S1R: their I-V curve as a table."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from xbar.arrays import Floats, check_finite, frozen
from xbar.errors import SpecError
from xbar.hardware.base import Amperes, Spec, Volts

_MOST = 10_000


class Selector(Spec):
    """I-V curve of the selector at each crossing, for the "nonlinear" read-out.

    The resistors of one crossing have one selector between them and the bit line. The curve runs
    straight from point to point; a read that puts more volts across a selector than the table has
    is refused.

    Attributes:
        voltage: volts of the points, rising. Points from 0 V up hold for both directions.
        current: amperes of the points, not falling; 0 at 0 V, a point that need not be given. In
            files optionally with units: [1e-9, "1 uA"].

    >>> Selector(voltage=("200 mV", 0.5), current=("1 nA", 1e-5)).current
    (1e-09, 1e-05)
    """

    voltage: Annotated[tuple[Volts, ...], Field(max_length=_MOST)]
    current: Annotated[tuple[Amperes, ...], Field(max_length=_MOST)]

    @field_validator("voltage", "current", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, np.ndarray) and value.ndim else value

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        self.points()
        return self

    def points(self) -> tuple[Floats, Floats]:
        """(P,) volts and amperes of the whole curve, see ``curve_points``."""
        return curve_points(np.array(self.voltage), np.array(self.current))


def curve_points(volts: Floats, amperes: Floats) -> tuple[Floats, Floats]:
    """The points (P,) of an I-V curve through measured ones, with that of 0 V.

    Args:
        volts: rising; points from 0 V up hold for both directions.
        amperes: not falling.

    Raises:
        SpecError: the points are no such curve.
    """
    if volts.ndim != 1 or volts.shape != amperes.shape or not len(volts):
        raise SpecError(
            "an I-V table must have one current per voltage, not shapes "
            f"{volts.shape} and {amperes.shape}"
        )
    check_finite(volts, "voltages of an I-V table", "V", ("point",))
    check_finite(amperes, "currents of an I-V table", "A", ("point",))
    zero = volts == 0
    if np.any(amperes[zero] != 0):
        raise SpecError(
            f"an I-V table must have 0 A at 0 V, not {amperes[zero][0]:g} A; subtract the "
            "instrument's offset"
        )
    if not zero.any():
        place = int(np.searchsorted(volts, 0.0))
        volts, amperes = np.insert(volts, place, 0.0), np.insert(amperes, place, 0.0)
    if volts[0] == 0:
        volts, amperes = (np.concatenate([-a[:0:-1], a]) for a in (volts, amperes))
    for name, rises in (("voltages", np.diff(volts) > 0), ("currents", np.diff(amperes) >= 0)):
        if not (rises.all() and volts[-1] > 0):
            at = int(np.argmin(rises))
            raise SpecError(
                f"the {name} of an I-V table must rise from point to point, on both sides of "
                f"0 V or from 0 V up, and do not after {volts[at]:g} V, {amperes[at]:g} A; of "
                "a curve that snaps back give the part on which it is read"
            )
    return frozen(volts), frozen(amperes)
