"""Closest subset sums of many targets of one bank, by a sorted table of all its sums."""

from __future__ import annotations

import numpy as np

from xbar.jit import Ints, jit


def build(values: Ints) -> tuple[Ints, Ints]:
    """Distinct subset sums of K <= 24 integers, ascending, with a mask for each.

    Among the masks of a sum it is that of `lockstep.closest_subsets`: the least sum of the first
    half, then the lowest mask.
    """
    split = (len(values) + 1) // 2
    first, second = _sums(values[:split]), _sums(values[split:])
    order = np.argsort(first, kind="stable")
    every = (first[order, None] + second).reshape(-1)
    sums, place = np.unique(every, return_index=True)
    return sums, order[place // len(second)] | ((place % len(second)) << split)


def _sums(values: Ints) -> Ints:
    sums = np.zeros(1, np.int64)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def heads(sums: Ints) -> tuple[Ints, int]:
    """Start of the sums with each leading part, and the number of bits after that part."""
    shift = max(int(sums[-1]).bit_length() - len(sums).bit_length() - 1, 0)
    parts = np.arange((int(sums[-1]) >> shift) + 2)
    # a leading part above all sums would overflow for the largest
    return np.searchsorted(sums, np.minimum(parts << shift, sums[-1] + 1)), shift


@jit
def closest(sums: Ints, heads: Ints, shift: int, goal: Ints, found: Ints) -> None:
    """Index of the sum closest to each goal; the greater one in a tie.

    Args:
        sums: (S,) distinct sums, ascending.
        heads: first result of `heads`.
        shift: second result of `heads`.
        goal: (M,) targets from 0 to the last sum.
        found: (M,) output: indices into `sums`.
    """
    for m in range(len(goal)):
        wanted = goal[m]
        part = wanted >> shift
        low, high = heads[part], heads[part + 1]
        while low < high:
            middle = (low + high) // 2
            below = sums[middle] < wanted
            low = middle + 1 if below else low
            high = high if below else middle
        if low == len(sums) or (low > 0 and wanted - sums[low - 1] < sums[low] - wanted):
            low -= 1
        found[m] = low
