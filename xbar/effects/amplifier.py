"""Sense amplifier: offset and gain of each."""

from __future__ import annotations

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class Amplifier(Effect):
    """A column's amplifier reads (1 + e) (I + v G).

    Its inputs are v volts apart instead of at one voltage, so its two bit lines, of mean
    conductance G, send v G more. With ideal word lines that is exact; wires in common let a part of
    it reach other columns, which is left out.
    """

    name = "amplifier"
    key = "amplifier.offset or amplifier.gain_error"
    needs_lines = True

    def given(self, hardware: Hardware) -> bool:
        """The design's amplifiers deviate."""
        amplifier = hardware.amplifier
        return amplifier is not None and max(amplifier.offset, amplifier.gain_error) > 0

    def current(self, current: Array, read: Read) -> Array:
        """The currents with gain and offset."""
        found = read.drawn(self.name)
        return current if found is None else current * found.factor + found.offset
