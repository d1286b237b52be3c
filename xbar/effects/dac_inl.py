"""DAC linearity: levels that lie where their elements put them."""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats, Ints
from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.effects.transfer import DRIVERS, elements, normals
from xbar.hardware.chip import Chip
from xbar.hardware.converter import Converter
from xbar.hardware.spec import Hardware


class DacInl(Effect):
    """Word lines get the voltages that the DAC's elements make of a level, the ends exactly.

    Of a "string" of n equal resistors with deviations s the levels m deviate by
    s sqrt(m (1 - m / n)) of a level, the same at every driver; of "binary" elements, one set a
    driver, by their own. Both signs use the same elements.
    """

    name = "dac_inl"
    key = "dac.mismatch"

    def given(self, hardware: Hardware) -> bool:
        """The design's DAC has elements that deviate."""
        return hardware.dac is not None and hardware.dac.mismatch > 0

    def drive(self, volts: Array, read: Read) -> Array:
        """Volts (N, R) with each level's deviation."""
        found = read.drawn(self.name)
        return volts if found is None else read.xp.changed(volts, found.add, copy=True)


def errors_of(dac: Converter, chip: Chip, tile: int, word_lines: Ints) -> Floats:
    """(1 or R, top + 1) deviations of a DAC's levels from zero to full scale, over full scale.

    Args:
        dac: the converter, with "string" or "binary" elements; its top is that of a step.
        chip: the chip.
        tile: the tile, whose drivers' elements are meant.
        word_lines: (R,) their word lines.
    """
    bits = dac.bits - 1 if dac.bit_serial is None else min(dac.bit_serial, dac.bits - 1)
    ideal = np.arange(2**bits) / (2.0**bits - 1)
    if dac.kind == "string":
        z = normals(chip, DRIVERS, 0, (1, 2**bits - 1))
        taps = elements(np.ones(1), dac.mismatch, z).cumsum(axis=1)
        level = np.concatenate([[[0.0]], taps / taps[:, -1:]], axis=1)
        return np.asarray(level - ideal)
    units: Floats = 2.0 ** np.arange(bits, dtype=np.float64)
    z = normals(chip, DRIVERS, tile, (chip.hardware.cells[0], bits))[word_lines]
    own = elements(units, dac.mismatch, z)
    codes = np.arange(2**bits)[:, None] >> np.arange(bits) & 1
    return np.asarray(own @ codes.T / own.sum(axis=1, keepdims=True) - ideal)
