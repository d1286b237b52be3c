"""Converters: what stands between numbers and the array's voltages and currents."""

from __future__ import annotations

from pydantic import Field

from xbar.hardware.base import Quantity, Spec

DEFAULT_READ_VOLTAGE = 0.2
"""Volts on a word line at full scale where the design names no DAC range."""


class Converter(Spec):
    """A DAC or an ADC: 2^bits - 1 evenly spaced levels from -range to +range, zero among them.

    Attributes:
        bits: resolution. 1 bit can't say a sign and a zero, so at least 2.
        range: full scale, volts for a DAC and amperes for an ADC. None: 0.2 V for a DAC; for an
            ADC each tile's own range, the largest differential current that its programmed cells
            can be expected to give (see ``xbar.simulation.readout``).
    """

    bits: int = Field(ge=2, le=32)
    range: Quantity | None = Field(default=None, gt=0)
