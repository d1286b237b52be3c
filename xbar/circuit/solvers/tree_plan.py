"""Which blocks of cells a card joins when: numbers only, the same for every tile of one shape.

A tile of W x B cells, both multiples of SIDE, is cut into leaves of SIDE x SIDE. Neighbours are
joined in pairs, level by level, across the longer side; a block without a neighbour is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Ints

SIDE = 8
"""Cells along a side of a leaf."""

_LEAF = (4 * SIDE) ** 2  # numbers of a leaf
_SECOND = 1 << 15  # marks a port of the second child


class Block(NamedTuple):
    """A rectangle of cells as a matrix of conductances between its ports.

    Attributes:
        box: first row, end of rows, first column, end of columns.
        ports: node of each port; -1 where there is none.
        offset: place of its matrix among a tile's numbers.
    """

    box: tuple[int, int, int, int]
    ports: Ints
    offset: int


@dataclass(frozen=True, eq=False)
class Level:
    """The joins of one level.

    Attributes:
        joins: (J, 8) places of both children, their ports, the eliminated and the remaining nodes
            (counts), place of the result, and where its maps begin.
        maps: places of ports, sources of the remaining, rows of the eliminated; see ``tree.cu``.
        before: numbers of a tile before.
        after: numbers of a tile afterwards.
        last: whether the result is the transfer matrix.
    """

    joins: NDArray[np.int32]
    maps: NDArray[np.int32]
    before: int
    after: int
    last: bool

    @property
    def scratch(self) -> int:
        """The most numbers of scratch that one of its joins takes."""
        s, q = self.joins[:, 4].astype(np.int64), self.joins[:, 5].astype(np.int64)
        return int((s * ((s + q + 19) // 16 * 16 + 4)).max())


@dataclass(frozen=True)
class _Nodes:
    """Numbers of a tile's nodes: word lines before each cell and beyond, bit lines likewise."""

    lines: int
    columns: int

    def word(self, rows: Ints | int, column: int) -> Ints:
        """Word lines before a column."""
        return np.asarray(rows) * (self.columns + 1) + column

    def bit(self, row: int, columns: Ints | int) -> Ints:
        """Bit lines above a row."""
        first = self.lines * (self.columns + 1)
        return first + row * self.columns + np.asarray(columns)

    @property
    def count(self) -> int:
        """Number of nodes."""
        return self.lines * (self.columns + 1) + (self.lines + 1) * self.columns

    def leaf(self, row: int, column: int) -> Ints:
        """Ports in the order of the leaf kernel: bottom, left, right, top."""
        rows, columns = np.arange(row, row + SIDE), np.arange(column, column + SIDE)
        none = np.full(SIDE, -1)
        right = self.word(rows, column + SIDE) if column + SIDE < self.columns else none
        top = self.bit(row, columns) if row > 0 else none
        bottom, left = self.bit(row + SIDE, columns), self.word(rows, column)
        return np.concatenate([bottom, left, right, top])

    def ports(self, box: tuple[int, int, int, int]) -> Ints:
        """Ports of a joined block: left, right, top, bottom; a line's open end is none."""
        rows, columns = np.arange(box[0], box[1]), np.arange(box[2], box[3])
        right = [self.word(rows, box[3])] if box[3] < self.columns else []
        top = [self.bit(box[0], columns)] if box[0] > 0 else []
        return np.concatenate([self.word(rows, box[2]), *right, *top, self.bit(box[1], columns)])


@cache
def make_plan(lines: int, columns: int) -> tuple[Level, ...]:
    """The levels of a tile of W x B cells, multiples of SIDE and more than one leaf.

    >>> [len(level.joins) for level in make_plan(16, 24)]
    [4, 2, 1]
    """
    nodes = _Nodes(lines, columns)
    across = columns // SIDE
    blocks = [
        [
            Block(
                (r, r + SIDE, c, c + SIDE),
                nodes.leaf(r, c),
                (r // SIDE * across + c // SIDE) * _LEAF,
            )
            for c in range(0, columns, SIDE)
        ]
        for r in range(0, lines, SIDE)
    ]
    levels, size = [], lines * columns // SIDE**2 * _LEAF
    while len(blocks) * len(blocks[0]) > 1:
        level, blocks = _join_all(nodes, blocks, size)
        levels.append(level)
        size = level.after
    return tuple(levels)


def _join_all(
    nodes: _Nodes, blocks: list[list[Block]], before: int
) -> tuple[Level, list[list[Block]]]:
    """One level: pairs of neighbours across the longer side."""
    stacked = len(blocks) > len(blocks[0])
    last = len(blocks) * len(blocks[0]) == 2
    grid = [list(line) for line in zip(*blocks, strict=True)] if stacked else blocks
    joins: list[list[int]] = []
    maps: list[Ints] = []
    made: list[list[Block]] = []
    at = begin = 0
    for line in grid:
        made.append([])
        for i in range(0, len(line), 2):
            pair = line[i : i + 2]
            box = (pair[0].box[0], pair[-1].box[1], pair[0].box[2], pair[-1].box[3])
            stay = nodes.ports(box)
            counts, where = _maps(nodes.count, pair, stay)
            second = pair[1].offset if len(pair) == 2 else 0
            joins.append([pair[0].offset, second, *counts, at, begin])
            maps.append(where)
            made[-1].append(Block(box, stay, at))
            at += len(stay) ** 2
            begin += len(where)
    after = nodes.lines * nodes.columns if last else at
    level = Level(
        np.array(joins, np.int32), np.concatenate(maps).astype(np.int32), before, after, last
    )
    return level, [list(line) for line in zip(*made, strict=True)] if stacked else made


def _maps(nodes: int, pair: list[Block], stay: Ints) -> tuple[list[int], Ints]:
    """Counts of ports (first, second, eliminated, remaining), and the maps of one join."""
    one = pair[0].ports
    two = pair[1].ports if len(pair) == 2 else np.empty(0, np.int64)
    shared = one[(one >= 0) & np.isin(one, two)]
    index, first, second = (np.full(nodes + 1, -1) for _ in range(3))  # the last: of no node
    index[shared] = np.arange(len(shared))
    index[stay] = len(shared) + np.arange(len(stay))
    first[one[one >= 0]] = np.flatnonzero(one >= 0)
    second[two[two >= 0]] = np.flatnonzero(two >= 0)
    source = np.where(first[stay] >= 0, first[stay], second[stay] | _SECOND)
    maps = [index[one], index[two], source, first[shared], second[shared]]
    return [len(one), len(two), len(shared), len(stay)], np.concatenate(maps)
