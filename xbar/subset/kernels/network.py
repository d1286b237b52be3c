"""Passes of a bitonic merge over rows of LANES lists: each keeps a block of rows in registers.

Sorting n rows takes log2(n) steps of compare-exchange. A pass does up to LOG_ROWS of them between
one load and one store of each row. The first pass of a sort also makes its input, the last one
also uses its output, so that each list is written once per pass and never read just to be copied.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

from xbar.subset.kernels.vectors import (
    LOG_ROWS,
    Lanes,
    Value,
    constant,
    emitted,
    ordered,
    sort_bitonic,
    splat,
)

Pair: TypeAlias = tuple[Value, Value]  # a distance and the lower of its rows

_ROWS = 1 << LOG_ROWS
_ONE = constant(1)
ZERO = 3 << 60  # what stands for a sum of 0: all keys stay positive, and normal as float64 bits
FAR = 3 << 60  # more than any distance
BEFORE = -(1 << 61)  # a row before the first that is FAR from it or more


@emitted
def start_list(x: Lanes, at: Value, keys: Value, totals: Value) -> None:
    """The sorted sums of the first LOG_ROWS keys; `totals` gets the running totals of all of them.

    A total is stored with 2 * ZERO added, so that total - sum is the mirrored sum.
    """
    b = x.builder
    rows, total = [splat(ZERO)], splat(2 * ZERO - (1 << 64))
    for e in range(LOG_ROWS):
        total = b.add(total, x.load(b.add(keys, constant(e))))
        low = sort_bitonic(b, [_fold(x, row, total) for row in rows])
        rows = low + [b.sub(total, row) for row in reversed(low)]
    x.store_rows(at, _ONE, rows)
    x.store(totals, total)


def _fold(x: Lanes, row: Value, total: Value) -> Value:
    return ordered(x.builder, row, x.builder.sub(total, row))[0]


def _folding(log: int) -> Callable[..., None]:
    @emitted
    def fold(x: Lanes, at: Value, stride: Value, total: Value) -> None:
        """First pass: the lower half of "list merged with list + element", unsorted."""
        whole = x.load(total)
        rows = [_fold(x, row, whole) for row in x.rows(at, stride, 1 << log)]
        x.store_rows(at, stride, sort_bitonic(x.builder, rows))

    return fold


def _splitting(log: int) -> Callable[..., None]:
    @emitted
    def split(x: Lanes, at: Value, other: Value, stride: Value, n: Value, target: Value) -> None:
        """First pass of the merge of a list (at) with target - list (other): 2 n rows at `at`."""
        b = x.builder
        goal = x.load(target)
        first, second = x.rows(at, stride, 1 << log), x.rows(other, stride, 1 << log)
        pairs = [ordered(b, u, b.sub(goal, v)) for u, v in zip(first, second, strict=True)]
        low, high = (sort_bitonic(b, list(half)) for half in zip(*pairs, strict=True))
        x.store_rows(at, stride, low)
        x.store_rows(b.add(at, n), stride, high)

    return split


fold_1, fold_2, fold_3, fold_4 = (_folding(log) for log in (1, 2, 3, 4))
split_0, split_1, split_2, split_3 = (_splitting(log) for log in (0, 1, 2, 3))


@emitted
def exchange(x: Lanes, at: Value, stride: Value) -> None:
    """A pass in the middle."""
    x.store_rows(at, stride, sort_bitonic(x.builder, x.rows(at, stride, _ROWS)))


@emitted
def finish_list(x: Lanes, at: Value, mirror: Value, total: Value) -> None:
    """Last pass: sorts consecutive rows and writes their mirror image, from row `mirror` down."""
    _store_twice(x, sort_bitonic(x.builder, x.rows(at, _ONE, _ROWS)), at, mirror, x.load(total))


@emitted
def fold_and_finish(x: Lanes, at: Value, mirror: Value, total: Value) -> None:
    """First and last pass in one, for a list of as many rows as fit in registers."""
    whole = x.load(total)
    rows = [_fold(x, row, whole) for row in x.rows(at, _ONE, _ROWS)]
    _store_twice(x, sort_bitonic(x.builder, rows), at, mirror, whole)


def _store_twice(x: Lanes, rows: list[Value], at: Value, mirror: Value, total: Value) -> None:
    x.store_rows(at, _ONE, rows)
    b = x.builder
    x.store_rows(mirror, constant(-1), [b.sub(total, row) for row in rows])


@emitted
def start_scan(x: Lanes, state: Value) -> None:
    """Clears the three rows of a scan: the row before, the best distance and its lower key."""
    x.store_rows(state, _ONE, [splat(BEFORE), splat(FAR), splat(0)])


@emitted
def scan(x: Lanes, at: Value, state: Value) -> None:
    """Last pass of the merge: sorts consecutive rows and looks for the closest odd neighbours."""
    b = x.builder
    before, best, low = x.rows(state, _ONE, 3)
    rows = sort_bitonic(b, x.rows(at, _ONE, _ROWS))
    found = []
    for lower, upper in pairwise([before, *rows]):
        distance = b.sub(upper, lower)
        odd = b.icmp_signed("<", b.shl(distance, splat(63)), splat(0))
        found.append((b.select(odd, distance, splat(FAR)), lower))
    # a knock-out, as one comparison after the other would wait for each to end
    while len(found) > 1:
        found = [_closer(x, found[i], found[i + 1]) for i in range(0, len(found), 2)]
    best, low = _closer(x, (best, low), found[0])
    x.store_rows(state, _ONE, [rows[-1], best, low])


def _closer(x: Lanes, one: Pair, other: Pair) -> Pair:
    """The pair of rows that is closer, the first if both are."""
    less = x.builder.icmp_signed("<", other[0], one[0])
    distance = x.builder.select(less, other[0], one[0])
    return distance, x.builder.select(less, other[1], one[1])


@emitted
def add_row(x: Lanes, to: Value, row: Value, other: Value) -> None:
    """One row plus another."""
    x.store(to, x.builder.add(x.load(row), x.load(other)))


@emitted
def subtract_row(x: Lanes, to: Value, row: Value, other: Value) -> None:
    """One row less another."""
    x.store(to, x.builder.sub(x.load(row), x.load(other)))


@emitted
def fill_row(x: Lanes, to: Value, value: Value) -> None:
    """The same number in every lane."""
    for lane in range(x.load(to).type.count):
        place = x.builder.add(x.builder.mul(to, constant(splat(0).type.count)), constant(lane))
        x.builder.store(value, x.element(place))
