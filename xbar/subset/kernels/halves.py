"""Sorted subset sums of both halves of a bank, with their subsets.

Basis of the kernels for constrained problems. Unlike the lists of `xbar.subset.kernels.merge`,
which contain only sums, these include the subsets, so that sizes and costs are accessible; and
elements may be fixed open or closed.

Values are integers (`xbar.subset.kernels.scale`): absolute values, with negative elements marked by
``flips``. Subsets are bit masks of the *signed* choice (a set bit is a closed switch).
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Ints, jit

FAR = 1 << 62


@jit
def build(
    values: Ints, flips: int, fixed: Ints, first: int, last: int, sums: Ints, masks: Ints
) -> int:
    """Write the ascending subset sums of elements first to last - 1; return their number.

    Args:
        values: (K,) absolute values.
        flips: bit mask of the negative elements.
        fixed: (K,) -1 fixed open, 0 free, +1 fixed closed.
        first: index of the half's first element.
        last: index after its last element.
        sums: (2**(last - first),) output.
        masks: the same size, output: bit e is element e of the whole bank.
    """
    spare_sums, spare_masks = np.empty_like(sums), np.empty_like(masks)
    total = mask = 0
    for e in range(first, last):
        negative = (flips >> e) & 1
        closed = (fixed[e] + 1) // 2 if fixed[e] != 0 else negative
        mask |= closed << e
        total += values[e] if closed != negative else 0
    sums[0], masks[0] = total, mask
    rows = 1
    for e in range(first, last):
        if fixed[e] != 0:
            continue
        value, bit = values[e], 1 << e
        i = j = 0
        for k in range(2 * rows):
            if j >= rows or (i < rows and sums[i] <= sums[j] + value):
                spare_sums[k], spare_masks[k] = sums[i], masks[i]
                i += 1
            else:
                spare_sums[k], spare_masks[k] = sums[j] + value, masks[j] ^ bit
                j += 1
        rows *= 2
        for k in range(rows):
            sums[k], masks[k] = spare_sums[k], spare_masks[k]
    return rows


@jit
def group_by_size(sums: Ints, masks: Ints, start: Ints) -> tuple[Ints, Ints]:
    """Sort the list by subset size first; group s begins at start[s].

    Args:
        sums: (N,) ascending sums.
        masks: (N,) subsets of the sums.
        start: output, two longer than the largest size; start[-1] is not used.
    """
    start[:] = 0
    for mask in masks:
        start[size(mask) + 1] += 1
    for s in range(1, len(start)):
        start[s] += start[s - 1]
    at = start.copy()
    by_size, their_masks = np.empty_like(sums), np.empty_like(masks)
    for k in range(len(sums)):
        s = size(masks[k])
        by_size[at[s]], their_masks[at[s]] = sums[k], masks[k]
        at[s] += 1
    return by_size, their_masks


@jit
def size(mask: int) -> int:
    """Number of set bits."""
    count = 0
    while mask != 0:
        mask &= mask - 1
        count += 1
    return count


@jit
def closest_pair(a: Ints, b: Ints, goal: int) -> tuple[int, int, int]:
    """Distance and indices of the two entries of ascending lists with the closest sum."""
    best, at_a, at_b = FAR, 0, 0
    i, j = 0, len(b) - 1
    while i < len(a) and j >= 0:
        excess = a[i] + b[j] - goal
        if abs(excess) < best:
            best, at_a, at_b = abs(excess), i, j
        if excess > 0:
            j -= 1
        else:
            i += 1
    return best, at_a, at_b


@jit
def closest_by_size(
    values: Ints, row: Ints, goal: Ints, flips: Ints, fixed: Ints, sizes: Ints, found: Ints
) -> None:
    """Closest subset of exactly each requested size, for each goal.

    Args:
        values: (R, K) int64, K at most 60.
        row: (M,) bank index of each goal; consecutive ones share its lists.
        goal: (M,) targets in integer units.
        flips: (R,) bit mask of the negative elements.
        fixed: (R, K) -1 fixed open, 0 free, +1 fixed closed.
        sizes: (M, 2) smallest and largest size.
        found: (M, 2, 1 + largest - smallest size over the batch) output: distance, -1 where
            no subset has the size, and subset.
    """
    elements = values.shape[1]
    h = (elements + 1) // 2
    sums_a, masks_a = np.empty(1 << h, np.int64), np.empty(1 << h, np.int64)
    sums_b = np.empty(1 << (elements - h), np.int64)
    masks_b = np.empty_like(sums_b)
    start_a, start_b = np.zeros(h + 2, np.int64), np.zeros(elements - h + 2, np.int64)
    a, ma, b, mb = sums_a, masks_a, sums_b, masks_b
    previous = -1
    for m in range(len(goal)):
        r = row[m]
        if r != previous:
            na = build(values[r], flips[r], fixed[r], 0, h, sums_a, masks_a)
            nb = build(values[r], flips[r], fixed[r], h, elements, sums_b, masks_b)
            a, ma = group_by_size(sums_a[:na], masks_a[:na], start_a)
            b, mb = group_by_size(sums_b[:nb], masks_b[:nb], start_b)
            previous = r
        for s in range(sizes[m, 0], sizes[m, 1] + 1):
            best, mask = FAR, 0
            for p in range(max(0, s - (elements - h)), min(h, s) + 1):
                q = s - p
                first_a, first_b = start_a[p], start_b[q]
                distance, i, j = closest_pair(
                    a[first_a : start_a[p + 1]], b[first_b : start_b[q + 1]], goal[m]
                )
                if distance < best:
                    best, mask = distance, ma[first_a + i] | mb[first_b + j]
            found[m, 0, s - sizes[m, 0]] = -1 if best == FAR else best
            found[m, 1, s - sizes[m, 0]] = mask
