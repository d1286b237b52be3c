"""Kernels of `lockstep`: elimination of the nodes that two blocks share, a crossbar in each lane.

The rows of the shared nodes are stored four columns at a time, so that products read them in order:

    entry (p, j) is at (j // 4 * rows + p) * 4 + j % 4      rows: shared nodes in whole fours

With row p scaled to g_pj / sqrt(sum_k g_pk), the star-mesh transformation is a product of rows,
made in tiles of 4 x 4 columns whose 16 vectors stay in registers. The sums, too, only add positive
numbers: those of four rows over all columns behind them change in the elimination like one more
column. Positions in the pool, and sizes, are in vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xbar.circuit.solvers.lanes import (
    LANES,
    Floats,
    Ints,
    Lanes,
    add,
    divide,
    jit,
    load,
    multiply,
    multiply_add,
    splat,
    square_root,
    store,
)

PORTS, STRIDE, SIZE, ROWS, COLUMNS, SHARED = 0, 1, 2, 3, 4, 5
FIRST, SECOND, MAP, OPEN, HIGH, WIDE, STACKED = 6, 7, 8, 9, 10, 11, 12
"""Places of a `Kind`'s numbers."""

FOUR = 4
_TINY = 1e-300  # siemens; of a node that nothing is connected to
_AT_ONCE = 96  # rows times tiles of columns that stay in the first cache


class Kind(NamedTuple):
    """Numbers of a kind of block.

    Attributes:
        ports: number of ports.
        stride: vectors of a row of conductances between them.
        size: vectors of all rows.
        rows: rows of the nodes shared by its children, in whole fours.
        columns: columns of those rows: of the shared nodes, and of what remains, in whole fours.
        shared: shared nodes.
        first: kind of its left or upper child; -1 of a leaf.
        second: kind of the other child.
        map: where its part of `lockstep_kernels.Tree.maps` begins.
        open: of a leaf, 1 if its word lines end open at the right, 2 if its bit lines end open at
            the top, 3 for both.
        high: height in cells.
        wide: width in cells.
        stacked: whether the second child is below the first.
    """

    ports: int
    stride: int
    size: int
    rows: int
    columns: int
    shared: int
    first: int
    second: int
    map: int
    open: int
    high: int
    wide: int
    stacked: int


