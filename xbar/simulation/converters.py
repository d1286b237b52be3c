"""DAC and ADC as what they do to a number: 2^bits - 1 levels from -range to +range, clipped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def quantise(value: Floats, full_scale: Floats | float, bits: int) -> Floats:
    """The nearest level; beyond ``full_scale``, broadcast against value, the outermost one.

    >>> quantise(np.array([0.1, 0.3, -7.0]), 1.0, bits=3)
    array([ 0.        ,  0.33333333, -1.        ])
    """
    top = float(2 ** (bits - 1) - 1)
    code = np.clip(np.rint(value * (top / full_scale)), -top, top)
    result: Floats = code * (full_scale / top)
    return result


def clipped_share(value: Floats, full_scale: Floats | float) -> float:
    """Share of values beyond the range by more than rounding."""
    return float(np.mean(np.abs(value) > full_scale * (1 + 1e-12))) if value.size else 0.0
