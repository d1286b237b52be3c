"""Kernels of `lockstep`: the merge tree of LANES crossbars at once, each in a lane of its own.

A block of q ports is stored as the conductances between them, row i and column j with i < j, in
rows of ``stride`` vectors; other entries are unused. Positions in the pool, and sizes, are in
vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xbar.circuit.solvers.lanes import LANES, Floats, Ints, add, jit, load, splat, store
from xbar.circuit.solvers.lockstep_elimination import (
    COLUMNS,
    FIRST,
    FOUR,
    HIGH,
    MAP,
    PORTS,
    ROWS,
    SECOND,
    SHARED,
    SIZE,
    STACKED,
    STRIDE,
    WIDE,
    eliminate,
    multiply_all,
    multiply_between,
)
from xbar.circuit.solvers.lockstep_leaf import Array, make_leaf

OTHER = 1 << 32  # added to the number of a port of the second child


class Tree(NamedTuple):
    """The blocks of a merge tree.

    Attributes:
        kinds: (N, 13) the numbers of each `Kind`, children before their parents.
        maps: for each kind, the number of each shared node among the ports of the first child, then
            of the second; then of each remaining node among those of its child, OTHER added for the
            second; -1 for none, to fill up the fours.
    """

    kinds: Ints
    maps: Ints


@jit
def solve_tree(tree: Tree, array: Array, pool: Floats, drivers: int) -> None:
    """Solve LANES crossbars.

    Args:
        tree: blocks; the last kind is the whole array.
        array: the crossbars.
        pool: scratch of `Plan.pool` vectors.
        drivers: number of the array's ports that are drivers, the first ones, in whole fours. The
            result begins the pool: rows of amplifiers, columns of drivers.
    """
    kinds = tree.kinds
    stack = np.empty((128, 5), np.int64)  # kind, first row and column, position, whether expanded
    stack[0] = np.array([len(kinds) - 1, 0, 0, 0, 0])
    depth = 1
    while depth:
        task = stack[depth - 1]
        kind, row, column, at = task[0], task[1], task[2], task[3]
        own = kinds[kind]
        if own[FIRST] < 0:
            make_leaf(own, array, (row, column), pool, at)
            depth -= 1
            continue
        first = at + own[SIZE]
        one, two = kinds[own[FIRST]], kinds[own[SECOND]]
        second = first + one[SIZE]
        work = second + two[SIZE]
        if task[4]:
            depth -= 1
            _join(tree, kind, pool, (at, first, second, work), drivers if depth == 0 else 0)
            continue
        task[4] = 1
        stack[depth, 0], stack[depth, 3], stack[depth, 4] = own[SECOND], second, 0
        stack[depth, 1] = row + (one[HIGH] if own[STACKED] else 0)
        stack[depth, 2] = column + (0 if own[STACKED] else one[WIDE])
        stack[depth + 1, 0], stack[depth + 1, 3], stack[depth + 1, 4] = own[FIRST], first, 0
        stack[depth + 1, 1], stack[depth + 1, 2] = row, column
        depth += 2


@jit
def _join(
    tree: Tree, kind: int, pool: Floats, spots: tuple[int, int, int, int], drivers: int
) -> None:
    """Join two children.

    Args:
        tree: blocks.
        kind: kind of the result.
        pool: scratch.
        spots: positions of the result, the children and the scratch.
        drivers: 0, or of the whole array the ports that are drivers: the result is the others'
            conductances to them.
    """
    own = tree.kinds[kind]
    steps = tree.kinds[own[FIRST]][STRIDE], tree.kinds[own[SECOND]][STRIDE]
    maps = tree.maps[own[MAP] :]
    _gather(own, maps, steps, pool, spots)
    eliminate(own, pool, spots[3])
    stay = maps[2 * own[SHARED] :]
    if drivers:
        _keep_between(own, stay, steps, pool, spots, drivers)
        multiply_between(own, pool, spots, drivers)
    else:
        _keep(own, stay, steps, pool, spots)
        multiply_all(own, pool, spots)


@jit
def _gather(
    own: Ints,
    maps: Ints,
    steps: tuple[int, int],
    pool: Floats,
    spots: tuple[int, int, int, int],
) -> None:
    """Rows of the shared nodes, from both children."""
    shared, rows = own[SHARED], own[ROWS]
    stay = maps[2 * shared :]
    zero = splat(0.0)
    _, first, second, work = spots
    for j in range(own[COLUMNS]):
        to = (work + j // FOUR * FOUR * rows + j % FOUR) * LANES
        c = stay[j - rows] if j >= rows else -1
        done = 0
        if j < shared:
            b, d = maps[j], maps[shared + j]
            for p in range(j):
                a, c = maps[p], maps[shared + p]
                one = load(pool, (first + min(a, b) * steps[0] + max(a, b)) * LANES)
                two = load(pool, (second + min(c, d) * steps[1] + max(c, d)) * LANES)
                store(pool, to + p * FOUR * LANES, add(one, two))
            done = rows  # below the diagonal nothing is used
        elif c >= 0:
            child, step, names = first, steps[0], maps
            if c >= OTHER:
                child, step, names, c = second, steps[1], maps[shared:], c - OTHER
            for p in range(shared):
                a = names[p]
                value = load(pool, (child + min(a, c) * step + max(a, c)) * LANES)
                store(pool, to + p * FOUR * LANES, value)
            done = shared
        for p in range(done, rows):
            store(pool, to + p * FOUR * LANES, zero)


@jit
def _keep(
    own: Ints,
    stay: Ints,
    steps: tuple[int, int],
    pool: Floats,
    spots: tuple[int, int, int, int],
) -> None:
    """What each child conducts between its remaining nodes; those of the first come first."""
    at, first, second, _ = spots
    many, count, mine = own[COLUMNS] - own[ROWS], own[PORTS], 0
    while mine < count and stay[mine] < OTHER:
        mine += 1
    zero = splat(0.0)
    for i in range(count):
        to, end = at + i * own[STRIDE], mine if i < mine else count
        source = first + stay[i] * steps[0]
        if i >= mine:
            source = second + (stay[i] - OTHER) * steps[1] - OTHER
        for j in range(i + 1, end):
            store(pool, (to + j) * LANES, load(pool, (source + stay[j]) * LANES))
        for j in range(end, many):
            store(pool, (to + j) * LANES, zero)


@jit
def _keep_between(
    own: Ints,
    stay: Ints,
    steps: tuple[int, int],
    pool: Floats,
    spots: tuple[int, int, int, int],
    drivers: int,
) -> None:
    """What each child conducts between its drivers and its other remaining nodes."""
    at, first, second, _ = spots
    for i in range(drivers, own[COLUMNS] - own[ROWS]):
        for j in range(drivers):
            a, b = stay[i], stay[j]
            value = splat(0.0)
            if min(a, b) >= 0 and (a < OTHER) == (b < OTHER):
                child, step = first, steps[0]
                if a >= OTHER:
                    child, step, a, b = second, steps[1], a - OTHER, b - OTHER
                value = load(pool, (child + min(a, b) * step + max(a, b)) * LANES)
            store(pool, (at + (i - drivers) * drivers + j) * LANES, value)
