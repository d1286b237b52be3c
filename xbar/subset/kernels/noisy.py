"""The subset S of least expected squared error, (sum over S of g - t)**2 + sum over S of v.

v is the variance of an element. A multiplier m reduces the problem to a few elements. With
sum over S of g = t + e the cost is

    e**2 + sum over S of v = (e + m/2)**2 + sum over S of (v - m g) + m t - m**2 / 4,

so that the set S0 of all elements with v < m g is optimal except for the first term, and any other
subset costs |v - m g| more for each element added to S0 or removed. With m at the maximum of the
Lagrangian bound the sum of S0 is as close to the target as whole elements allow, and a good subset
differs from S0 in few elements of low cost: the core of the problem, as in S. Martello and P. Toth,
"A new algorithm for the 0-1 knapsack problem", Management Science 1988. Any m gives the same costs
up to a constant, so rounding it causes no error. An m beyond all v/g means a target out of range.

All sums of the elements of least cost are listed (`list_half`); the best of them bounds the cost,
and the list of the other elements' sums contains only those below the bound. These few subsets are
combined with the first list by a full scan if it is short, else through buckets by sum, of which
only those within the root of the remaining bound are scanned.

Banks are scaled by a power of two to a span below 1, so that squares are in float64's range.

Shapes: R banks, K elements, M problems, N subsets of a list at most.
"""

from __future__ import annotations

import math

import numpy as np

from xbar.jit import Floats, Ints, jit

_CORE = 8  # elements whose subsets are all listed, before pruning
_SHORT = 18  # most elements for which the near list is the core only
_FEW = 16  # most subsets of the other list for which scanning the whole core is fast
_PATIENCE = 32  # pairs scanned per listed subset, before another method is faster
_FAR = 2.0**100  # spans away: targets beyond it have the same solution
_TINY = 1e-300

# rows of scratch (12, N), read as float64 or as int64: a list has sums, costs and masks
_NEAR, _OTHERS, _SORTED, _TRIAL, _START, _BUCKET, _ROWS = 0, 3, 6, 9, 10, 11, 12


