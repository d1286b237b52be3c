"""How a chip's parts depend on temperature.

    resistor   R (1 + a D + bend D²)     D = T - reference, a = resistors + resistors_sigma z
    wires      R (1 + wires D)
    switches   by table of on-resistance over that at the reference, and so leakage

z is a standard normal number of each resistor. Units: kelvin, per kelvin.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from xbar.errors import SpecError, shown
from xbar.hardware.base import Kelvin, Quantity, Spec
from xbar.units import format_temperature

ROOM = 300.0

WIRES: Mapping[str, float] = MappingProxyType({"copper": 0.00393, "neurosim": 0.00451})
"""Per kelvin, by source: copper at 20 °C (IEC 60028, 1925); NeuroSim's wires (Chen, Peng, Yu, IEEE
TCAD 2018)."""

Table = tuple[tuple[Kelvin, Quantity], ...]


def _wires(value: Any) -> Any:
    if isinstance(value, str) and value.strip().isalpha() and value not in WIRES:
        raise SpecError(
            f"must be a number per kelvin or one of {', '.join(WIRES)}, not {shown(value)}"
        )
    return WIRES.get(value, value) if isinstance(value, str) else value


class Temperature(Spec):
    """Dependence on temperature; every part that is not given stays as at the reference.

    Attributes:
        reference: temperature at which the design's figures hold.
        least: lowest temperature of the data.
        most: highest temperature of the data.
        resistors: relative change of a resistor's ohms per kelvin, mean over resistors: "-0.02 %".
        resistors_sigma: its standard deviation between resistors.
        bend: relative change of a resistor's ohms per kelvin squared.
        wires: relative change of the word and bit lines' ohms per kelvin: a number, "copper"
            (+0.393 %) or "neurosim" (+0.451 %).
        switches: rows of a temperature and the on-resistance of ``bank.switch`` there over that at
            the reference, temperatures rising.
        leakage: the same of an open branch's conductance.

    >>> Temperature(reference="27 C", wires="copper").wires
    0.00393
    """

    reference: Kelvin = ROOM
    least: Kelvin = 218.15
    most: Kelvin = 423.15
    resistors: Quantity = 0.0
    resistors_sigma: Quantity = Field(default=0.0, ge=0)
    bend: Quantity = 0.0
    wires: Annotated[Quantity, BeforeValidator(_wires)] = 0.0
    switches: Table = ()
    leakage: Table = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.least <= self.reference <= self.most:
            raise SpecError(
                f"reference must be from least, {format_temperature(self.least)}, to most, "
                f"{format_temperature(self.most)}, not {format_temperature(self.reference)}"
            )
        for name, table in (("switches", self.switches), ("leakage", self.leakage)):
            self._check_table(name, table)
        return self

    def _check_table(self, name: str, table: Table) -> None:
        at = [one for one, _ in table]
        if any(b <= a for a, b in pairwise(at)):
            raise SpecError(f"{name} must be rows of (temperature, factor), temperatures rising")
        if min((factor for _, factor in table), default=1.0) <= 0:
            raise SpecError(f"{name} must have factors above 0")
        if table and not at[0] <= self.reference <= at[-1]:
            raise SpecError(
                f"{name} must have rows on both sides of the reference, "
                f"{format_temperature(self.reference)}, or one at it"
            )
        if table and abs(factor_at(table, self.reference) - 1.0) > 1e-9:
            raise SpecError(
                f"{name} must be 1 at the reference, {format_temperature(self.reference)}, not "
                f"{factor_at(table, self.reference):.6g}; list the reference too"
            )

    def filled(self, given: Mapping[str, Any]) -> Temperature:
        """A design's section with these values of its devices where it states none.

        Raises:
            SpecError: a value is out of range, or the reference another one.
        """
        own = {key: value for key, value in self if key in self.model_fields_set}
        found = Temperature(**{**own, **given})
        if "reference" in given and found.reference != self.reference:
            raise SpecError(
                f"temperature.reference must be the device law's, "
                f"{format_temperature(self.reference)}, not {format_temperature(found.reference)}"
            )
        return found

    @property
    def moves_resistors(self) -> bool:
        """Whether resistors depend on it."""
        return any((self.resistors, self.resistors_sigma, self.bend))


def factor_at(table: Table, kelvin: float) -> float:
    """The factor of a table at a temperature, on straight lines; 1 without a table.

    Raises:
        SpecError: it is outside the table.
    """
    if not table:
        return 1.0
    at, factor = np.array(table).T
    if not at[0] <= kelvin <= at[-1]:
        raise SpecError(
            f"temperature must be within the table, {format_temperature(at[0])} to "
            f"{format_temperature(at[-1])}, not {format_temperature(kelvin)}"
        )
    right = min(int(np.searchsorted(at, kelvin, side="right")), len(at) - 1)
    left = max(right - 1, 0)
    if left == right:
        return float(factor[0])
    share = (kelvin - at[left]) / (at[right] - at[left])
    return float(factor[left] * (1.0 - share) + factor[right] * share)
