"""Conversion of signed float64 banks to non-negative integers for the integer kernels, and back.

Choosing a negative element is equivalent to *not* choosing its absolute value, with the target
raised by it. So the kernels solve for absolute values, and their choice for negative elements is
inverted.

The scale is a power of two that makes the sum of absolute values lie between 2**58 and 2**59.
Elements above 2**-6 of that sum are exact, the others are rounded to 2**-58 of it.
"""

from __future__ import annotations

import math

import numpy as np

from xbar.jit import Bools, Floats, Ints, jit

_VALUE_BITS = 59


@jit
def to_integers(bank: Floats, row: Ints, target: Floats, values: Ints, goal: Ints) -> None:
    """Write the integer form of `bank` and `target`.

    Args:
        bank: (R, K) float64, finite, the sum of absolute values finite.
        row: (M,) int64, bank index of each target.
        target: (M,) float64, finite; clipped to the bank's range.
        values: (R, K) int64, output: absolute values.
        goal: (M,) int64, output: 0 to the sum of the values.
    """
    banks, elements = bank.shape
    span = np.empty((banks, 4))  # lowest and highest sum, two factors of the scale
    ends = np.empty((banks, 2), np.int64)  # the same as integers: negative part, total
    for r in range(banks):
        negative = positive = 0.0
        for e in range(elements):
            g = bank[r, e]
            if g < 0.0:
                negative += g
            else:
                positive += g
        _, exponent = math.frexp(positive - negative)
        shift = _VALUE_BITS - exponent
        # in two factors: 2**shift alone overflows when the bank is below 1e-290
        first, second = math.ldexp(1.0, shift // 2), math.ldexp(1.0, shift - shift // 2)
        below = total = np.int64(0)
        for e in range(elements):
            value = np.int64(np.rint(abs(bank[r, e]) * first * second))
            values[r, e] = value
            total += value
            below += value if bank[r, e] < 0.0 else 0
        span[r, 0], span[r, 1], span[r, 2], span[r, 3] = negative, positive, first, second
        ends[r, 0], ends[r, 1] = below, total
    for m in range(len(row)):
        r = row[m]
        t = min(max(target[m], span[r, 0]), span[r, 1])
        shifted = np.int64(np.rint(t * span[r, 2] * span[r, 3])) + ends[r, 0]
        goal[m] = min(max(shifted, 0), ends[r, 1])


@jit
def unpack(masks: Ints, chosen: Bools) -> None:
    """Write bit i of each mask (M,) to element i of `chosen` (M, K)."""
    for m in range(len(masks)):
        for e in range(chosen.shape[1]):
            chosen[m, e] = ((masks[m] >> e) & 1) != 0


@jit
def rescore(bank: Floats, row: Ints, chosen: Bools, achieved: Floats) -> None:
    """Convert a choice among absolute values to one of signed elements and add it up.

    Args:
        bank: (R, K) float64.
        row: (M,) int64, bank index of each choice.
        chosen: (M, K) bool, inverted in place for negative elements.
        achieved: (M,) float64, output: sum of the chosen elements, in the bank's order.
    """
    for m in range(len(row)):
        total = 0.0
        for e in range(bank.shape[1]):
            g = bank[row[m], e]
            picked = chosen[m, e] ^ (g < 0.0)
            chosen[m, e] = picked
            total += g if picked else 0.0
        achieved[m] = total
