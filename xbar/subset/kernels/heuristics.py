"""Fast heuristics for one large bank: greedy, and greedy with an exact window.

Values are integers (`xbar.subset.kernels.scale`). Each function writes a choice into `chosen`,
which must be all False, and returns its sum.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Bools, Ints, jit
from xbar.subset.kernels import merge


@jit
def greedy(values: Ints, order: Ints, goal: int, chosen: Bools) -> int:
    """Take elements that still fit, in the given order; then one more, if that is closer."""
    rest = goal
    for e in order:
        if values[e] <= rest:
            chosen[e] = True
            rest -= values[e]
    least = -1
    for e in order:
        if not chosen[e] and (least < 0 or values[e] < values[least]):
            least = e
    if least >= 0 and values[least] - rest <= rest:
        chosen[least] = True
        rest -= values[least]
    return goal - rest


@jit
def window(
    values: Ints, order: Ints, goal: int, first: int, size: int, chosen: Bools, work: Ints
) -> int:
    """Fix all elements outside a window of the order, then solve for the window exactly.

    The others are taken in the given order so that about half of the window's sum remains.

    Args:
        values: (K,) elements.
        order: (K,) element indices, large elements first.
        goal: target sum.
        first: start of the window in the order.
        size: length of the window, at most 62.
        chosen: (K,) bool, output.
        work: scratch of merge.work_size(size) words.
    """
    members = order[first : first + size]
    inner = values[members].reshape(1, size)
    total = inner.sum()
    rest = goal - total // 2
    for place in range(len(order)):
        e = order[place]
        if (place < first or place >= first + size) and values[e] <= rest:
            chosen[e] = True
            rest -= values[e]
    masks = np.empty(1, np.int64)
    row = np.zeros(1, np.int64)
    wanted = np.array([min(max(rest + total // 2, 0), total)])
    merge.closest_subsets(inner, row, wanted, masks, work)
    for i in range(size):
        chosen[members[i]] = (masks[0] >> i) & 1 == 1
    reached = 0
    for e in range(len(values)):
        reached += int(values[e]) if chosen[e] else 0
    return reached
