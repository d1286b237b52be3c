"""Groups of nodes joined by ideal sources and shorts, with known voltage differences.

Shapes: E ideal elements among the elements of a circuit, nodes. Units: volts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """A tree of ideal elements in each group of nodes.

    Attributes:
        root: (nodes,) root of each node's group, its lowest node.
        offset: (nodes,) volts above the root.
        element: (nodes,) element towards the root; -1 at a root.
        order: (nodes,) nodes in an order with parents before children.
        loop: elements of a loop, in order; empty if there is none.
    """

    root: Integers
    offset: Floats
    element: Integers
    order: Integers
    loop: tuple[int, ...]


def group_nodes(
    first: Integers, second: Integers, ideal: NDArray[np.bool_], volts: Floats, nodes: int
) -> Groups:
    """Group nodes by ideal elements; stops at the first loop.

    Args:
        first: (E,) first node of each element, the positive one of a source.
        second: (E,) second node.
        ideal: (E,) whether the element fixes the voltage between its nodes.
        volts: (E,) fixed voltage of the first relative to the second node.
        nodes: number of nodes.
    """
    root, element = np.arange(nodes), np.full(nodes, -1)
    offset = np.zeros(nodes)
    near: dict[int, list[int]] = {}
    for k in np.flatnonzero(ideal).tolist():
        for end in (int(first[k]), int(second[k])):
            near.setdefault(end, []).append(k)
    seen: set[int] = set()
    order: list[int] = []
    for start in range(nodes):
        queue = deque([] if start in seen else [start])
        seen.add(start)
        while queue:
            here = queue.popleft()
            order.append(here)
            for k in near.get(here, ()):
                if k == element[here]:
                    continue
                forward = first[k] == here
                there = int(second[k] if forward else first[k])
                if there in seen:
                    loop = _loop(k, here, there, element, first, second)
                    return Groups(root, offset, element, np.array(order), loop)
                seen.add(there)
                root[there], element[there] = root[here], k
                offset[there] = offset[here] + (-volts[k] if forward else volts[k])
                queue.append(there)
    return Groups(root, offset, element, np.array(order), ())


def join_nodes(first: Integers, second: Integers, nodes: int) -> Integers:
    """Lowest node (nodes,) of each node's group after joining (E,) pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = coo_array((np.ones(len(first)), (first, second)), (nodes, nodes))
    part = np.asarray(connected_components(joined, directed=False)[1])
    _, lowest, inverse = np.unique(part, return_index=True, return_inverse=True)
    return np.asarray(lowest[inverse], dtype=np.int64)


def _loop(
    closing: int, a: int, b: int, element: Integers, first: Integers, second: Integers
) -> tuple[int, ...]:
    """Elements on the tree path between two nodes, and the one that closes the loop."""

    def way(node: int) -> list[int]:
        found = []
        while element[node] >= 0:
            k = int(element[node])
            found.append(k)
            node = int(second[k] if first[k] == node else first[k])
        return found

    up, down = way(a), way(b)
    both = set(up) & set(down)
    between = [k for k in up if k not in both] + [k for k in reversed(down) if k not in both]
    return tuple(dict.fromkeys([closing, *between]))
