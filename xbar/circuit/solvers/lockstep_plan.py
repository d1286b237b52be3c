"""Which blocks of cells are joined when, for crossbars in lock-step: numbers only.

A block is cut across its longer side, down to leaves of up to 4 x 4 cells. Blocks of the same shape
that touch the same open ends of lines are joined alike, so a tree has a few kinds of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from xbar.circuit.solvers.lockstep_elimination import FOUR, Kind
from xbar.circuit.solvers.lockstep_kernels import OTHER, Tree

Port: TypeAlias = tuple[str, int]
"""Side of a block and number along it."""


@dataclass(frozen=True, eq=False)
class Plan:
    """How an array of one shape is joined.

    Attributes:
        tree: its blocks.
        pool: vectors of scratch.
        drivers: numbers of ports that are drivers, in whole fours.
        amplifiers: numbers of ports that are amplifiers, in whole fours.
        ends: ends at which word lines are driven, and bit lines read.
    """

    tree: Tree
    pool: int
    drivers: int
    amplifiers: int
    ends: tuple[int, int]


class _Shape(NamedTuple):
    """A block's shape, and which of its sides are open ends of lines."""

    high: int
    wide: int
    right_open: bool
    top_open: bool


@lru_cache(maxsize=64)
def make_plan(lines: int, columns: int, *, right: bool, top: bool) -> Plan:
    """The plan of an array of two cells or more.

    Args:
        lines: word lines.
        columns: bit lines.
        right: whether word lines are driven at their right end, too.
        top: whether bit lines are read at their upper end, too.
    """
    making = _Making()
    ends = [("left", i) for i in range(lines)]
    ends += [("right", i) for i in range(lines if right else 0)]
    heads: list[Port | None] = [*ends, *[None] * (-len(ends) % FOUR)]
    feet: list[Port | None] = [("bottom", j) for j in range(columns)]
    feet += [("top", j) for j in range(columns if top else 0)]
    feet += [None] * (-len(feet) % FOUR)
    _, pool = making.add(_Shape(lines, columns, not right, not top), [*heads, *feet])
    tree = Tree(np.array(making.kinds, np.int64), np.array(making.maps, np.int64))
    return Plan(tree, pool, len(heads), len(feet), (1 + right, 1 + top))


@dataclass(eq=False)
class _Making:
    """Kinds of blocks, found from the whole array down.

    Attributes:
        kinds: kinds so far.
        maps: see `Tree`.
        ports: by kind, its ports in their order.
        known: kind of each shape, and vectors of scratch for one of it.
    """

    kinds: list[Kind] = field(default_factory=list)
    maps: list[int] = field(default_factory=list)
    ports: list[list[Port]] = field(default_factory=list)
    known: dict[_Shape, tuple[int, int]] = field(default_factory=dict)

    def add(self, shape: _Shape, order: list[Port | None] | None = None) -> tuple[int, int]:
        """A shape's kind and vectors of scratch; with an order of ports, of the whole array."""
        if order is not None or shape not in self.known:
            leaf = order is None and max(shape.high, shape.wide) <= FOUR
            self.known[shape] = self._leaf(shape) if leaf else self._block(shape, order)
        return self.known[shape]

    def _leaf(self, shape: _Shape) -> tuple[int, int]:
        high, wide, right_open, top_open = shape
        ports: list[Port] = [("bottom", j) for j in range(wide)]
        ports += [] if top_open else [("top", j) for j in range(wide)]
        sides = ("left",) if right_open else ("left", "right")
        ports += [(side, i) for i in range(high) for side in sides]
        self.ports.append(ports)
        count = len(ports)
        numbers = count, count, count**2, 0, 0, 0, -1, -1, 0, right_open + 2 * top_open
        self.kinds.append(Kind(*numbers, high, wide, 0))
        return len(self.kinds) - 1, count**2 + count

    def _block(self, shape: _Shape, order: list[Port | None] | None) -> tuple[int, int]:
        stacked = shape.high > shape.wide
        cut = _cut(max(shape.high, shape.wide))
        halves = _stacked(shape, cut) if stacked else _beside(shape, cut)
        (one, room), (two, more) = (self.add(half) for half in halves)
        sides = ("bottom", "top") if stacked else ("right", "left")
        first = _names(self.ports[one], sides[0], (0, 0))
        second = _names(self.ports[two], sides[1], (cut, 0) if stacked else (0, cut))
        shared = shape.wide if stacked else shape.high
        ports = order or [port for port in (*first, *second) if port[0] != "shared"]
        rows = shared + -shared % FOUR
        columns = rows + len(ports)
        columns += -columns % FOUR
        begin, many = len(self.maps), columns - rows
        self._map(first, second, shared, [*ports, *[None] * (many - len(ports))])
        self.ports.append([port for port in ports if port is not None])
        count, step = len(self.ports[-1]), many | 1  # odd, so that rows spread over all cache sets
        place = many * step, rows, columns, shared, one, two, begin
        self.kinds.append(Kind(count, step, *place, 0, shape.high, shape.wide, int(stacked)))
        sizes = self.kinds[one].size, self.kinds[two].size
        needed = max(room, sizes[0] + more, sum(sizes) + rows * columns)
        return len(self.kinds) - 1, many * step + needed

    def _map(
        self, first: list[Port], second: list[Port], shared: int, ports: list[Port | None]
    ) -> None:
        place: dict[Port | None, int] = {port: k for k, port in enumerate(first)}
        other: dict[Port | None, int] = {port: k for k, port in enumerate(second)}
        self.maps += [place["shared", k] for k in range(shared)]
        self.maps += [other["shared", k] for k in range(shared)]
        everywhere = {port: k + OTHER for port, k in other.items()} | place | {None: -1}
        self.maps += [everywhere[port] for port in ports]


def _stacked(shape: _Shape, cut: int) -> tuple[_Shape, _Shape]:
    """A block's upper rows, down to a cut, and the others."""
    return shape._replace(high=cut), shape._replace(high=shape.high - cut, top_open=False)


def _beside(shape: _Shape, cut: int) -> tuple[_Shape, _Shape]:
    """A block's left columns, up to a cut, and the others."""
    return shape._replace(wide=cut, right_open=False), shape._replace(wide=shape.wide - cut)


def _cut(side: int) -> int:
    """Where a side is cut: near the middle, at a multiple of four if it is longer."""
    half = -(-side // 2)
    return half if side <= FOUR else -(-half // FOUR) * FOUR


def _names(ports: list[Port], shared: str, offset: tuple[int, int]) -> list[Port]:
    """A child's ports as its parent calls them, for a child that begins at a row and column."""
    down, across = offset
    named = []
    for side, k in ports:
        begin = down if side in ("left", "right") else across
        named.append(("shared", k) if side == shared else (side, k + begin))
    return named
