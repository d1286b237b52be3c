"""Two halves of a differential pair, chosen together: a difference, a wish for their sum, noise.

Of all pairs of a subset sum p of the plus half and one m of the minus half, the one is taken with
the least

    (|p - m - target| + weight |p + m - common|)² + variance (Σ g² of both)

With e = p - m - target the root of the first term is |e| + weight |2p - target - common - e|, which
is at least min(weight, 1) |2p - target - common|. So the search goes up and down from the p where
that is 0, or with noise from the p of the fewest elements, and ends where it alone costs more than
the best pair so far, or p's own noise does: a few p of the 2^K, usually. For each p it goes up and
down from the m that comes closest, until the first term and p's noise cost more than the best pair:
with a weight of at most 1 the first term grows all the way, with a larger one at least |e| does.

Shapes: M problems, K elements in each half, S = 2^K sums of a half.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.jit import Floats, Ints, jit

Codes: TypeAlias = NDArray[np.uint16]


@jit
def list_sums(half: Floats, sums: Floats, codes: Codes, powers: Floats) -> None:
    """The sorted subset sums of each half, with their masks and powers.

    Args:
        half: (M, K) float64, not negative.
        sums: (M, S) float64, written: ascending.
        codes: (M, S) uint16, written: bit i of a sum's code stands for element i.
        powers: (M, S) float64, written: the sum of the squares of the same elements; (0, S) where
            nobody asks for it.
    """
    spare, spare_code = np.empty(sums.shape[1]), np.empty(sums.shape[1], np.uint16)
    for m in range(len(half)):
        _build(half[m], sums[m], codes[m], spare, spare_code)
        if len(powers):
            _square(half[m], codes[m], powers[m], spare)


@jit
def closest_pairs(
    lists: tuple[tuple[Floats, Floats], tuple[Codes, Codes], tuple[Floats, Floats]],
    wish: Floats,
    weight: float,
    variance: float,
    masks: Ints,
) -> None:
    """The masks of both halves.

    Args:
        lists: of the plus and of the minus half, what ``list_sums`` wrote: sums, codes, powers.
        wish: (M, 2) float64: the wanted difference and the preferred sum.
        weight: what one unit of the sum's distance costs beside one of the difference's.
        variance: what the square of each chosen element costs; with 0 powers are not looked at.
        masks: (M, 2) int64, written: bit i stands for element i of plus and of minus.
    """
    sums, codes, powers = lists
    none = np.zeros(0)
    for m in range(len(wish)):
        noise = (powers[0][m], powers[1][m]) if variance > 0.0 else (none, none)
        i, k = _best(sums[0][m], sums[1][m], noise, wish[m], weight, variance)
        masks[m, 0] = codes[0][m, i]
        masks[m, 1] = codes[1][m, k]


@jit
def _best(
    p: Floats,
    q: Floats,
    power: tuple[Floats, Floats],
    wish: Floats,
    weight: float,
    variance: float,
) -> tuple[int, int]:
    """Which of the ascending sums (S,) of both halves to take; of equal pairs the first."""
    n = len(p)
    target, common = wish
    bound = min(weight, 1.0)
    rounding = 1e-15 * (p[n - 1] + q[n - 1] + abs(target) + abs(common))
    # where the first term may be 0; with noise where the fewest elements are needed
    begin = 0.5 * (target + common) if variance == 0.0 else max(target, 0.0)
    middle = int(np.searchsorted(p, begin))
    best = root = np.inf
    i_best = k_best = 0
    own = 0.0
    for step in (1, -1):
        i = middle if step > 0 else middle - 1
        j = -1
        while 0 <= i < n:
            beyond = 2.0 * p[i] - target - common
            if bound * abs(beyond) > root + rounding:
                if beyond * step > 0.0:
                    break
                i += step
                continue
            if variance > 0.0:
                own = variance * power[0][i]
                if own > best:
                    i += step
                    continue
            wanted = p[i] - target
            if j < 0:  # the last q that is not above what is wanted
                j = max(int(np.searchsorted(q, wanted, side="right")) - 1, 0)
            elif step > 0:
                while j < n - 1 and q[j + 1] <= wanted:
                    j += 1
            else:
                while j > 0 and q[j] > wanted:
                    j -= 1
            for way in (-1, 1):
                k = j if way < 0 else j + 1
                while 0 <= k < n:
                    miss = abs(wanted - q[k])
                    first = miss + weight * abs(p[i] + q[k] - common)
                    least = first if weight <= 1.0 else miss
                    if own + least * least > best:
                        break
                    cost = own + first * first
                    if variance > 0.0:
                        cost += variance * power[1][k]
                    if cost < best or (cost == best and (i, k) < (i_best, k_best)):
                        best, root = cost, np.sqrt(cost)
                        i_best, k_best = i, k
                    k += way
            i += step
    return i_best, k_best


@jit
def _square(elements: Floats, code: Codes, power: Floats, spare: Floats) -> None:
    """The sum of the squares of the elements of each mask."""
    spare[0], rows = 0.0, 1  # by mask
    for e in range(len(elements)):
        for k in range(rows):
            spare[rows + k] = spare[k] + elements[e] * elements[e]
        rows *= 2
    for k in range(rows):
        power[k] = spare[code[k]]


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
