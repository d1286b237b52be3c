"""Kernels of `elimination`: star-mesh elimination of a sparse network without subtractions.

Nodes are numbered in the order of elimination; the last, from ``count`` on, are known and stay.
Row p of the elimination lists the neighbours of node p when it is eliminated, in ascending order:
``index[start[p]:start[p + 1]]``, with the conductances to them in ``mesh`` and their sum in
``degree``.

    eliminating p:       g_jk += g_pj g_pk / sum_i g_pi     for each two neighbours j, k
    back-substitution:   v_p - v_k = c_p / degree_p + sum_j g_pj / degree_p (v_j - v_k)

Voltages across pairs are computed from other such voltages, never from the voltages of nodes, so a
small one is as accurate as a large one. With k the neighbour of the largest conductance, the others
follow by Kirchhoff's voltage law, v_p - v_j = (v_p - v_k) + (v_k - v_j): the error in the current
to j is then that of the currents between j and k through p.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, Ints, jit


@jit
def fill_rows(count: int, nodes: int, pointer: Ints, neighbour: Ints) -> tuple[Ints, Ints]:
    """Rows of the elimination: start (count + 1,), and index in no order.

    Args:
        count: number of nodes to eliminate.
        nodes: number of all nodes.
        pointer: (count + 1,) start of each node's neighbours of higher number.
        neighbour: those neighbours.
    """
    start = np.zeros(count + 1, np.int64)
    index = np.empty(2 * len(neighbour) + 16, np.int64)
    mark, child, sibling = np.full(nodes, -1), np.full(count, -1), np.full(count, -1)
    for p in range(count):
        mark[p] = p
        last, parent = start[p], nodes
        for k in range(pointer[p], pointer[p + 1]):
            j = neighbour[k]
            if mark[j] != p:
                mark[j] = p
                if last == len(index):
                    index = np.concatenate((index, np.empty(len(index), np.int64)))
                index[last] = j
                last += 1
                parent = min(parent, j)
        below = child[p]
        while below >= 0:
            for k in range(start[below], start[below + 1]):
                j = index[k]
                if mark[j] != p:
                    mark[j] = p
                    if last == len(index):
                        index = np.concatenate((index, np.empty(len(index), np.int64)))
                    index[last] = j
                    last += 1
                    parent = min(parent, j)
            below = sibling[below]
        start[p + 1] = last
        if parent < count:
            sibling[p] = child[parent]
            child[parent] = p
    return start, index[: start[count]].copy()


@jit
def ascending(start: Ints, index: Ints, nodes: int) -> Ints:
    """The same rows with ascending neighbours: nodes go to their neighbours' rows and back."""
    begin = np.zeros(nodes + 1, np.int64)
    for j in index:
        begin[j + 1] += 1
    for j in range(nodes):
        begin[j + 1] += begin[j]
    place, row = begin[:-1].copy(), np.empty(len(index), np.int64)
    for p in range(len(start) - 1):
        for k in range(start[p], start[p + 1]):
            row[place[index[k]]] = p
            place[index[k]] += 1
    ordered, place = np.empty(len(index), np.int64), start[:-1].copy()
    for j in range(nodes):
        for k in range(begin[j], begin[j + 1]):
            ordered[place[row[k]]] = j
            place[row[k]] += 1
    return ordered


@jit
def eliminate(
    start: Ints, index: Ints, pointer: Ints, neighbour: Ints, siemens: Floats
) -> tuple[Floats, Floats]:
    """Conductances of the rows, and their sums: mesh (len(index),) and degree (count,).

    Args:
        start: rows, from `fill_rows`; likewise index.
        index: see there.
        pointer: (count + 1,) start of each node's neighbours of higher number.
        neighbour: those neighbours.
        siemens: conductance to each of them.
    """
    count = len(start) - 1
    mesh, degree = np.empty(len(index)), np.zeros(count)
    size = count
    for k in range(len(index)):
        size = max(size, index[k] + 1)
    work = np.zeros(size)
    place = start[:-1].copy()  # in each row, the next node to receive its contribution
    waiting, after = np.full(count, -1), np.full(count, -1)
    for p in range(count):
        for k in range(pointer[p], pointer[p + 1]):
            work[neighbour[k]] += siemens[k]
        row = waiting[p]
        while row >= 0:
            k, following = place[row], after[row]
            share = mesh[k] / degree[row]
            for m in range(k + 1, start[row + 1]):
                work[index[m]] += share * mesh[m]
            place[row] = k + 1
            if k + 1 < start[row + 1] and index[k + 1] < count:
                after[row] = waiting[index[k + 1]]
                waiting[index[k + 1]] = row
            row = following
        total = 0.0
        for k in range(start[p], start[p + 1]):
            mesh[k] = work[index[k]]
            work[index[k]] = 0.0
            total += mesh[k]
        degree[p] = total
        k = start[p]
        if k < start[p + 1] and index[k] < count:
            after[p] = waiting[index[k]]
            waiting[index[k]] = p
    return mesh, degree


