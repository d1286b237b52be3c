"""Choice of one vector per element such that the sum of the vectors is closest to a target.

Common form of a mask shared by several targets (alternatives: out, in) and of a bank divided among
several targets (alternatives: unused, to the first, to the second, ...).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Alternatives = Sequence[NDArray[np.float64]]

_FIRST, _MOST = 16, 1024  # queries per chunk; each chunk bounds the distances of the next


def closest_choice(
    alternatives: Alternatives, target: NDArray[np.float64], power: float, over: NDArray[np.int64]
) -> tuple[NDArray[np.int64], bool]:
    """Meet-in-the-middle in d dimensions: a k-d tree of one half's sums, queried for the other's.

    Exact up to rounding. J. L. Bentley, "Multidimensional binary search trees used for associative
    searching", CACM 1975.

    Args:
        alternatives: vectors (number, d) to choose from, for each of K elements.
        target: (d,) target.
        power: exponent of the norm, 1, 2 or infinity.
        over: (1,) flag that ends the search once nonzero, after a choice was found.

    Returns:
        Index (K,) of the vector chosen for each element; and whether the search was complete.
    """
    from scipy.spatial import cKDTree

    split = _split(alternatives)
    # squared distances must stay within float64's range
    largest = max([np.abs(target).max(), *(np.abs(each).max() for each in alternatives)])
    exponent = int(np.frexp(largest)[1])
    alternatives = [np.ldexp(each, -exponent) for each in alternatives]
    target = np.ldexp(target, -exponent)
    first = _sums(alternatives[:split], len(target))
    second = _sums(alternatives[split:], len(target))
    tree = cKDTree(first, balanced_tree=False, compact_nodes=False)
    best, index, other = math.inf, 0, 0
    start = 0
    while start < len(second) and not (over[0] and start):
        # chunks double, so that the deadline is checked often enough
        stop = min(start + min(max(start, _FIRST), _MOST), len(second))
        # starting threads for each chunk takes longer than they save
        distance, near = map(
            np.asarray,
            tree.query(target - second[start:stop], p=power, distance_upper_bound=best, workers=1),
        )
        k = int(distance.argmin())
        if distance[k] < best:
            best, index, other = float(distance[k]), int(near[k]), start + k
        start = stop
    chosen = [*_digits(alternatives[:split], index), *_digits(alternatives[split:], other)]
    return np.array(chosen, np.int64), start == len(second)


def points(alternatives: Alternatives) -> int:
    """Number of sums of the larger half."""
    split = _split(alternatives)
    return max(_product(alternatives[:split]), _product(alternatives[split:]))


def norm(residual: NDArray[np.float64], power: float) -> float:
    """The norm of a residual (..., d) as one number."""
    largest = float(np.abs(residual).max(initial=0.0))
    if largest == 0:
        return 0.0
    return largest * float(np.linalg.norm(np.ravel(residual) / largest, ord=power))


def _split(alternatives: Alternatives) -> int:
    """Index at which both halves have about the same number of sums."""
    halves = [
        max(_product(alternatives[:k]), _product(alternatives[k:]))
        for k in range(len(alternatives) + 1)
    ]
    return halves.index(min(halves))


def _product(alternatives: Alternatives) -> int:
    return math.prod(len(one) for one in alternatives)


def _sums(alternatives: Alternatives, dimensions: int) -> NDArray[np.float64]:
    """Sums (N, d) of one vector per element; the first element varies fastest."""
    sums = np.zeros((1, dimensions))
    for one in alternatives:
        sums = (one[:, None, :] + sums[None, :, :]).reshape(-1, dimensions)
    return sums


def _digits(alternatives: Alternatives, index: int) -> list[int]:
    digits = []
    for one in alternatives:
        index, digit = divmod(index, len(one))
        digits.append(digit)
    return digits
