"""Closest subset sums of many banks at once: one bank per SIMD lane, no branch on the data.

    x    row 0      a a a a ... a      LANES banks side by side, one row per subset of a half
         row 1      a a a a ... a      bank; each lane's column is sorted downward
         ...                           below row n: the same for target - (sums of other half)

A list of subset sums is symmetric: the k-th smallest and the k-th largest add up to the total.
So the lower half of "list merged with list + element" is min(v, total - v) over the list, which
is a bitonic sequence: log2(n) passes of compare-exchange sort it, and the upper half is its
mirror image. Merging one half bank's sums (even) with the target minus the other's (odd) puts the
closest pair into neighbouring rows. Every pass is a loop over contiguous memory of min, max, add
and select, which the compiler turns into vector instructions; the work does not depend on the
data. Bitonic merging: K. E. Batcher, "Sorting networks and their applications", AFIPS 1968.

Values are integers (`xbar.subset.kernels.scale`), so every sum and comparison is exact.
"""

from __future__ import annotations

import numpy as np

from xbar.subset.kernels.jit import Ints, jit

LANES = 32
MAX_ELEMENTS = 28  # beyond it the lists of all lanes outgrow the cache

_FAR = np.int64(1) << np.int64(62)
# Unsigned constants: the compiler sees that rows can't overlap and that no index is negative.
_1, _2, _3, _4, _5, _6, _7 = (np.uint64(row * LANES) for row in range(1, 8))


