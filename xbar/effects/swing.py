"""Finite swing of the sense amplifiers."""

from __future__ import annotations

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Swing(Effect):
    """An amplifier's output stops at ``amplifier.swing`` volts: currents are clipped there.

    The conversions clipped are counted beside those of the ADC.
    """

    name = "swing"
    key = "amplifier.swing"

    def given(self, hardware: Hardware) -> bool:
        """The design's amplifiers have a finite swing."""
        return hardware.amplifier is not None and hardware.amplifier.swing is not None

    def current(self, current: Array, read: Read) -> Array:
        """The currents, clipped at swing / feedback."""
        amplifier = read.hardware.amplifier
        most = None if amplifier is None else amplifier.full_current
        if most is None or read.stage is None:
            return current
        return read.xp.clip(current, most, read.clips.get(self.name))
