"""Targets covered by a growing set of random numbers, exactly, as a union of intervals."""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, jit

HALF = 0.5


@jit
def covered(numbers: Floats, eps: float, share: Floats) -> None:
    """Simulate the process truncated to (-1/2, 1/2).

    The covered set A starts as (-eps, eps); each number x adds the intersection of A + x with
    (-1/2, 1/2).

    Args:
        numbers: (R, n) numbers of R independent runs.
        eps: allowed error, above 0 and at most 1/4.
        share: (R, n + 1) output: length of A after each step.
    """
    room = int(2.0 / eps) + 4
    start, end = np.empty(room), np.empty(room)
    new_start, new_end = np.empty(room), np.empty(room)
    for r in range(len(numbers)):
        count = 1
        start[0], end[0] = -eps, eps
        share[r, 0] = 2.0 * eps
        for t in range(numbers.shape[1]):
            if 2 * count > room:  # intervals cut at an end may be short, and therefore many
                room = 4 * count
                start, end = _longer(start, room), _longer(end, room)
                new_start, new_end = np.empty(room), np.empty(room)
            count = _step(numbers[r, t], count, start, end, new_start, new_end)
            start, new_start = new_start, start
            end, new_end = new_end, end
            length = 0.0
            for i in range(count):
                length += end[i] - start[i]
            share[r, t + 1] = length


@jit
def _longer(array: Floats, room: int) -> Floats:
    longer = np.empty(room)
    longer[: len(array)] = array
    return longer


@jit
def _step(
    x: float, count: int, start: Floats, end: Floats, new_start: Floats, new_end: Floats
) -> int:
    """Union of A and the clipped A + x, as sorted disjoint intervals."""
    i = j = 0
    kept = 0
    while i < count or j < count:
        stay = j >= count or (i < count and start[i] <= start[j] + x)
        if stay:
            low, high = start[i], end[i]
            i += 1
        else:
            low, high = max(start[j] + x, -HALF), min(end[j] + x, HALF)
            j += 1
        if low >= high:
            continue
        if kept > 0 and low <= new_end[kept - 1]:
            new_end[kept - 1] = max(new_end[kept - 1], high)
        else:
            new_start[kept], new_end[kept] = low, high
            kept += 1
    return kept