@jit
def _row(pool: Floats, at: int) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Four vectors in a row."""
    one, two = load(pool, at), load(pool, at + LANES)
    return one, two, load(pool, at + 2 * LANES), load(pool, at + 3 * LANES)


@jit
def _put(pool: Floats, at: int, one: Lanes, two: Lanes, three: Lanes, four: Lanes) -> None:
    """Store four vectors in a row."""
    store(pool, at, one)
    store(pool, at + LANES, two)
    store(pool, at + 2 * LANES, three)
    store(pool, at + 3 * LANES, four)


@jit
def eliminate(own: Ints, pool: Floats, work: int) -> None:
    """Scale and complete the rows of the shared nodes, four at a time."""
    rows, columns = own[ROWS], own[COLUMNS]
    factor = np.empty(10 * LANES)
    tails = np.empty(FOUR * LANES)
    for p in range(0, rows, FOUR):
        square = work + p * rows + p * FOUR
        _multiply(pool, square, FOUR, work + p * rows, work + p * rows, p)
        tails[:] = 0.0
        for j in range(p + FOUR, columns, FOUR):
            place = work + j * rows + p * FOUR
            _multiply(pool, place, FOUR, work + p * rows, work + j * rows, p)
            for a in range(FOUR):
                k = (place + a * FOUR) * LANES
                one, two = load(pool, k), load(pool, k + LANES)
                three, four = load(pool, k + 2 * LANES), load(pool, k + 3 * LANES)
                some = add(add(one, two), add(three, four))
                store(tails, a * LANES, add(load(tails, a * LANES), some))
        _factor(pool, square, tails, factor)
        _scale(pool, (work + (p + FOUR) * rows + p * FOUR, work + columns * rows), rows, factor)


@jit
def _factor(pool: Floats, square: int, tails: Floats, factor: Floats) -> None:
    """Eliminate four nodes among themselves.

    Args:
        pool: scratch.
        square: position of the conductances between them.
        tails: sums of their conductances to the nodes behind them.
        factor: output, the reciprocal root of each node's sum, and the scaled conductances 01, 02,
            03, 12, 13, 23.
    """
    at = square * LANES
    one, tiny = splat(1.0), splat(_TINY)
    x01, x02, x03 = load(pool, at + LANES), load(pool, at + 2 * LANES), load(pool, at + 3 * LANES)
    x12, x13, x23 = (
        load(pool, at + 6 * LANES),
        load(pool, at + 7 * LANES),
        load(pool, at + 11 * LANES),
    )
    t0, t1 = load(tails, 0), load(tails, LANES)
    t2, t3 = load(tails, 2 * LANES), load(tails, 3 * LANES)
    s0 = divide(one, square_root(add(add(add(x01, x02), add(x03, tiny)), t0)))
    x01, x02, x03, t0 = multiply(s0, x01), multiply(s0, x02), multiply(s0, x03), multiply(s0, t0)
    x12, x13 = multiply_add(x01, x02, x12), multiply_add(x01, x03, x13)
    x23 = multiply_add(x02, x03, x23)
    t1, t2, t3 = multiply_add(x01, t0, t1), multiply_add(x02, t0, t2), multiply_add(x03, t0, t3)
    s1 = divide(one, square_root(add(add(x12, x13), add(tiny, t1))))
    x12, x13, t1 = multiply(s1, x12), multiply(s1, x13), multiply(s1, t1)
    x23 = multiply_add(x12, x13, x23)
    t2, t3 = multiply_add(x12, t1, t2), multiply_add(x13, t1, t3)
    s2 = divide(one, square_root(add(add(x23, tiny), t2)))
    x23, t2 = multiply(s2, x23), multiply(s2, t2)
    t3 = multiply_add(x23, t2, t3)
    s3 = divide(one, square_root(add(tiny, t3)))
    _put(factor, 0, s0, s1, s2, s3)
    _put(factor, 4 * LANES, x01, x02, x03, x12)
    store(factor, 8 * LANES, x13)
    store(factor, 9 * LANES, x23)


@jit
def _scale(pool: Floats, part: tuple[int, int], rows: int, factor: Floats) -> None:
    """Complete four rows in the columns behind them, from a position to another."""
    s0, s1, s2, s3 = _row(factor, 0)
    f01, f02, f03, f12 = _row(factor, 4 * LANES)
    f13, f23 = load(factor, 8 * LANES), load(factor, 9 * LANES)
    for tile in range(part[0], part[1], rows * FOUR):
        for k in range(tile * LANES, (tile + FOUR) * LANES, LANES):
            x0 = multiply(s0, load(pool, k))
            x1 = multiply_add(f01, x0, load(pool, k + 4 * LANES))
            x2 = multiply_add(f02, x0, load(pool, k + 8 * LANES))
            x3 = multiply_add(f03, x0, load(pool, k + 12 * LANES))
            x1 = multiply(s1, x1)
            x2, x3 = multiply_add(f12, x1, x2), multiply_add(f13, x1, x3)
            x2 = multiply(s2, x2)
            x3 = multiply(s3, multiply_add(f23, x2, x3))
            store(pool, k, x0)
            store(pool, k + 4 * LANES, x1)
            store(pool, k + 8 * LANES, x2)
            store(pool, k + 12 * LANES, x3)


@jit
def multiply_all(own: Ints, pool: Floats, spots: tuple[int, int, int, int]) -> None:
    """Add the products of all rows to the result, above its diagonal."""
    rows, step, (at, _, _, work) = own[ROWS], own[STRIDE], spots
    many = own[COLUMNS] - rows
    width = max(_AT_ONCE // rows, 1) * FOUR
    begin = work + rows * rows
    for start in range(0, many, width):
        end = min(start + width, many)
        for i in range(0, end, FOUR):
            for j in range(max(start, i), end, FOUR):
                x, y = begin + i * rows, begin + j * rows
                _multiply(pool, at + i * step + j, step, x, y, rows)


@jit
def multiply_between(
    own: Ints, pool: Floats, spots: tuple[int, int, int, int], drivers: int
) -> None:
    """Add the products between the drivers and the other ports to the result."""
    rows, (at, _, _, work) = own[ROWS], spots
    many = own[COLUMNS] - rows
    begin = work + rows * rows
    for j in range(drivers, many, FOUR):
        for i in range(0, drivers, FOUR):
            x, y = begin + j * rows, begin + i * rows
            _multiply(pool, at + (j - drivers) * drivers + i, drivers, x, y, rows)


@jit
def _multiply(pool: Floats, at: int, step: int, x: int, y: int, depth: int) -> None:
    """Add the product of 4 columns of ``depth`` rows with 4 others to 4 x 4 entries."""
    a, b = at * LANES, (at + step) * LANES
    c, d = (at + 2 * step) * LANES, (at + 3 * step) * LANES
    a0, a1, a2, a3 = _row(pool, a)
    b0, b1, b2, b3 = _row(pool, b)
    c0, c1, c2, c3 = _row(pool, c)
    d0, d1, d2, d3 = _row(pool, d)
    x, y = x * LANES, y * LANES
    for _ in range(depth):
        p, q, r, s = _row(pool, x)
        y0, y1, y2, y3 = _row(pool, y)
        a0, a1 = multiply_add(p, y0, a0), multiply_add(p, y1, a1)
        a2, a3 = multiply_add(p, y2, a2), multiply_add(p, y3, a3)
        b0, b1 = multiply_add(q, y0, b0), multiply_add(q, y1, b1)
        b2, b3 = multiply_add(q, y2, b2), multiply_add(q, y3, b3)
        c0, c1 = multiply_add(r, y0, c0), multiply_add(r, y1, c1)
        c2, c3 = multiply_add(r, y2, c2), multiply_add(r, y3, c3)
        d0, d1 = multiply_add(s, y0, d0), multiply_add(s, y1, d1)
        d2, d3 = multiply_add(s, y2, d2), multiply_add(s, y3, d3)
        x += FOUR * LANES
        y += FOUR * LANES
    _put(pool, a, a0, a1, a2, a3)
    _put(pool, b, b0, b1, b2, b3)
    _put(pool, c, c0, c1, c2, c3)
    _put(pool, d, d0, d1, d2, d3)
