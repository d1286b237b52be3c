"""Closest subset sums, one bank at a time, by merging sorted lists.

The classic meet-in-the-middle (E. Horowitz, S. Sahni, "Computing partitions with applications to
the knapsack problem", JACM 1974) with two optimisations. A list of subset sums is symmetric, so
only the lower half of each merge is computed and the upper half mirrored. And the lists contain
only sums: once the best half sums are known, the subsets are found by a search for exactly these
sums. Works for any number of elements with the least memory; consecutive targets of the same bank
share its lists.

Values are integers (`xbar.subset.kernels.scale`), so every sum and comparison is exact. Results are
those of `xbar.subset.kernels.lockstep`, including ties.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Ints, jit

_FAR = np.int64(1) << np.int64(62)


def work_size(elements: int) -> int:
    """Size of the scratch array of `closest_subsets`, in int64 words."""
    return 3 << ((elements + 1) // 2)


@jit
def closest_subsets(values: Ints, row: Ints, goal: Ints, masks: Ints, work: Ints) -> None:
    """Closest subset of its bank, for each goal.

    Args:
        values: (R, K) int64, non-negative, row sums below 2**60; K is at most 62.
        row: (M,) int64, bank index of each goal.
        goal: (M,) int64 from 0 to the sum of that bank.
        masks: (M,) int64, output: bit i is element i. Ties are resolved in favour of the
            greater sum, then the least sum of the first half, then the lowest mask.
        work: scratch of at least ``work_size(K)`` int64 words.
    """
    split = (values.shape[1] + 1) // 2
    n = 1 << split
    spare = work[2 * n : 3 * n]
    a, b = work[:n], work[n : n + (1 << (values.shape[1] - split))]
    previous = -1
    for m in range(len(goal)):
        bank = values[row[m]]
        if row[m] != previous:
            _build(a, bank[:split], spare)
            _build(b, bank[split:], spare)
            previous = row[m]
        sum_a, sum_b = _closest_pair(a, b, goal[m])
        mask_b = _find(spare, bank[split:], sum_b)
        masks[m] = _find(spare, bank[:split], sum_a) | (mask_b << split)


@jit
def _build(x: Ints, elements: Ints, spare: Ints) -> None:
    """Sorted subset sums of the elements."""
    x[0] = 0
    total = np.int64(0)
    rows = 1
    for value in elements:
        total += value
        i = j = 0
        for k in range(rows):
            u, v = x[i], x[j] + value
            take = u <= v
            spare[k] = u if take else v
            i += take
            j += 1 - take
        for k in range(rows):
            x[k] = spare[k]
            x[2 * rows - 1 - k] = total - spare[k]
        rows *= 2


@jit
def _closest_pair(a: Ints, b: Ints, goal: int) -> tuple[int, int]:
    """The two entries of ascending lists whose sum is closest to the goal."""
    best, sum_a, sum_b = _FAR, a[0], b[0]
    i, j = 0, len(b) - 1
    while i < len(a) and j >= 0:
        u, v = a[i], b[j]
        excess = u + v - goal
        above = excess > 0
        # ties are resolved in favour of the sum above, as in lockstep
        distance = 4 * excess - 1 if above else 1 - 4 * excess
        closer = distance < best
        best = distance if closer else best
        sum_a = u if closer else sum_a
        sum_b = v if closer else sum_b
        i += 1 - above
        j -= above
    return sum_a, sum_b


@jit
def _find(spare: Ints, elements: Ints, wanted: int) -> int:
    """Lowest mask whose sum is `wanted`, by a table of sums of the first elements."""
    few = (len(elements) + 1) // 2
    spare[0] = 0
    for e in range(few):
        for i in range(1 << e):
            spare[(1 << e) + i] = spare[i] + elements[e]
    for high in range(1 << (len(elements) - few)):
        rest = wanted
        for e in range(few, len(elements)):
            rest -= elements[e] if (high >> (e - few)) & 1 else 0
        for low in range(1 << few):
            if spare[low] == rest:
                return (high << few) | low
    return 0
