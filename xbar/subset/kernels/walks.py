"""The cheapest subset in a window of sums, and the few closest subsets.

Both are walks over the half lists of `xbar.subset.kernels.halves`.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, Ints, jit
from xbar.subset.kernels.halves import build

_SPARE = 8  # maximum ratio of subsets collected and sorted to subsets wanted


@jit
def cheapest(
    values: Ints, row: Ints, window: Ints, flips: Ints, fixed: Ints, cost: Floats, masks: Ints
) -> None:
    """Subset of least cost in each window of sums.

    As the sum of the first half increases, the matching range of sums of the second half only
    moves down; a monotone queue of its minima has the cheapest in front.

    Args:
        values: (R, K) int64, K at most 60.
        row: (M,) bank index of each window; consecutive ones share its lists.
        window: (M, 2) lowest and highest allowed sum, in integer units.
        flips: (R,) bit mask of the negative elements.
        fixed: (R, K) -1 fixed open, 0 free, +1 fixed closed.
        cost: (R, K) cost of each chosen element.
        masks: (M,) output: subset, or -1 where no sum is in the window.
    """
    elements = values.shape[1]
    h = (elements + 1) // 2
    sums_a, masks_a = np.empty(1 << h, np.int64), np.empty(1 << h, np.int64)
    sums_b = np.empty(1 << (elements - h), np.int64)
    masks_b = np.empty_like(sums_b)
    queue = np.empty_like(sums_b)
    cost_a, cost_b = np.empty(1 << h), np.empty(1 << (elements - h))
    previous, na, nb = -1, 0, 0
    for m in range(len(row)):
        r = row[m]
        if r != previous:
            na = build(values[r], flips[r], fixed[r], 0, h, sums_a, masks_a)
            nb = build(values[r], flips[r], fixed[r], h, elements, sums_b, masks_b)
            costs_of(masks_a[:na], cost[r], cost_a)
            costs_of(masks_b[:nb], cost[r], cost_b)
            previous = r
        i, j = _cheapest_pair(
            sums_a[:na], cost_a, sums_b[:nb], cost_b, window[m, 0], window[m, 1], queue
        )
        masks[m] = masks_a[i] | masks_b[j] if i >= 0 else -1


@jit
def costs_of(masks: Ints, cost: Floats, costs: Floats) -> None:
    """Write the cost (N,) of each subset, from the cost (K,) of each element."""
    for k in range(len(masks)):
        total = 0.0
        for e in range(len(cost)):
            if (masks[k] >> e) & 1:
                total += cost[e]
        costs[k] = total


@jit
def _cheapest_pair(
    a: Ints, cost_a: Floats, b: Ints, cost_b: Floats, low: int, high: int, queue: Ints
) -> tuple[int, int]:
    best, at_a, at_b = np.inf, -1, -1
    front = back = 0
    following = len(b) - 1
    for i in range(len(a)):
        while following >= 0 and b[following] >= low - a[i]:
            while back > front and cost_b[queue[back - 1]] >= cost_b[following]:
                back -= 1
            queue[back] = following
            back += 1
            following -= 1
        while back > front and b[queue[front]] > high - a[i]:
            front += 1
        if back > front and cost_a[i] + cost_b[queue[front]] < best:
            at_a, at_b = i, queue[front]
            best = cost_a[i] + cost_b[at_b]
    return at_a, at_b


@jit
def closest_few(values: Ints, row: Ints, goal: Ints, flips: Ints, fixed: Ints, masks: Ints) -> None:
    """The closest subsets to each goal, in no particular order.

    Counting the pairs within a distance takes one walk, so bisection finds a distance with enough
    pairs and few more; then one walk collects them. Equal sums add no cost.

    Args:
        values: (R, K) int64, K at most 60.
        row: (M,) bank index of each goal; consecutive ones share its lists.
        goal: (M,) targets in integer units.
        flips: (R,) bit mask of the negative elements.
        fixed: (R, K) -1 fixed open, 0 free, +1 fixed closed.
        masks: (M, C) output: C subsets; every bank must have as many.
    """
    elements, wanted = values.shape[1], masks.shape[1]
    h = (elements + 1) // 2
    sums_a, masks_a = np.empty(1 << h, np.int64), np.empty(1 << h, np.int64)
    sums_b = np.empty(1 << (elements - h), np.int64)
    masks_b = np.empty_like(sums_b)
    spare = np.empty(_SPARE * wanted, np.int64)
    previous, na, nb = -1, 0, 0
    for m in range(len(row)):
        r = row[m]
        if r != previous:
            na = build(values[r], flips[r], fixed[r], 0, h, sums_a, masks_a)
            nb = build(values[r], flips[r], fixed[r], h, elements, sums_b, masks_b)
            previous = r
        a, b = sums_a[:na], sums_b[:nb]
        radius, count = _radius(a, b, goal[m], wanted)
        if count <= len(spare):
            count = _collect(a, b, masks_a, masks_b, goal[m], 0, radius, spare, 0)
            _nearest_of(values[r], flips[r], goal[m], spare[:count], masks[m])
        else:  # very many equal sums
            count = _collect(a, b, masks_a, masks_b, goal[m], 0, radius - 1, masks[m], 0)
            _collect(a, b, masks_a, masks_b, goal[m], radius, radius, masks[m], count)


@jit
def _radius(a: Ints, b: Ints, goal: int, wanted: int) -> tuple[int, int]:
    """A distance within which there are at least `wanted` pairs, and their number.

    There are at most _SPARE times as many, unless no smaller distance has enough.
    """
    enough = _SPARE * wanted + 1
    spread = a[-1] + b[-1] - a[0] - b[0]
    low, high = 0, spread // len(a) // len(b) * wanted + 1
    count = count_within(a, b, goal, high, enough)
    while count < wanted:
        low, high = high + 1, 2 * high
        count = count_within(a, b, goal, high, enough)
    while low < high and count == enough:
        middle = (low + high) // 2
        fewer = count_within(a, b, goal, middle, enough)
        if fewer >= wanted:
            high, count = middle, fewer
        else:
            low = middle + 1
    return high, count


@jit
def _nearest_of(values: Ints, flips: int, goal: int, found: Ints, masks: Ints) -> None:
    """Write the closest of the subsets found."""
    distance = np.empty(len(found), np.int64)
    for k in range(len(found)):
        total = -goal
        for e in range(len(values)):
            total += values[e] if ((found[k] ^ flips) >> e) & 1 else 0
        distance[k] = abs(total)
    order = np.argsort(distance)
    for k in range(len(masks)):
        masks[k] = found[order[k]]


@jit
def count_within(a: Ints, b: Ints, goal: int, distance: int, enough: int) -> int:
    """Number of pairs of two ascending lists with |sum - goal| <= distance, at most `enough`."""
    count, below, upto = 0, len(b), len(b)
    for value in a:
        while upto > 0 and value + b[upto - 1] > goal + distance:
            upto -= 1
        while below > 0 and value + b[below - 1] >= goal - distance:
            below -= 1
        count += upto - below
        if count >= enough:
            return enough
    return count


@jit
def _collect(
    a: Ints,
    b: Ints,
    masks_a: Ints,
    masks_b: Ints,
    goal: int,
    nearest: int,
    farthest: int,
    masks: Ints,
    count: int,
) -> int:
    """Append the pairs with distances from `nearest` to `farthest` while there is room."""
    upto = len(b)
    for i in range(len(a)):
        while upto > 0 and a[i] + b[upto - 1] > goal + farthest:
            upto -= 1
        j = upto - 1
        while j >= 0 and a[i] + b[j] >= goal - farthest:
            if count == len(masks):
                return count
            if abs(a[i] + b[j] - goal) >= nearest:
                masks[count] = masks_a[i] | masks_b[j]
                count += 1
            j -= 1
    return count
