"""Non-ohmic cells."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Quantity, Spec, Volts


class Nonlinearity(Spec):
    """I-V curve of a resistor of conductance G, for the "nonlinear" read-out.

    Attributes:
        sinh: voltage V0 of I = G V0 sinh(v / V0), as in tunnelling. None: the odd polynomial.
        odd: relative coefficients (c3, c5, ...) of I = G v (1 + c3 v² + c5 v⁴ + ...), in 1/V²,
            1/V⁴ and so on, non-negative, so that the current is monotonic.

    >>> Nonlinearity(sinh="0.5 V").sinh
    0.5
    """

    sinh: Volts | None = None
    odd: tuple[Quantity, ...] = ()

    @model_validator(mode="after")
    def _says_one_law(self) -> Self:
        if (self.sinh is None) == (not self.odd):
            raise SpecError("nonlinearity must have either sinh, volts, or odd, coefficients")
        if self.sinh is not None and not self.sinh > 0:
            raise SpecError(f"sinh must be greater than 0 V, not {self.sinh}")
        if min(self.odd, default=0.0) < 0:
            raise SpecError(f"odd must be coefficients from 0, not {list(self.odd)}")
        return self
