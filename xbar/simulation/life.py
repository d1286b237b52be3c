"""A simulation at several times and temperatures: the same chips, aged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from xbar.errors import SpecError, shown, warn
from xbar.hardware.chip import Chip
from xbar.simulation.result import Result
from xbar.simulation.tables import assumed_text, life_table, life_text, life_words
from xbar.tables import count, html_table, html_text
from xbar.units import parse_temperature, parse_time

Quantities: TypeAlias = str | float | Sequence[str | float]
When: TypeAlias = tuple[float | None, float | None]
"""Seconds since programming, and kelvin."""


@dataclass(frozen=True)
class LifePoint:
    """One time and temperature.

    Attributes:
        time: seconds since programming; None for devices as programmed.
        temperature: kelvin; None for the design's reference.
        result: what was simulated there.
    """

    time: float | None
    temperature: float | None
    result: Result


@dataclass(frozen=True, repr=False)
class Life(Result):
    """Results at several times and temperatures; as a ``Result`` it is the first of them.

    Attributes:
        points: results by time, and by temperature at each time.
    """

    points: tuple[LifePoint, ...] = ()

    @classmethod
    def of(cls, points: Sequence[LifePoint]) -> Life:
        """The results of some points, at least one."""
        first = points[0].result
        values = {each.name: getattr(first, each.name) for each in fields(Result)}
        return cls(**values, points=tuple(points))

    def __str__(self) -> str:
        return life_text(self)

    def __repr__(self) -> str:
        inner = super().__repr__().removeprefix("Result(").removesuffix(")")
        return f"Life({count(len(self.points), 'point')}, of which the first: {inner})"

    def _repr_html_(self) -> str:
        tables = [html_table(*life_table(self))]
        if self.cost is not None:
            tables.append(self.cost._repr_html_())
        words = (life_words(self).strip(), assumed_text(self))
        return "\n".join([*tables, *(f"<p>{html_text(text)}</p>" for text in words if text)])

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write; what all points share stands once."""
        told = [
            {
                "time": point.time,
                "temperature": point.temperature,
                **point.result.to_json(),
            }
            for point in self.points
        ]
        return {
            "compensate": self.compensate,
            "cost": None if self.cost is None else self.cost.to_json(),
            "digital_work": self.digital_work,
            "notes": list(self.notes),
            "points": told,
        }


def check_conditions(chip: Chip, whens: Sequence[When], readout: str) -> None:
    """Check that a chip has all these times and temperatures, before any work.

    Warns where a temperature changes nothing but wires, and the read-out has ideal ones.

    Raises:
        SpecError: its design lacks what they need, or they are outside its data.
    """
    for when in whens:
        chip.at(*when)
    design = chip.programmed.hardware
    heat, law = design.temperature, design.device
    ages = law is not None and law.activation and any(time is not None for time, _ in whens)
    seen = ages or heat is None or heat.moves_resistors or heat.switches or heat.leakage
    if readout == "ideal" and not seen and any(kelvin is not None for _, kelvin in whens):
        warn(
            "temperature changes only the wires here, which an ideal read-out leaves out: "
            "all temperatures give the same; use readout='nodal'"
        )


def conditions(time: Quantities | None, temperature: Quantities | None) -> list[When]:
    """Times in seconds, each with all temperatures in kelvin.

    Raises:
        SpecError: one is no time or temperature, or a list is empty.

    >>> conditions(["1 h", "1 d"], "85 C")
    [(3600.0, 358.15), (86400.0, 358.15)]
    """
    times = [None if each is None else parse_time(each) for each in _listed(time, "time")]
    warm = [
        None if each is None else parse_temperature(each)
        for each in _listed(temperature, "temperature")
    ]
    return list(product(times, warm))


def _plain(given: Any) -> Any:
    """A number of numpy's as one of Python's; anything else unchanged."""
    return given.item() if isinstance(given, (np.generic, np.ndarray)) and not given.ndim else given


def _listed(given: Quantities | None, name: str) -> Sequence[str | float | None]:
    if given is None:
        return [None]
    given = _plain(given)
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [given]
    listed = list(given)
    if not listed:
        raise SpecError(f"{name} must be at least one, not {shown(given)}")
    return listed
