"""Closest subset sum of one large bank from the sorted sums of its quarters, in little memory.

R. Schroeppel, A. Shamir, "A T = O(2^(n/2)), S = O(2^(n/4)) algorithm for certain NP-complete
problems", SIAM J. Comput. 10, 1981, with one change: instead of taking the half sums in order from
heaps, the range of values of the first half is processed in chunks. For each chunk the half sums a
in it and the complements goal - b of the second half in or near it are listed, by one pointer per
row of the two tables of quarter sums, and the two lists are matched by buckets. A chunk fits in the
cache; chunks are independent.

Values are integers (`xbar.subset.kernels.scale`), so every sum and comparison is exact.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Bools, Ints, jit

CHUNK = 1 << 15  # target number of half sums per chunk
_CAPACITY = 8 * CHUNK  # maximum number
WORK = 5 * _CAPACITY + 8  # size of the scratch array of `search`, in int64 words
NONE = (1 << 62) - 1  # cost of an empty result

# Best result so far: its `_cost`, and the two half sums.
COST, SUM_A, SUM_B = 0, 1, 2


@jit
def sums(elements: Ints) -> Ints:
    """Distinct subset sums of some elements, ascending."""
    x = np.zeros(1, np.int64)
    for value in elements:
        if value > 0:
            x = _merge(x, value)
    return x


@jit
def _merge(x: Ints, value: int) -> Ints:
    merged = np.empty(2 * len(x), np.int64)
    i = j = k = 0
    while j < len(x):
        low, high = x[min(i, len(x) - 1)], x[j] + value
        take = i < len(x) and low <= high
        number = low if take else high
        i += take
        j += 1 - take
        if k == 0 or merged[k - 1] != number:
            merged[k] = number
            k += 1
    return merged[:k]


@jit
def _cost(excess: int) -> int:
    """Cost of an excess: ties are resolved in favour of the sum above."""
    return 4 * excess - 1 if excess > 0 else 1 - 4 * excess


@jit
def search(
    quarters: tuple[Ints, Ints, Ints, Ints],
    goal: int,
    span: Ints,
    enough: int,
    over: Ints,
    work: Ints,
) -> tuple[int, int, int, bool]:
    """Best combination of half sums with the first in a range of values.

    Args:
        quarters: ascending sums of each quarter of the bank; the first two form the first half.
        goal: target of the total of both half sums.
        span: (2,) first half sums from span[0] to span[1], exclusive.
        enough: sufficient |excess|, which ends the search.
        over: (1,) flag that ends the search once nonzero.
        work: scratch of WORK int64 words.

    Returns:
        Its `_cost` and the two half sums; the cost is NONE if the range is empty. And whether the
        search reached the end of the range.
    """
    a, c, b, d = quarters
    low, end = span[0], span[1]
    best = np.array([NONE, 0, 0], np.int64)
    x, y = work[:_CAPACITY], work[_CAPACITY : 2 * _CAPACITY]
    up, down = np.empty(len(a), np.int64), np.empty(len(b), np.int64)
    for i in range(len(a)):
        up[i] = np.searchsorted(c, low - a[i])
    low = _next(a, c, up, end)
    if low < end:
        _match_one(b, d, low, goal, best)
        top = goal - low + best[COST] // 4 + 1
        for i in range(len(b)):
            down[i] = np.searchsorted(d, top - b[i] + 1) - 1
    width = _first_width(quarters, low, end)
    while low < end and best[COST] > 4 * enough + 1 and over[0] == 0:
        width = min(width, end - low)
        margin = best[COST] // 4 + 1
        n = _list_up(a, c, up, low, width, x)
        if width == 1 and n > 0:
            _match_one(b, d, low, goal, best)
        elif n > 0:
            m = _list_down(b, d, down, goal - low + margin, width + 2 * margin, y)
            if n == len(x) or m == len(y):
                width = (width + 1) // 2
                continue
            _match(x[:n], y[:m], low, goal, margin, work[2 * _CAPACITY :], best)
        _advance(a, c, up, low + width)
        low += width
        if n < CHUNK // 2:
            low = max(low, _next(a, c, up, end))
            width *= 2
    return int(best[COST]), int(best[SUM_A]), int(best[SUM_B]), low >= end


@jit
def _next(a: Ints, c: Ints, up: Ints, end: int) -> int:
    """The smallest first half sum not yet processed, or the end."""
    least = end
    for i in range(len(a)):
        if up[i] < len(c):
            least = min(least, a[i] + c[up[i]])
    return least


@jit
def _match_one(b: Ints, d: Ints, sum_a: int, goal: int, best: Ints) -> None:
    """Update the best result with the partners of one first half sum."""
    j = len(d) - 1
    for i in range(len(b)):
        rest = sum_a + b[i] - goal
        while True:
            cost = _cost(rest + d[j])
            if cost < best[COST]:
                best[COST], best[SUM_A], best[SUM_B] = cost, sum_a, b[i] + d[j]
            if j == 0 or rest + d[j] <= 0:
                break
            j -= 1


@jit
def _first_width(quarters: tuple[Ints, Ints, Ints, Ints], low: int, end: int) -> int:
    pairs = len(quarters[0]) * len(quarters[1])
    reach = quarters[0][-1] + quarters[1][-1]
    return int(min(max(reach // max(pairs // CHUNK, 1), 1), end - low))


@jit
def _list_up(a: Ints, c: Ints, up: Ints, low: int, width: int, x: Ints) -> int:
    """Write a + c - low of all pairs from 0 up to width; len(x) if there are too many."""
    n = 0
    for i in range(len(a)):
        base = a[i] - low
        j = up[i]
        while j < len(c) and base + c[j] < width:
            if n == len(x):
                return n
            x[n] = base + c[j]
            n += 1
            j += 1
    return n


@jit
def _advance(a: Ints, c: Ints, up: Ints, low: int) -> None:
    """Advance each row's pointer to the first pair that is at least `low`."""
    for i in range(len(a)):
        base = a[i] - low
        j = up[i]
        while j < len(c) and base + c[j] < 0:
            j += 1
        up[i] = j