@jit
def quietest(bank: Floats, relative: Floats, row: Ints, target: Floats, masks: Ints) -> None:
    """Find the subset of least expected squared error for each target.

    Args:
        bank: finite elements (R, K), with a finite sum of absolute values; K up to 50.
        relative: standard deviation of each element over its value (R, K), not negative.
        row: index of each target's bank (M,).
        target: finite targets (M,), in range or not.
        masks: output (M,): bit e is element e, never one that is 0; -1 if the search would be
            long, as for banks with many equal sums. Among equally good subsets the first one
            found, independent of the rest of the batch.
    """
    k = bank.shape[1]
    raw, element = np.empty((2, k)), np.empty((2, k))  # values and costs
    place, order = np.empty(k, np.int64), np.empty(k, np.int64)  # of both in the bank
    rows = np.empty((3, k))
    size = 1 << max((k + 1) // 2, _CORE, min(k, _SHORT) - _CORE)
    n = np.empty((_ROWS, size + 2), np.int64)
    x = n.view(np.float64)
    for m in range(len(row)):
        count, wanted = _load(bank[row[m]], relative[row[m]], target[m], raw, place)
        if count == 0:
            masks[m] = 0
            continue
        wanted, flips = _reduce(raw, place, count, wanted, rows)
        _sort_elements(raw, place, count, rows, element, order)
        found = _search(count, wanted, element, x, n)
        if found < 0:
            masks[m] = -1
            continue
        mask = flips
        for e in range(count):
            mask ^= ((found >> e) & 1) << order[e]
        masks[m] = mask


@jit
def list_half(element: Floats, first: int, last: int, x: Floats, at: int) -> int:
    """List all subsets of elements first to last - 1: sums and costs, in the order of their masks.

    Args:
        element: value of each element, and its cost or variance (2, K).
        first: first element.
        last: one past the last element.
        x: scratch (..., N), of which rows `at` and `at + 1` are set to the sums of values and of
            costs. Entry i is the subset of mask i << first.
        at: first row to write.

    Returns:
        The number of subsets, 2**(last - first).
    """
    x[at, 0] = x[at + 1, 0] = 0.0
    rows = 1
    for e in range(first, last):
        value, cost = element[0, e], element[1, e]
        for i in range(rows):
            x[at, rows + i] = x[at, i] + value
        for i in range(rows):
            x[at + 1, rows + i] = x[at + 1, i] + cost
        rows *= 2
    return rows


@jit
def _extend(
    element: Floats,
    span: tuple[int, int],
    limit: float,
    known: tuple[int, int],
    x: Floats,
    n: Ints,
) -> int:
    """Extend a list by the subsets with more elements, up to a cost.

    Args:
        element: values and costs (2, K) in ascending order of cost.
        span: first new element, and one past the last.
        limit: maximum cost of an added subset.
        known: first row and number of entries of the list.
        x: scratch.
        n: the same memory as integers.

    Returns:
        The new number of entries.
    """
    at, rows = known
    for e in range(span[0], span[1]):
        value, cost, bit = element[0, e], element[1, e], 1 << e
        if cost > limit:
            break
        end = rows
        for i in range(rows):
            total = x[at + 1, i] + cost
            x[at, end], x[at + 1, end] = x[at, i] + value, total
            n[at + 2, end] = n[at + 2, i] | bit
            end += total <= limit
        rows = end
    return rows


@jit
def _load(
    bank: Floats, relative: Floats, target: float, raw: Floats, place: Ints
) -> tuple[int, float]:
    """Write the scaled nonzero elements of a bank (K,); returns their number and the target."""
    span = 0.0
    for e in range(len(bank)):
        span += abs(bank[e])
    shift = -math.frexp(span)[1]
    # in two factors: 2**shift alone overflows when the bank is below 1e-308
    one, other = math.ldexp(1.0, shift // 2), math.ldexp(1.0, shift - shift // 2)
    count = 0
    for e in range(len(bank)):
        value = bank[e] * one * other
        deviation = value * relative[e]
        raw[0, count], raw[1, count], place[count] = value, deviation * deviation, e
        count += value != 0.0
    return count, min(max(target * one * other, -_FAR), _FAR)


@jit
def _reduce(raw: Floats, place: Ints, count: int, target: float, rows: Floats) -> tuple[float, int]:
    """Negate the elements of S0; costs become those of deviating from S0.

    Returns:
        The target of the negated and other elements, and the mask of S0.
    """
    m = _multiplier(raw, count, target, rows)
    target -= 0.5 * m
    mask = 0
    for e in range(count):
        value = raw[0, e]
        reduced = raw[1, e] - m * value
        if reduced < 0.0:
            target -= value
            mask |= 1 << place[e]
            raw[0, e] = -value
        raw[1, e] = abs(reduced)
    return target, mask


@jit
def _multiplier(raw: Floats, count: int, target: float, rows: Floats) -> float:
    """The m at which m/2 + the sum of all elements with v < m g crosses the target.

    That sum starts with all negative elements and increases by |g| at each m = v/g; rows (3, K) are
    set to these m, and the sums just below and just above.
    """
    lowest = 0.0
    for i in range(count):
        rows[0, i] = raw[1, i] / raw[0, i]
        lowest += min(raw[0, i], 0.0)
    for i in range(count):
        rows[1, i] = rows[2, i] = lowest
    for j in range(count):
        turn, size = rows[0, j], abs(raw[0, j])
        for i in range(count):
            rows[1, i] += size if rows[0, i] > turn else 0.0
        for i in range(count):
            rows[2, i] += size if rows[0, i] >= turn else 0.0
    at, m = -np.inf, 2.0 * (target - lowest)
    for i in range(count):
        turn = rows[0, i]
        if turn > at and target - 0.5 * turn >= rows[1, i]:
            at = turn
            m = max(at, 2.0 * (target - rows[2, i]))
    return m


@jit
def _sort_elements(
    raw: Floats, place: Ints, count: int, rows: Floats, element: Floats, order: Ints
) -> None:
    """Sort the elements by cost, equal ones in the order of the bank."""
    for i in range(count):
        rows[0, i] = 0.0
    for j in range(count):
        cost = raw[1, j]
        for i in range(count):
            rows[0, i] += 1.0 if raw[1, i] > cost else 0.0
    taken = 0
    for j in range(count):
        to = int(rows[0, j])
        while (taken >> to) & 1:
            to += 1
        taken |= 1 << to
        element[0, to], element[1, to], order[to] = raw[0, j], raw[1, j], place[j]


@jit
def _search(count: int, target: float, element: Floats, x: Floats, n: Ints) -> int:
    """The mask of least (sum - target)**2 + cost among the ordered elements, or -1."""
    core = half = min(count, _CORE)
    rows = list_half(element, 0, core, x, _NEAR)
    best, mask = _best_beside(target, rows, x, n)
    for e in range(core, count):  # one more element than the core: quickly a better bound
        if element[1, e] >= best:
            break
        beside, i = _best_beside(target - element[0, e], rows, x, n)
        if beside + element[1, e] < best:
            best, mask = beside + element[1, e], i | 1 << e
    for i in range(rows):
        n[_NEAR + 2, i] = i
    if count > _SHORT:
        half = (count + 1) // 2
        rows = _extend(element, (core, half), best, (_NEAR, rows), x, n)
    x[_OTHERS, 0] = x[_OTHERS + 1, 0] = 0.0
    n[_OTHERS + 2, 0] = 0
    others = _extend(element, (half, count), best, (_OTHERS, 1), x, n)
    if count > _SHORT or others > _FEW + count - core:
        return _by_buckets(rows, others, target, (best, mask), x, n)
    for i in range(others):
        chosen, cost = n[_OTHERS + 2, i], x[_OTHERS + 1, i]
        if chosen & (chosen - 1) == 0 or cost >= best:  # one element or none: done above
            continue
        beside, j = _best_beside(target - x[_OTHERS, i], rows, x, n)
        if beside + cost < best:
            best, mask = beside + cost, j | chosen
    return mask


@jit
def _best_beside(wanted: float, rows: int, x: Floats, n: Ints) -> tuple[float, int]:
    """The least (sum - wanted)**2 + cost of the near list, and its first entry.

    Two loops that LLVM vectorises; non-negative floats are ordered like integers.
    """
    for i in range(rows):
        e = x[_NEAR, i] - wanted
        x[_TRIAL, i] = e * e + x[_NEAR + 1, i]
    least = n[_TRIAL, 0]
    for i in range(1, rows):
        least = min(least, n[_TRIAL, i])
    at = 0
    while n[_TRIAL, at] != least:
        at += 1
    return x[_TRIAL, at], at


@jit
def _by_buckets(
    rows: int, others: int, target: float, known: tuple[float, int], x: Floats, n: Ints
) -> int:
    """The best mask of a near and another subset, or -1 if the search is long."""
    best, mask = known
    low, scale, buckets = _fill_buckets(rows, others, target, best, x, n)
    if buckets == 0:
        return mask
    budget = _PATIENCE * (rows + others)
    for i in range(others):
        cost = x[_OTHERS + 1, i]
        if cost >= best:
            continue
        wanted, within = target - x[_OTHERS, i], math.sqrt(best - cost)
        last = (wanted + within - low) * scale
        if last < 0.0:
            continue
        first = int(min(max((wanted - within - low) * scale, 0.0), float(buckets)))
        begin, end = n[_START, first], n[_START, int(min(last, buckets - 1.0)) + 1]
        budget -= max(end - begin, 0)
        if budget < 0:
            return -1
        for j in range(begin, end):
            e = x[_SORTED, j] - wanted
            beside = e * e + x[_SORTED + 1, j]
            if beside + cost < best:
                best, mask = beside + cost, n[_SORTED + 2, j] | n[_OTHERS + 2, i]
    return mask


@jit
def _fill_buckets(
    rows: int, others: int, target: float, best: float, x: Floats, n: Ints
) -> tuple[float, float, int]:
    """Sort the near subsets that may improve on the best into buckets by sum.

    Returns:
        The lowest sum, buckets per unit of sum, and the number of buckets.
    """
    lowest = highest = 0.0
    for i in range(others):
        lowest, highest = min(lowest, x[_OTHERS, i]), max(highest, x[_OTHERS, i])
    within = math.sqrt(best)
    low, high = target - highest - within, target - lowest + within
    first, last, kept = np.inf, -np.inf, 0
    for i in range(rows):
        value, cost, mask = x[_NEAR, i], x[_NEAR + 1, i], n[_NEAR + 2, i]
        x[_NEAR, kept], x[_NEAR + 1, kept], n[_NEAR + 2, kept] = value, cost, mask
        if cost <= best and low <= value <= high:
            first, last = min(first, value), max(last, value)
            kept += 1
    if kept == 0:
        return 0.0, 0.0, 0
    scale = kept / max(last - first, _TINY)
    for i in range(kept + 2):
        n[_START, i] = 0
    for i in range(kept):
        bucket = int(min((x[_NEAR, i] - first) * scale, kept - 1.0))
        n[_BUCKET, i] = bucket
        n[_START, bucket + 2] += 1
    for i in range(2, kept + 2):
        n[_START, i] += n[_START, i - 1]
    for i in range(kept):
        to = n[_START, n[_BUCKET, i] + 1]
        n[_START, n[_BUCKET, i] + 1] = to + 1
        x[_SORTED, to], x[_SORTED + 1, to] = x[_NEAR, i], x[_NEAR + 1, i]
        n[_SORTED + 2, to] = n[_NEAR + 2, i]
    return first, scale, kept
