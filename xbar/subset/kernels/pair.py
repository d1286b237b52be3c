"""Two halves of a differential pair, chosen together with a wish for their sum.

Every subset sum p of the plus half meets the subset sum m of the minus half that brings p - m
closest to the target: one sweep over two sorted lists. Of these 2^K pairs the one with the least
|p - m - target| + weight |p + m - common| is taken.

Shapes: M problems, K elements in each half.
"""

from __future__ import annotations

import numpy as np

from xbar.subset.kernels.jit import Floats, Ints, jit


def work_size(elements: int) -> int:
    """float64 and int64 words of scratch that `closest_pairs` needs, of each kind."""
    return 4 << elements


@jit
def closest_pairs(
    plus: Floats,
    minus: Floats,
    wish: Floats,
    weight: float,
    masks: Ints,
    sums: Floats,
    codes: Ints,
) -> None:
    """For each problem the masks of both halves.

    Args:
        plus: (M, K) float64, not negative.
        minus: (M, K) float64, not negative.
        wish: (M, 2) float64: the wanted difference and the preferred sum.
        weight: what one unit of the sum's distance costs beside one of the difference's.
        masks: (M, 2) int64, written: bit i stands for element i of plus and of minus.
        sums: at least ``work_size(K)`` float64 words.
        codes: at least ``work_size(K)`` int64 words.
    """
    n = 1 << plus.shape[1]
    p, q, spare = sums[:n], sums[n : 2 * n], sums[2 * n : 3 * n]
    p_code, q_code, spare_code = codes[:n], codes[n : 2 * n], codes[2 * n : 3 * n]
    for m in range(len(plus)):
        _build(plus[m], p, p_code, spare, spare_code)
        _build(minus[m], q, q_code, spare, spare_code)
        target, common = wish[m, 0], wish[m, 1]
        best = np.inf
        j = 0
        for i in range(n):
            wanted = p[i] - target
            while j < n - 1 and q[j + 1] <= wanted:
                j += 1
            for k in range(j, min(j + 2, n)):
                cost = abs(p[i] - q[k] - target) + weight * abs(p[i] + q[k] - common)
                if cost < best:
                    best = cost
                    masks[m, 0], masks[m, 1] = p_code[i], q_code[k]


@jit
def _build(elements: Floats, x: Floats, code: Ints, spare: Floats, spare_code: Ints) -> None:
    """The sorted subset sums of the elements, each with its mask."""
    x[0], code[0] = 0.0, 0
    rows = 1
    for e in range(len(elements)):
        value, bit = elements[e], np.int64(1) << e
        i = j = 0
        for k in range(2 * rows):
            if j >= rows or (i < rows and x[i] <= x[j] + value):
                spare[k], spare_code[k] = x[i], code[i]
                i += 1
            else:
                spare[k], spare_code[k] = x[j] + value, code[j] | bit
                j += 1
        rows *= 2
        for k in range(rows):
            x[k], code[k] = spare[k], spare_code[k]
