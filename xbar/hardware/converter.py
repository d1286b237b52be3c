"""DACs and ADCs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Spec, Volts

DEFAULT_READ_VOLTAGE = 0.2
"""Default DAC full scale, volts on a word line."""


class Converter(Spec):
    """A DAC or an ADC: 2^bits - 1 uniform levels from -range to +range, including zero.

    Attributes:
        bits: resolution, at least 2 for a sign and a zero.
        range: full scale, volts for a DAC and amperes for an ADC. A text with a unit must be in
            volts here; in the design of an ADC, ``Hardware(adc={"bits": 8, "range": "2 uA"})`` or
            a file's ``[adc]``, in amperes. Default: 0.2 V for a DAC; for an
            ADC the largest current that is expected to arrive through a tile's wires (see
            ``xbar.effects.ranges``), or a range calibrated from data.
        bit_serial: DAC only: input bits per step; the ADC reads after each step and the digital
            side shifts and adds. None: the whole value as one voltage.
        code: DAC only: sign of a bit-serial input. "sign-magnitude": the bits - 1 bits of the
            magnitude, each step with the input's sign. "twos-complement": the same steps with
            non-negative voltages, then one more for the sign bit, which has negative weight.
        step_bits: ADC only: resolution after each bit-serial step, least significant first; None:
            ``bits`` for all steps.
        shared: ADC only: number of neighbouring columns of weights per converter, read in turn.
        ranging: ADC only: granularity of the range, "layer", "tile" or "converter".

    >>> Converter(bits=8, bit_serial=1).steps
    7
    """

    bits: int = Field(ge=2, le=32)
    range: Volts | None = Field(default=None, gt=0)
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
        """Number of reads of the array per input vector."""
        if self.bit_serial is None:
            return 1
        return -(-(self.bits - 1) // self.bit_serial) + (self.code == "twos-complement")

    @property
    def top(self) -> int:
        """Index of the outermost level."""
        return int(2 ** (self.bits - 1) - 1)
