"""Kernels that join two patches of a crossbar at their shared nodes.

A patch is (siemens, ports, sides): siemens (q, q) between its q nodes, of which only entries above
the diagonal are used; ports, the node at each position along its left, right, top and bottom side,
in this order; sides, the number of positions of each side. A line that is ideal throughout a patch
has the same node on both sides, and an unconnected side has no positions.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from xbar.circuit.solvers.lanes import Floats, Ints, jit

Patch: TypeAlias = tuple[Floats, Ints, Ints]
Equations: TypeAlias = tuple[Floats, Floats, Floats, Ints, Ints]

LEFT, RIGHT, TOP, BOTTOM = 0, 1, 2, 3


@jit
def join(first: Patch, second: Patch, stacked: bool) -> Equations:
    """Equations for eliminating the nodes shared by two patches and all nodes that are not ports.

    Args:
        first: left or upper patch.
        second: right or lower patch.
        stacked: whether the second patch is below the first.

    Returns:
        Matrix (s, s) of the nodes to eliminate, on and above the diagonal; siemens (s, q) from
        those to the remaining nodes and (q, q) among the latter; ports and sides of the joined
        patch, whose nodes are numbered in the order of its ports.
    """
    siemens, ports, sides = first
    others, other_ports, other_sides = second
    node = len(siemens) + np.arange(len(others))
    mine, theirs = (BOTTOM, TOP) if stacked else (RIGHT, LEFT)
    start, begin = sides[:mine].sum(), other_sides[:theirs].sum()
    for k in range(sides[mine]):
        node[other_ports[begin + k]] = ports[start + k]
    joined, counts = _joined_ports(first, second, node, stacked)
    return _equations(siemens, others, node, joined, counts)


@jit
def reduce(patch: Patch) -> Equations:
    """The same for a single patch, eliminating the nodes that are not ports."""
    nothing = np.zeros((0, 0))
    return _equations(patch[0], nothing, np.zeros(0, np.int64), patch[1], patch[2])


@jit
def _equations(
    siemens: Floats, others: Floats, node: Ints, joined: Ints, counts: Ints
) -> Equations:
    mine = len(siemens)
    place = np.full(mine + len(others), -1)
    for k in joined:
        place[k] = -2
    gone = 0
    for k in range(len(place)):  # eliminated nodes come first
        if place[k] == -1 and (k < mine or node[k - mine] == k):
            place[k] = gone
            gone += 1
    stay = 0
    for k in joined:
        if place[k] == -2:
            place[k] = gone + stay
            stay += 1
    matrix, across, among = np.zeros((gone, gone)), np.zeros((gone, stay)), np.zeros((stay, stay))
    _scatter(siemens, place[:mine], matrix, across, among)
    _scatter(others, place[node], matrix, across, among)
    for i in range(gone):
        matrix[i, i] += across[i].sum()
        for j in range(i + 1, gone):
            g = matrix[i, j]
            matrix[i, i] += g
            matrix[j, j] += g
            matrix[i, j] = -g
    return matrix, across, among, place[joined] - gone, counts


@jit
def _joined_ports(first: Patch, second: Patch, node: Ints, stacked: bool) -> tuple[Ints, Ints]:
    """Ports of the joined patch (nodes of the first, or via ``node`` of the second), and sides.

    Parallel to the joint, a side belongs to one patch; across it, the first's part is followed by
    the second's.
    """
    ports, sides = first[1], first[2]
    other_ports, other_sides = second[1], second[2]
    joined = np.empty(len(ports) + len(other_ports), np.int64)
    counts = np.zeros(4, np.int64)
    size, start, begin = 0, 0, 0
    for side in range(4):
        along = (side >= TOP) != stacked
        outer_first = side in (LEFT, TOP)
        if along or outer_first:
            for k in range(start, start + sides[side]):
                joined[size] = ports[k]
                size += 1
            counts[side] += sides[side]
        if along or not outer_first:
            for k in range(begin, begin + other_sides[side]):
                joined[size] = node[other_ports[k]]
                size += 1
            counts[side] += other_sides[side]
        start += sides[side]
        begin += other_sides[side]
    return joined[:size], counts


@jit
def _scatter(siemens: Floats, place: Ints, matrix: Floats, across: Floats, among: Floats) -> None:
    """Add a patch's siemens at its nodes' new indices, by runs of consecutive indices."""
    s, q = len(matrix), len(place)
    runs = np.empty(q + 1, np.int64)
    count = 0
    for k in range(q):
        if k == 0 or place[k] != place[k - 1] + 1 or place[k] == s:
            runs[count] = k
            count += 1
    runs[count] = q
    for u in range(count):
        for v in range(u, count):
            rows, columns = (runs[u], runs[u + 1]), (runs[v], runs[v + 1])
            x, y = place[rows[0]], place[columns[0]]
            turned = x > y
            x, y = min(x, y), max(x, y)
            goal = among if x >= s else (matrix if y < s else across)
            x, y = x - (s if x >= s else 0), y - (s if y >= s else 0)
            if turned:
                _add_turned(siemens, rows, columns, goal, x, y)
            else:
                _add(siemens, rows, columns, goal, x, y)


@jit
def _add(
    siemens: Floats, rows: tuple[int, int], columns: tuple[int, int], goal: Floats, x: int, y: int
) -> None:
    """Add siemens[rows, columns] to goal, starting at (x, y)."""
    for i in range(rows[1] - rows[0]):
        start = i + 1 if rows[0] == columns[0] else 0
        source, sink = siemens[rows[0] + i], goal[x + i]
        for j in range(start, columns[1] - columns[0]):
            sink[y + j] += source[columns[0] + j]


@jit
def _add_turned(
    siemens: Floats, rows: tuple[int, int], columns: tuple[int, int], goal: Floats, x: int, y: int
) -> None:
    """Add the transpose of siemens[rows, columns] to goal, starting at (x, y), 8 rows at a time."""
    n, m = rows[1] - rows[0], columns[1] - columns[0]
    for i0 in range(0, n, 8):
        for j in range(m):
            sink = goal[x + j]
            for i in range(i0, min(i0 + 8, n)):
                sink[y + i] += siemens[rows[0] + i, columns[0] + j]


@jit
def star_mesh(matrix: Floats, across: Floats) -> None:
    """Multiply ``across`` by the inverse Cholesky factor of a matrix, without subtractions.

    Eliminating a node adds g_ip g_jp / sum_k g_pk between each two of its neighbours, so the
    diagonal is not needed.

    Args:
        matrix: (s, s) matrix from `join`; overwritten.
        across: (s, q) siemens, modified in place.
    """
    n, m = across.shape
    for p in range(n):
        degree = across[p].sum() - matrix[p, p + 1 :].sum()
        scale = 1 / np.sqrt(degree) if degree > 0 else 0.0
        for j in range(m):
            across[p, j] *= scale
        for j in range(p + 1, n):
            matrix[p, j] *= scale
        for i in range(p + 1, n):
            factor = matrix[p, i]
            for j in range(i + 1, n):
                matrix[i, j] -= factor * matrix[p, j]
            for j in range(m):
                across[i, j] -= factor * across[p, j]
