"""Offset and gain of each ADC."""

from __future__ import annotations

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class AdcOffset(Effect):
    """A converter sees (1 + e) I + o, with a gain error e and an offset o of its own."""

    name = "adc_offset"
    key = "adc.offset or adc.gain_error"
    needs_range = True

    def given(self, hardware: Hardware) -> bool:
        """The design's ADCs deviate from each other."""
        return hardware.adc is not None and max(hardware.adc.offset, hardware.adc.gain_error) > 0

    def current(self, current: Array, read: Read) -> Array:
        """The currents with gain and offset."""
        found = read.drawn(self.name)
        return current if found is None else current * found.factor + found.offset
