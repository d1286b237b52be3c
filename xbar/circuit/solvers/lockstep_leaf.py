"""Kernels of `lockstep`: blocks of up to 4 x 4 cells, a crossbar in each lane.

A word line is eliminated from its left end on, and the bit nodes of a row when the next row's are
there: a node's place goes to the one behind it. Ports are in an order in which those that a row
adds come last: bottom, top, then left and right of each row; open ends are none.

    front ──── ● ──next── ●      the node at the front of a word line is linked to the left port and
               │ cell            the bit nodes so far; what it shares out is positive
               ●
"""

from __future__ import annotations

from typing import NamedTuple

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
    store,
)
from xbar.circuit.solvers.lockstep_elimination import HIGH, OPEN, SIZE, STRIDE, WIDE


class Array(NamedTuple):
    """LANES crossbars with the same wires.

    Attributes:
        word: (W, B) siemens of the segment to the left of each cell.
        bit: (W, B) siemens of the segment below each cell.
        cells: (W B LANES,) siemens, crossbars interleaved.
    """

    word: Floats
    bit: Floats
    cells: Floats


@jit
def make_leaf(own: Ints, array: Array, origin: tuple[int, int], pool: Floats, at: int) -> None:
    """Make the block of a `Kind` whose first cell is at an origin, with scratch behind it."""
    step, wide, spare = own[STRIDE], own[WIDE], at + own[SIZE]
    right, top = own[OPEN] & 1 == 0, own[OPEN] & 2 == 0
    for k in range(own[SIZE]):
        store(pool, (at + k) * LANES, splat(0.0))
    begin = 2 * wide if top else wide
    for i in range(own[HIGH]):
        row, left = origin[0] + i, begin + (2 * i if right else i)
        above = top and i == 0
        places = (wide if above else 0), wide, left
        _add_word_line(array, (row, origin[1]), places, right, (pool, at, step, spare))
        for j in range(wide):
            siemens = splat(array.bit[row, origin[1] + j])
            if above:
                store(pool, (at + j * step + wide + j) * LANES, siemens)
            else:
                _move_down(pool, (at, step, spare), j, left + (2 if right else 1), siemens)


@jit
def _add_word_line(
    array: Array,
    origin: tuple[int, int],
    places: tuple[int, int, int],
    right: bool,
    block: tuple[Floats, int, int, int],
) -> None:
    """Add what a word line's cells and segments conduct between its ends and its bit nodes.

    Args:
        array: the crossbars.
        origin: row and column of the first cell.
        places: place of the first bit node, number of bit nodes, place of the left end.
        right: whether the last word node is a port, the one behind the left end.
        block: pool, position of the block, its stride, and position of scratch.
    """
    (row, column), (bits, wide, left), (pool, at, step, spare) = origin, places, block
    front = splat(array.word[row, column])
    for c in range(wide):
        cell = load(array.cells, (row * array.word.shape[1] + column + c) * LANES)
        store(pool, (spare + c) * LANES, cell)
        if right and c == wide - 1:
            for k in range(wide):
                value = load(pool, (spare + k) * LANES)
                store(pool, (at + (bits + k) * step + left + 1) * LANES, value)
            store(pool, (at + left * step + left + 1) * LANES, front)
            return
        behind = splat(array.word[row, column + c + 1] if c + 1 < wide else 0.0)
        degree = add(front, behind)
        for k in range(c + 1):
            degree = add(degree, load(pool, (spare + k) * LANES))
        inverse = divide(splat(1.0), degree)
        passed = multiply(behind, inverse)
        for k in range(c + 1):
            value = load(pool, (spare + k) * LANES)
            share, to = multiply(value, inverse), at + (bits + k) * step
            for m in range(k + 1, c + 1):
                _add(pool, to + bits + m, share, load(pool, (spare + m) * LANES))
            _add(pool, to + left, share, front)
        for k in range(c + 1):
            value = load(pool, (spare + k) * LANES)
            store(pool, (spare + k) * LANES, multiply(value, passed))
        front = multiply(front, passed)


@jit
def _move_down(
    pool: Floats, block: tuple[int, int, int], j: int, count: int, siemens: Lanes
) -> None:
    """Eliminate a bit node; its place goes to the one below.

    Args:
        pool: scratch.
        block: position of the block, its stride, and position of scratch.
        j: place of the node.
        count: number of places in use.
        siemens: of the segment between the two nodes.
    """
    at, step, spare = block
    degree = siemens
    for k in range(count):
        value = splat(0.0)
        if k != j:
            value = load(pool, (at + min(j, k) * step + max(j, k)) * LANES)
        store(pool, (spare + k) * LANES, value)
        degree = add(degree, value)
    inverse = divide(splat(1.0), degree)
    passed = multiply(siemens, inverse)
    for k in range(count):
        if k != j:
            value = load(pool, (spare + k) * LANES)
            share, to = multiply(value, inverse), at + k * step
            for m in range(k + 1, count):
                _add(pool, to + m, share, load(pool, (spare + m) * LANES))
            store(pool, (at + min(j, k) * step + max(j, k)) * LANES, multiply(value, passed))


@jit
def _add(pool: Floats, at: int, one: Lanes, two: Lanes) -> None:
    """Add a product to a place."""
    store(pool, at * LANES, multiply_add(one, two, load(pool, at * LANES)))
