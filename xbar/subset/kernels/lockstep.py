"""Closest subset sums of many banks in lock-step: one bank per SIMD lane, no data-dependent branch.

    x    row 0      a a a ... a      LANES banks in parallel, one row per subset of a half bank;
         row 1      a a a ... a      each lane's column is sorted
         ...

A list of subset sums is symmetric: the k-th smallest and the k-th largest add up to the total. So
the lower half of "list merged with list + element" is min(v, total - v) over the list, which is a
bitonic sequence: log2(n) compare-exchange steps sort it, and the upper half is its mirror image.
Merging one half bank's sums (even) with the target minus the other's (odd) puts the closest pair
in neighbouring rows. The work does not depend on the data. Bitonic merging:
K. E. Batcher, "Sorting networks and their applications", AFIPS 1968. `network` has the passes.

Rows contain only sums, in 59 bits, so that sums and comparisons are as exact as those of the
integers of `xbar.subset.kernels.scale`. Once the best half sums are known, their subsets are found
by a search for exactly these sums.

The same operations work on `narrow` rows: arrays of int32 with 2 * LANES numbers per row.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Bools, Floats, Ints, Rows, jit
from xbar.subset.kernels import lanes, network
from xbar.subset.kernels.vectors import LANES, LOG_ROWS

MAX_ELEMENTS = 32

_ROWS = 1 << LOG_ROWS
_STATE = 10  # rows: total, target, three of the scan, two half sums, two masks, a spare
_EXTRA = 4  # rows after the elements: target, two ends, flips


def work_size(elements: int) -> int:
    """Size of the scratch array of `closest_subsets`, in int64 words."""
    h = max((elements + 1) // 2, 4)
    return ((3 << h) + 2 * h + elements + _STATE + _EXTRA) * LANES


@jit
def closest_subsets(
    bank: Floats, row: Ints, target: Floats, chosen: Bools, achieved: Floats, work: Ints
) -> None:
    """Closest subset of its bank, for each target.

    Args:
        bank: (R, K) float64, finite, each sum of absolute values finite; 2 <= K <= MAX_ELEMENTS.
        row: (M,) int64, bank index of each target.
        target: (M,) float64, finite; clipped to the bank's range.
        chosen: (M, K) bool, output. Ties are resolved in favour of the greater sum, then the least
            sum of absolute values of the first half, then the lowest mask, where a mask marks the
            elements that differ from the choice of the least sum.
        achieved: (M,) float64, output: the sum of the chosen elements, in the bank's order.
        work: scratch of at least ``work_size(K)`` int64 words, aligned to 64 bytes for speed.
    """
    m, k = len(target), bank.shape[1]
    h, split = max((k + 1) // 2, 4), (k + 1) // 2
    n = 1 << h
    b, keys = 2 * n, 3 * n
    source = keys + 2 * h
    state = source + k + _EXTRA
    goal, masks = state + 1, state + 7
    work[keys * LANES : source * LANES] = 0
    last_row, last_target = np.empty(LANES, np.int64), np.empty(LANES)
    for start in range(0, m, LANES):
        if start + LANES <= m:
            lanes.load_problems(work, bank, row, target, k, start, source)
        else:
            for lane in range(LANES):
                i = min(start + lane, m - 1)
                last_row[lane], last_target[lane] = row[i], target[i]
            lanes.load_problems(work, bank, last_row, last_target, k, 0, source)
        lanes.scale_problems(work, k, split, h - split, source, keys, goal)
        build(work, 0, keys, h, state)
        build(work, b, keys + h, h, state)
        merge(work, b, h, goal, state + 2)
        lanes.half_sums(work, state + 2, goal, state + 5)
        find(work, keys, h, state + 5, 0, masks)
        find(work, keys + h, h, state + 6, 0, masks + 1)
        lanes.rescore(work, k, split, source, masks)
        store(work, masks, start, chosen, achieved)


@jit
def build(work: Rows, at: int, keys: int, h: int, total: int) -> None:
    """Sorted sums of h keys in 2**h rows."""
    network.start_list(work, at, keys, total)
    for e in range(LOG_ROWS, h):
        network.add_row(work, total, total, keys + e)
        _double(work, at, e, total)


@jit
def _double(work: Rows, at: int, e: int, total: int) -> None:
    """Extend the 2**e sorted sums of e keys by one key."""
    rows = 1 << e
    mirror = at + 2 * rows - 1
    if e == LOG_ROWS:
        network.fold_and_finish(work, at, mirror, total)
        return
    first = (e - 1) % LOG_ROWS + 1
    stride = rows >> first
    for i in range(at, at + stride):
        if first == 1:
            network.fold_1(work, i, stride, total)
        elif first == 2:
            network.fold_2(work, i, stride, total)
        elif first == 3:
            network.fold_3(work, i, stride, total)
        else:
            network.fold_4(work, i, stride, total)
    for start in range(0, rows, _ROWS):
        _descend(work, at, start, stride)
        network.finish_list(work, at + start, mirror - start, total)


@jit
def _descend(work: Rows, at: int, start: int, size: int) -> None:
    """The passes between first and last that must precede the block at `start`.

    Blocks are processed in order, so a part of the list is finished while still in the cache.
    """
    while size > _ROWS:
        stride = size >> LOG_ROWS
        if start & (size - 1) == 0:
            for i in range(at + start, at + start + stride):
                network.exchange(work, i, stride)
        size = stride


@jit
def merge(work: Rows, b: int, h: int, goal: int, state: int) -> None:
    """Merge the list at 0 with goal - (the list at b) and scan the result."""
    n = 1 << h
    first = h % LOG_ROWS
    stride = n >> first
    for i in range(stride):
        if first == 0:
            network.split_0(work, i, b + i, stride, n, goal)
        elif first == 1:
            network.split_1(work, i, b + i, stride, n, goal)
        elif first == 2:
            network.split_2(work, i, b + i, stride, n, goal)
        else:
            network.split_3(work, i, b + i, stride, n, goal)
    network.start_scan(work, state)
    for start in range(0, 2 * n, _ROWS):
        _descend(work, 0, start, stride)
        network.scan(work, start, state)


@jit
def find(work: Rows, keys: int, h: int, wanted: int, margin: int, to: int) -> None:
    """Lowest mask whose sum is `wanted`, by two tables of sums in mask order.

    For the margin see `lanes.find_sums`.
    """
    few = max((h + 1) // 2, 4)
    rest = 1 << few
    network.clear_row(work, 0)
    for e in range(few):
        for i in range(1 << e):
            network.add_row(work, (1 << e) + i, i, keys + e)
    network.add_row(work, rest, 0, wanted)
    for e in range(h - few):
        for i in range(1 << e):
            network.subtract_row(work, rest + (1 << e) + i, rest + i, keys + few + e)
    lanes.find_sums(work, 0, few, rest, h - few, margin, to)


@jit
def store(work: Ints, masks: int, start: int, chosen: Bools, achieved: Floats) -> None:
    """Store the masks and sums in rows `masks` and the next, for problems from `start` on."""
    m, k = chosen.shape
    flat = chosen.reshape(m * k)
    sums = work[(masks + 1) * LANES : (masks + 2) * LANES].view(np.float64)
    for lane in range(min(LANES, m - start)):
        bits = work[masks * LANES + lane]
        at = (start + lane) * k
        for _ in range(k // 8):
            lanes.store_bytes(flat, at, bits)
            bits >>= 8
            at += 8
        for e in range(k % 8):
            flat[at + e] = (bits >> e) & 1
        achieved[start + lane] = sums[lane]
