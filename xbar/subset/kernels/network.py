"""Passes of a bitonic merge over rows of LANES lists, each on a block of rows in registers.

Sorting n rows takes log2(n) compare-exchange steps. A pass does up to LOG_ROWS of them between one
load and one store of each row. The first pass of a sort also generates its input and the last one
consumes its output, so that each list is written once per pass and never merely copied.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from xbar.subset.kernels.vectors import (
    LOG_ROWS,
    Lanes,
    Value,
    constant,
    emitted,
)

_ROWS = 1 << LOG_ROWS
_ONE = constant(1)


def _twice(zero: int) -> int:
    """2 * zero as a signed 64-bit integer."""
    return 2 * zero - (1 << 64) if zero else 0


@emitted
def start_list(x: Lanes, at: Value, keys: Value, totals: Value) -> None:
    """Sorted sums of the first LOG_ROWS keys; `totals` gets the running totals of all keys.

    A total is stored with twice the zero offset added, so that total - sum is the mirrored sum.
    """
    b = x.builder
    rows, total = [x.splat(x.zero)], x.splat(_twice(x.zero))
    for e in range(LOG_ROWS):
        total = b.add(total, x.load(b.add(keys, constant(e))))
        low = x.sort_bitonic([_fold(x, row, total) for row in rows])
        rows = low + [b.sub(total, row) for row in reversed(low)]
    x.store_rows(at, _ONE, rows)
    x.store(totals, total)


def _fold(x: Lanes, row: Value, total: Value) -> Value:
    return x.ordered(row, x.builder.sub(total, row))[0]


def _folding(log: int) -> Callable[..., None]:
    @emitted
    def fold(x: Lanes, at: Value, stride: Value, total: Value) -> None:
        """First pass: the lower half of "list merged with list + element", unsorted."""
        whole = x.load(total)
        rows = [_fold(x, row, whole) for row in x.rows(at, stride, 1 << log)]
        x.store_rows(at, stride, x.sort_bitonic(rows))

    return fold


def _splitting(log: int) -> Callable[..., None]:
    @emitted
    def split(x: Lanes, at: Value, other: Value, stride: Value, n: Value, target: Value) -> None:
        """First pass of the merge of a list (at) with target - list (other): 2 n rows at `at`."""
        b = x.builder
        goal = x.load(target)
        first, second = x.rows(at, stride, 1 << log), x.rows(other, stride, 1 << log)
        pairs = [x.ordered(u, b.sub(goal, v)) for u, v in zip(first, second, strict=True)]
        low, high = (x.sort_bitonic(list(half)) for half in zip(*pairs, strict=True))
        x.store_rows(at, stride, low)
        x.store_rows(b.add(at, n), stride, high)

    return split


fold_1, fold_2, fold_3, fold_4 = (_folding(log) for log in (1, 2, 3, 4))
split_0, split_1, split_2, split_3 = (_splitting(log) for log in (0, 1, 2, 3))


@emitted
def exchange(x: Lanes, at: Value, stride: Value) -> None:
    """Middle pass."""
    x.store_rows(at, stride, x.sort_bitonic(x.rows(at, stride, _ROWS)))


@emitted
def finish_list(x: Lanes, at: Value, mirror: Value, total: Value) -> None:
    """Last pass: sort consecutive rows and write their mirror image, from row `mirror` down."""
    _store_twice(x, x.sort_bitonic(x.rows(at, _ONE, _ROWS)), at, mirror, x.load(total))


@emitted
def fold_and_finish(x: Lanes, at: Value, mirror: Value, total: Value) -> None:
    """First and last pass in one, for a list that fits in registers."""
    whole = x.load(total)
    rows = [_fold(x, row, whole) for row in x.rows(at, _ONE, _ROWS)]
    _store_twice(x, x.sort_bitonic(rows), at, mirror, whole)


def _store_twice(x: Lanes, rows: list[Value], at: Value, mirror: Value, total: Value) -> None:
    x.store_rows(at, _ONE, rows)
    b = x.builder
    x.store_rows(mirror, constant(-1), [b.sub(total, row) for row in rows])


@emitted
def start_scan(x: Lanes, state: Value) -> None:
    """Clear the rows of a scan: previous row, best distance, its lower key, second best.

    The last one is used only for narrow rows.
    """
    rows = [x.splat(x.before), x.splat(x.far), x.splat(0), x.splat(x.far)]
    x.store_rows(state, _ONE, rows if x.narrow else rows[:3])


@emitted
def scan(x: Lanes, at: Value, state: Value) -> None:
    """Last pass of the merge: sort consecutive rows and find the closest odd neighbours."""
    b = x.builder
    before, *so_far = x.rows(state, _ONE, 4 if x.narrow else 3)
    rows = x.sort_bitonic(x.rows(at, _ONE, _ROWS))
    found = []
    for lower, upper in pairwise([before, *rows]):
        distance = b.sub(upper, lower)
        odd = b.icmp_signed("<", b.shl(distance, x.splat(31 if x.narrow else 63)), x.splat(0))
        found.append([b.select(odd, distance, x.splat(x.far)), lower])
    # a tournament, as sequential comparisons would wait for each other
    while len(found) > 1:
        found = [_closer(x, found[i], found[i + 1]) for i in range(0, len(found), 2)]
    x.store_rows(state, _ONE, [rows[-1], *_closer(x, so_far, found[0])])


def _closer(x: Lanes, one: list[Value], other: list[Value]) -> list[Value]:
    """The closer pair of rows, the first in a tie; for narrow rows also the second distance."""
    b = x.builder
    less = b.icmp_signed("<", other[0], one[0])
    closer = [b.select(less, other[i], one[i]) for i in (0, 1)]
    if x.narrow:
        second = b.select(less, one[0], other[0])
        for seconds in (*one[2:], *other[2:]):
            second = x.ordered(second, seconds)[0]
        closer.append(second)
    return closer


@emitted
def add_row(x: Lanes, to: Value, row: Value, other: Value) -> None:
    """One row plus another."""
    x.store(to, x.builder.add(x.load(row), x.load(other)))


@emitted
def subtract_row(x: Lanes, to: Value, row: Value, other: Value) -> None:
    """One row minus another."""
    x.store(to, x.builder.sub(x.load(row), x.load(other)))


@emitted
def clear_row(x: Lanes, to: Value) -> None:
    """0 in every lane."""
    x.store(to, x.splat(0))
