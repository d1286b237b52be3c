"""DAC and ADC as what they do to a number: 2^bits - 1 levels from -range to +range, clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats

ROUNDING = 4e-6
"""How far beyond the outermost level, in its own units, float32's rounding may carry a value."""


@dataclass
class ClipCount:
    """Share of conversions that left a converter's range."""

    clipped: int = 0
    conversions: int = 0

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.clipped / self.conversions if self.conversions else 0.0


def quantise(value: Floats, full_scale: Floats | float, bits: int) -> Floats:
    """The nearest level; beyond ``full_scale``, broadcast against value, the outermost one.

    >>> quantise(np.array([0.1, 0.3, -7.0]), 1.0, bits=3)
    array([ 0.        ,  0.33333333, -1.        ])
    """
    top = float(2 ** (bits - 1) - 1)
    code = np.clip(np.rint(value * (top / full_scale)), -top, top)
    result: Floats = code * (full_scale / top)
    return result
