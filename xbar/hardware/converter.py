"""Converters: what stands between numbers and the array's voltages and currents."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Quantity, Spec

DEFAULT_READ_VOLTAGE = 0.2
"""Volts on a word line at full scale where the design names no DAC range."""


class Converter(Spec):
    """A DAC or an ADC: 2^bits - 1 evenly spaced levels from -range to +range, zero among them.

    Attributes:
        bits: resolution. 1 bit can't say a sign and a zero, so at least 2.
        range: full scale, volts for a DAC and amperes for an ADC. None: 0.2 V for a DAC; for an
            ADC each tile's own range, the largest differential current that its programmed cells
            can be expected to give (see ``xbar.simulation.ranges``), or one found from data.
        bit_serial: DAC only. Bits of the input that one step puts on the word lines; the ADC
            reads after each step and the digital side shifts and adds. None: the whole value as
            one voltage.
        code: DAC only, how a bit-serial input says its sign. "sign-magnitude": the bits - 1 bits
            of the magnitude, each step with the input's sign as the voltage's. "twos-complement":
            the same steps with voltages that are never negative, then one more for the sign bit,
            which counts negatively.
        step_bits: ADC only. Resolution after each bit-serial step, least significant first, where
            steps differ; None: ``bits`` after each.
        shared: ADC only. Neighbouring columns of weights that one converter reads in turn; 1 is a
            converter a column.
        ranging: ADC only, what has a range of its own: each "layer", "tile" or "converter".

    >>> Converter(bits=8, bit_serial=1).steps
    7
    """

    bits: int = Field(ge=2, le=32)
    range: Quantity | None = Field(default=None, gt=0)
    bit_serial: int | None = Field(default=None, ge=1, le=31)
    code: Literal["sign-magnitude", "twos-complement"] = "sign-magnitude"
    step_bits: tuple[int, ...] | None = None
    shared: int = Field(default=1, ge=1, le=65536)
    ranging: Literal["layer", "tile", "converter"] = "tile"

    @model_validator(mode="after")
    def _resolves_something(self) -> Self:
        if self.step_bits is not None and not all(2 <= bits <= 32 for bits in self.step_bits):
            raise SpecError(f"step_bits must each be from 2 to 32, not {list(self.step_bits)}")
        return self

    @property
    def steps(self) -> int:
        """How often the array is read for one input vector that this DAC drives."""
        if self.bit_serial is None:
            return 1
        return -(-(self.bits - 1) // self.bit_serial) + (self.code == "twos-complement")

    @property
    def top(self) -> int:
        """The outermost level's number."""
        return int(2 ** (self.bits - 1) - 1)
