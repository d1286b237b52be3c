"""One option for each element, so that the vectors of the options add up closest to a target.

The common form of a mask shared by several targets (options: out, in) and of a bank divided among
several targets (options: unused, to the first, to the second, ...).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Options = Sequence[NDArray[np.float64]]

_FIRST, _MOST = 16, 1024  # queries at a time; each chunk bounds the distances of the next ones


def closest_choice(
    options: Options, target: NDArray[np.float64], power: float, over: NDArray[np.int64]
) -> tuple[NDArray[np.int64], bool]:
    """Meet-in-the-middle in d dimensions: a k-d tree of one half's sums, asked for the other's.

    Exact up to rounding. J. L. Bentley, "Multidimensional binary search trees used for associative
    searching", CACM 1975.

    Args:
        options: for each of K elements the vectors (options, d) that it may add.
        target: (d,)
        power: of the norm, 1, 2 or infinity.
        over: (1,) ends the search once it is not 0 and a choice was found.

    Returns:
        The number of the option for each element, (K,); and whether all choices were searched.
    """
    from scipy.spatial import cKDTree

    split = _split(options)
    # squares of the distances must stay in float64's range
    exponent = int(np.frexp(max([np.abs(target).max(), *(np.abs(o).max() for o in options)]))[1])
    options, target = [np.ldexp(o, -exponent) for o in options], np.ldexp(target, -exponent)
    first, second = _sums(options[:split], len(target)), _sums(options[split:], len(target))
    tree = cKDTree(first, balanced_tree=False, compact_nodes=False)
    best, index, other = math.inf, 0, 0
    start = 0
    while start < len(second) and not (over[0] and start):
        # as many as before in all, so that time can't be up unnoticed for long
        stop = min(start + min(max(start, _FIRST), _MOST), len(second))
        # threads are begun anew for each chunk, which takes longer than they save
        distance, near = map(
            np.asarray,
            tree.query(target - second[start:stop], p=power, distance_upper_bound=best, workers=1),
        )
        k = int(distance.argmin())
        if distance[k] < best:
            best, index, other = float(distance[k]), int(near[k]), start + k
        start = stop
    chosen = [*_digits(options[:split], index), *_digits(options[split:], other)]
    return np.array(chosen, np.int64), start == len(second)


def points(options: Options) -> int:
    """How many sums the longer half has."""
    split = _split(options)
    return max(_product(options[:split]), _product(options[split:]))


def norm(residual: NDArray[np.float64], power: float) -> float:
    """The norm of a residual (..., d) as one number."""
    largest = float(np.abs(residual).max(initial=0.0))
    if largest == 0:
        return 0.0
    return largest * float(np.linalg.norm(np.ravel(residual) / largest, ord=power))


def _split(options: Options) -> int:
    """Where to cut so that both halves have about as many sums."""
    halves = [max(_product(options[:k]), _product(options[k:])) for k in range(len(options) + 1)]
    return halves.index(min(halves))


def _product(options: Options) -> int:
    return math.prod(len(one) for one in options)


def _sums(options: Options, dimensions: int) -> NDArray[np.float64]:
    """The sums (N, d) of one option for each element; the first element counts fastest."""
    sums = np.zeros((1, dimensions))
    for one in options:
        sums = (one[:, None, :] + sums[None, :, :]).reshape(-1, dimensions)
    return sums


def _digits(options: Options, index: int) -> list[int]:
    digits = []
    for one in options:
        index, digit = divmod(index, len(one))
        digits.append(digit)
    return digits
