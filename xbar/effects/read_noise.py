"""Read noise: resistors differ from read to read."""

from __future__ import annotations

from xbar.effects.effect import Effect
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class ReadNoise(Effect):
    """Each resistor's conductance g is g (1 + r z) in a read, z standard normal and independent.

    So a weight made of resistors g_i has the variance r² Σ g_i².
    """

    name = "noise"
    key = "variation.read_noise"

    def given(self, hardware: Hardware) -> bool:
        """The design names a read noise."""
        return hardware.variation.read_noise > 0

    def variance(self, power: Array, hardware: Hardware) -> Array:
        """r² Σ g_i²."""
        return hardware.variation.read_noise**2 * power
