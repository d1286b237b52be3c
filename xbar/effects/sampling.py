"""Noise of the ADCs' sampling capacitors."""

from __future__ import annotations

from math import sqrt

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware

BOLTZMANN = 1.380649e-23
"""Joules per kelvin (exact since 2019)."""


class Sampling(Effect):
    """Each conversion samples with sqrt(kT/C) volts rms of noise on ``adc.swing`` at full scale."""

    name = "sampling"
    key = "adc.capacitance"
    random = True
    needs_range = True

    def given(self, hardware: Hardware) -> bool:
        """The design's ADCs have a sampling capacitor."""
        return hardware.adc is not None and hardware.adc.capacitance is not None

    def current(self, current: Array, read: Read) -> Array:
        """The currents with noise."""
        if read.stage is None or read.stage.full_scale is None:
            return current
        return read.noisy(current, read.stage.full_scale * sampling_noise(read.hardware))


def sampling_noise(hardware: Hardware) -> float:
    """Rms of sqrt(kT/C) over the range; 0 without a capacitor.

    >>> from xbar.hardware.converter import Converter
    >>> adc = Converter(bits=8, capacitance=1e-15, swing=1.0)
    >>> round(sampling_noise(Hardware(adc=adc)), 5)
    0.00204
    """
    adc = hardware.adc
    if adc is None or adc.capacitance is None or adc.swing is None:
        return 0.0
    return sqrt(BOLTZMANN * hardware.kelvin / adc.capacitance) / adc.swing
