"""The worst target of a bank: half the widest gap between neighbouring subset sums.

The distance from z to the closest sum is piecewise linear in z, so over a window it is largest at
an end of the window or midway between two neighbouring sums. The sorted list of all sums is
built by merging the list without an element and the same list shifted by it; the last of these
merges is scanned on the fly and never stored.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Floats, jit

MAX_ELEMENTS = 22  # 33 MB of sums


def work_size(elements: int) -> int:
    """Size of the scratch array for `largest_errors`, in float64 words."""
    return 2 << (elements - 1)


@jit
def largest_errors(bank: Floats, low: Floats, high: Floats, error: Floats, work: Floats) -> None:
    """Largest distance from any target in a window to the closest sum, for each bank.

    Args:
        bank: (M, K) float64, signed and finite, K from 1 to MAX_ELEMENTS.
        low: (M,) lower end of each window, in the bank's unit.
        high: (M,) upper end, not below `low`.
        error: (M,) output.
        work: scratch of at least ``work_size(K)`` float64 words.
    """
    elements = bank.shape[1]
    half = 1 << (elements - 1)
    sums, spare = work[:half], work[half : 2 * half]
    size = np.empty(elements)
    for m in range(len(bank)):
        negative = 0.0
        for e in range(elements):
            # leaving out -|g| equals choosing |g| with all sums lower by |g|
            negative += min(bank[m, e], 0.0)
            size[e] = abs(bank[m, e])
        _build(sums, size[: elements - 1], spare)
        error[m] = _scan(sums, size[elements - 1], low[m] - negative, high[m] - negative)


@jit
def _build(sums: Floats, size: Floats, spare: Floats) -> None:
    """The sorted sums of non-negative numbers; the upper half mirrors the lower one."""
    sums[0] = 0.0
    total = 0.0
    rows = 1
    for value in size:
        total += value
        i = j = 0
        for k in range(rows):
            u, v = sums[i], sums[j] + value
            take = u <= v
            spare[k] = u if take else v
            i += take
            j += 1 - take
        for k in range(rows):
            sums[k] = spare[k]
            sums[2 * rows - 1 - k] = total - spare[k]
        rows *= 2


@jit
def _scan(sums: Floats, value: float, low: float, high: float) -> float:
    """Measure the gaps in the merge of `sums` and `sums + value`."""
    rows = len(sums)
    worst: float = 0.0
    last: float = -np.inf
    i = j = 0
    while j < rows:
        u = sums[i] if i < rows else np.inf
        v = sums[j] + value
        take = u <= v
        here = u if take else v
        i += take
        j += 1 - take
        if here >= low:
            middle = min(max((last + here) / 2, low), high)
            worst = max(worst, min(middle - last, abs(here - middle)))
            if here >= high:
                return worst
        last = here
    # the window extends beyond the largest sum
    return max(worst, high - last)
