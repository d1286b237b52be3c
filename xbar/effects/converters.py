"""Quantisation by DAC and ADC: 2^bits - 1 levels from -range to +range, clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats

ROUNDING = 4e-6
"""Tolerance for float32 rounding beyond the outermost level, relative to it."""


@dataclass
class ClipCount:
    """Counter of conversions, and of those clipped."""

    clipped: int = 0
    conversions: int = 0

    @property
    def share(self) -> float:
        """Clipped fraction of conversions, from 0 to 1."""
        return self.clipped / self.conversions if self.conversions else 0.0


def quantise(value: Floats, full_scale: Floats | float, bits: int) -> Floats:
    """The nearest level, clipped at ``full_scale``, which is broadcast against the value.

    >>> quantise(np.array([0.1, 0.3, -7.0]), 1.0, bits=3)
    array([ 0.        ,  0.33333333, -1.        ])
    """
    top = float(2 ** (bits - 1) - 1)
    code = np.clip(np.rint(value * (top / full_scale)), -top, top)
    result: Floats = code * (full_scale / top)
    return result
