"""Kernels of ADCs and DACs with their curves, one pass over an array each.

Each adds to values what the converter errs by: its code less the nearest level's, times a level. So
the ideal quantiser that follows gives the converter's own code. A signal that is half a level or
more from the nearest one, beyond the range, becomes the code itself where that is another.

Shapes: N vectors, C columns, R inputs. Levels are counted from -top to top.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.effects.kernels import Reals
from xbar.jit import jit

_ROUND = 1.5 * 2.0**52
_TOGETHER = 8  # columns whose values share lines of the cache, and whose tables stay there


@jit
def _nearest(level: float, top: float) -> float:
    level = top if level > top else level
    level = -top if level < -top else level
    return (level + _ROUND) - _ROUND


@jit
def _change(level: float, own: float, top: float) -> float:
    """Levels to add to a signal in levels, of which the quantiser makes the code ``own`` then."""
    nearest = _nearest(level, top)
    far = own != nearest and abs(level - nearest) >= 0.5
    return own - (level if far else nearest)


@jit
def sar(value: Reals, gain: Reals, step: Reals, top: float, weight: Floats) -> None:
    """Successive approximation of values (N, C), in place.

    Args:
        value: signals.
        gain: (C,) levels per unit of the signal.
        step: (C,) size of a level.
        top: outermost level.
        weight: (bits, C) levels that each bit's capacitor stands for, largest first.
    """
    rows, columns = value.shape
    bits = len(weight)
    sample, found, code = np.empty(columns), np.empty(columns), np.empty(columns)
    for i in range(rows):
        for j in range(columns):
            sample[j] = value[i, j] * gain[j] + (top + 1.5)
            found[j] = 0.0
            code[j] = -(top + 1.0)
        for bit in range(bits):
            unit = 2.0 ** (bits - 1 - bit)
            for j in range(columns):
                trial = found[j] + weight[bit, j]
                more = sample[j] >= trial
                found[j] = trial if more else found[j]
                code[j] += unit if more else 0.0
        for j in range(columns):
            own = code[j] if code[j] > -top else -top
            value[i, j] += _change(value[i, j] * gain[j], own, top) * step[j]


@jit
def pipeline(value: Reals, gain: Reals, step: Reals, top: float, stages: Floats) -> None:
    """Conversion of values (N, C) by stages of 1.5 bits and a last one of 2, in place.

    Args:
        value: signals.
        gain: (C,) levels per unit of the signal.
        step: (C,) size of a level.
        top: outermost level.
        stages: (S, 4, C) of each stage: its gain, what it takes off for a digit, and the lower and
            upper comparator's threshold over the range.
    """
    rows, columns = value.shape
    count = len(stages)
    rest, code = np.empty(columns), np.empty(columns)
    for i in range(rows):
        for j in range(columns):
            rest[j] = value[i, j] * gain[j] / (top + 1.0)
            code[j] = 0.0
        for stage in range(count):
            unit = 2.0 ** (count - stage)
            for j in range(columns):
                own = rest[j]
                above = 1.0 if own >= stages[stage, 3, j] else 0.0
                digit = above - (1.0 if own < stages[stage, 2, j] else 0.0)
                rest[j] = stages[stage, 0, j] * own - stages[stage, 1, j] * digit
                code[j] += unit * digit
        for j in range(columns):
            own = code[j] + _nearest(2.0 * rest[j], 2.0)
            own = own if own < top else top
            own = own if own > -top else -top
            value[i, j] += _change(value[i, j] * gain[j], own, top) * step[j]


@jit
def thresholds(
    value: Reals,
    gain: Reals,
    step: Reals,
    top: float,
    table: Floats,
    which: NDArray[np.int64],
) -> None:
    """Conversion of values (N, C) by thresholds, in place.

    Args:
        value: signals.
        gain: (C,) levels per unit of the signal.
        step: (C,) size of a level.
        top: outermost level.
        table: (K, 2 top) rising thresholds in levels, the first one between -top and -top + 1.
        which: (C,) each column's row of the table.
    """
    rows, columns = value.shape
    last = table.shape[1]
    for first in range(0, columns, _TOGETHER):
        for i in range(rows):
            for j in range(first, min(first + _TOGETHER, columns)):
                own = table[which[j]]
                level = value[i, j] * gain[j]
                k = int(_nearest(level, top) + top)
                while k < last and level >= own[k]:
                    k += 1
                while k > 0 and level < own[k - 1]:
                    k -= 1
                value[i, j] += _change(level, k - top, top) * step[j]


@jit
def drive(volts: Reals, gain: float, error: Floats) -> None:
    """Add a DAC's errors to volts (N, R), in place.

    Args:
        volts: ideal voltages.
        gain: levels per volt.
        error: (1 or R, levels from zero to full scale) volts, the same for both signs.
    """
    rows, inputs = volts.shape
    last = error.shape[1] - 1
    for i in range(rows):
        for r in range(inputs):
            level = min(int(abs(volts[i, r]) * gain + 0.5), last)
            own = error[r if len(error) > 1 else 0, level]
            volts[i, r] += own if volts[i, r] >= 0.0 else -own
