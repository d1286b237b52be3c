"""Non-ohmic cells."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import model_validator

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.base import (
    Quantity,
    QuantityEach,
    Spec,
    Volts,
    check_size,
    spread_out,
    values_of,
)


class Nonlinearity(Spec):
    """I-V curve of a resistor of conductance G at 0 V, for the "nonlinear" read-out.

    One of three laws: ``sinh``, ``odd``, or ``c2`` and ``c3``.

    Attributes:
        sinh: voltage V0 of I = G V0 sinh(v / V0), as in tunnelling.
        odd: relative coefficients (c3, c5, ...) of I = G v (1 + c3 v² + c5 v⁴ + ...), in 1/V²,
            1/V⁴ and so on, non-negative, so that the current is monotonic.
        c2: relative coefficient of I = G v (1 + c2 v + c3 v²) in 1/V, of either sign, of all
            resistors or a list of K. v is the word line's voltage minus the bit line's. Open
            switches leak in proportion to v.
        c3: the same in 1/V².
        within: voltage up to which the current by ``c2`` and ``c3`` must grow with v, on either
            side of 0; at least the largest voltage that a word line has, which is the default: the
            DAC's range (``Hardware.read_voltage``).

    >>> Nonlinearity(sinh="0.5 V").sinh
    0.5
    >>> Nonlinearity(c2=-1e-3, c3=(2e-4, -4e-4)).terms(2)
    array([[-0.001 , -0.001 ],
           [ 0.0002, -0.0004]])
    """

    sinh: Volts | None = None
    odd: tuple[Quantity, ...] = ()
    c2: QuantityEach | None = None
    c3: QuantityEach | None = None
    within: Volts | None = None

    @model_validator(mode="after")
    def _says_one_law(self) -> Self:
        given = [self.sinh is not None, bool(self.odd), self.by_resistor]
        if sum(given) != 1:
            raise SpecError(
                "nonlinearity must have either sinh, volts, or odd, coefficients, or c2 and c3"
            )
        if self.sinh is not None and not self.sinh > 0:
            raise SpecError(f"sinh must be greater than 0 V, not {self.sinh}")
        if min(self.odd, default=0.0) < 0:
            raise SpecError(f"odd must be coefficients from 0, not {list(self.odd)}")
        for name, each in (("c2", self.c2), ("c3", self.c3), ("within", self.within)):
            check_size(name, each or 0.0)
        if self.within is None:
            return self
        if not self.by_resistor:
            raise SpecError("within must be left out without c2 or c3: sinh and odd always grow")
        if not self.within > 0:
            raise SpecError(f"within must be greater than 0 V, not {self.within}")
        lists = [each for each in (self.c2, self.c3) if isinstance(each, tuple)]
        if len({len(each) for each in lists}) < 2 and all(lists):
            self.check_growth(self.within, max((len(each) for each in lists), default=1))
        return self

    @property
    def by_resistor(self) -> bool:
        """Whether the law is that of ``c2`` and ``c3``."""
        return self.c2 is not None or self.c3 is not None

    def terms(self, resistors: int) -> Floats:
        """(2, K) ``c2`` and ``c3`` of each resistor; 0 where not given."""
        given = (0.0 if each is None else each for each in (self.c2, self.c3))
        return np.stack([spread_out(each, resistors) for each in given])

    def check_growth(self, volts: float, resistors: int) -> None:
        """Check that each resistor's current grows with voltage up to ``volts`` on either side.

        Raises:
            SpecError: one's does not.
        """
        if not self.by_resistor:
            return
        c2, c3 = self.terms(resistors)
        inside = np.abs(c2) < 3.0 * c3 * volts  # the slope is least at -c2 / (3 c3)
        turn = np.divide(-c2, 3.0 * c3, out=np.zeros_like(c2), where=inside)
        at = np.stack([np.full_like(c2, -volts), np.full_like(c2, volts), turn])
        slope = 1.0 + at * (2.0 * c2 + 3.0 * c3 * at)
        if not slope.min() > 0:
            place, k = np.unravel_index(int(np.argmin(slope)), slope.shape)
            one = "" if max(len(values_of(e or 0.0)) for e in (self.c2, self.c3)) == 1 else f" {k}"
            raise SpecError(
                f"c2 and c3 must let the current of a resistor grow up to {volts:g} V, but that of "
                f"resistor{one or 's'} falls at {at[place, k]:.3g} V; check units (1/V and 1/V²), "
                "or lower the DAC's range"
            )
