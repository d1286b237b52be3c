"""Parts of a device law that come from measured devices: their spread, and what is known of it.

Units: siemens, seconds, kelvin, and one where nothing is said.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.base import Each, Fraction, Quantity, Spec
from xbar.hardware.quantiles import check_rows


class Spread(Spec):
    """Distribution of fabricated or programmed devices around their nominal conductance.

    Attributes:
        kind: "normal", "lognormal", "mixture" of two of either, or "table": the measured one.
        sigma: relative standard deviation (of the logarithm for "lognormal"); None where the law's
            ``error`` gives it by conductance.
        parts: of a mixture: rows of a share, and the centre and standard deviation of so many.
        logarithmic: whether the parts are normal in the logarithm of g over nominal; else in g.
        quantiles: of a mixture or table, as in ``Bank``, which draws from them.
    """

    kind: Literal["normal", "lognormal", "mixture", "table"]
    sigma: Quantity | None = Field(default=None, ge=0)
    parts: tuple[tuple[Quantity, Quantity, Quantity], ...] = ()
    logarithmic: bool = False
    quantiles: tuple[tuple[Quantity, Quantity], ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        tabled = self.kind in ("mixture", "table")
        if tabled != bool(self.quantiles):
            raise SpecError(
                f"quantiles must be {'given' if tabled else 'left out'} for {self.kind}"
            )
        if tabled:
            check_rows(self.quantiles)
        if (self.kind == "mixture") != bool(self.parts):
            raise SpecError("parts must be given for a mixture, and for nothing else")
        return self

    def of(self, bank: Bank, sigma: Each) -> Bank:
        """A bank whose resistors have this spread, of one relative standard deviation or K."""
        changed: dict[str, Any] = {"spread": self.kind, "sigma": sigma, "quantiles": self.quantiles}
        if self.quantiles:
            changed["spread"] = "table"
        return bank.model_copy(update=changed)


class Parameter(Spec):
    """A number that was found from measured devices.

    Attributes:
        name: key in the law, or what it is.
        value: estimate.
        low: lower end of its 95 % interval; None if the data don't bound it.
        high: upper end, likewise.
        unit: unit of the three; "" for a plain number.
    """

    name: str
    value: Quantity
    low: Quantity | None = None
    high: Quantity | None = None
    unit: str = ""


class Goodness(Spec):
    """How well a part of a law describes the data.

    Attributes:
        of: the part.
        test: name of the test.
        statistic: its statistic.
        p: probability of one as large if the law is true; small where it is not.
    """

    of: str
    test: str
    statistic: Quantity
    p: Fraction = Field(ge=0)


class Fitted(Spec):
    """What is known of a law that was fitted.

    Attributes:
        devices: number of devices.
        readings: number of readings.
        parameters: estimates with intervals.
        goodness: tests of the law against the data.
        notes: what was assumed of the data.
        unknown: what the data can't say.
    """

    devices: int = Field(ge=0)
    readings: int = Field(ge=0)
    parameters: tuple[Parameter, ...] = ()
    goodness: tuple[Goodness, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Parameter:
        """The parameter of a name.

        Raises:
            SpecError: there is none.
        """
        for one in self.parameters:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.parameters)
        raise SpecError(f"a fitted law must have the parameter {name!r}; it has {known or 'none'}")


def relative(spread: Spread | None, errors: Floats, target: Floats) -> Each:
    """Sigma of resistors at targets (K,): that of the spread, or errors (K,) over targets."""
    if spread is not None and spread.sigma is not None:
        return spread.sigma
    each = tuple((errors / target).tolist())
    return each[0] if len(set(each)) == 1 else each
