"""The bank: the K resistors of one cell.

    word line ──┬──────┬─ … ─┐
               R1     R2     RK      each with a switch; those switched in add up:
                /      /     /       G = Σ over the subset of g_i (+ the leakage of open switches)
    bit line ──┴──────┴─ … ─┘

A branch is a resistor with its switch. By default its conductance is that of the resistor; with
``series`` and ``switch`` it is G = 1 / (R + series + Ron), and deviates with both devices:

    R (1 + dr)   dr from ``spread`` and ``sigma``      Ron(dvt)   dvt from ``switch.sigma``

K is the number of resistors per *cell*. A signed weight as a differential pair has two cells and so
2K resistors; reports state which they count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xbar.arrays import LARGEST, SMALLEST
from xbar.errors import SpecError, warn
from xbar.hardware.base import (
    Each,
    Fraction,
    OhmsEach,
    Quantity,
    QuantityEach,
    RatioEach,
    Spec,
    check_least,
    check_length,
    spread_out,
    values_of,
)
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.hardware.quantiles import check_rows
from xbar.hardware.switch import Switch, at_share
from xbar.units import format_quantity

Layout: TypeAlias = Literal["cell", "columns", "rows"]

UNIFORM_LIMIT = 1 / np.sqrt(3.0)
_FARTHEST = 0.3
"""Volts: a threshold that deviates by more is no threshold of the design's switches."""
_STEP, _STEPS = 1e-5, 8
"""Volts of a difference, and steps, of the inverse of a branch's laws."""
_FEW = 0.025
"""Share of a table's resistors that may be at the least conductance, as of a normal spread."""
_WHOLE = ("odd", "quantiles")
"""Lists that are not one value a resistor."""


