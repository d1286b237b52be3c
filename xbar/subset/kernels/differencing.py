"""Complete differencing: partition of numbers into two sides of nearly equal sum.

N. Karmarkar, R. M. Karp, "The differencing method of set partitioning", 1982: replace the two
largest numbers by their difference, which commits them to opposite sides; and R. E. Korf, "A
complete anytime algorithm for number partitioning", Artificial Intelligence 106, 1998: backtrack
and put them on the same side, replacing them by their sum. The first descent is the heuristic of
Karmarkar and Karp, the whole tree is exact.
"""

from __future__ import annotations

import heapq

import numpy as np

from xbar.jit import Bools, Ints, jit

LEVELS = 40  # tree search starts when this many numbers are left


@jit
def partition(numbers: Ints, nodes: int, enough: int, over: Ints, side: Bools) -> bool:
    """Partition numbers into two sides of nearly equal sum.

    Args:
        numbers: (N,) non-negative numbers with a sum below 2**62.
        nodes: maximum number of tree nodes.
        enough: sufficient difference.
        over: (1,) flag that ends the search once nonzero, after a partition was found.
        side: (N,) bool, output.

    Returns:
        Whether the partition is proved optimal.
    """
    n = len(numbers)
    edges = np.zeros((max(n, 1), 3), np.int64)  # the two numbers, and whether on the same side
    values, owners, used = _reduce(numbers, edges)
    count = len(values)
    value, owner = np.zeros((count, count), np.int64), np.zeros((count, count), np.int64)
    value[0], owner[0] = values, owners
    branch, total = np.zeros(count, np.int64), np.zeros(count, np.int64)
    total[0] = values.sum()
    best, depth = np.int64(1) << 62, 0
    while depth >= 0 and best > enough and nodes > 0:
        if over[0] != 0 and best < np.int64(1) << 62:
            break
        left = count - depth
        large = value[depth, 0]
        if branch[depth] == 0:
            nodes -= 1
            if 2 * large >= total[depth]:
                if 2 * large - total[depth] < best:
                    best = 2 * large - total[depth]
                    _sides(edges[: used + depth], owner[depth, :left], side)
                branch[depth] = 2
        if branch[depth] == 2:
            depth -= 1
            continue
        together = branch[depth]
        branch[depth] += 1
        _step(value, owner, depth, left, together)
        edges[used + depth] = (owner[depth, 0], owner[depth, 1], together)
        total[depth + 1] = total[depth] - 2 * value[depth, 1] * (1 - together)
        branch[depth + 1] = 0
        depth += 1
    return depth < 0 and used == 0


@jit
def _reduce(numbers: Ints, edges: Ints) -> tuple[Ints, Ints, int]:
    """Difference the two largest until LEVELS are left: values descending, owners, steps."""
    heap = [(-numbers[i], i) for i in range(len(numbers))]
    heapq.heapify(heap)
    used = 0
    while len(heap) > LEVELS:
        large, first = heapq.heappop(heap)
        small, second = heapq.heappop(heap)
        edges[used, 0], edges[used, 1], edges[used, 2] = first, second, 0
        used += 1
        heapq.heappush(heap, (large - small, first))
    count = len(heap)
    values, owners = np.empty(count, np.int64), np.empty(count, np.int64)
    for i in range(count):
        negative, owners[i] = heapq.heappop(heap)
        values[i] = -negative
    return values, owners, used


@jit
def _step(value: Ints, owner: Ints, depth: int, left: int, together: int) -> None:
    """Write the next level: the two largest replaced by their difference or sum."""
    first, second = value[depth, 0], value[depth, 1]
    new = first + second if together else first - second
    place = 0
    for i in range(2, left):
        if value[depth, i] > new:
            value[depth + 1, place], owner[depth + 1, place] = value[depth, i], owner[depth, i]
            place += 1
        else:
            break
    value[depth + 1, place], owner[depth + 1, place] = new, owner[depth, 0]
    for i in range(place + 2, left):
        value[depth + 1, i - 1], owner[depth + 1, i - 1] = value[depth, i], owner[depth, i]


@jit
def _sides(edges: Ints, left: Ints, side: Bools) -> None:
    """Sides from the largest remaining number against all others, back through the steps."""
    for i in range(len(left)):
        side[left[i]] = i > 0
    for i in range(len(edges) - 1, -1, -1):
        same = edges[i, 2] == 1
        side[edges[i, 1]] = side[edges[i, 0]] if same else not side[edges[i, 0]]


@jit
def closest_subset(
    values: Ints, goal: int, nodes: int, enough: int, over: Ints, chosen: Bools
) -> bool:
    """A subset by differencing; returns whether it is proved optimal.

    A subset that exceeds the goal by e partitions the values, with a number |2 goal - sum| on the
    side of the values left out (or of the chosen ones if the goal is below half the sum), into two
    sides that differ by 2 |e|.

    Args:
        values: (K,) non-negative values with a sum below 2**60.
        goal: target, 0 to their sum.
        nodes: maximum number of tree nodes.
        enough: sufficient |excess|.
        over: (1,) flag that ends the search once nonzero.
        chosen: (K,) bool, output.
    """
    k = len(values)
    extra = 2 * goal - values.sum()
    numbers = np.empty(k + 1, np.int64)
    numbers[:k] = values
    numbers[k] = abs(extra)
    side = np.zeros(k + 1, np.bool_)
    proven = partition(numbers, nodes, 2 * enough + 1, over, side)
    for e in range(k):
        opposite = side[e] != side[k]
        chosen[e] = (opposite if extra >= 0 else not opposite) and values[e] > 0
    return proven
