"""The bank: the K resistors of one cell.

    word line ──┬──────┬─ … ─┐
               R1     R2     RK      each with a switch; those switched in add up:
                /      /     /       G = Σ over the subset of g_i (+ the leakage of open switches)
    bit line ──┴──────┴─ … ─┘

K is the number of resistors per *cell*. A signed weight as a differential pair has two cells and so
2K resistors; reports state which they count.
"""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xbar.errors import SpecError, warn
from xbar.hardware.base import Fraction, OhmsEach, Quantity, Spec
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.units import format_quantity

Layout: TypeAlias = Literal["cell", "columns", "rows"]

UNIFORM_LIMIT = 1 / np.sqrt(3.0)


class Bank(Spec):
    """The K resistors of one cell: nominal values and fabrication spread.

    Attributes:
        resistors: number of resistors per cell, K.
        nominal: nominal resistance in ohms: of each resistor, or of the first one if ``ratio`` is
            not 1, or a list of K values.
        ratio: ratio of successive nominal resistances; 1 for equal, 2 for binary values.
        spread: distribution of a fabricated *conductance* g around its nominal g0. "normal":
            g0 (1 + sigma z), at least g0 / 100; "lognormal": g0 exp(sigma z); "uniform":
            between g0 (1 - sqrt(3) sigma) and g0 (1 + sqrt(3) sigma); "none": g0. z is a
            standard normal number.
        sigma: relative standard deviation (of the logarithm for "lognormal"), a fraction: 0.05 or
            "5 %". At most 2; from 1 on a warning asks whether per cent is meant. "uniform" with
            1/sqrt(3) = 0.577 is the U(0, 2 g0) of random-subset-sum theory.
        on_off_ratio: ratio of the conductances with the switch closed and open; inf for an ideal
            switch.
        stuck_open: fraction of resistors stuck open.
        stuck_closed: fraction of resistors stuck closed.
        layout: placement of the K resistors: at one crossing ("cell"), on K adjacent bit lines
            joined at the sense amplifier ("columns"), or on K adjacent word lines driven equally
            ("rows"). The last two take K lines of the tile per line of cells.
        nonlinearity: I-V curve of the resistors, for the "nonlinear" read-out; None for ohmic.

    >>> Bank(resistors=3, nominal="10k", ratio=2).nominal_conductance
    array([1.0e-04, 5.0e-05, 2.5e-05])
    """

    resistors: int = Field(default=8, ge=1, le=64)
    nominal: OhmsEach = 100e3
    ratio: Quantity = Field(default=1.0, gt=0)
    spread: Literal["normal", "lognormal", "uniform", "none"] = "lognormal"
    sigma: Quantity = Field(default=0.3, ge=0)
    on_off_ratio: Quantity = Field(default=float("inf"), gt=1, allow_inf_nan=True)
    stuck_open: Fraction = Field(default=0.0, ge=0)
    stuck_closed: Fraction = Field(default=0.0, ge=0)
    layout: Layout = "cell"
    nonlinearity: Nonlinearity | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        values = self.nominal if isinstance(self.nominal, tuple) else (self.nominal,)
        if isinstance(self.nominal, tuple) and len(values) != self.resistors:
            raise SpecError(
                f"nominal must list {self.resistors} values, one a resistor, not {len(values)}"
            )
        if isinstance(self.nominal, tuple) and self.ratio != 1:
            raise SpecError("ratio must be 1 where nominal lists each resistor; leave one out")
        _check_nominal(values)
        _check_sigma(self.spread, self.sigma)
        if self.on_off_ratio != self.on_off_ratio:
            raise SpecError("on_off_ratio must be greater than 1, not nan")
        if self.stuck_open + self.stuck_closed > 1:
            raise SpecError(
                "stuck_open + stuck_closed must be at most 1, not "
                f"{self.stuck_open + self.stuck_closed}"
            )
        return self

    @property
    def nominal_conductance(self) -> NDArray[np.float64]:
        """(K,) nominal conductances in siemens."""
        if isinstance(self.nominal, tuple):
            return 1.0 / np.array(self.nominal, dtype=np.float64)
        powers = [1.0]
        for _ in range(self.resistors - 1):
            powers.append(powers[-1] * self.ratio)
        return 1.0 / (self.nominal * np.array(powers, dtype=np.float64))


def _check_nominal(values: tuple[float, ...]) -> None:
    if not min(values) > 0:
        raise SpecError(f"nominal must be greater than 0 ohm, not {min(values)}")
    if min(values) < 1:
        low = min(values)
        warn(
            f"bank.nominal is {low:g} ohm: a conductance in siemens? Then write "
            f"'{format_quantity(low, 'S')}' as '{format_quantity(1 / low, 'ohm')}'"
        )


def _check_sigma(spread: str, sigma: float) -> None:
    limit, why = {
        "uniform": (UNIFORM_LIMIT, "no conductance may be negative"),
        "normal": (0.5, "too many conductances would be negative; take a lognormal spread"),
    }.get(spread, (2.0, "it is a fraction"))
    if sigma > limit:
        shown = "1/sqrt(3) = 0.5774" if spread == "uniform" else f"{limit:g}"
        percent = f"; {sigma:g} %? Then write {sigma / 100:g} or '{sigma:g} %'"
        raise SpecError(
            f"sigma must be at most {shown} for a {spread} spread, not {sigma:g}: {why}"
            + (percent if sigma >= 1 else "")
        )
    if sigma >= 1:
        warn(
            f"bank.sigma is a fraction, so {sigma:g} is a spread of {100 * sigma:g} %; "
            f"for {sigma:g} % write {sigma / 100:g} or '{sigma:g} %'"
        )
