"""What the converters and amplifiers of a stage's columns are, as drawn on their chip.

Shapes: C columns, R inputs of a stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from xbar.arrays import Floats, Ints
from xbar.effects.namespace import Array, Arrays
from xbar.effects.transfer import AFFINE, AMPLIFIERS, Place, Transfer, normals, transfer_of
from xbar.hardware.chip import Chip

if TYPE_CHECKING:
    from xbar.effects.chain import Chain
    from xbar.effects.kernels import Reals


class Drawn(Protocol):
    """What an effect needs of a stage's converters."""

    def on(self, xp: Arrays) -> Drawn:
        """The same in another namespace."""
        ...


@dataclass(frozen=True, eq=False)
class Affine:
    """A gain and an offset a column.

    Attributes:
        factor: (C,).
        offset: (C,) amperes.
    """

    factor: Array
    offset: Array

    def on(self, xp: Arrays) -> Affine:
        """The same in another namespace."""
        return Affine(xp.asarray(self.factor), xp.asarray(self.offset))


@dataclass(frozen=True, eq=False)
class Curve:
    """The converters' curves, which stay numpy's."""

    transfer: Transfer

    def on(self, xp: Arrays) -> Self:
        """Itself."""
        del xp
        return self


@dataclass(frozen=True, eq=False)
class Drivers:
    """Errors of the DACs that drive a stage's word lines, which stay numpy's.

    Attributes:
        error: (1 or R, levels) volts by level from zero to full scale, the same for both signs.
        gain: levels per volt.
    """

    error: Floats
    gain: float

    def on(self, xp: Arrays) -> Self:
        """Itself."""
        del xp
        return self

    def add(self, volts: Reals) -> None:
        """Add the errors to volts (N, R), in place."""
        from xbar.effects import adc_kernels

        adc_kernels.drive(volts, self.gain, self.error)


@dataclass(frozen=True, eq=False)
class Lines:
    """Where the columns of a stage are.

    Attributes:
        chip: their chip.
        places: tile and columns of each block.
        word_lines: (R,) word lines of the first block.
        full_scale: (C,) amperes of the ADCs; None without ADC.
        siemens: (C,) mean conductance of each column's two bit lines; None if not needed.
    """

    chip: Chip
    places: Sequence[Place]
    word_lines: Ints
    full_scale: Floats | None
    siemens: Floats | None = None

    def drawn(self, chain: Chain) -> dict[str, Drawn]:
        """What the effects of a chain need, by name."""
        makers: dict[str, Callable[[], Drawn]] = {
            "dac_inl": self._drivers,
            "amplifier": self._amplifier,
            "adc_offset": self._affine,
            "adc_inl": self._curve,
        }
        return {name: make() for name, make in makers.items() if name in chain.names}

    def _drivers(self) -> Drivers:
        from xbar.effects.dac_inl import errors_of

        hardware = self.chip.hardware
        assert hardware.dac is not None  # else the effect does not act
        error = errors_of(hardware.dac, self.chip, self.places[0][0], self.word_lines)
        volts = hardware.read_voltage
        return Drivers(error * volts, (error.shape[1] - 1) / volts)

    def _numbers(self, stream: int, shared: int) -> Floats:
        """(C, 2) standard normal numbers of each column's converter or amplifier."""
        lines = self.chip.hardware.cells[1]
        each = {tile: normals(self.chip, stream, tile, (lines, 2)) for tile, _ in self.places}
        return np.concatenate([each[tile][columns // shared] for tile, columns in self.places])

    def _amplifier(self) -> Affine:
        amplifier = self.chip.hardware.amplifier
        assert amplifier is not None
        z = self._numbers(AMPLIFIERS, 1)
        siemens = 0.0 if self.siemens is None else self.siemens
        factor = 1.0 + amplifier.gain_error * z[:, 1]
        return Affine(factor, factor * amplifier.offset * z[:, 0] * siemens)

    def _affine(self) -> Affine:
        adc = self.chip.hardware.adc
        assert adc is not None
        z = self._numbers(AFFINE, adc.shared)
        full = 1.0 if self.full_scale is None else self.full_scale
        return Affine(1.0 + adc.gain_error * z[:, 1], adc.offset * z[:, 0] * full)

    def _curve(self) -> Curve:
        adc = self.chip.hardware.adc
        assert adc is not None
        return Curve(transfer_of(adc, self.chip, self.places))