@jit
def between_known(start: Ints, index: Ints, mesh: Floats, degree: Floats, siemens: Floats) -> None:
    """Add the conductances between known nodes due to the eliminated ones.

    Args:
        start: rows; likewise the next three.
        index: see above.
        mesh: see above.
        degree: see above.
        siemens: (known, known) conductances above the diagonal, modified in place.
    """
    count = len(start) - 1
    for p in range(count):
        for k in range(start[p], start[p + 1]):
            if index[k] >= count:
                share = mesh[k] / degree[p]
                for m in range(k + 1, start[p + 1]):
                    siemens[index[k] - count, index[m] - count] += share * mesh[m]


@jit
def find_pairs(start: Ints, index: Ints, low: Ints, high: Ints) -> Ints:
    """Place in the rows of each pair of nodes (low < high); -1 for two known nodes."""
    count = len(start) - 1
    found = np.full(len(low), -1)
    for k in range(len(low)):
        if low[k] < count:
            a, b = start[low[k]], start[low[k] + 1]
            while b - a > 1:
                middle = (a + b) // 2
                if index[middle] <= high[k]:
                    a = middle
                else:
                    b = middle
            found[k] = a
    return found


@jit
def strongest(start: Ints, index: Ints, mesh: Floats) -> tuple[Ints, Ints, Ints]:
    """The strongest neighbour of each node, and its pairs with the others.

    Returns:
        best (count,), place of the strongest neighbour in each row; low and high (len(index),), the
        nodes of the pair of each neighbour with the strongest.
    """
    count = len(start) - 1
    best, low, high = start[:-1].copy(), np.empty_like(index), np.empty_like(index)
    for p in range(count):
        for k in range(start[p], start[p + 1]):
            if mesh[k] > mesh[best[p]]:
                best[p] = k
        for k in range(start[p], start[p + 1]):
            low[k] = min(index[k], index[best[p]])
            high[k] = max(index[k], index[best[p]])
    return best, low, high


@jit
def inject(start: Ints, index: Ints, mesh: Floats, degree: Floats, amperes: Floats) -> None:
    """Pass currents into nodes (nodes,) on to their neighbours, in the order of elimination."""
    for p in range(len(start) - 1):
        if amperes[p] != 0:
            share = amperes[p] / degree[p]
            for k in range(start[p], start[p + 1]):
                amperes[index[k]] += share * mesh[k]


@jit
def substitute(
    rows: tuple[Ints, Ints, Floats, Floats],
    best: Ints,
    pair: Ints,
    amperes: Floats,
    volts: Floats,
    drop: Floats,
) -> None:
    """Voltages of nodes, and across each pair of a row.

    Args:
        rows: start, index, mesh and degree.
        best: place of the strongest neighbour in each row.
        pair: place of the pair of each neighbour and the strongest one; -1 for known nodes.
        amperes: (nodes,) currents from `inject`.
        volts: (nodes,) voltages, those of known nodes given, the others output.
        drop: (len(index),) output, voltage of each row's node relative to each neighbour.
    """
    start, index, mesh, degree = rows
    for p in range(len(start) - 2, -1, -1):
        first, last, top = start[p], start[p + 1], best[p]
        own = amperes[p] / degree[p]
        level, above = own, own
        for k in range(first, last):
            share = mesh[k] / degree[p]
            level += share * volts[index[k]]
            if k != top:  # the voltage of this neighbour relative to the strongest one
                across = volts[index[k]] - volts[index[top]]
                if pair[k] >= 0:
                    across = drop[pair[k]] if index[k] < index[top] else -drop[pair[k]]
                drop[k] = across
                above += share * across
        for k in range(first, last):
            drop[k] = above if k == top else above - drop[k]
        volts[p] = level
