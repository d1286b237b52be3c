"""Scales, targets, switches and records of a batch of tiles of differential pairs.

The results have the bits of the passes that make them for one tile after another
(``xbar/compiler/passes``, ``xbar/subset/scaling.py``): sums are taken in numpy's order.

Shapes: P places, the weights' pairs of cells on all tiles of the batch (tile, word line, column);
K resistors per cell, E = 2K elements per place; N blocks of R x C weights, M in all, S columns in
all; F bytes of a cell's switches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xbar.jit import Bools, Floats, Ints, jit
from xbar.subset.kernels.scaling import GOLDEN, OCTAVES, REFINEMENTS, STEPS

TILE, FIRST, ROWS, COLUMNS, LINES, SCALE = range(6)
"""Columns of a table of blocks: its tile in the batch, its first weight, rows and columns, the
first of its lines, and its first scale."""

WORST, POWER, LARGEST, SWITCHES = range(4)
"""Columns of the records."""

_START = 0.5  # as in ``xbar.subset.scaling``
_SUMMED = 128  # numbers that numpy adds up at once
_BITS = np.array([bin(byte).count("1") for byte in range(256)])


@jit
def find_places(blocks: Ints, lines: Ints, across: int, tile: int, place: Ints) -> None:
    """The place of each weight.

    Args:
        blocks: (N, 6) table of blocks.
        lines: word lines and columns of each block in turn.
        across: columns of a tile.
        tile: places of a tile.
        place: (M,) output, by block in the order of its (R, C).
    """
    for n in range(len(blocks)):
        at, rows, columns = blocks[n, LINES], blocks[n, ROWS], blocks[n, COLUMNS]
        for r in range(rows):
            start = blocks[n, TILE] * tile + lines[at + r] * across
            first = blocks[n, FIRST] + r * columns
            for c in range(columns):
                place[first + c] = start + lines[at + rows + c]


@jit
def form_banks(bank: Floats, ratio: Floats, offset: Floats) -> None:
    """Make conductances of pairs to their signed elements, in place.

    Args:
        bank: (P, E) conductances switched in; becomes what closing each switch adds.
        ratio: (K,) ratio of the conductances switched in and out.
        offset: (P,) output: what all switches open conduct, the second cell's subtracted.
    """
    k = len(ratio)
    ideal = True
    for i in range(k):
        ideal = ideal and np.isinf(ratio[i])
    off = np.empty((2, k))
    for p in range(len(bank)):
        offset[p] = 0.0
        if ideal:
            for e in range(k, 2 * k):
                bank[p, e] = -bank[p, e]
            continue
        for e in range(2 * k):
            leak = bank[p, e] / ratio[e % k]
            off[e // k, e % k] = leak
            step = bank[p, e] - leak
            bank[p, e] = step if e < k else -step
        offset[p] = added_up(off[0]) - added_up(off[1])


@jit
def reach_at(bank: Floats, offset: Floats, place: Ints, out: Floats) -> None:
    """Moments and range (4, M) of the sums of the banks at some places, as ``scaling.reach``."""
    for m in range(len(place)):
        p = place[m]
        low = high = square = 0.0
        for e in range(bank.shape[1]):
            value = bank[p, e]
            square += value * value
            high += max(value, 0.0)
            low += min(value, 0.0)
        out[0, m] = offset[p] + (low + high) / 2
        out[1, m] = np.sqrt(square) / 2
        out[2, m] = offset[p] + low
        out[3, m] = offset[p] + high


@jit
def set_scales(
    blocks: Ints, weight: Floats, reach: Floats, table: Floats, per_unit: float, scale: Floats
) -> None:
    """The scale of least expected error of each column, as ``scaling.best_scales``.

    Args:
        blocks: (N, 6) table of blocks, those whose weights share a scale as one column.
        weight: (M,) weights.
        reach: (4, M) output of ``reach_at``.
        table: expected errors.
        per_unit: table entries per distance s.
        scale: (S,) output.
    """
    for n in range(len(blocks)):
        rows, columns = blocks[n, ROWS], blocks[n, COLUMNS]
        own = slice(blocks[n, FIRST], blocks[n, FIRST] + rows * columns)
        found = scale[blocks[n, SCALE] : blocks[n, SCALE] + columns]
        values, banks = weight[own], reach[:, own]
        _start(values, banks[1], rows, found)
        _search(values, banks, rows, found, table, per_unit)


@jit
def _start(weight: Floats, deviation: Floats, rows: int, start: Floats) -> None:
    """The lowest scale tried of each column (C,), for weights (R C,) on banks (R C,)."""
    columns = len(start)
    middle, own = np.empty(columns), np.empty(rows)
    most = 0.0
    for c in range(columns):
        start[c] = 0.0
        for r in range(rows):
            start[c] = max(start[c], abs(weight[r * columns + c]))
            own[r] = deviation[r * columns + c]
        middle[c] = np.median(own)
        most = max(most, start[c])
    if most == 0.0:
        most = 1.0
    alive = middle[middle > 0.0]
    some = np.median(alive) if len(alive) else 1.0
    for c in range(columns):
        largest = start[c] if start[c] > 0.0 else most
        start[c] = _START * (middle[c] if middle[c] > 0.0 else some) / largest


@jit
def _search(
    weight: Floats, bank: Floats, rows: int, scale: Floats, table: Floats, per_unit: float
) -> None:
    """Coarse search from the scales given, then golden section, of all columns in lock-step."""
    columns = len(scale)
    ratio = 2.0 ** (1.0 / STEPS)
    left, right = np.empty(columns), np.empty(columns)
    at_left, at_right = np.empty(columns), np.empty(columns)
    low, high, best = scale.copy(), scale.copy(), scale.copy()
    least = np.full(columns, np.inf)
    for step in range(OCTAVES * STEPS + 1):
        for c in range(columns):
            left[c] = scale[c] * ratio**step
        _errors(left, weight, bank, rows, table, per_unit, at_left)
        for c in range(columns):
            if at_left[c] < least[c]:
                best[c], least[c] = left[c], at_left[c]
    for c in range(columns):
        low[c], high[c] = best[c] / ratio, best[c] * ratio
        left[c] = high[c] - GOLDEN * (high[c] - low[c])
        right[c] = low[c] + GOLDEN * (high[c] - low[c])
    _errors(left, weight, bank, rows, table, per_unit, at_left)
    _errors(right, weight, bank, rows, table, per_unit, at_right)
    trial, error, down = np.empty(columns), np.empty(columns), np.empty(columns, np.bool_)
    for _ in range(REFINEMENTS):
        for c in range(columns):
            down[c] = at_left[c] < at_right[c]
            if down[c]:
                high[c], right[c], at_right[c] = right[c], left[c], at_left[c]
                left[c] = trial[c] = high[c] - GOLDEN * (high[c] - low[c])
            else:
                low[c], left[c], at_left[c] = left[c], right[c], at_right[c]
                right[c] = trial[c] = low[c] + GOLDEN * (high[c] - low[c])
        _errors(trial, weight, bank, rows, table, per_unit, error)
        for c in range(columns):
            if down[c]:
                at_left[c] = error[c]
            else:
                at_right[c] = error[c]
    for c in range(columns):
        if min(at_left[c], at_right[c]) < least[c]:
            best[c] = left[c] if at_left[c] < at_right[c] else right[c]
        scale[c] = best[c]


@jit
def _errors(
    scale: Floats,
    weight: Floats,
    bank: Floats,
    rows: int,
    table: Floats,
    per_unit: float,
    total: Floats,
) -> None:
    """Expected squared error (C,) of each column at its scale, as ``scaling.expected_error``."""
    columns, last = len(scale), float(len(table) - 1)
    total[:] = 0.0
    for r in range(rows):
        own = slice(r * columns, (r + 1) * columns)
        values = weight[own]
        mean, deviation, low, high = bank[0, own], bank[1, own], bank[2, own], bank[3, own]
        for c in range(columns):
            target = scale[c] * values[c]
            within = min(max(target, low[c]), high[c])
            missed = target - within
            alive = deviation[c] > 0.0
            distance = abs(within - mean[c]) / (deviation[c] if alive else 1.0) * per_unit
            power = deviation[c] * deviation[c] * table[int(min(distance, last))]
            total[c] = (total[c] + (power if alive else 0.0)) + missed * missed
    for c in range(columns):
        total[c] = total[c] / (scale[c] * scale[c])


@jit
def aim(
    blocks: Ints, weight: Floats, scale: Floats, reach: Floats, target: Floats, missed: Ints
) -> None:
    """Targets of all weights, and how many are clearly outside their bank's range.

    Args:
        blocks: (N, 6) table of blocks.
        weight: (M,) weights.
        scale: (S,) siemens per unit weight.
        reach: (4, M) output of ``reach_at``.
        target: (M,) output, siemens.
        missed: (N,) output.
    """
    for n in range(len(blocks)):
        columns, count = blocks[n, COLUMNS], 0
        for r in range(blocks[n, ROWS]):
            first = blocks[n, FIRST] + r * columns
            for c in range(columns):
                m = first + c
                goal = weight[m] * scale[blocks[n, SCALE] + c]
                low, high = reach[2, m], reach[3, m]
                slack = 1e-9 * (abs(low) + abs(high) + reach[1, m])
                count += goal < low - slack or goal > high + slack
                target[m] = goal
        missed[n] = count


@jit
def close(
    bank: Floats,
    offset: Floats,
    place: Ints,
    mask: Bools,
    packed: NDArray[np.uint8],
    achieved: Floats,
) -> None:
    """Switches as a program stores them, and what they realise.

    Args:
        bank: (P, E) signed elements.
        offset: (P,) see ``form_banks``.
        place: (M,) place of each weight.
        mask: (M, E) chosen elements; those of value 0 stay open.
        packed: (2 P, F) output, zeros before.
        achieved: (M,) output, siemens.
    """
    k = bank.shape[1] // 2
    chosen = np.empty(2 * k)
    for m in range(len(place)):
        p = place[m]
        own, values = mask[m], bank[p]
        for e in range(2 * k):
            chosen[e] = values[e] if own[e] else 0.0
        achieved[m] = offset[p] + added_up(chosen)
        for cell in range(2):
            for byte in range(packed.shape[1]):
                bits = 0
                start = cell * k + 8 * byte
                for i in range(min(8, k - 8 * byte)):
                    bits |= (chosen[start + i] != 0.0) << i
                packed[2 * p + cell, byte] = bits


@jit
def record(
    blocks: Ints,
    place: Ints,
    target: Floats,
    achieved: Floats,
    packed: NDArray[np.uint8],
    out: Floats,
) -> None:
    """What each block reached, (N, 4): worst, power, largest, switches.

    Args:
        blocks: (N, 6) table of blocks.
        place: (M,) place of each weight.
        target: (M,) siemens.
        achieved: (M,) siemens.
        packed: (2 P, F) switches.
        out: (N, 4) output.
    """
    square = np.empty(len(place))
    for n in range(len(blocks)):
        first = blocks[n, FIRST]
        end = first + blocks[n, ROWS] * blocks[n, COLUMNS]
        worst = largest = 0.0
        switches = 0
        for m in range(first, end):
            residual = achieved[m] - target[m]
            square[m] = residual * residual
            worst, largest = max(worst, abs(residual)), max(largest, abs(target[m]))
            for cell in range(2 * place[m], 2 * place[m] + 2):
                for byte in range(packed.shape[1]):
                    switches += _BITS[packed[cell, byte]]
        out[n, WORST], out[n, POWER] = worst, added_up(square[first:end])
        out[n, LARGEST], out[n, SWITCHES] = largest, switches


@jit
def added_up(values: Floats) -> float:
    """The sum of L numbers in numpy's order: pairwise, blocks of 128 in eight sums."""
    count = len(values)
    if count > _SUMMED:
        half = count // 2
        half -= half % 8
        whole: float = added_up(values[:half]) + added_up(values[half:])
        return whole
    if count < 8:
        total = 0.0
        for i in range(count):
            total += values[i]
        return total
    a, b, c, d = values[0], values[1], values[2], values[3]
    e, f, g, h = values[4], values[5], values[6], values[7]
    done = count - count % 8
    for i in range(8, done, 8):
        a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
        e, f, g, h = e + values[i + 4], f + values[i + 5], g + values[i + 6], h + values[i + 7]
    eight: float = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(done, count):
        eight += values[i]
    return eight
