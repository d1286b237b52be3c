"""Groups of nodes joined by ideal sources and shorts, with known voltage differences.

Shapes: E ideal elements among the elements of a circuit, nodes. Units: volts, amperes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats

Integers = NDArray[np.int64]

_SAME = 1e-12  # difference of two voltages around a loop, relative to them, that is rounding


@dataclass(frozen=True, eq=False)
class Groups:
    """A tree of ideal elements in each group of nodes.

    Attributes:
        root: (nodes,) root of each node's group, its lowest node.
        offset: (nodes,) volts above the root.
        element: (nodes,) element towards the root; -1 at a root.
        order: nodes of groups of two or more, parents before children.
        closing: elements that close a loop with those of the tree.
        undetermined: (E,) whether an element is part of a loop, so that only the sum of its current
            and others' is determined.
        loop: elements of the first loop whose voltages do not add up to 0, in order; empty if there
            is none.
    """

    root: Integers
    offset: Floats
    element: Integers
    order: Integers
    closing: Integers
    undetermined: NDArray[np.bool_]
    loop: tuple[int, ...]


class _Forest:
    """Groups while they are collected; arrays of node numbers, of which -1 means none."""

    def __init__(
        self, first: Integers, second: Integers, ideal: NDArray[np.bool_], volts: Floats, nodes: int
    ) -> None:
        self.first, self.second, self.volts = first.tolist(), second.tolist(), volts.tolist()
        self.root, self.element = np.arange(nodes), np.full(nodes, -1)
        self.above, self.depth = np.full(nodes, -1), np.zeros(nodes, np.int64)
        self.offset = np.zeros(nodes)
        self.near: dict[int, list[int]] = {}
        for k in np.flatnonzero(ideal).tolist():
            for end in {int(first[k]), int(second[k])}:
                self.near.setdefault(end, []).append(k)
        self.order: list[int] = []
        self.closing: list[int] = []

    def grow(self) -> None:
        """Breadth-first trees from the lowest node of each group."""
        seen: set[int] = set()
        closed: set[int] = set()
        for start in sorted(self.near):
            queue = deque([] if start in seen else [start])
            seen.add(start)
            while queue:
                here = queue.popleft()
                self.order.append(here)
                for k in self.near[here]:
                    forward = self.first[k] == here
                    there = self.second[k] if forward else self.first[k]
                    if k == self.element[here] or k in closed:
                        continue
                    if there in seen:
                        closed.add(k)
                        self.closing.append(k)
                        continue
                    seen.add(there)
                    self.root[there], self.element[there] = self.root[here], k
                    self.above[there], self.depth[there] = here, self.depth[here] + 1
                    step = -self.volts[k] if forward else self.volts[k]
                    self.offset[there] = self.offset[here] + step
                    queue.append(there)

    def conflict(self) -> tuple[int, ...]:
        """Elements of the first loop whose voltages do not add up to 0."""
        for k in self.closing:
            a, b = self.first[k], self.second[k]
            parts = self.offset[a], self.offset[b], self.volts[k]
            if abs(parts[0] - parts[1] - parts[2]) > _SAME * sum(map(abs, parts)):
                return tuple(dict.fromkeys([k, *self._way(a, b)]))
        return ()

    def loops(self) -> NDArray[np.bool_]:
        """Whether each element (E,) is part of a loop; each tree branch is visited once."""
        part = np.zeros(len(self.first), dtype=bool)
        top = np.arange(len(self.root))  # highest node reached by branches known to be in a loop

        def climb(node: int) -> int:
            while top[node] != node:
                top[node] = top[top[node]]
                node = int(top[node])
            return node

        for k in self.closing:
            part[k] = True
            a, b = climb(self.first[k]), climb(self.second[k])
            while a != b:
                if self.depth[a] < self.depth[b]:
                    a, b = b, a
                part[self.element[a]] = True
                top[a] = self.above[a]
                a = climb(a)
        return part

    def _way(self, a: int, b: int) -> list[int]:
        """Elements on the path between two nodes of a tree."""
        up, down = [], []
        while a != b:
            if self.depth[a] >= self.depth[b]:
                up.append(int(self.element[a]))
                a = int(self.above[a])
            else:
                down.append(int(self.element[b]))
                b = int(self.above[b])
        return up + down[::-1]


def group_nodes(
    first: Integers, second: Integers, ideal: NDArray[np.bool_], volts: Floats, nodes: int
) -> Groups:
    """Group nodes by ideal elements.

    Args:
        first: (E,) first node of each element, the positive one of a source.
        second: (E,) second node.
        ideal: (E,) whether the element fixes the voltage between its nodes.
        volts: (E,) fixed voltage of the first relative to the second node.
        nodes: number of nodes.
    """
    forest = _Forest(first, second, ideal, volts, nodes)
    forest.grow()
    return Groups(
        forest.root,
        forest.offset,
        forest.element,
        np.array(forest.order, dtype=np.int64),
        np.array(forest.closing, dtype=np.int64),
        forest.loops(),
        forest.conflict(),
    )


def carry(groups: Groups, first: Integers, second: Integers, current: Floats) -> None:
    """Fill in the currents of ideal elements, by Kirchhoff's current law from the leaves on.

    Args:
        groups: groups of ideal elements.
        first: (E,) first node of each element.
        second: (E,) second node.
        current: (E,) amperes through each element, 0 for ideal ones, which are output. Those of
            closing elements stay 0, as if they were taken out.
    """
    nodes = len(groups.root)
    leaving = np.bincount(first, current, nodes) - np.bincount(second, current, nodes)
    for node in groups.order[::-1].tolist():
        k = int(groups.element[node])
        if k >= 0:
            forward = first[k] == node
            current[k] = -leaving[node] if forward else leaving[node]
            leaving[second[k] if forward else first[k]] += leaving[node]


def join_nodes(first: Integers, second: Integers, nodes: int) -> Integers:
    """Lowest node (nodes,) of each node's group after joining (E,) pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = coo_array((np.ones(len(first)), (first, second)), (nodes, nodes))
    part = np.asarray(connected_components(joined, directed=False)[1])
    _, lowest, inverse = np.unique(part, return_index=True, return_inverse=True)
    return np.asarray(lowest[inverse], dtype=np.int64)