def half_size(elements: int) -> int:
    """Elements of each half bank; a shorter second half is filled up with zeros."""
    return max((elements + 1) // 2, 3)


def work_size(elements: int) -> int:
    """int64 words of scratch that `closest_subsets` needs."""
    return (3 * (1 << half_size(elements)) + 1) * LANES


@jit
def closest_subsets(values: Ints, row: Ints, goal: Ints, masks: Ints, work: Ints) -> None:
    """For each goal the subset of its bank whose sum is closest.

    Args:
        values: (R, K) int64, not negative, each row's sum below 2**60. K is at most MAX_ELEMENTS.
        row: (M,) int64, which bank each goal belongs to.
        goal: (M,) int64 from 0 to the sum of that bank.
        masks: (M,) int64, written: bit i stands for element i. Of equally close subsets the
            greater sum is preferred, then the least sum of the first half, then the lowest mask.
        work: at least ``work_size(K)`` int64 words.
    """
    m, k = len(goal), values.shape[1]
    h = max((k + 1) // 2, 3)
    split = (k + 1) // 2
    n = 1 << h
    x = work[: (2 * n + 1) * LANES]
    b = work[(2 * n + 1) * LANES : (3 * n + 1) * LANES]
    keys = np.zeros(2 * h * LANES, np.int64)
    lanes = np.zeros((6, LANES), np.int64)
    target, best, low = lanes[0], lanes[1], lanes[2]
    found, mask_a, mask_b = lanes[3], lanes[4], lanes[5]
    for start in range(0, m, LANES):
        _load(values, row, goal, start, split, h, keys, target)
        _build(x, keys[: h * LANES], low)
        _build(b, keys[h * LANES :], low)
        _merge(x, b, target, n)
        _closest_pair(x, 2 * n, best, low)
        for lane in range(LANES):
            found[lane], low[lane] = _pair(low[lane], best[lane], target[lane])
        _find(x, keys[: h * LANES], found, mask_a)
        _find(x, keys[h * LANES :], low, mask_b)
        for lane in range(min(LANES, m - start)):
            masks[start + lane] = mask_a[lane] | (mask_b[lane] << split)


@jit
def _load(
    values: Ints, row: Ints, goal: Ints, start: int, split: int, h: int, keys: Ints, target: Ints
) -> None:
    """Elements times 4, goals times 4 plus 1; the last bank fills the lanes left over.

    A pair of half sums that exceeds the goal by e is then |4 e - 1| apart: 1 for a hit, 3 for one
    unit above, 5 for one below, and always odd.
    """
    m, k = len(goal), values.shape[1]
    for lane in range(LANES):
        i = min(start + lane, m - 1)
        bank = values[row[i]]
        for e in range(split):
            keys[e * LANES + lane] = 4 * bank[e]
        for e in range(split, k):
            keys[(h + e - split) * LANES + lane] = 4 * bank[e]
        target[lane] = 4 * goal[i] + 1


@jit
def _build(x: Ints, keys: Ints, total: Ints) -> None:
    """The sorted subset sums of a half bank's elements, one list per lane."""
    for lane in range(LANES):
        total[lane] = x[lane] = 0
    rows = 1
    for e in range(len(keys) // LANES):
        for lane in range(LANES):
            total[lane] += keys[e * LANES + lane]
        if rows < 8:
            for i in range(rows):
                _fold(x[i * LANES : (i + 1) * LANES], total)
        else:
            for i in range(0, rows, 8):
                _fold_8(x[i * LANES : (i + 8) * LANES], total)
        _sort(x[: rows * LANES])
        if rows < 8:
            for i in range(rows):
                j = 2 * rows - 1 - i
                _mirror(x[i * LANES : (i + 1) * LANES], total, x[j * LANES : (j + 1) * LANES])
        else:
            for i in range(0, rows, 8):
                j = 2 * rows - 8 - i
                _mirror_8(x[i * LANES : (i + 8) * LANES], total, x[j * LANES : (j + 8) * LANES])
        rows *= 2


@jit
def _fold(x: Ints, total: Ints) -> None:
    for k in range(LANES):
        x[k] = min(x[k], total[k] - x[k])


@jit
def _fold_8(x: Ints, total: Ints) -> None:
    for k in range(np.uint64(LANES)):
        t = total[k]
        x[k] = min(x[k], t - x[k])
        x[k + _1] = min(x[k + _1], t - x[k + _1])
        x[k + _2] = min(x[k + _2], t - x[k + _2])
        x[k + _3] = min(x[k + _3], t - x[k + _3])
        x[k + _4] = min(x[k + _4], t - x[k + _4])
        x[k + _5] = min(x[k + _5], t - x[k + _5])
        x[k + _6] = min(x[k + _6], t - x[k + _6])
        x[k + _7] = min(x[k + _7], t - x[k + _7])


@jit
def _mirror(x: Ints, total: Ints, y: Ints) -> None:
    for k in range(LANES):
        y[k] = total[k] - x[k]


@jit
def _mirror_8(x: Ints, total: Ints, y: Ints) -> None:
    for k in range(np.uint64(LANES)):
        t = total[k]
        y[k + _7] = t - x[k]
        y[k + _6] = t - x[k + _1]
        y[k + _5] = t - x[k + _2]
        y[k + _4] = t - x[k + _3]
        y[k + _3] = t - x[k + _4]
        y[k + _2] = t - x[k + _5]
        y[k + _1] = t - x[k + _6]
        y[k] = t - x[k + _7]


@jit
def _sort(x: Ints) -> None:
    """Sorts each lane's column, which must be bitonic; the rows are a power of two."""
    size = len(x)
    while size >= 32 * LANES:
        for start in range(0, len(x), size):
            _exchange_4(x[start : start + size])
        size //= 4
    while size >= 16 * LANES:
        for start in range(0, len(x), size):
            _exchange_2(x[start : start + size])
        size //= 2
    if size == 8 * LANES:
        for start in range(0, len(x), size):
            _sort_8(x[start : start + size])
    elif size == 4 * LANES:
        for start in range(0, len(x), size):
            _exchange_4(x[start : start + size])
    elif size == 2 * LANES:
        for start in range(0, len(x), size):
            _exchange_2(x[start : start + size])


@jit
def _exchange_2(x: Ints) -> None:
    """One pass: each element of the first half against its partner in the second."""
    q = len(x) // 2
    a, b = x[:q], x[q:]
    for k in range(q):
        u, v = a[k], b[k]
        a[k], b[k] = min(u, v), max(u, v)


@jit
def _exchange_4(x: Ints) -> None:
    """Two passes in one sweep over the four quarters."""
    q = len(x) // 4
    a, b, c, d = x[:q], x[q : 2 * q], x[2 * q : 3 * q], x[3 * q :]
    for k in range(q):
        a0, b0, c0, d0 = a[k], b[k], c[k], d[k]
        a1, c1 = min(a0, c0), max(a0, c0)
        b1, d1 = min(b0, d0), max(b0, d0)
        a[k], b[k] = min(a1, b1), max(a1, b1)
        c[k], d[k] = min(c1, d1), max(c1, d1)


@jit
def _sort_8(x: Ints) -> None:
    """The last three passes, on eight rows at constant distances."""
    for k in range(np.uint64(LANES)):
        a0, b0, c0, d0 = x[k], x[k + _1], x[k + _2], x[k + _3]
        e0, f0, g0, h0 = x[k + _4], x[k + _5], x[k + _6], x[k + _7]
        a1, e1 = min(a0, e0), max(a0, e0)
        b1, f1 = min(b0, f0), max(b0, f0)
        c1, g1 = min(c0, g0), max(c0, g0)
        d1, h1 = min(d0, h0), max(d0, h0)
        a2, c2 = min(a1, c1), max(a1, c1)
        b2, d2 = min(b1, d1), max(b1, d1)
        e2, g2 = min(e1, g1), max(e1, g1)
        f2, h2 = min(f1, h1), max(f1, h1)
        x[k], x[k + _1] = min(a2, b2), max(a2, b2)
        x[k + _2], x[k + _3] = min(c2, d2), max(c2, d2)
        x[k + _4], x[k + _5] = min(e2, f2), max(e2, f2)
        x[k + _6], x[k + _7] = min(g2, h2), max(g2, h2)


@jit
def _merge(x: Ints, b: Ints, target: Ints, n: int) -> None:
    """Merges x's first n rows (ascending) with target - b (descending) into 2 n rows of x."""
    for i in range(n):
        lower = x[i * LANES : (i + 1) * LANES]
        upper = x[(n + i) * LANES : (n + i + 1) * LANES]
        _split(lower, upper, b[i * LANES : (i + 1) * LANES], target)
    _sort(x[: n * LANES])
    _sort(x[n * LANES : 2 * n * LANES])


@jit
def _split(lower: Ints, upper: Ints, b: Ints, target: Ints) -> None:
    for k in range(LANES):
        u, v = lower[k], target[k] - b[k]
        lower[k], upper[k] = min(u, v), max(u, v)


@jit
def _closest_pair(x: Ints, rows: int, best: Ints, low: Ints) -> None:
    """The smallest odd difference between neighbouring rows, and the lower one's value."""
    for k in range(LANES):
        best[k], low[k] = _FAR, 0
        x[rows * LANES + k] = x[(rows - 1) * LANES + k]  # a difference of 0: even
    for i in range(0, rows, 4):
        _closest_of_5(x[i * LANES : (i + 5) * LANES], best, low)


@jit
def _closest_of_5(x: Ints, best: Ints, low: Ints) -> None:
    for k in range(np.uint64(LANES)):
        x0, x1, x2, x3, x4 = x[k], x[k + _1], x[k + _2], x[k + _3], x[k + _4]
        d, p = best[k], low[k]
        # an even difference lies inside one list: put it out of the running
        e = x1 - x0
        e += (~e & 1) << 62
        p = x0 if e < d else p
        d = min(d, e)
        e = x2 - x1
        e += (~e & 1) << 62
        p = x1 if e < d else p
        d = min(d, e)
        e = x3 - x2
        e += (~e & 1) << 62
        p = x2 if e < d else p
        d = min(d, e)
        e = x4 - x3
        e += (~e & 1) << 62
        p = x3 if e < d else p
        d = min(d, e)
        best[k], low[k] = d, p


@jit
def _pair(low: int, distance: int, target: int) -> tuple[int, int]:
    """The two half sums that a closest pair (low, low + distance) stands for."""
    high = low + distance
    if low & 1:
        return high, target - low
    return low, target - high


@jit
def _find(x: Ints, keys: Ints, wanted: Ints, masks: Ints) -> None:
    """The lowest mask whose sum is `wanted`, by two tables of sums in the order of masks."""
    h = len(keys) // LANES
    few = max(h // 2, 3)
    rows, rests = 1 << few, 1 << (h - few)
    rest = x[rows * LANES : (rows + rests) * LANES]
    for lane in range(LANES):
        x[lane], rest[lane] = 0, wanted[lane]
    _table(x, keys[: few * LANES], 1)
    _table(rest, keys[few * LANES :], -1)
    for j in range(rests - 1, -1, -1):
        for i in range(rows - 8, -1, -8):
            part = x[i * LANES : (i + 8) * LANES]
            _match_8(part, (j << few) + i, rest[j * LANES : (j + 1) * LANES], masks)


@jit
def _table(x: Ints, keys: Ints, sign: int) -> None:
    """The first row plus or minus every subset sum of the keys, in the order of masks."""
    rows = 1
    for e in range(len(keys) // LANES):
        for i in range(rows):
            for lane in range(LANES):
                x[(rows + i) * LANES + lane] = x[i * LANES + lane] + sign * keys[e * LANES + lane]
        rows *= 2


@jit
def _match_8(x: Ints, first: int, wanted: Ints, masks: Ints) -> None:
    for k in range(np.uint64(LANES)):
        w, mask = wanted[k], masks[k]
        mask = first + 7 if x[k + _7] == w else mask
        mask = first + 6 if x[k + _6] == w else mask
        mask = first + 5 if x[k + _5] == w else mask
        mask = first + 4 if x[k + _4] == w else mask
        mask = first + 3 if x[k + _3] == w else mask
        mask = first + 2 if x[k + _2] == w else mask
        mask = first + 1 if x[k + _1] == w else mask
        mask = first if x[k] == w else mask
        masks[k] = mask
