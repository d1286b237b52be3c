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
_MOST = 6  # up to two drivers, an amplifier, two source-line nodes and a bit-line node


@jit
def read_columns(
    cells: Floats, on: Bools, ohms: Floats, both: bool, signs: int, current: Floats, watts: Floats
) -> None:
    """Write the currents of all columns for all inputs, at 1 V.

    Args:
        cells: (L, W) siemens, from the driven end of the source lines on.
        on: (N, W) word lines that are on.
        ohms: of a source-line segment, a bit-line segment, a driver and an amplifier.
        both: whether both ends are driven and read, else the bit lines' last end is read.
        signs: source lines of a bit line: 1 at 1 V, or 2 at 1 V and -1 V.
        current: (N, B) output, amperes into the amplifiers.
        watts: (N, B) output, supplied by the drivers.
    """
    g = np.empty((_MOST, _MOST))
    amplifier, bit = signs, 2 * signs + 1
    for n in range(len(on)):
        for b in range(current.shape[1]):
            g[:] = 0.0
            first = ohms[0] + ohms[2]
            for k in range(signs):
                _join(g, k, signs + 1 + k, 1.0 / first if first > 0.0 else _IDEAL)
            if both:
                end = ohms[1] + ohms[3]
                _join(g, amplifier, bit, 1.0 / end if end > 0.0 else _IDEAL)
            for i in range(on.shape[1]):
                if i > 0:
                    for node in range(signs + 1, bit + 1):
                        _extend(g, node, ohms[1] if node == bit else ohms[0], bit + 1)
                if on[n, i]:
                    for k in range(signs):
                        _join(g, signs + 1 + k, bit, cells[signs * b + k, i])
            if both:
                for k in range(signs):
                    _extend(g, signs + 1 + k, first, bit + 1)
                    _merge(g, signs + 1 + k, k, bit + 1)
            else:
                for k in range(signs):
                    _remove(g, signs + 1 + k, bit + 1)
            _extend(g, bit, ohms[1] + ohms[3], bit + 1)
            _merge(g, bit, amplifier, bit + 1)
            if signs == 1:
                current[n, b] = watts[n, b] = g[0, amplifier]
            else:
                current[n, b] = g[0, amplifier] - g[1, amplifier]
                watts[n, b] = g[0, amplifier] + g[1, amplifier] + 4.0 * g[0, 1]


@jit
def _join(g: Floats, a: int, b: int, siemens: float) -> None:
    """Add a conductance between two nodes."""
    g[a, b] += siemens
    g[b, a] += siemens


@jit
def _extend(g: Floats, node: int, ohms: float, count: int) -> None:
    """Move a node to the other end of a wire."""
    if ohms == 0.0:
        return
    total = 0.0
    for p in range(count):
        total += g[p, node]
    part = 1.0 / (1.0 + ohms * total)
    for p in range(count):
        if g[p, node] == 0.0:
            continue
        for q in range(p):
            if g[q, node] != 0.0:
                _join(g, p, q, ohms * part * g[p, node] * g[q, node])
    for p in range(count):
        g[p, node] *= part
        g[node, p] = g[p, node]


@jit
def _remove(g: Floats, node: int, count: int) -> None:
    """Eliminate a node that nothing else touches."""
    total = 0.0
    for p in range(count):
        total += g[p, node]
    if total > 0.0:
        for p in range(count):
            for q in range(p):
                _join(g, p, q, g[p, node] / total * g[q, node])
    for p in range(count):
        g[p, node] = g[node, p] = 0.0


@jit
def _merge(g: Floats, node: int, into: int, count: int) -> None:
    """Make a node one with another."""
    for p in range(count):
        if p not in (node, into):
            _join(g, p, into, g[p, node])
    for p in range(count):
        g[p, node] = g[node, p] = 0.0
