"""DACs and ADCs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Farads, Fraction, Quantity, Spec, Volts

DEFAULT_READ_VOLTAGE = 0.2
"""Default DAC full scale, volts on a word line."""


Kind: TypeAlias = Literal["ideal", "sar", "ramp", "pipeline", "cyclic", "flash", "string", "binary"]
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dac": ("ideal", "string", "binary"),
        "adc": ("ideal", "sar", "ramp", "pipeline", "cyclic", "flash"),
    }
)
"""What each converter may be; the models are in ``xbar.effects.transfer`` and ``dac_inl``."""

MOST_BITS: Mapping[str, int] = MappingProxyType(
    {"ideal": 32, "sar": 16, "pipeline": 16, "cyclic": 16, "ramp": 14, "flash": 10, "string": 12,
     "binary": 12}
)  # fmt: skip
"""Largest resolution of each kind: beyond, nobody builds it, or its curve takes much memory."""

_SIZES = 1e-60, 1e60
"""Least and largest range that can be computed with."""

_OPEN_LOOP = ("ramp", "pipeline", "cyclic")
_COMPARATORS = ("pipeline", "cyclic", "flash")


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
        kind: circuit: an ADC is "ideal", "sar", "ramp", "pipeline", "cyclic" or "flash", a DAC
            "ideal", "string" (one string of resistors, whose taps all drivers share) or "binary"
            (binary-weighted elements in each driver).
        mismatch: standard deviation of one unit element, relative: of a SAR's or a binary DAC's
            unit capacitor, of one step of a ramp, of one resistor of a flash ADC's ladder or a
            DAC's string, of the ratio of a pipeline stage's two capacitors.
        comparator: ADC only: standard deviation of the offsets of the comparators of "flash",
            "pipeline" and "cyclic", over the range; that of others is the converter's ``offset``.
        open_loop: ADC only: voltage gain of the amplifiers in "ramp", "pipeline" and "cyclic"
            without feedback; None for infinite.
        noise: ADC only: rms noise of one conversion, over the range.
        offset: ADC only: standard deviation, between converters, of their offset, over the range.
        gain_error: ADC only: standard deviation, between converters, of their gain, a fraction.
        capacitance: ADC only: farads of the sampling capacitor, whose noise is sqrt(kT/C) volts.
        swing: ADC only: volts of the sampled signal at full scale.

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

    kind: Kind = "ideal"
    mismatch: Fraction = Field(default=0.0, ge=0)
    comparator: Fraction = Field(default=0.0, ge=0)
    open_loop: Quantity | None = Field(default=None, gt=1)
    noise: Fraction = Field(default=0.0, ge=0)
    offset: Fraction = Field(default=0.0, ge=0)
    gain_error: Fraction = Field(default=0.0, ge=0)
    capacitance: Farads | None = Field(default=None, gt=0)
    swing: Volts | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _kind_has_what_is_given(self) -> Self:
        if self.bits > MOST_BITS[self.kind]:
            raise SpecError(
                f"bits must be at most {MOST_BITS[self.kind]} for kind {self.kind!r}, "
                f"not {self.bits}"
            )
        if self.kind in ("pipeline", "cyclic") and self.bits < 3:
            raise SpecError(f"bits must be at least 3 for kind {self.kind!r}, not {self.bits}")
        real = tuple(kind for kind in MOST_BITS if kind != "ideal")
        for key, kinds in (
            ("mismatch", real), ("comparator", _COMPARATORS), ("open_loop", _OPEN_LOOP)
        ):  # fmt: skip
            if getattr(self, key) and self.kind not in kinds:
                raise SpecError(
                    f"{key} is of kind {' or '.join(map(repr, kinds))}, not of {self.kind!r}; set "
                    "kind, or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _range_can_be_computed_with(self) -> Self:
        low, high = _SIZES
        if self.range is not None and not low <= self.range <= high:
            raise SpecError(f"range must be from {low:g} to {high:g}, not {self.range:g}")
        return self

    @model_validator(mode="after")
    def _sample_is_known(self) -> Self:
        if (self.capacitance is None) != (self.swing is None):
            raise SpecError(
                "capacitance needs swing, the volts of the sampled signal at full scale, and swing "
                "needs capacitance; set both or none"
            )
        return self

    @model_validator(mode="after")
    def _resolves_something(self) -> Self:
        if self.step_bits is not None and not all(2 <= bits <= 32 for bits in self.step_bits):
            raise SpecError(f"step_bits must each be from 2 to 32, not {list(self.step_bits)}")
        fewer = self.step_bits is not None and set(self.step_bits) != {self.bits}
        if fewer and self.kind != "ideal":
            raise SpecError(
                f"step_bits must all be bits, {self.bits}, for kind {self.kind!r}: its curve is of "
                "that resolution; leave step_bits out, or set kind = 'ideal'"
            )
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
