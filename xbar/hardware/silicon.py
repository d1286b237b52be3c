"""What is drawn: the process and sizes of the devices whose figures a design has."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Spec, Volts
from xbar.units import parse_quantity


def _metres(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_metres(item) for item in value)
    return parse_quantity(value, "m") if isinstance(value, (str, bool)) else value


Metres = Annotated[float | tuple[float, ...], BeforeValidator(_metres)]
"""Metres, in files optionally with an SI prefix and the unit: 4e-6 or "4 um"; or a list of them."""


class Drawn(Spec):
    """The process and the drawn sizes of a bank's devices; lengths are metres.

    Attributes:
        process: name of the process, such as "sky130".
        lengths: (K,) lengths of the resistors.
        switch_width: width of the switches: one, or K values.
        switch: name of the process's switch, such as "1v8" or "3v3"; None for its default.
        temperature: celsius at which the bank's figures hold; None for the process's own.
        supply: volts at closed switches' gates likewise; None for the switch's own.

    >>> Drawn(process="sky130", lengths=["4u", "4.4u"], switch_width="1u").lengths
    (4e-06, 4.4e-06)
    """

    process: str = Field(min_length=1)
    lengths: Annotated[tuple[float, ...], BeforeValidator(_metres)] = Field(min_length=1)
    switch_width: Metres
    switch: str | None = None
    temperature: float | None = None
    supply: Volts | None = None

    @model_validator(mode="after")
    def _sizes_are_positive(self) -> Self:
        count, widths = len(self.lengths), self.switch_widths
        if len(widths) != count:
            raise SpecError(
                f"switch_width must be one width or {count}, one a resistor, not {len(widths)}"
            )
        for key, values in (("lengths", self.lengths), ("switch_width", widths)):
            for value in values:
                if not 0 < value < 1:
                    raise SpecError(f"{key} must be metres above 0 and below 1, not {value:g}")
        return self

    @property
    def switch_widths(self) -> tuple[float, ...]:
        """(K,) metres."""
        if isinstance(self.switch_width, tuple):
            return self.switch_width
        return (self.switch_width,) * len(self.lengths)
