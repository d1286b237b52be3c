"""Kernels that reduce small patches of cells to their ports, LANES patches in parallel.

    A patch of h x w cells has the ports left (h), right (h), top (w) and bottom (w):

        left ──word──●── right      one cell: its segment to the left and the one below belong
              top ── ● ──bit── bottom      to it; its word node is "right", its bit node "top"
                                           (the cell's own conductance joins the two nodes)

Neighbours share nodes. A shared node p is eliminated by the star-mesh transformation,
g_ij += g_ip g_jp / sum_k g_pk, which only adds and multiplies positive numbers: no cancellation,
so the conductances between ports keep their relative accuracy whatever the resistances are.

A patch of q ports is stored as the conductances between them, row i and column j with i < j, in
rows of `stride(q)` vectors; other entries are unused.
"""

from __future__ import annotations

import numpy as np

from xbar.circuit.solvers.lanes import (
    LANES,
    Floats,
    Ints,
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

_TILE = 4  # columns of a patch updated at once, and padding of its rows


@jit
def stride(ports: int) -> int:
    """Vectors per row of a patch, including padding."""
    return (ports + _TILE - 1) // _TILE * _TILE + 1  # odd, so that rows spread over all cache sets


@jit
def pool_size(h: int, w: int) -> int:
    """Size of `reduce_patches`' scratch in doubles: nested patches, halved at every level."""
    q = stride(2 * (h + w) + 8)
    return 5 * q * q * LANES


@jit
def reduce_patches(
    wires: tuple[Floats, Floats, Floats],
    shape: tuple[int, int],
    origin: Ints,
    pool: Floats,
    out: Floats,
) -> None:
    """Port conductances of many patches of the same size.

    Args:
        wires: three arrays (W, B): siemens of the cells; ohms of the segment to the left of each
            cell and of the one below it, positive inside the patches.
        shape: height h and width w of every patch.
        origin: (M, 2) first row and column of each patch.
        pool: scratch of `pool_size(h, w)` doubles.
        out: (M, q, q) output above the diagonal: siemens between the ports in the order left,
            right, top, bottom.
    """
    cells, word, bit = wires
    h, w = shape
    q = 2 * (h + w)
    plan = _plan(h, w)
    inputs = np.empty(3 * h * w * LANES)
    places = np.empty(4 * (h + w) + 8, np.int64)
    for first in range(0, len(origin), LANES):
        for lane in range(LANES):
            patch = min(first + lane, len(origin) - 1)
            r, c = origin[patch, 0], origin[patch, 1]
            for i in range(h):
                for j in range(w):
                    k = 3 * (i * w + j) * LANES + lane
                    inputs[k] = 1 / word[r + i, c + j]
                    inputs[k + LANES] = cells[r + i, c + j]
                    inputs[k + 2 * LANES] = 1 / bit[r + i, c + j]
        for n in range(len(plan)):
            step = plan[n]
            if step[7]:
                _join(step[2], step[3], step[2] > step[3], places, pool, step[4:])
            else:
                _cell(inputs, step[0] * w + step[1], pool, step[4])
        for lane in range(min(LANES, len(origin) - first)):
            for i in range(q):
                for j in range(i + 1, q):
                    out[first + lane, i, j] = pool[(i * stride(q) + j) * LANES + lane]


@jit
def _plan(h: int, w: int) -> Ints:
    """Schedule of the recursion: both halves of a patch, then join; halves the longer side.

    Returns:
        (P, 8) steps: the patch's first row and column, height and width, and the positions in the
        pool of the result, its first half, its second half (0, 0 for a single cell) and the
        scratch.
    """
    plan = np.empty((2 * h * w - 1, 8), np.int64)
    stack = np.empty((64, 8), np.int64)
    _push(stack[0], (0, 0, h, w), (0, 2 * (h + w) * stride(2 * (h + w)), 0, 0))
    depth, done = 1, 0
    while depth:
        task = stack[depth - 1]
        r, c, h, w, first = task[0], task[1], task[2], task[3], task[5]
        if task[7] or h * w == 1:
            for k in range(8):
                plan[done, k] = task[k]
            done += 1
            depth -= 1
            continue
        h1, w1, h2, w2, r2, c2 = h, w // 2, h, w - w // 2, r, c + w // 2
        if h > w:
            h1, w1, h2, w2, r2, c2 = h // 2, w, h - h // 2, w, r + h // 2, c
        second = first + 2 * (h1 + w1) * stride(2 * (h1 + w1))
        work = second + 2 * (h2 + w2) * stride(2 * (h2 + w2))
        task[6], task[7] = second, work
        _push(stack[depth], (r2, c2, h2, w2), (second, work, 0, 0))
        _push(stack[depth + 1], (r, c, h1, w1), (first, work, 0, 0))
        depth += 2
    return plan


@jit
def _push(task: Ints, patch: tuple[int, int, int, int], spots: tuple[int, int, int, int]) -> None:
    for k in range(4):
        task[k] = patch[k]
        task[4 + k] = spots[k]


@jit
def _cell(inputs: Floats, cell: int, pool: Floats, at: int) -> None:
    """Patch of one cell: its segments and its conductance in series."""
    for k in range(4 * stride(4)):
        store(pool, (at + k) * LANES, splat(0.0))
    for i in range(3):
        place = at + i * stride(4) + i + 1
        store(pool, place * LANES, load(inputs, (3 * cell + i) * LANES))


@jit
def _join(h: int, w: int, stacked: bool, places: Ints, pool: Floats, spots: Ints) -> None:
    """Join two halves; spots: positions of the result, the halves and the scratch."""
    at, first, second, work = spots[0], spots[1], spots[2], spots[3]
    h1, w1, h2, w2 = h, w // 2, h, w - w // 2
    if stacked:
        h1, w1, h2, w2 = h // 2, w, h - h // 2, w
    q1, q2, q = 2 * (h1 + w1), 2 * (h2 + w2), 2 * (h + w)
    shared = w if stacked else h
    total = stride(shared + q)
    for k in range(shared * total):
        store(pool, (work + k) * LANES, splat(0.0))
    for k in range(q * stride(q)):
        store(pool, (at + k) * LANES, splat(0.0))
    _place(h1, w1, h2, w2, stacked, places)
    _scatter(pool, first, q1, places[:q1], shared, work, total, at, stride(q))
    _scatter(pool, second, q2, places[q1:], shared, work, total, at, stride(q))
    _eliminate(pool, work, shared, total)
    _update(pool, work, shared, total, at, q)


@jit
def _place(h1: int, w1: int, h2: int, w2: int, stacked: bool, places: Ints) -> None:
    """Indices of two neighbours' ports in their union: shared nodes, left, right, top, bottom.

    places: output, for the ports of the first and then of the second patch.
    """
    s = w1 if stacked else h1
    h, w = (h1 + h2, w1) if stacked else (h1, w1 + w2)
    left, right, up, down = s, s + h, s + 2 * h, s + 2 * h + w
    second = 2 * (h1 + w1)
    for i in range(h1):
        places[i] = left + i
        places[h1 + i] = right + i if stacked else i
    for i in range(h2):
        places[second + i] = left + h1 + i if stacked else i
        places[second + h2 + i] = right + h1 + i if stacked else right + i
    for j in range(w1):
        places[2 * h1 + j] = up + j
        places[2 * h1 + w1 + j] = j if stacked else down + j
    for j in range(w2):
        places[second + 2 * h2 + j] = j if stacked else up + w1 + j
        places[second + 2 * h2 + w2 + j] = down + j if stacked else down + w1 + j


@jit
def _scatter(
    pool: Floats,
    patch: int,
    q: int,
    place: Ints,
    shared: int,
    work: int,
    total: int,
    at: int,
    step: int,
) -> None:
    """Add a patch's conductances to the shared nodes' rows (work) and to the rest (at)."""
    row = stride(q)
    for i in range(q):
        for j in range(i + 1, q):
            x, y = min(place[i], place[j]), max(place[i], place[j])
            goal = work + x * total + y
            if x >= shared:
                goal = at + (x - shared) * step + y - shared
            goal *= LANES
            store(pool, goal, add(load(pool, goal), load(pool, (patch + i * row + j) * LANES)))


@jit
def _eliminate(pool: Floats, work: int, shared: int, total: int) -> None:
    """Star-mesh elimination of the shared nodes; row p becomes g_pj / sqrt(sum_k g_pk)."""
    for p in range(shared):
        row = (work + p * total) * LANES
        degree = splat(0.0)
        for j in range(p + 1, total):
            degree = add(degree, load(pool, row + j * LANES))
        scale = divide(splat(1.0), square_root(degree))
        for j in range(p + 1, total):
            store(pool, row + j * LANES, multiply(scale, load(pool, row + j * LANES)))
        for i in range(p + 1, shared):
            other = (work + i * total) * LANES
            factor = load(pool, row + i * LANES)
            for j in range(i + 1, total):
                k = j * LANES
                store(
                    pool,
                    other + k,
                    multiply_add(factor, load(pool, row + k), load(pool, other + k)),
                )


@jit
def _update(pool: Floats, work: int, shared: int, total: int, at: int, q: int) -> None:
    """Add the eliminated rows' contributions between the remaining ports, 2 x 4 at once."""
    step = stride(q)
    for i in range(0, q, 2):
        for j in range(i // _TILE * _TILE, q, _TILE):
            up = (at + i * step + j) * LANES
            low = up + step * LANES
            a0, a1 = load(pool, up), load(pool, up + LANES)
            a2, a3 = load(pool, up + 2 * LANES), load(pool, up + 3 * LANES)
            b0, b1 = load(pool, low), load(pool, low + LANES)
            b2, b3 = load(pool, low + 2 * LANES), load(pool, low + 3 * LANES)
            x, y = (work + shared + i) * LANES, (work + shared + j) * LANES
            for _ in range(shared):
                f, g = load(pool, x), load(pool, x + LANES)
                y0, y1 = load(pool, y), load(pool, y + LANES)
                a0, a1 = multiply_add(f, y0, a0), multiply_add(f, y1, a1)
                b0, b1 = multiply_add(g, y0, b0), multiply_add(g, y1, b1)
                y2, y3 = load(pool, y + 2 * LANES), load(pool, y + 3 * LANES)
                a2, a3 = multiply_add(f, y2, a2), multiply_add(f, y3, a3)
                b2, b3 = multiply_add(g, y2, b2), multiply_add(g, y3, b3)
                x += total * LANES
                y += total * LANES
            store(pool, up, a0)
            store(pool, up + LANES, a1)
            store(pool, up + 2 * LANES, a2)
            store(pool, up + 3 * LANES, a3)
            store(pool, low, b0)
            store(pool, low + LANES, b1)
            store(pool, low + 2 * LANES, b2)
            store(pool, low + 3 * LANES, b3)
