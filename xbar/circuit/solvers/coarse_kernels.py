"""Kernels of `coarse`: between a crossbar's nodes and a grid of every few lines.

Arrays are flat, with padded rows of ``pitch`` doubles, as in `ladders`. A node between four nodes
of the coarse grid has the bilinear interpolation of their voltages.
"""

from __future__ import annotations

import numpy as np

from xbar.circuit.solvers.ladders import Shape
from xbar.circuit.solvers.lanes import (
    LANES,
    Floats,
    add,
    jit,
    load,
    multiply,
    multiply_add,
    splat,
    store,
    subtract,
)

SPACING = 16
"""Lines from one line of the coarse grid to the next; half as many save a step of ten."""


@jit
def restrict(r: Floats, shape: Shape, out: Floats) -> None:
    """The coarse grid's share (I, J) of currents into the nodes: interpolation's transpose."""
    lines, columns, pitch = shape
    out[:] = 0.0
    sums = np.empty(2 * pitch)
    for first in range(0, lines, SPACING):
        sums[:] = 0.0
        for i in range(first, min(first + SPACING, lines)):
            near, far = splat(1 - (i - first) / SPACING), splat((i - first) / SPACING)
            for j in range(0, pitch, LANES):
                value = load(r, i * pitch + j)
                store(sums, j, multiply_add(near, value, load(sums, j)))
                store(sums, pitch + j, multiply_add(far, value, load(sums, pitch + j)))
        for a in range(2):
            for j in range(columns):
                share = (j % SPACING) / SPACING
                value = sums[a * pitch + j]
                out[first // SPACING + a, j // SPACING] += (1 - share) * value
                out[first // SPACING + a, j // SPACING + 1] += share * value


@jit
def add_coarse(
    coarse: Floats,
    bit_lines: tuple[Floats, Floats, Floats],
    shape: Shape,
    r: Floats,
    z: Floats,
    out: Floats,
) -> None:
    """Add the coarse grid's voltages to z; out = r + what the bit lines then carry off.

    Args:
        coarse: (I, J) volts.
        bit_lines: siemens of the cells and of the segments below them, flat; (pitch,) of those to
            amplifiers at the top.
        shape: W, B and pitch.
        r: currents, flat.
        z: voltages, flat, modified in place.
        out: output, flat: r + (bit lines and cells) times the added voltages.
    """
    cells, below, top = bit_lines
    lines, columns, pitch = shape
    here, low, down = np.zeros(pitch), np.zeros(pitch), np.zeros(pitch)
    _interpolate(coarse, 0, columns, here)
    for j in range(columns):
        down[j] = -top[j] * here[j]
    for i in range(lines):
        if i + 1 < lines:
            _interpolate(coarse, i + 1, columns, low)
        else:
            low[:] = 0.0
        for j in range(0, pitch, LANES):
            k, volts = i * pitch + j, load(here, j)
            store(z, k, add(load(z, k), volts))
            net = subtract(multiply_add(load(cells, k), volts, load(r, k)), load(down, j))
            leaving = multiply(load(below, k), subtract(volts, load(low, j)))
            store(down, j, leaving)
            store(out, k, add(net, leaving))
        here, low = low, here


@jit
def _interpolate(coarse: Floats, i: int, columns: int, out: Floats) -> None:
    """A row's voltages."""
    row, share = i // SPACING, (i % SPACING) / SPACING
    for k in range((columns - 1) // SPACING + 1):
        left = (1 - share) * coarse[row, k] + share * coarse[row + 1, k]
        right = (1 - share) * coarse[row, k + 1] + share * coarse[row + 1, k + 1]
        for j in range(min(SPACING, columns - k * SPACING)):
            part = j / SPACING
            out[k * SPACING + j] = (1 - part) * left + part * right