class Bank(Spec):
    """The K resistors of one cell: nominal values and fabrication spread.

    Attributes:
        resistors: number of resistors per cell, K.
        nominal: nominal resistance in ohms, without ``series`` and ``switch``: of each resistor, or
            of the first one if ``ratio`` is not 1, or a list of K values.
        ratio: ratio of successive nominal resistances; 1 for equal, 2 for binary values.
        spread: distribution of a fabricated resistor. Of its *conductance* g around its nominal g0:
            "normal": g0 (1 + sigma z), at least g0 / 100; "lognormal": g0 exp(sigma z); "uniform":
            between g0 (1 - sqrt(3) sigma) and g0 (1 + sqrt(3) sigma); "none": g0. Of its
            *resistance* R around its nominal R0, as in PDKs: "resistance": R0 (1 + sigma z), at
            least R0 / 10. z is a standard normal number. "table": as "normal", with z from the
            distribution in ``quantiles``.
        sigma: relative standard deviation (of the logarithm for "lognormal"), a fraction: 0.05 or
            "5 %"; of all resistors or a list of K. At most 2; from 1 on a warning asks whether per
            cent is meant. "uniform" with 1/sqrt(3) = 0.577 is the U(0, 2 g0) of random-subset-sum
            theory.
        quantiles: for spread "table": rows of a share of the resistors, from 0 to 1, and the
            deviation that so many have at most, in units of sigma.
        on_off_ratio: ratio of a branch's conductances with the switch closed and open; inf for an
            ideal switch. Of all branches or a list of K.
        series: contacts and wires inside a branch, in ohms, of all branches or a list of K.
        switch: on-resistance of the switches and its spread; None where it is part of ``nominal``.
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
    spread: Literal["normal", "lognormal", "uniform", "resistance", "table", "none"] = "lognormal"
    sigma: QuantityEach = 0.3
    quantiles: tuple[tuple[Quantity, Quantity], ...] = ()
    on_off_ratio: RatioEach = float("inf")
    stuck_open: Fraction = Field(default=0.0, ge=0)
    stuck_closed: Fraction = Field(default=0.0, ge=0)
    layout: Layout = "cell"
    series: OhmsEach = 0.0
    switch: Switch | None = None
    nonlinearity: Nonlinearity | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, each in self.lists():
            check_length(name, each, self.resistors)
        if isinstance(self.nominal, tuple) and self.ratio != 1:
            raise SpecError("ratio must be 1 where nominal lists each resistor; leave one out")
        _check_nominal(values_of(self.nominal))
        check_least("sigma", self.sigma, 0.0)
        check_least("series", self.series, 0.0, "ohm")
        _check_sigma(self.spread, max(values_of(self.sigma)))
        self._check_table()
        for ratio in values_of(self.on_off_ratio):
            if not ratio > 1:
                raise SpecError(f"on_off_ratio must be greater than 1, not {ratio:g}")
        self._check_conductances()
        if self.switch is None and self.nonlinearity and self.nonlinearity.c2_slope is not None:
            raise SpecError("nonlinearity.c2_slope must be left out without switch, which it is of")
        if self.stuck_open + self.stuck_closed > 1:
            raise SpecError(
                "stuck_open + stuck_closed must be at most 1, not "
                f"{self.stuck_open + self.stuck_closed}"
            )
        return self

    def _check_table(self) -> None:
        if (self.spread == "table") != bool(self.quantiles):
            raise SpecError(
                "quantiles must be given for spread 'table', and for no other; "
                "xbar fit makes them of measured devices"
            )
        if not self.quantiles:
            return
        check_rows(self.quantiles)
        share, value = np.array(self.quantiles).T
        floor = -1.0 / max(max(values_of(self.sigma)), 1e-300)
        below = float(np.interp(floor, value, share, left=0.0))
        if below > _FEW:
            raise SpecError(
                f"sigma must leave at least {100 - 100 * _FEW:g} % of the conductances above 0, "
                f"not {100 - 100 * below:.3g} % by the table of quantiles"
            )

    def _check_conductances(self) -> None:
        with np.errstate(all="ignore"):
            nominal = self.nominal_conductance
        wrong = nominal[~((nominal >= SMALLEST) & (nominal <= LARGEST))]
        if len(wrong):
            raise SpecError(
                f"nominal and ratio must give conductances from {SMALLEST:g} to {LARGEST:g} S, not "
                f"{wrong[0]:g} S"
            )

    def lists(self) -> list[tuple[str, Each]]:
        """The values that may be one or K, by their keys."""
        own: list[tuple[str, Each]] = [
            ("nominal", self.nominal),
            ("sigma", self.sigma),
            ("on_off_ratio", self.on_off_ratio),
            ("series", self.series),
        ]
        for key, spec in (("switch", self.switch), ("nonlinearity", self.nonlinearity)):
            if spec is not None:
                own += [
                    (f"{key}.{name}", each)
                    for name, each in spec
                    if name not in _WHOLE and isinstance(each, tuple)
                ]
        return own

    @property
    def ohms(self) -> NDArray[np.float64]:
        """(K,) nominal resistances in ohms, without ``series`` and ``switch``."""
        if isinstance(self.nominal, tuple):
            return np.array(self.nominal, dtype=np.float64)
        powers = [1.0]
        for _ in range(self.resistors - 1):
            powers.append(powers[-1] * self.ratio)
        return self.nominal * np.array(powers, dtype=np.float64)

    @property
    def nominal_conductance(self) -> NDArray[np.float64]:
        """(K,) nominal siemens of the branches, ``series`` and ``switch`` included."""
        return self.conductance(self.ohms)

    def conductance(
        self, ohms: NDArray[np.float64], threshold: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(..., K) siemens of branches with these resistors.

        Args:
            ohms: (..., K) resistances in ohms.
            threshold: (..., K) deviations of the switches' thresholds in volts; None for none.
        """
        if self.series == 0 and self.switch is None:
            return 1.0 / ohms
        total = ohms + spread_out(self.series, self.resistors)
        if self.switch is not None:
            dvt = np.zeros(self.resistors) if threshold is None else threshold
            closed, change = self.switch.ohms(dvt, self.resistors), self.switch.share_slope
            if np.any(change):
                each = spread_out(change, self.resistors)
                closed = at_share(closed, total, each, self.switch_shares)
            total = total + closed
        return 1.0 / total

    def bends(
        self, conductance: NDArray[np.float64], threshold: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(4, ..., K) c2, c3, kink and rise of branches, by the law of ``nonlinearity``.

        Args:
            conductance: (..., K) siemens of the closed branches.
            threshold: (..., K) deviations of the switches' thresholds in volts; None for none.
        """
        law = self.nonlinearity
        assert law is not None  # whoever asks has one
        shape, count = np.shape(conductance), self.resistors
        terms = law.coefficients(count)
        found = np.array(
            np.broadcast_to(terms.reshape(4, *(1,) * (len(shape) - 1), count), (4, *shape))
        )
        if law.c2_slope is None or self.switch is None:
            return found
        dvt = np.zeros(count) if threshold is None else threshold
        share = conductance * self.switch.ohms(dvt, count) / self.switch_shares
        found[0] *= share**2 * (1.0 + spread_out(law.c2_slope, count) * dvt)
        found[2] *= share**2
        found[3] *= share
        return found

    def thresholds(
        self, conductance: NDArray[np.float64], c2: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(..., K) volts, deviations of thresholds by which branches bend as measured.

        The inverse of ``bends``, by Newton's method; 0 where ``c2`` is NaN or nothing conducts.

        Args:
            conductance: (..., K) siemens of the closed branches.
            c2: (..., K) 1/V.

        Raises:
            SpecError: no deviation of up to 0.3 V bends a branch so.
        """
        law, switch = self.nonlinearity, self.switch
        assert law is not None  # whoever asks has both
        assert switch is not None
        known = np.isfinite(c2) & (conductance > 0)
        typical = self.nominal_conductance
        on = np.where(known, conductance, typical)
        wanted = np.where(known, c2, self.bends(typical)[0])
        found = np.zeros(on.shape)
        for _ in range(_STEPS):
            low, here, high = (self.bends(on, found + d)[0] for d in (-_STEP, 0.0, _STEP))
            slope = (high - low) / (2 * _STEP)
            move = np.divide(wanted - here, slope, out=np.zeros_like(here), where=slope != 0)
            found = np.clip(found + move, -_FARTHEST, _FARTHEST)
        found[~known] = 0.0
        if found.size and np.abs(found).max() >= _FARTHEST:
            at = np.unravel_index(int(np.argmax(np.abs(found))), found.shape)
            raise SpecError(
                f"c2 must be that of a switch whose threshold deviates by less than {_FARTHEST:g} "
                f"V, not {c2[at]:.3g} /V at {at}; check its unit, 1/V, or leave it out"
            )
        return found

    def resistor_deviations(
        self, conductance: NDArray[np.float64], threshold: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(..., K) relative deviations of resistors that give branches their conductance.

        The inverse of ``conductance``. They may be -1 or less, where a branch conducts more than
        its switch and contacts do.

        Args:
            conductance: (..., K) siemens of the closed branches, above 0.
            threshold: (..., K) deviations of the switches' thresholds in volts.
        """
        series, closed = spread_out(self.series, self.resistors), np.zeros(self.resistors)
        rest = 1.0 / conductance
        if self.switch is not None:
            own = self.switch.ohms(threshold, self.resistors)
            each = spread_out(self.switch.share_slope, self.resistors)
            shares, closed = self.switch_shares, own
            for _ in range(_STEPS):  # each gains three digits
                closed = at_share(own, rest - closed, each, shares)
        return (rest - closed - series) / self.ohms - 1.0

    @property
    def switch_shares(self) -> NDArray[np.float64]:
        """(K,) part of each nominal branch's resistance that is its switch's; 0 without switch."""
        if self.switch is None:
            return np.zeros(self.resistors)
        closed = self.switch.ohms(np.zeros(self.resistors), self.resistors)
        shares: NDArray[np.float64] = closed / (
            self.ohms + spread_out(self.series, self.resistors) + closed
        )
        return shares

    @property
    def sigmas(self) -> NDArray[np.float64]:
        """(K,) relative standard deviation of each resistor; 0 for spread "none"."""
        return spread_out(0.0 if self.spread == "none" else self.sigma, self.resistors)

    @property
    def on_off_ratios(self) -> NDArray[np.float64]:
        """(K,) ratio of each branch's conductances, closed and open."""
        return spread_out(self.on_off_ratio, self.resistors)

    @property
    def branch_sigmas(self) -> NDArray[np.float64]:
        """(K,) relative standard deviation of each branch's conductance, to first order.

        Of a resistor alone it is sigma; in series with others, its part of the resistance times
        sigma, and the switch's part times slope times the threshold's sigma.
        """
        result = self.sigmas * self.ohms * self.nominal_conductance
        if self.switch is not None:
            switch, share = self.switch, self.switch_shares
            values = (switch.slope, switch.sigma, switch.share_slope)
            slope, sigma, change = (spread_out(each, self.resistors) for each in values)
            # a deviation of either moves the switch's share
            result = np.hypot(
                result * (1.0 - change * share),
                share * slope * sigma * (1.0 + change * (1.0 - share)),
            )
        return result

    def of_size(self, resistors: int) -> Self:
        """The bank with its first resistors, or with more where it lists none.

        Raises:
            SpecError: a list has fewer values.

        >>> Bank(resistors=3, nominal=(1e3, 2e3, 3e3), sigma=(0.1, 0.2, 0.3)).of_size(2).sigma
        (0.1, 0.2)
        """
        for name, each in self.lists():
            if isinstance(each, tuple) and len(each) < resistors:
                what = "nominal values" if name == "nominal" else f"values of {name}"
                raise SpecError(
                    f"a bank of {resistors} resistors needs as many {what}, not {len(each)}; "
                    "list more, or give one value" + (" and a ratio" if name == "nominal" else "")
                )
        return self.model_copy(update={"resistors": resistors, **dict(_shortened(self, resistors))})


def _shortened(spec: Spec, resistors: int) -> Iterator[tuple[str, Any]]:
    """The lists of a spec, and of those in it, with their first values only."""
    for name, value in spec:
        if isinstance(value, tuple) and name not in _WHOLE:
            yield name, value[:resistors]
        elif isinstance(value, Spec):
            yield name, value.model_copy(update=dict(_shortened(value, resistors)))


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
        "resistance": (0.3, "more than one in a thousand would be below a tenth"),
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
