"""Kernels of `lockstep`: the merge tree of LANES crossbars at once, each in a lane of its own.

A block of q ports is stored as the conductances between them, row i and column j with i < j, in
rows of ``stride`` vectors; other entries are unused. Positions in the pool, and sizes, are in
vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xbar.circuit.solvers.lanes import (
    LANES,
    Floats,
    Ints,
    add,
    divide,
    jit,
    load,
    multiply,
    splat,
    store,
)
from xbar.circuit.solvers.lockstep_elimination import (
    COLUMNS,
    FIRST,
    FOUR,
    HIGH,
    MAP,
    OPEN,
    PORTS,
    ROWS,
    SECOND,
    SHARED,
    SIZE,
    STACKED,
    STRIDE,
    WIDE,
    between,
    eliminate,
    eliminate_few,
    multiply_all,
    multiply_few,
)

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
def solve_tree(
    tree: Tree, wires: tuple[Floats, Floats], cells: Floats, pool: Floats, drivers: int
) -> None:
    """Solve LANES crossbars.

    Args:
        tree: blocks; the last kind is the whole array.
        wires: (W, B) siemens of the segments to the left of each cell, and below it.
        cells: (W B LANES,) siemens, crossbars interleaved.
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
            _cell(own, wires, cells, (row, column), pool, at)
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
def _cell(
    own: Ints,
    wires: tuple[Floats, Floats],
    cells: Floats,
    place: tuple[int, int],
    pool: Floats,
    at: int,
) -> None:
    """Block of one cell: ports left, right, top, bottom, of which the open ones are eliminated."""
    row, column = place
    word, bit = splat(wires[0][row, column]), splat(wires[1][row, column])
    cell = load(cells, (row * wires[0].shape[1] + column) * LANES)
    zero, step, last = splat(0.0), own[STRIDE], own[PORTS] - 1
    for i in range(last):
        for j in range(i + 1, last + 1):
            store(pool, (at + i * step + j) * LANES, zero)
    right_open, top_open = own[OPEN] & 1, own[OPEN] & 2
    if right_open and top_open:
        half = divide(multiply(word, cell), add(word, cell))
        store(pool, (at + 1) * LANES, divide(multiply(half, bit), add(half, bit)))
    elif right_open:  # left, top, bottom
        store(pool, (at + 1) * LANES, divide(multiply(word, cell), add(word, cell)))
        store(pool, (at + step + 2) * LANES, bit)
    elif top_open:  # left, right, bottom
        store(pool, (at + 1) * LANES, word)
        store(pool, (at + step + 2) * LANES, divide(multiply(cell, bit), add(cell, bit)))
    else:
        store(pool, (at + 1) * LANES, word)
        store(pool, (at + step + 2) * LANES, cell)
        store(pool, (at + 2 * step + 3) * LANES, bit)


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
    if own[ROWS] < FOUR:
        eliminate_few(own, pool, spots[3])
    else:
        eliminate(own, pool, spots[3])
    stay = maps[2 * own[SHARED] :]
    if drivers:
        _keep(own, stay, steps, pool, spots, drivers)
        between(own, pool, spots, drivers)
        return
    _keep(own, stay, steps, pool, spots, 0)
    if own[ROWS] < FOUR:
        multiply_few(own, pool, spots)
    else:
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
    for tile in range(0, own[COLUMNS], FOUR):
        to = (work + tile * rows) * LANES
        for p in range(rows):
            a, b = (maps[p], maps[shared + p]) if p < shared else (0, 0)
            for j in range(tile, tile + FOUR):
                value = zero
                if p < shared and p < j < shared:
                    c = maps[j]
                    value = load(pool, (first + min(a, c) * steps[0] + max(a, c)) * LANES)
                    c = maps[shared + j]
                    c = second + min(b, c) * steps[1] + max(b, c)
                    value = add(value, load(pool, c * LANES))
                elif p < shared and j >= rows and stay[j - rows] >= 0:
                    c = stay[j - rows]
                    if c < OTHER:
                        c = first + min(a, c) * steps[0] + max(a, c)
                    else:
                        c -= OTHER
                        c = second + min(b, c) * steps[1] + max(b, c)
                    value = load(pool, c * LANES)
                store(pool, to, value)
                to += LANES


@jit
def _keep(
    own: Ints,
    stay: Ints,
    steps: tuple[int, int],
    pool: Floats,
    spots: tuple[int, int, int, int],
    drivers: int,
) -> None:
    """What the children conduct between remaining nodes; with drivers, to them from the others."""
    at, first, second, _ = spots
    many = own[COLUMNS] - own[ROWS]
    zero = splat(0.0)
    for i in range(drivers, many):
        a = stay[i]
        begin, end = (0, drivers) if drivers else (i // FOUR * FOUR, many)
        to = at + ((i - drivers) * drivers if drivers else i * own[STRIDE] + begin)
        for j in range(begin, end):
            c = stay[j]
            value = zero
            if a >= 0 and c >= 0 and (a < OTHER) == (c < OTHER):
                if c < OTHER:
                    c = first + min(a, c) * steps[0] + max(a, c)
                else:
                    c = second + (min(a, c) - OTHER) * steps[1] + max(a, c) - OTHER
                value = load(pool, c * LANES)
            store(pool, to * LANES, value)
            to += 1
