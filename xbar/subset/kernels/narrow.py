"""Closest subset sums in lock-step with half the bits: twice the banks per instruction.

The sums of a dozen elements are so far apart that 28 bits nearly always determine the closest half
sums; the passes are those of `lockstep`, on rows of 2 * LANES 32-bit integers. The rounding error
of an element is at most half a unit, so that of a difference to the goal is (K + 1)/2 and that of a
comparison of two K + 1. If the second closest pair of the merged list is within that of the
closest, or another sum of a half is nearly equal to the chosen one, the problem is reported as
unsure, to be solved in full. Otherwise the result is that of `lockstep`: any other pair of half
sums encloses a neighbouring pair of the merged list, so it is as far apart as the second closest,
or further than the closest by its distance from one of those half sums.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Bools, Floats, Ints, jit
from xbar.subset.kernels import lanes, lockstep
from xbar.subset.kernels.vectors import LANES

LEAST_ELEMENTS, MOST_ELEMENTS = 9, 18

_STATE = 12  # rows: total, goal, four of the scan, two half sums, two masks, two counts
_EXTRA = 4  # rows after the elements, as in lockstep


def work_size(elements: int) -> int:
    """Size of the scratch array of `closest_subsets`, in int64 words."""
    h = max((elements + 1) // 2, 4)
    group = 2 * h + elements + _EXTRA + 3
    return ((3 << h) + 2 * h + _STATE + 1 + 2 * group) * LANES


@jit
def closest_subsets(
    bank: Floats,
    row: Ints,
    target: Floats,
    chosen: Bools,
    achieved: Floats,
    unsure: Bools,
    work: Ints,
) -> None:
    """Closest subset of its bank for each target, or a flag that the result is unsure.

    Args:
        bank: (R, K) float64, as for `lockstep.closest_subsets`, LEAST_ELEMENTS to MOST_ELEMENTS.
        row: (M,) int64, bank index of each target.
        target: (M,) float64, finite.
        chosen: (M, K) bool, output.
        achieved: (M,) float64, output.
        unsure: (M,) bool, output: True where another subset may be closer than the result.
        work: scratch of at least ``work_size(K)`` int64 words, aligned to 64 bytes for speed.
    """
    m, k = len(target), bank.shape[1]
    h, split = max((k + 1) // 2, 4), (k + 1) // 2
    n = 1 << h
    keys, margin = 3 * n, 2 * (k + 2)
    state = keys + 2 * h
    goal, sums, masks, verdict = state + 1, state + 6, state + 8, state + 12
    size = 2 * h + k + _EXTRA + 3  # rows of a group of LANES: keys, elements, goal, two masks
    one, two = verdict + 1, verdict + 1 + size
    source, wide = 2 * h, size - 3
    work[one * LANES : (one + 2 * size) * LANES] = 0
    x = work.view(np.int32)
    last_row, last_target = np.empty(LANES, np.int64), np.empty(LANES)
    for start in range(0, m, 2 * LANES):
        for g in range(2):
            group, begin = one + g * size, start + g * LANES
            if begin + LANES <= m:
                lanes.load_problems(work, bank, row, target, k, begin, group + source)
            else:
                for lane in range(LANES):
                    i = min(begin + lane, m - 1)
                    last_row[lane], last_target[lane] = row[i], target[i]
                lanes.load_problems(work, bank, last_row, last_target, k, 0, group + source)
            lanes.scale_problems(work, k, split, h - split, group + source, group, group + wide)
        lanes.narrow_keys(x, work, one, two, keys, 2 * h)
        lanes.narrow_goals(x, work, one + wide, two + wide, goal)
        lockstep.build(x, 0, keys, h, state)
        lockstep.build(x, 2 * n, keys + h, h, state)
        lockstep.merge(x, 2 * n, h, goal, state + 2)
        lanes.half_sums(x, state + 2, goal, sums)
        for half in range(2):
            lockstep.find(x, keys + half * h, h, sums + half, margin, masks + half)
            lanes.widen(x, work, masks + half, one + wide + 1 + half, two + wide + 1 + half)
        # padding a half with keys of 0 doubles each of its sums
        alone, padded = 1 << (h - split), 1 << (h - k + split)
        lanes.judge(x, state + 2, masks + 2, alone, padded, margin, verdict)
        for g in range(2):
            group, begin = one + g * size, start + g * LANES
            lanes.rescore(work, k, split, group + source, group + wide + 1)
            lockstep.store(work, group + wide + 1, begin, chosen, achieved)
        for lane in range(min(2 * LANES, m - start)):
            unsure[start + lane] = x[verdict * 2 * LANES + lane] != 0
