"""Noise of the ADCs' comparators and amplifiers."""

from __future__ import annotations

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class AdcNoise(Effect):
    """Each conversion sees its signal with a normal deviation of ``adc.noise`` of the range.

    One number a conversion, referred to the input. A SAR that decides with noise of its own each
    time has as much error, rounding included: 4 % less at half a level of noise, 13 % at one.
    """

    name = "adc_noise"
    key = "adc.noise"
    random = True
    needs_range = True

    def given(self, hardware: Hardware) -> bool:
        """The design's ADCs have noise."""
        return hardware.adc is not None and hardware.adc.noise > 0

    def current(self, current: Array, read: Read) -> Array:
        """The currents with noise."""
        adc, stage = read.hardware.adc, read.stage
        if adc is None or stage is None or stage.full_scale is None:
            return current
        return read.noisy(current, stage.full_scale * adc.noise)
