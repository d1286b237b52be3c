"""Closest subset sum of one long bank from the sorted sums of its quarters, in little memory.

R. Schroeppel, A. Shamir, "A T = O(2^(n/2)), S = O(2^(n/4)) algorithm for certain NP-complete
problems", SIAM J. Comput. 10, 1981, with one change: where theirs draws the half sums in order
from heaps, this walks through the range of values of the first half in chunks. For each chunk it
lists the half sums a that lie in it and the complements goal - b of the second half that lie in
or near it, by one pointer per row of the two tables of quarter sums, and matches the two lists by
buckets. A chunk fits in the cache; chunks do not depend on each other.

Values are integers (`xbar.subset.kernels.scale`), so every sum and comparison is exact.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Bools, Ints, jit

CHUNK = 1 << 15  # half sums that a chunk should hold
_CAPACITY = 8 * CHUNK  # and may hold
WORK = 5 * _CAPACITY + 8  # int64 words of scratch that `search` needs
NONE = (1 << 62) - 1  # the cost of nothing

# What is known so far: closeness as of `_cost`, and the two half sums.
COST, SUM_A, SUM_B = 0, 1, 2


@jit
def sums(elements: Ints) -> Ints:
    """The different subset sums of some elements, ascending."""
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
    """Closeness: of two sums equally close the one above is preferred."""
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
    """The best pair of half sums whose first lies in a range of values.

    Args:
        quarters: the sums of each quarter of the bank, ascending; the first two make the first
            half.
        goal: what the half sums should add up to.
        span: (2,) first half sums from span[0] up to, but without, span[1].
        enough: the search ends with an |excess| that is no more than this.
        over: (1,) ends the search once it is not 0.
        work: WORK int64 words.

    Returns:
        Its cost as of `_cost` and the two half sums; the cost is NONE if the range is empty. And
        whether the search came to the end of the range.
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
    """The least first half sum that is still to come, or the end."""
    least = end
    for i in range(len(a)):
        if up[i] < len(c):
            least = min(least, a[i] + c[up[i]])
    return least


@jit
def _match_one(b: Ints, d: Ints, sum_a: int, goal: int, best: Ints) -> None:
    """Improves the best pair by those of one first half sum."""
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
    """Writes a + c - low of all pairs from 0 up to width; len(x) if there are too many."""
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
    """Moves each row's pointer to the first pair that is not below `low`."""
    for i in range(len(a)):
        base = a[i] - low
        j = up[i]
        while j < len(c) and base + c[j] < 0:
            j += 1
        up[i] = j


@jit
def _list_down(b: Ints, d: Ints, down: Ints, top: int, width: int, y: Ints) -> int:
    """Writes top - b - d of all pairs from 0 up to width; len(y) if there are too many.

    Each row's pointer goes to the last pair that is not above `top`, which only falls.
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
    """Improves the best pair by those of x + low and goal - (y - margin + low) that are close."""
    kept, starts, ends = work[: len(x)], work[_CAPACITY : 2 * _CAPACITY], work[2 * _CAPACITY :]
    greatest = int(x.max())
    shift = 0
    while (greatest >> shift) >= len(x) - 1 and greatest >> shift > 0:
        shift += 1
    _fill_buckets(x, shift, (greatest >> shift) + 1, kept, starts, ends)
    for i in range(len(y)):
        value = y[i] - margin
        # how far above and below a half sum may lie and still be closer
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
    """Sorts x by its leading bits; of equal numbers that follow each other it keeps one.

    Where elements are multiples of something, most sums are equal to others.
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
    """Writes which elements of a half bank add up to `wanted`.

    Args:
        values: (L,) the half's elements.
        first: how many of them make its first quarter.
        quarters: their sums and those of the rest.
        wanted: a sum of one of each.
        chosen: (L,) bool, written.
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
    """The lowest mask of at most 16 elements that add up to `wanted`; `chosen` was cleared."""
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
