"""The subset of least (sum - goal)**2 plus a variance for each chosen element.

For a subset of the first half with sum a, the second half must minimise (b - (goal - a))**2 plus
its own variance: over all b, the lower envelope of congruent parabolas. The envelope is
built in one pass over the sorted sums and read in one pass, as in P. F. Felzenszwalb and D. P.
Huttenlocher, "Distance transforms of sampled functions", Theory of Computing 2012. So noise does
not slow meet-in-the-middle down.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, Ints, jit
from xbar.subset.kernels.halves import build
from xbar.subset.kernels.walks import costs_of


@jit
def most_robust(
    values: Ints,
    row: Ints,
    goal: Ints,
    beyond: Floats,
    flips: Ints,
    fixed: Ints,
    variance: Floats,
    masks: Ints,
) -> None:
    """Subset of least expected squared error, for each goal.

    Args:
        values: (R, K) int64, K at most 60.
        row: (M,) bank index of each goal; consecutive ones share its lists.
        goal: (M,) targets in integer units, clipped to the bank's range.
        beyond: (M,) distance of the true target from the range, in the same units.
        flips: (R,) bit mask of the negative elements.
        fixed: (R, K) -1 fixed open, 0 free, +1 fixed closed.
        variance: (R, K) variance of each chosen element, in squared integer units.
        masks: (M,) output.
    """
    elements = values.shape[1]
    h = (elements + 1) // 2
    sums_a, masks_a = np.empty(1 << h, np.int64), np.empty(1 << h, np.int64)
    sums_b = np.empty(1 << (elements - h), np.int64)
    masks_b = np.empty_like(sums_b)
    cost_a, cost_b = np.empty(1 << h), np.empty(1 << (elements - h))
    hull, left = np.empty_like(sums_b), np.empty(1 << (elements - h))
    previous, na, count = -1, 0, 0
    for m in range(len(row)):
        r = row[m]
        if r != previous:
            na = build(values[r], flips[r], fixed[r], 0, h, sums_a, masks_a)
            nb = build(values[r], flips[r], fixed[r], h, elements, sums_b, masks_b)
            costs_of(masks_a[:na], variance[r], cost_a)
            costs_of(masks_b[:nb], variance[r], cost_b)
            count = _envelope(sums_b[:nb], cost_b, hull, left)
            previous = r
        i, j = _lowest(sums_a[:na], cost_a, sums_b, cost_b, hull[:count], left, goal[m], beyond[m])
        masks[m] = masks_a[i] | masks_b[j]


@jit
def _envelope(b: Ints, cost: Floats, hull: Ints, left: Floats) -> int:
    """Write the parabolas of the lower envelope and where each begins; return their number."""
    count = 0
    for j in range(len(b)):
        begin = -np.inf
        while count > 0:
            top = hull[count - 1]
            if b[j] == b[top]:
                if cost[j] >= cost[top]:
                    break
            else:
                apart = 2.0 * (b[j] - b[top])
                begin = 0.5 * (float(b[j]) + float(b[top])) + (cost[j] - cost[top]) / apart
                if begin > left[count - 1]:
                    break
            count -= 1
            begin = -np.inf
        if count > 0 and b[j] == b[hull[count - 1]]:
            continue
        hull[count], left[count] = j, begin
        count += 1
    return count


@jit
def _lowest(
    a: Ints,
    cost_a: Floats,
    b: Ints,
    cost_b: Floats,
    hull: Ints,
    left: Floats,
    goal: int,
    beyond: float,
) -> tuple[int, int]:
    """The half sums of least (sum - goal - beyond)**2 + variances, minus beyond**2."""
    best, at_a, at_b = np.inf, 0, hull[0]
    k = len(hull) - 1
    for i in range(len(a)):
        wanted = float(goal - a[i]) + beyond
        while k > 0 and wanted < left[k]:
            k -= 1
        # the neighbours too, as the boundaries between parabolas are rounded
        for near in range(max(k - 1, 0), min(k + 2, len(hull))):
            j = hull[near]
            excess = float(a[i] + b[j] - goal)
            value = excess * (excess - 2.0 * beyond) + (cost_a[i] + cost_b[j])
            if value < best:
                best, at_a, at_b = value, i, j
    return at_a, at_b