@jit
def _list_down(b: Ints, d: Ints, down: Ints, top: int, width: int, y: Ints) -> int:
    """Write top - b - d of all pairs from 0 up to width; len(y) if there are too many.

    Each row's pointer moves to the last pair that is at most `top`, which only decreases.
    """
    m = 0
    for i in range(len(b)):
        base = top - b[i]
        j = down[i]
        while j >= 0 and base < d[j]:
            j -= 1
        down[i] = j
        while j >= 0 and base - d[j] < width:
            if m == len(y):
                return m
            y[m] = base - d[j]
            m += 1
            j -= 1
    return m


@jit
def _match(x: Ints, y: Ints, low: int, goal: int, margin: int, work: Ints, best: Ints) -> None:
    """Update the best result with close pairs of x + low and goal - (y - margin + low)."""
    kept, starts, ends = work[: len(x)], work[_CAPACITY : 2 * _CAPACITY], work[2 * _CAPACITY :]
    greatest = int(x.max())
    shift = 0
    while (greatest >> shift) >= len(x) - 1 and greatest >> shift > 0:
        shift += 1
    _fill_buckets(x, shift, (greatest >> shift) + 1, kept, starts, ends)
    for i in range(len(y)):
        value = y[i] - margin
        # distances above and below within which a half sum may be closer
        above, below = best[COST] // 4, (best[COST] - 2) // 4
        if value + above < 0 or value - below > greatest:
            continue
        first, last = max(value - below, 0) >> shift, min(value + above, greatest) >> shift
        for bucket in range(first, last + 1):
            for q in range(starts[bucket], ends[bucket]):
                excess = kept[q] - value
                if _cost(excess) < best[COST]:
                    sum_a = kept[q] + low
                    best[COST], best[SUM_A] = _cost(excess), sum_a
                    best[SUM_B] = goal + excess - sum_a


@jit
def _fill_buckets(x: Ints, shift: int, buckets: int, kept: Ints, starts: Ints, ends: Ints) -> None:
    """Bucket-sort x by its leading bits, dropping consecutive duplicates.

    For elements that are multiples of a common value, most sums are duplicates.
    """
    for i in range(buckets + 1):
        starts[i] = 0
    for value in x:
        starts[(value >> shift) + 1] += 1
    for i in range(buckets):
        starts[i + 1] += starts[i]
        ends[i] = starts[i]
    for value in x:
        bucket = value >> shift
        end = ends[bucket]
        if end == starts[bucket] or kept[end - 1] != value:
            kept[end] = value
            ends[bucket] = end + 1


@jit
def choose(
    values: Ints, first: int, quarters: tuple[Ints, Ints], wanted: int, chosen: Bools
) -> None:
    """Write the elements of a half bank that add up to `wanted`.

    Args:
        values: (L,) elements of the half.
        first: number of elements in its first quarter.
        quarters: sums of the first quarter and of the second.
        wanted: sum of one entry of each.
        chosen: (L,) bool, output.
    """
    a, c = quarters
    j = len(c) - 1
    for i in range(len(a)):
        while j > 0 and a[i] + c[j] > wanted:
            j -= 1
        if a[i] + c[j] == wanted:
            _choose(values[:first], a[i], chosen[:first])
            _choose(values[first:], c[j], chosen[first:])
            return


@jit
def _choose(values: Ints, wanted: int, chosen: Bools) -> None:
    """Lowest mask of at most 16 elements that add up to `wanted`; `chosen` must be cleared."""
    k = len(values)
    table = np.zeros(1 << k, np.int64)
    for e in range(k):
        for i in range(1 << e):
            table[(1 << e) + i] = table[i] + values[e]
    mask = 0
    while table[mask] != wanted:
        mask += 1
    for e in range(k):
        chosen[e] = (mask >> e) & 1 == 1
