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

_BY_RESISTOR = ("c2", "c3", "kink", "test", "rise", "c2_slope", "within")


class Nonlinearity(Spec):
    """I-V curve of a resistor of conductance G at 0 V, for the "nonlinear" read-out.

    One of three laws: ``sinh``, ``odd``, or by resistor

        I = G v (1 + c2 v + c3 (v² - test²) + kink (|v| - test) + rise u),

    with v the word line's voltage minus the bit line's, and u the bit line's above its rest. Open
    switches leak in proportion to v.

    Attributes:
        sinh: voltage V0 of I = G V0 sinh(v / V0), as in tunnelling.
        odd: relative coefficients (c3, c5, ...) of I = G v (1 + c3 v² + c5 v⁴ + ...), in 1/V²,
            1/V⁴ and so on, non-negative, so that the current is monotonic.
        c2: relative coefficient in 1/V, of either sign, of all resistors or a list of K.
        c3: the same in 1/V².
        kink: the same in 1/V, of |v|: velocity saturation, of a transistor either way round.
        test: volts between plus and minus of which G is the current's difference, by twice these
            volts; G is that at 0 V by default.
        rise: relative change of the current per volt of the bit line, in 1/V: where it rises, a
            switch beside it has less overdrive.
        c2_slope: relative change of ``c2`` per volt of a threshold's deviation, in 1/V. Given where
            c2, kink and rise are the switch's doing (``Bank.switch``): they are then those of a
            nominal branch, and go with the part s of a branch's resistance that is its switch's, c2
            and kink with s², rise with s.
        within: voltage up to which the current by ``c2``, ``c3`` and ``kink`` must grow with v, on
            either side of 0; at least the largest voltage that a word line has, which is the
            default: the DAC's range (``Hardware.read_voltage``).

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
    kink: QuantityEach | None = None
    test: Volts | None = None
    rise: QuantityEach | None = None
    c2_slope: QuantityEach | None = None
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
        for name in _BY_RESISTOR:
            check_size(name, getattr(self, name) or 0.0)
        self._check_by_resistor()
        if self.within is None:
            return self
        lists = [each for each in (self.c2, self.c3, self.kink) if isinstance(each, tuple)]
        if len({len(each) for each in lists}) < 2 and all(lists):
            self.check_growth(self.within, max((len(each) for each in lists), default=1))
        return self

    def _check_by_resistor(self) -> None:
        """Check the keys that belong to the law by resistor."""
        for name in ("test", "rise", "c2_slope", "within"):
            if getattr(self, name) is not None and not self.by_resistor:
                why = ": sinh and odd always grow" if name == "within" else ""
                raise SpecError(f"{name} must be left out without c2 or c3{why}")
        if self.within is not None and not self.within > 0:
            raise SpecError(f"within must be greater than 0 V, not {self.within}")
        if self.test is not None and not self.test >= 0:
            raise SpecError(f"test must be from 0 V, not {self.test}")

    @property
    def by_resistor(self) -> bool:
        """Whether the law is that of ``c2``, ``c3`` and ``kink``."""
        return self.c2 is not None or self.c3 is not None or self.kink is not None

    @property
    def is_polynomial(self) -> bool:
        """Whether the law by resistor is one of v² and v³ alone."""
        return not any(np.any(each or 0.0) for each in (self.kink, self.rise, self.test))

    def terms(self, resistors: int) -> Floats:
        """(2, K) ``c2`` and ``c3`` of each resistor; 0 where not given."""
        return self.coefficients(resistors)[:2]

    def coefficients(self, resistors: int) -> Floats:
        """(4, K) ``c2``, ``c3``, ``kink`` and ``rise`` of each resistor; 0 where not given."""
        given = (self.c2, self.c3, self.kink, self.rise)
        each = [0.0 if one is None else one for one in given]
        return np.stack([spread_out(one, resistors) for one in each])

    def check_growth(self, volts: float, resistors: int) -> None:
        """Check that each resistor's current grows with voltage up to ``volts`` on either side.

        Raises:
            SpecError: one's does not.
        """
        if not self.by_resistor:
            return
        c2, c3, kink, _ = self.coefficients(resistors)
        at = np.stack([np.full_like(c2, -volts), np.full_like(c2, volts), c2, c2])
        for row, side in ((2, -1.0), (3, 1.0)):
            bent = c2 + side * kink  # on this side the slope turns at -bent / (3 c3)
            inside = (np.abs(bent) < 3.0 * c3 * volts) & (side * bent < 0)
            at[row] = np.divide(-bent, 3.0 * c3, out=np.zeros_like(c2), where=inside)
        test = self.test or 0.0
        slope = 1.0 - test * (kink + c3 * test)
        slope = slope + at * (2.0 * c2 + 3.0 * c3 * at) + 2.0 * kink * np.abs(at)
        if not slope.min() > 0:
            place, k = np.unravel_index(int(np.argmin(slope)), slope.shape)
            given = (self.c2, self.c3, self.kink)
            one = "" if max(len(values_of(each or 0.0)) for each in given) == 1 else f" {k}"
            raise SpecError(
                f"c2 and c3 must let the current of a resistor grow up to {volts:g} V, but that of "
                f"resistor{one or 's'} falls at {at[place, k]:.3g} V; check units (1/V and 1/V²), "
                "or lower the DAC's range"
            )
