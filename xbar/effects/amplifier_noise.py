"""Noise of the sense amplifiers."""

from __future__ import annotations

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class AmplifierNoise(Effect):
    """Each read of a column adds a normal current of ``amplifier.noise`` amperes rms."""

    name = "amplifier_noise"
    key = "amplifier.noise"
    random = True

    def given(self, hardware: Hardware) -> bool:
        """The design's amplifiers have noise."""
        return hardware.amplifier is not None and hardware.amplifier.noise > 0

    def current(self, current: Array, read: Read) -> Array:
        """The currents with noise."""
        amplifier = read.hardware.amplifier
        return current if amplifier is None else read.noisy(current, amplifier.noise)
