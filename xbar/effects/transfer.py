"""Curves of ADCs from what their circuits are made of.

A converter of b bits has levels -top ... top, top = 2^(b-1) - 1; an ideal one gives the nearest.

    sar        Capacitors of 2^i units and one more unit share the charge of the sample; from the
               largest on, each bit stays if the sample is at least the sum of those that stay, of
               2^b levels in all (McCreary and Gray, IEEE JSSC 10, 371, 1975). A capacitor of n
               units deviates by sqrt(n) times a unit's.
    ramp       A counter stops when the ramp of 2^b steps reaches the sample. The steps deviate; an
               integrator of open-loop gain A gives A (1 - exp(-t / (1 + A))) at t: its input is off
               ground by 1 / A of its output, which takes part in charging. One ramp a tile.
    flash      A ladder of 2^b resistors and a comparator at each tap; the code is the number of
               comparators that trip.
    pipeline   b - 2 stages of 1.5 bits (Lewis and others, IEEE JSSC 27, 351, 1992), and a last one
               of 2 bits: of v a stage keeps d = -1, 0 or 1 by thresholds at -1/4 and 1/4 and passes
               ((1 + r) v - r d) / (1 + (1 + r) / A) on, with the ratio r = C1 / C2 of its two
               capacitors, nominally 1, and its amplifier's open-loop gain A.
    cyclic     The same stage b - 2 times.

Offsets and gain of a whole converter are effects of their own, see ``adc_offset.py``.

Shapes: C columns, K converters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.hardware import draw
from xbar.hardware.chip import Chip
from xbar.hardware.converter import Converter

if TYPE_CHECKING:
    from xbar.effects.kernels import Reals

# streams of the generator, beside those of chip.py, aging.py and tuned.py; never renumber
UNITS, COMPARATORS, AFFINE, AMPLIFIERS, DRIVERS = 32, 33, 34, 35, 36

LEAST = 1e-6
"""Least size of an element, over its nominal one."""

_LINES = 1 << 16  # bit lines of a tile at most

Place = tuple[int, Ints]
"""A block's tile and its columns (C,) on it."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """The curves of the converters of some columns.

    Attributes:
        kind: "sar", "ramp", "flash", "pipeline" or "cyclic".
        top: outermost level.
        values: (bits, C) levels by bit of "sar"; (S, 4, C) stages, see ``adc_kernels.pipeline``;
            (K, 2 top) thresholds of the others.
        which: (C,) row of the thresholds of each column.
    """

    kind: str
    top: float
    values: Floats
    which: NDArray[np.int64]

    def add(self, signal: Reals, gain: Reals, step: Reals) -> None:
        """Change signals (N, C), in place, so that the nearest level is that of the code.

        By the code less the nearest level, times the level's size; see ``adc_kernels.py``.

        Args:
            signal: signals.
            gain: (C,) levels per unit of the signal.
            step: (C,) size of a level.
        """
        from xbar.effects import adc_kernels

        if self.kind == "sar":
            adc_kernels.sar(signal, gain, step, self.top, self.values)
        elif self.kind in ("pipeline", "cyclic"):
            adc_kernels.pipeline(signal, gain, step, self.top, self.values)
        else:
            adc_kernels.thresholds(signal, gain, step, self.top, self.values, self.which)

    def codes(self, level: Floats) -> Floats:
        """The codes (N, C), from -top to top, of signals (N, C) in levels."""
        found, one = level.copy(), np.ones(level.shape[1])
        self.add(found, one, one)
        result: Floats = np.rint(np.clip(found, -self.top, self.top))
        return result


def transfer_of(adc: Converter, chip: Chip, places: Sequence[Place]) -> Transfer:
    """The curves of the converters of columns, as drawn on a chip.

    Args:
        adc: the design of the converter, not "ideal".
        chip: the chip; the converters of a measured one are those of seed 0.
        places: tiles and columns, one after another.
    """
    which = np.concatenate([columns // adc.shared for _, columns in places]).astype(np.int64)
    tiles = np.concatenate([np.full(len(columns), tile, np.int64) for tile, columns in places])
    values: Floats
    if adc.kind in ("sar", "pipeline", "cyclic"):
        make = _capacitors if adc.kind == "sar" else _stages
        parts = {tile: make(adc, chip, tile) for tile, _ in places}
        values = np.concatenate(
            [parts[tile][..., columns // adc.shared] for tile, columns in places], axis=-1
        )
        return Transfer(adc.kind, float(adc.top), np.ascontiguousarray(values), which)
    if adc.kind == "ramp":
        known, which = np.unique(tiles, return_inverse=True)
        table = [_ramp(adc, chip, int(tile)) for tile in known]
    else:
        known, which = np.unique(tiles * _LINES + which, return_inverse=True)
        table = [_ladder(adc, chip, int(place)) for place in known]
    return Transfer(adc.kind, float(adc.top), np.stack(table), which.reshape(-1).astype(np.int64))


def normals(chip: Chip, stream: int, tile: int, shape: tuple[int, ...]) -> Floats:
    """Standard normal numbers of a tile's converters, a function of the chip's seed."""
    return draw.normal(draw.uniform(chip.seed or 0, stream, tile, shape))


def elements(units: Floats, mismatch: float, z: Floats) -> Floats:
    """Elements of some units each: u + mismatch sqrt(u) z, at least a millionth of u."""
    found: Floats = units * np.maximum(1.0 + mismatch * z / np.sqrt(units), LEAST)
    return found


def weights_of(units: Floats) -> Floats:
    """(bits, K) levels by bit, largest first, of capacitors (K, bits + 1), the last one the spare.

    >>> weights_of(np.array([[4.0, 2.0, 1.0, 1.0]]))[:, 0]
    array([4., 2., 1.])
    """
    bits = units.shape[1] - 1
    share: Floats = 2.0**bits * units[:, :-1].T / units.sum(axis=1)
    return share


def _capacitors(adc: Converter, chip: Chip, tile: int) -> Floats:
    units = np.append(2.0 ** np.arange(adc.bits - 1, -1, -1), 1.0)
    z = normals(chip, UNITS, tile, (chip.hardware.cells[1], len(units)))
    return weights_of(elements(units, adc.mismatch, z))


def _stages(adc: Converter, chip: Chip, tile: int) -> Floats:
    count, lines = adc.bits - 2, chip.hardware.cells[1]
    own = 1 if adc.kind == "cyclic" else count
    ratio = elements(np.ones(1), adc.mismatch, normals(chip, UNITS, tile, (lines, own)))
    off = adc.comparator * normals(chip, COMPARATORS, tile, (2, lines, own))
    closed = np.ones_like(ratio) if adc.open_loop is None else 1 / (1 + (1 + ratio) / adc.open_loop)
    each = np.stack([(1 + ratio) * closed, ratio * closed, off[0] - 0.25, off[1] + 0.25])
    return np.broadcast_to(each.transpose(2, 0, 1), (count, 4, lines))


def rising(steps: Floats, open_loop: float | None = None) -> Floats:
    """(..., 2 top) thresholds in levels of cumulated steps (..., 2 top + 2), the ends exact.

    Args:
        steps: size of each step, in any unit.
        open_loop: gain of the integrator that makes them; None for infinite.
    """
    count = steps.shape[-1]
    part = np.cumsum(steps, axis=-1) / steps.sum(axis=-1, keepdims=True)
    if open_loop is not None:
        part = np.expm1(-part / (1.0 + open_loop)) / np.expm1(-1.0 / (1.0 + open_loop))
    level: Floats = count * part[..., 1:-1] - (count / 2 + 0.5)
    return level


def _ramp(adc: Converter, chip: Chip, tile: int) -> Floats:
    z = normals(chip, UNITS, tile, (2**adc.bits,))
    return rising(elements(np.ones(1), adc.mismatch, z), adc.open_loop)


def _ladder(adc: Converter, chip: Chip, place: int) -> Floats:
    """Thresholds of one converter, whose many numbers have a place of their own in the streams."""
    taps = rising(elements(np.ones(1), adc.mismatch, normals(chip, UNITS, place, (2**adc.bits,))))
    off = adc.comparator * adc.top * normals(chip, COMPARATORS, place, taps.shape)
    return np.sort(taps + off)
