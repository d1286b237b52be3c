"""Edge-popup's update of each weight at each step, in one pass over memory.

numba is imported with this file: import it in functions.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.jit import jit

Floats: TypeAlias = NDArray[np.float32]


@jit
def choose(score: Floats, step: Floats, least: float, weight: Floats, slope: Floats) -> int:
    """Write ``step`` where |score| >= ``least`` to weight, else 0, and step * sign(score) to slope.

    Args:
        score: (n,) scores.
        step: (n,) kept minus pruned weight.
        least: smallest absolute score that is kept.
        weight: (n,) output.
        slope: (n,) output.

    Returns:
        Number of weights kept.
    """
    zero, kept = np.float32(0), 0
    for i in range(score.size):
        one = step[i]
        keep = abs(score[i]) >= least
        kept += keep
        weight[i] = one if keep else zero
        slope[i] = one if score[i] >= 0 else -one
    return kept
