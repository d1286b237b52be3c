"""ADC: quantisation and clipping of currents."""

from __future__ import annotations

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Adc(Effect):
    """A column's differential current is rounded to one of 2^bits - 1 levels and clipped.

    With a bit-serial DAC it converts after each step. ``ranges.py`` determines the full scale.
    """

    name = "adc"
    key = "adc"
    needs_range = True

    def given(self, hardware: Hardware) -> bool:
        """The design has an ADC."""
        return hardware.adc is not None

    def current(self, current: Array, read: Read) -> Array:
        """Quantised currents; unchanged if no range is known."""
        adc, stage = read.hardware.adc, read.stage
        if adc is None or stage is None or stage.full_scale is None:
            return current
        bits = adc.bits if adc.step_bits is None else adc.step_bits[read.step]
        top = 2 ** (bits - 1) - 1
        full, count = stage.full_scale, read.clips.get(self.name)
        return read.xp.levels(current, top / full, top, full / top, count)
