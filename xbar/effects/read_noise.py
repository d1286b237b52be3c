"""Read noise: read-to-read deviation of resistors."""

from __future__ import annotations

from xbar.effects.effect import Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class ReadNoise(Effect):
    """A conductance g is read as g (1 + r z), with z standard normal and independent.

    A weight made of resistors g_i then has the variance r² Σ g_i².
    """

    name = "noise"
    key = "variation.read_noise"

    def given(self, hardware: Hardware) -> bool:
        """The design has read noise."""
        return hardware.variation.read_noise > 0

    def variance(self, power: Array, hardware: Hardware) -> Array:
        """r² Σ g_i²."""
        return hardware.variation.read_noise**2 * power
