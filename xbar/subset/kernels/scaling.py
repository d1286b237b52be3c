"""Expected error of targets at a scale, and the scale of least expected error.

A table has the mean square error of a bank's best subset relative to the variance s² of its sums,
by the target's distance from their mean in units of s. The distance of a target from the bank's
range is added as it is.

Shapes: C columns of R weights, one scale per column.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, jit

OCTAVES = 6
STEPS = 2
GOLDEN = 0.6180339887498949
REFINEMENTS = 6


@jit
def reach(element: Floats, offset: Floats, out: Floats) -> None:
    """Moments and range of each bank's sums.

    Args:
        element: (M, E) elements.
        offset: (M,) sum of the empty subset.
        out: (4, M) output: mean, standard deviation, lowest and highest sum.
    """
    for m in range(len(offset)):
        low = high = square = 0.0
        for e in range(element.shape[1]):
            value = element[m, e]
            square += value * value
            if value > 0.0:
                high += value
            else:
                low += value
        out[0, m] = offset[m] + (low + high) / 2
        out[1, m] = np.sqrt(square) / 2
        out[2, m] = offset[m] + low
        out[3, m] = offset[m] + high


@jit
def expected_error(
    scale: float, weight: Floats, bank: Floats, table: Floats, per_unit: float
) -> float:
    """Expected sum of squared errors of R weights, in the weights' unit.

    Args:
        scale: bank units per unit weight, above 0.
        weight: (R,) weights.
        bank: (4, R) output of `reach`.
        table: (P,) mean square errors over s², at equal distances.
        per_unit: table entries per distance s.
    """
    last = len(table) - 1
    total = 0.0
    for r in range(len(weight)):
        target = scale * weight[r]
        within = min(max(target, bank[2, r]), bank[3, r])
        missed = target - within
        deviation = bank[1, r]
        if deviation > 0.0:
            place = int(min(abs(within - bank[0, r]) / deviation * per_unit, float(last)))
            total += deviation * deviation * table[place]
        total += missed * missed
    return total / (scale * scale)


@jit
def trials(out: Floats) -> None:
    """The scales of the coarse search over the lowest, (OCTAVES STEPS + 1,), for a card."""
    ratio = 2.0 ** (1.0 / STEPS)
    for step in range(len(out)):
        out[step] = ratio**step


@jit
def best_scales(
    weight: Floats,
    bank: Floats,
    start: Floats,
    table: Floats,
    per_unit: float,
    scale: Floats,
) -> None:
    """Scale of least expected error of each column: coarse search, then golden section.

    Args:
        weight: (C, R) weights.
        bank: (4, C, R) output of `reach`.
        start: (C,) lowest scale tried; the highest is `OCTAVES` above.
        table: see `expected_error`.
        per_unit: see `expected_error`.
        scale: (C,) output.
    """
    ratio = 2.0 ** (1.0 / STEPS)
    for c in range(len(weight)):
        values, banks = weight[c], bank[:, c]
        best, least = start[c], np.inf
        for step in range(OCTAVES * STEPS + 1):
            trial = start[c] * ratio**step
            error = expected_error(trial, values, banks, table, per_unit)
            if error < least:
                best, least = trial, error
        low, high = best / ratio, best * ratio
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        at_left = expected_error(left, values, banks, table, per_unit)
        at_right = expected_error(right, values, banks, table, per_unit)
        for _ in range(REFINEMENTS):
            if at_left < at_right:
                high, right, at_right = right, left, at_left
                left = high - GOLDEN * (high - low)
                at_left = expected_error(left, values, banks, table, per_unit)
            else:
                low, left, at_left = left, right, at_right
                right = low + GOLDEN * (high - low)
                at_right = expected_error(right, values, banks, table, per_unit)
        if min(at_left, at_right) < least:
            best = left if at_left < at_right else right
        scale[c] = best
