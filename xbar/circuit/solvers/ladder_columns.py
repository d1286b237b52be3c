"""Columns between source lines and a bit line, for one pattern of closed cells after another.

The part of a column above a row is a network between its drivers T, the line nodes of the row s, b
and, where both ends are read, the amplifier: siemens between each two of them. A row's cells are
added, and each line continues by a wire of r ohms: its node m is eliminated to the next one m',

    g'(p, m') = g(p, m) / (1 + r S),   g'(p, q) = g(p, q) + r g(p, m) g(q, m) / (1 + r S),

with the sum S of all g(p, m). Nothing is subtracted, and 0 ohm is no special case.

Shapes: N inputs, W word lines, L source lines, B bit lines. Units: SI.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Bools, Floats, jit

_IDEAL = 1e100  # siemens of a driver without resistance


@jit
def read_columns(
    cells: Floats, on: Bools, ohms: Floats, both: bool, current: Floats, watts: Floats
) -> None:
    """Write the currents of all columns for all inputs, at 1 V.

    Args:
        cells: (W, S, B) siemens, from the driven end of the source lines on; S = 1 source line a
            bit line at 1 V, or S = 2 at 1 V and -1 V.
        on: (N, W) word lines that are on.
        ohms: of a source-line segment, a bit-line segment, a driver and an amplifier.
        both: whether both ends are driven and read, else the bit lines' last end is read.
        current: (N, B) output, amperes into the amplifiers.
        watts: (N, B) output, supplied by the drivers.
    """
    rows, signs, columns = cells.shape
    amplifier, bit = signs, 2 * signs + 1
    count = bit + 1
    g = np.empty((count, count, columns))  # of nodes p > q, columns side by side
    part = np.empty(columns)
    first, last = ohms[0] + ohms[2], ohms[1] + ohms[3]
    for n in range(len(on)):
        g[:] = 0.0
        for k in range(signs):
            g[signs + 1 + k, k] = 1.0 / first if first > 0.0 else _IDEAL
        if both:
            g[bit, amplifier] = 1.0 / last if last > 0.0 else _IDEAL
        for i in range(rows):
            if i > 0:
                for node in range(signs + 1, count):
                    _extend(g, node, ohms[1] if node == bit else ohms[0], part)
            if on[n, i]:
                for k in range(signs):
                    _add(g[bit, signs + 1 + k], cells[i, k])
        for k in range(signs):
            node = signs + 1 + k
            if both:
                _extend(g, node, first, part)
                _merge(g, node, k)
            else:
                _remove(g, node, part)
        _extend(g, bit, last, part)
        _merge(g, bit, amplifier)
        current[n] = watts[n] = g[amplifier, 0]
        if signs == 2:
            current[n] -= g[amplifier, 1]
            watts[n] += g[amplifier, 1] + 4.0 * g[1, 0]


@jit
def _add(total: Floats, more: Floats) -> None:
    for b in range(len(total)):
        total[b] += more[b]


@jit
def _between(g: Floats, p: int, q: int) -> Floats:
    """(B,) siemens between two nodes."""
    siemens: Floats = g[p, q] if p > q else g[q, p]
    return siemens


@jit
def _extend(g: Floats, node: int, ohms: float, part: Floats) -> None:
    """Move a node to the other end of a wire."""
    if ohms == 0.0:
        return
    part[:] = 0.0
    for p in range(len(g)):
        if p != node:
            _add(part, _between(g, p, node))
    for b in range(len(part)):
        part[b] = 1.0 / (1.0 + ohms * part[b])
    _share(g, node, ohms, part)
    for p in range(len(g)):
        if p != node:
            siemens = _between(g, p, node)
            for b in range(len(part)):
                siemens[b] *= part[b]


@jit
def _share(g: Floats, node: int, factor: float, part: Floats) -> None:
    """Add to each pair of the others the factor, its part and both conductances to a node."""
    for p in range(len(g)):
        if p == node:
            continue
        one = _between(g, p, node)
        for q in range(p):
            if q != node:
                other, total = _between(g, q, node), g[p, q]
                for b in range(len(part)):
                    total[b] += factor * part[b] * one[b] * other[b]


@jit
def _remove(g: Floats, node: int, part: Floats) -> None:
    """Eliminate a node that nothing else touches."""
    part[:] = 0.0
    for p in range(len(g)):
        if p != node:
            _add(part, _between(g, p, node))
    for b in range(len(part)):
        part[b] = 1.0 / part[b] if part[b] > 0.0 else 0.0
    _share(g, node, 1.0, part)
    for p in range(len(g)):
        if p != node:
            _between(g, p, node)[:] = 0.0


@jit
def _merge(g: Floats, node: int, into: int) -> None:
    """Make a node one with another."""
    for p in range(len(g)):
        if p not in (node, into):
            _add(_between(g, p, into), _between(g, p, node))
    for p in range(len(g)):
        if p != node:
            _between(g, p, node)[:] = 0.0
