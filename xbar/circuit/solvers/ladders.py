"""Kernels that solve all word lines or all bit lines of a crossbar, LANES at once.

A line is a ladder: a node at each cell with a conductance to a known voltage and an injected
current, joined by segments. It is eliminated from its far end towards the driver or the amplifier,
in terms of resistances, so that 0 ohm is not a special case and nothing cancels:

    with Y the conductance and I the current seen outwards from a node and r the next segment, they
    are f Y and f I behind the segment, f = 1 / (1 + r Y); in back-substitution, with the voltage u
    at the segment's other end, the node's voltage is f u + h I with h = f r.

    far end ──r── ● ──r── ● ──r── driver          eliminated from left to right, solved back
                  leak    leak

Arrays are flat. Bit-line arrays (and those exchanged between both) have padded rows of `pitch`
doubles. Word-line arrays have LANES rows interleaved: (W / LANES, pitch, LANES). Padding is
equivalent to open cells on ideal wires.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from xbar.circuit.solvers.lanes import (
    LANES,
    Floats,
    add,
    divide,
    jit,
    load,
    multiply,
    multiply_add,
    splat,
    store,
    subtract,
    turn,
)

#: cells interleaved, f and h of the word lines interleaved, cells, f and h of the bit lines
Factor: TypeAlias = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
Shape: TypeAlias = tuple[int, int, int]  # W, B, pitch

_CHUNK = 256  # columns of bit lines at once: their rows stay in cache


@jit
def factorise(ohms: tuple[Floats, Floats, Floats, Floats], factor: Factor, shape: Shape) -> None:
    """Fill a factor, with the bit lines' cells given and the rest zero.

    Args:
        ohms: (W * pitch) resistances of word and bit segments, as in `Grid`, padded with zeros;
            (W,) right and (B,) top, padded, infinite where unconnected.
        factor: output.
        shape: W, B and pitch.
    """
    word, bit, right, top = ohms
    lines, columns, pitch = shape
    _factorise_words(word, right, factor, columns, pitch)
    _factorise_bits(bit, top, factor, lines, pitch)
    for i in range(lines):
        if right[i] == 0:
            block, lane = i // LANES, i % LANES
            last = (block * pitch + columns - 1) * LANES + lane
            ohm = (i * pitch + columns - 1, -1)
            _pin(word, ohm, factor[:3], (last, -LANES), columns)
    for j in range(columns):
        if top[j] == 0:
            _pin(bit, (j, pitch), factor[3:], (j, pitch), lines)


@jit
def _factorise_words(word: Floats, right: Floats, factor: Factor, columns: int, pitch: int) -> None:
    cells, f, h, flat = factor[0], factor[1], factor[2], factor[3]
    one = splat(1.0)
    for start in range(0, len(cells), pitch * LANES):
        for c in range(0, pitch * LANES, LANES * LANES):
            turn(flat, start + c // LANES, pitch, cells, start + c, LANES)
            turn(word, start + c // LANES, pitch, h, start + c, LANES)
        seen = divide(one, load(right, start // pitch))
        for k in range(start + (pitch - 1) * LANES, start - 1, -LANES):
            part, r = one, load(h, k)
            if k < start + columns * LANES:
                seen = add(seen, load(cells, k))
                part = divide(one, multiply_add(r, seen, one))
                seen = multiply(part, seen)
            store(f, k, part)
            store(h, k, multiply(part, r))


@jit
def _factorise_bits(bit: Floats, top: Floats, factor: Factor, lines: int, pitch: int) -> None:
    cells, f, h = factor[3], factor[4], factor[5]
    one, seen = splat(1.0), np.empty(pitch)
    for k in range(pitch):
        seen[k] = 1 / top[k]
    for start in range(0, lines * pitch, pitch):
        for c in range(0, pitch, LANES):
            k = start + c
            y, r = add(load(cells, k), load(seen, c)), load(bit, k)
            part = divide(one, multiply_add(r, y, one))
            store(f, k, part)
            store(h, k, multiply(part, r))
            store(seen, c, multiply(part, y))


@jit
def _pin(
    ohms: Floats,
    ohm: tuple[int, int],
    line: tuple[Floats, Floats, Floats],
    place: tuple[int, int],
    count: int,
) -> None:
    """Redo one line whose far end is tied to a voltage without resistance.

    Args:
        ohms: resistances of the segments.
        ohm: index of the far end's resistance, and stride.
        line: cells, f and h; the latter two are output.
        place: index of the far end's entries, and stride.
        count: number of nodes of the line.
    """
    cells, f, h = line
    beyond = np.inf
    for n in range(count):
        r, k = ohms[ohm[0] + n * ohm[1]], place[0] + n * place[1]
        if np.isinf(beyond):
            f[k] = h[k] = 0.0
            beyond = 1 / r
        else:
            y = cells[k] + beyond
            f[k] = 1 / (1 + r * y)
            h[k] = r * f[k]
            beyond = f[k] * y


@jit
def solve_words(
    factor: Factor,
    shape: Shape,
    drive: tuple[Floats, Floats],
    bit: Floats,
    inject: Floats,
    word: Floats,
) -> None:
    """Word-line voltages for given bit-line voltages.

    Args:
        factor: from `factorise`.
        shape: W, B and pitch.
        drive: level and start, padded to whole lanes: the line is driven at level + start at its
            near end, and at level at its far end if driven there.
        bit: bit-line voltages, interleaved.
        inject: current from each cell's word line to its bit line, amperes, flat; empty for none.
        word: output, word-line voltages, flat.
    """
    cells, f, h = factor[0], factor[1], factor[2]
    pitch = shape[2]
    seen = np.zeros(pitch * LANES)
    for start in range(0, len(cells), pitch * LANES):
        level, u = load(drive[0], start // pitch), load(drive[1], start // pitch)
        if len(inject):
            for c in range(0, pitch * LANES, LANES * LANES):
                turn(inject, start + c // LANES, pitch, seen, c, LANES)
        current = splat(0.0)
        for c in range((pitch - 1) * LANES, -1, -LANES):
            k = start + c
            current = multiply_add(load(cells, k), subtract(load(bit, k), level), current)
            current = subtract(current, load(seen, c)) if len(inject) else current
            store(seen, c, current)
            current = multiply(load(f, k), current)
        for c in range(0, pitch * LANES, LANES):
            k = start + c
            u = multiply_add(load(f, k), u, multiply(load(h, k), load(seen, c)))
            store(seen, c, add(level, u))
        for c in range(0, pitch * LANES, LANES * LANES):
            turn(seen, c, LANES, word, start + c // LANES, pitch)


@jit
def solve_bits(factor: Factor, shape: Shape, current: Floats, bit: Floats, out: Floats) -> None:
    """Bit-line voltages for injected currents at each cell, with the cells connected to 0 V.

    Args:
        factor: from `factorise`.
        shape: W, B and pitch.
        current: injected currents in amperes, flat.
        bit: output, bit-line voltages, flat.
        out: (pitch,) output, currents out of the lower ends in amperes.
    """
    f, h = factor[4], factor[5]
    lines, _, pitch = shape
    for k in range(pitch):
        bit[k] = current[k]
    for k in range(pitch, lines * pitch, LANES):
        before = multiply(load(f, k - pitch), load(bit, k - pitch))
        store(bit, k, add(load(current, k), before))
    last = (lines - 1) * pitch
    for k in range(pitch):
        out[k] = f[last + k] * bit[last + k]
        bit[last + k] *= h[last + k]
    for i in range(lines - 2, -1, -1):
        for k in range(i * pitch, (i + 1) * pitch, LANES):
            through = multiply(load(f, k), load(bit, k + pitch))
            store(bit, k, multiply_add(load(h, k), load(bit, k), through))


@jit
def descend(
    factor: Factor, shape: Shape, vectors: tuple[Floats, Floats, Floats], alpha: float
) -> float:
    """Update the residual, r -= alpha q, and precondition it: z = (bit lines)^-1 r.

    Args:
        factor: from `factorise`.
        shape: W, B and pitch.
        vectors: r, z and q, flat; r and z are output.
        alpha: length of the last step.

    Returns:
        The product of r and z.
    """
    f, h = factor[4], factor[5]
    r, z, q = vectors
    lines, _, pitch = shape
    a, total = splat(-alpha), splat(0.0)
    for first in range(0, pitch, _CHUNK):
        width = min(_CHUNK, pitch - first)
        for i in range(lines):
            for k in range(i * pitch + first, i * pitch + first + width, LANES):
                rest = multiply_add(a, load(q, k), load(r, k))
                store(r, k, rest)
                if i:
                    rest = multiply_add(load(f, k - pitch), load(z, k - pitch), rest)
                store(z, k, rest)
        for i in range(lines - 1, -1, -1):
            for k in range(i * pitch + first, i * pitch + first + width, LANES):
                volts = multiply(load(h, k), load(z, k))
                if i < lines - 1:
                    volts = multiply_add(load(f, k), load(z, k + pitch), volts)
                store(z, k, volts)
                total = multiply_add(volts, load(r, k), total)
    sums = np.empty(LANES)
    store(sums, 0, total)
    return float(sums.sum())


@jit
def sweep(
    factor: Factor,
    shape: Shape,
    vectors: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
    beta: float,
    alpha: float,
) -> float:
    """Take the last step, update the direction p = z + beta p, and apply the operator to it.

    Args:
        factor: from `factorise`.
        shape: W, B and pitch.
        vectors: r and z, flat; q = (the operator times p), flat, output; p, the bit lines' part of
            q, and the solution, interleaved, all three output.
        beta: coefficient of this direction.
        alpha: length of the last step.

    Returns:
        The product of p and q.
    """
    cells, f, h = factor[0], factor[1], factor[2]
    r, z, q, p, own, x = vectors
    pitch = shape[2]
    a, b, total = splat(alpha), splat(beta), splat(0.0)
    seen, rest = np.empty(pitch * LANES), np.empty(pitch * LANES)
    for start in range(0, len(cells), pitch * LANES):
        for c in range(0, pitch * LANES, LANES * LANES):
            turn(z, start + c // LANES, pitch, seen, c, LANES)
            turn(r, start + c // LANES, pitch, rest, c, LANES)
        current = splat(0.0)
        for c in range((pitch - 1) * LANES, -1, -LANES):
            k = start + c
            last = load(p, k)
            store(x, k, multiply_add(a, last, load(x, k)))
            last = multiply_add(b, last, load(seen, c))
            store(p, k, last)
            store(own, k, multiply_add(b, load(own, k), load(rest, c)))
            current = multiply_add(load(cells, k), last, current)
            store(seen, c, current)
            current = multiply(load(f, k), current)
        u = splat(0.0)
        for c in range(0, pitch * LANES, LANES):
            k = start + c
            u = multiply_add(load(f, k), u, multiply(load(h, k), load(seen, c)))
            net = subtract(load(own, k), multiply(load(cells, k), u))
            store(seen, c, net)
            total = multiply_add(load(p, k), net, total)
        for c in range(0, pitch * LANES, LANES * LANES):
            turn(seen, c, LANES, q, start + c // LANES, pitch)
    sums = np.empty(LANES)
    store(sums, 0, total)
    return float(sums.sum())


@jit
def conjugate_gradients(
    factor: Factor, shape: Shape, work: Floats, tolerance: float, most: int
) -> tuple[int, float]:
    """Solve for the bit-line voltages with the word lines eliminated.

    Args:
        factor: from `factorise`.
        shape: W, B and pitch.
        work: (6, W * pitch) right-hand side, overwritten by the residual, and scratch; the last
            row becomes the solution, interleaved.
        tolerance: reduction of the residual's natural norm at which to stop.
        most: maximum number of steps.

    Returns:
        Number of steps, and the natural norm of the residual relative to the initial one.
    """
    r, z, q, p, own, x = work
    x[:] = 0.0
    first = energy = descend(factor, shape, (r, z, q), 0.0)
    beta, alpha, steps = 0.0, 0.0, 0
    while energy > tolerance * tolerance * first and steps < most:
        alpha = energy / sweep(factor, shape, (r, z, q, p, own, x), beta, alpha)
        before = energy
        energy = descend(factor, shape, (r, z, q), alpha)
        beta = energy / before
        steps += 1
    for k in range(len(x)):
        x[k] += alpha * p[k]
    return steps, np.sqrt(energy / first) if first != 0 else 0.0


@jit
def compare(
    x: Floats, bit: Floats, word: Floats, cells: Floats, shape: Shape
) -> tuple[float, float, float]:
    """Compare bit-line voltages x (interleaved), for which word was found, with bit.

    Returns:
        The largest difference relative to the largest voltage; the sum of the currents that the
        differences would drive through the cells, by which Kirchhoff's law is violated; and the sum
        of the currents that the voltages would drive.
    """
    lines, columns, pitch = shape
    change = largest = missing = driven = 0.0
    for i in range(lines):
        first = i // LANES * pitch * LANES + i % LANES
        for j in range(columns):
            k = i * pitch + j
            here, difference = abs(bit[k]), abs(x[first + j * LANES] - bit[k])
            change = max(change, difference)
            largest = max(largest, here, abs(word[k]))
            missing += cells[k] * difference
            driven += cells[k] * (here + abs(word[k]))
    if missing + driven != missing + driven:
        return np.nan, np.nan, np.nan
    return (change / largest if largest > 0 else 0.0), missing, driven
