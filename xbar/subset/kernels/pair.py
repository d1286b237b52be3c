"""Two halves of a differential pair, chosen together with a wish for their sum.

Every subset sum p of the plus half meets the subset sums m of the minus half that bring p - m
closest to the target from either side. Of these pairs the one with the least
|p - m - target| + weight |p + m - common| is taken.

With e = p - m - target this cost is |e| + weight |2p - target - common - e|, which is at least
min(weight, 1) |2p - target - common|. So the search goes up and down from the p where that is 0,
and ends where it alone costs more than the best pair so far: a few p of the 2^K, usually.

Shapes: M problems, K elements in each half, S = 2^K sums of a half.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.jit import Floats, Ints, jit

Codes: TypeAlias = NDArray[np.uint16]


@jit
def list_sums(half: Floats, sums: Floats, codes: Codes) -> None:
    """The sorted subset sums of each half, with their masks.

    Args:
        half: (M, K) float64, not negative.
        sums: (M, S) float64, written: ascending.
        codes: (M, S) uint16, written: bit i of a sum's code stands for element i.
    """
    spare, spare_code = np.empty(sums.shape[1]), np.empty(sums.shape[1], np.uint16)
    for m in range(len(half)):
        _build(half[m], sums[m], codes[m], spare, spare_code)


@jit
def closest_pairs(
    sums: tuple[Floats, Floats],
    codes: tuple[Codes, Codes],
    which: Ints,
    wish: Floats,
    weight: float,
    masks: Ints,
) -> None:
    """For some of the problems the masks of both halves.

    Args:
        sums: (M, S) of the plus and of the minus half, from ``list_sums``.
        codes: (M, S) of both.
        which: (m,) the problems.
        wish: (m, 2) float64: the wanted difference and the preferred sum.
        weight: what one unit of the sum's distance costs beside one of the difference's.
        masks: (m, 2) int64, written: bit i stands for element i of plus and of minus.
    """
    for number in range(len(which)):
        p, q = sums[0][which[number]], sums[1][which[number]]
        i, k = _closest(p, q, wish[number, 0], wish[number, 1], weight)
        masks[number, 0] = codes[0][which[number], i]
        masks[number, 1] = codes[1][which[number], k]


@jit
def _closest(p: Floats, q: Floats, target: float, common: float, weight: float) -> tuple[int, int]:
    """Which of the ascending sums (S,) of both halves to take; of equal pairs the first."""
    n = len(p)
    bound = min(weight, 1.0)
    rounding = 1e-15 * (p[n - 1] + q[n - 1] + abs(target) + abs(common))
    middle = int(np.searchsorted(p, 0.5 * (target + common)))
    best = np.inf
    i_best = k_best = 0
    for step in (1, -1):
        i = middle if step > 0 else middle - 1
        j = -1
        while 0 <= i < n and bound * abs(2.0 * p[i] - target - common) <= best + rounding:
            wanted = p[i] - target
            if j < 0:  # the last q that is not above what is wanted
                j = max(int(np.searchsorted(q, wanted, side="right")) - 1, 0)
            elif step > 0:
                while j < n - 1 and q[j + 1] <= wanted:
                    j += 1
            else:
                while j > 0 and q[j] > wanted:
                    j -= 1
            for k in range(j, min(j + 2, n)):
                cost = abs(p[i] - q[k] - target) + weight * abs(p[i] + q[k] - common)
                if cost < best or (cost == best and (i, k) < (i_best, k_best)):
                    best = cost
                    i_best, k_best = i, k
            i += step
    return i_best, k_best


@jit
def _build(elements: Floats, x: Floats, code: Codes, spare: Floats, spare_code: Codes) -> None:
    """The sorted subset sums of the elements, each with its mask."""
    x[0], code[0] = 0.0, 0
    rows = 1
    for e in range(len(elements)):
        value, bit = elements[e], np.uint16(1 << e)
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
