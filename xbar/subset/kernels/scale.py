"""Signed float64 banks as non-negative integers and back: what the integer kernels work on.

Choosing a negative element lowers the sum by what *not* choosing its absolute value, from a
target raised by it, leaves out. So ``flips`` holds the bits of the negative elements, the kernels
solve for absolute values, and ``mask ^ flips`` is the choice among the signed ones.

Scaling is by a power of two that puts the sum of absolute values between 2**58 and 2**59. An
element above 2**-6 of that sum has all its bits there, the others are rounded to 2**-58 of it.
"""

from __future__ import annotations

import math

import numpy as np

from xbar.subset.kernels.jit import Bools, Floats, Ints, jit

_VALUE_BITS = 59


@jit
def to_integers(
    bank: Floats, row: Ints, target: Floats, values: Ints, goal: Ints, flips: Ints
) -> None:
    """Writes the integer form of `bank` and `target`.

    Args:
        bank: (R, K) float64, finite, the sum of absolute values finite.
        row: (M,) int64, which bank each target belongs to.
        target: (M,) float64, finite; one out of reach becomes the nearest end.
        values: (R, K) int64, written: absolute values.
        goal: (M,) int64, written: 0 to the sum of the values.
        flips: (R,) int64, written: bit i is set where element i is negative.
    """
    banks, elements = bank.shape
    span = np.empty((banks, 4))  # most negative and most positive sum, two factors of the scale
    ends = np.empty((banks, 2), np.int64)  # the same sums as integers: negative part, all
    for r in range(banks):
        negative = positive = 0.0
        bits = np.int64(0)
        for e in range(elements):
            g = bank[r, e]
            if g < 0.0:
                negative += g
                bits |= np.int64(1) << e
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
        flips[r] = bits
        span[r, 0], span[r, 1], span[r, 2], span[r, 3] = negative, positive, first, second
        ends[r, 0], ends[r, 1] = below, total
    for m in range(len(row)):
        r = row[m]
        t = min(max(target[m], span[r, 0]), span[r, 1])
        shifted = np.int64(np.rint(t * span[r, 2] * span[r, 3])) + ends[r, 0]
        goal[m] = min(max(shifted, 0), ends[r, 1])


@jit
def rescore(
    bank: Floats, row: Ints, masks: Ints, flips: Ints, chosen: Bools, achieved: Floats
) -> None:
    """Unpacks masks and sums the chosen elements in float64, in the order of the bank.

    Args:
        bank: (R, K) float64.
        row: (M,) int64, which bank each mask belongs to.
        masks: (M,) int64 over absolute values.
        flips: (R,) int64 from `to_integers`.
        chosen: (M, K) bool, written.
        achieved: (M,) float64, written: the sum of the chosen elements.
    """
    for m in range(len(row)):
        r = row[m]
        bits = masks[m] ^ flips[r]
        total = 0.0
        for e in range(bank.shape[1]):
            picked = ((bits >> e) & 1) != 0
            chosen[m, e] = picked
            if picked:
                total += bank[r, e]
        achieved[m] = total
