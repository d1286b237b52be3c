"""Trimming: digital correction of each column's converter and amplifier, from known currents.

Known currents are sent into a stage's amplifiers while the word lines are at 0 V. A line through
the readings tells each column's gain and offset, noise, rounding and curve included, and every
later reading is less the offset, over the gain. What is left: how well some readings tell them.

Shapes: M known currents, C columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xbar.arrays import Floats
from xbar.effects.chain import Chain
from xbar.effects.drawn import Affine
from xbar.effects.effect import Read
from xbar.effects.namespace import NUMPY
from xbar.effects.stage import Draw, Stage

TRIMMED = frozenset({"amplifier", "adc_offset"})
"""Effects that trimming takes back."""

CURRENTS = 256
"""Number of known currents, evenly spaced."""

_SHARE = 0.9  # of the range, or of the swing


@dataclass(frozen=True, eq=False)
class Trim:
    """Offsets and gains of converters, before and after.

    Attributes:
        offset: (C,) offset over the range.
        gain: (C,) gain error, a fraction.
        offset_left: (C,) the same after trimming.
        gain_left: (C,) the same after trimming.
    """

    offset: Floats
    gain: Floats
    offset_left: Floats
    gain_left: Floats

    @classmethod
    def together(cls, parts: Sequence[Trim]) -> Trim:
        """The converters of several stages."""
        names = ("offset", "gain", "offset_left", "gain_left")
        offset, gain, rest, left = (
            np.concatenate([getattr(each, name) for each in parts]) for name in names
        )
        return cls(offset, gain, rest, left)

    def rms(self) -> dict[str, float]:
        """Root mean square over converters, by name."""
        return {
            name: float(np.sqrt((each**2).mean()))
            for name, each in (
                ("offset", self.offset),
                ("gain", self.gain),
                ("offset_left", self.offset_left),
                ("gain_left", self.gain_left),
            )
        }


def trimmed(stage: Stage, chain: Chain, draw: Draw) -> tuple[Stage, Trim]:
    """A stage whose readings are corrected, and what was told of its converters.

    Args:
        stage: stage of numpy's arrays, in float64.
        chain: active effects.
        draw: generator of the noise of the readings.
    """
    range_ = _range(stage, chain)
    known = np.linspace(-_SHARE, _SHARE, CURRENTS)[:, None] * range_
    read = Read(chain.hardware, NUMPY)
    found = stage.convert(known.copy(), chain, read, draw)
    slope = (known * found).sum(axis=0) / (known**2).sum(axis=0)  # the known ones add up to zero
    slope = np.where(slope > 0, slope, 1.0)
    offset = found.mean(axis=0)
    true = _true(stage)
    told = Trim(
        true.offset / range_,
        true.factor - 1.0,
        (true.offset - offset) / slope / range_,
        true.factor / slope - 1.0,
    )
    return replace(stage, scale=stage.scale * slope, shift=offset), told


def _range(stage: Stage, chain: Chain) -> Floats:
    """(C,) amperes that a column's converter or amplifier takes; without one, what may arrive."""
    full: Floats
    if stage.full_scale is not None:
        full = np.asarray(stage.full_scale, np.float64)
    else:
        full = chain.hardware.read_voltage * np.sqrt((stage.conductance**2).sum(axis=0))
        full = np.where(full > 0, full, 1.0)
    amplifier = chain.hardware.amplifier
    most = None if amplifier is None else amplifier.full_current
    return full if most is None or "swing" not in chain.names else np.minimum(full, most)


def _true(stage: Stage) -> Affine:
    """Gain and offset as drawn, which nobody can see on a chip."""
    factor, offset = np.ones(len(stage.scale)), np.zeros(len(stage.scale))
    for name in ("amplifier", "adc_offset"):
        own = stage.drawn.get(name)
        if isinstance(own, Affine):
            factor, offset = factor * own.factor, offset * own.factor + own.offset
    return Affine(factor, offset)
