"""Choice of a weight's random numbers: a single one, the best subset, or the smallest.

Shapes: M weights, K random numbers per weight.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Bools, Floats
from xbar.errors import SpecError

Minimise: TypeAlias = Literal["error", "size"]
Choose: TypeAlias = Callable[[Floats, Floats, float, Minimise], Bools]
"""(numbers (M, K), targets (M,), tolerance, objective) -> mask (M, K)."""

MOST = 32
"""Largest bank that is solved exactly in batches."""

_LISTED = 3  # largest size for which all subsets are enumerated
_CELLS = 1 << 21  # sums per step of the search by size


def subset(bank: Floats, target: Floats, tolerance: float, minimise: Minimise) -> Bools:
    """Closest subset to each target, or the smallest within the tolerance.

    Zeros are never kept. If no subset is within the tolerance, the closest is taken in both cases.

    Args:
        bank: (M, K) numbers, K at most 32.
        target: (M,) targets, in the same unit.
        tolerance: largest |sum - target| allowed by "size".
        minimise: "error", or "size" for the fewest numbers, ties resolved by error.
    """
    mask = np.zeros(bank.shape, np.bool_)
    used = bank != 0.0
    count = used.sum(axis=1)
    front = np.argsort(~used, axis=1, kind="stable")
    for length in np.unique(count[count > 0]):  # smaller banks are cheaper, so zeros are removed
        rows = np.flatnonzero(count == length)
        places = front[rows, :length]
        part = np.take_along_axis(bank[rows], places, axis=1)
        if minimise == "error":
            chosen = _closest(part, target[rows])
        else:
            chosen = _fewest(part, target[rows], tolerance)
        mask[rows[:, None], places] = chosen
    return mask


def single(bank: Floats, target: Floats, tolerance: float, minimise: Minimise) -> Bools:
    """The number closest to each target, or none where 0 is closer (or close enough).

    Args:
        bank: (M, K) numbers.
        target: (M,) targets, in the same unit.
        tolerance: largest |target| for which "size" keeps none.
        minimise: "error", or "size" to keep none wherever the tolerance allows.
    """
    distance = np.abs(bank - target[:, None])
    nearest = distance.argmin(axis=1)
    least = np.take_along_axis(distance, nearest[:, None], axis=1)[:, 0]
    limit = np.full_like(target, tolerance) if minimise == "size" else least
    some = np.abs(target) > np.maximum(limit, 0.0)
    mask = np.zeros(bank.shape, np.bool_)
    mask[some, nearest[some]] = True
    return mask


def sums(bank: Floats, mask: Bools) -> Floats:
    """(...,) sums of the kept numbers of (..., K), added in order."""
    total = np.zeros(bank.shape[:-1])
    for k in range(bank.shape[-1]):
        total += np.where(mask[..., k], bank[..., k], 0.0)
    return total


def check_minimise(minimise: str) -> None:
    """Check the objective.

    Raises:
        SpecError: it is unknown.
    """
    if minimise not in ("error", "size"):
        raise SpecError(f"minimise must be 'error' or 'size', not {minimise!r}")


def _closest(bank: Floats, target: Floats) -> Bools:
    from xbar.subset.solver import solve_subset

    return solve_subset(bank, target).mask


def _fewest(bank: Floats, target: Floats, tolerance: float) -> Bools:
    """Enumerate sizes 0 to 3, enough for most targets; `solve_smallest` does the rest."""
    from xbar.subset.variants.smallest import solve_smallest

    mask = np.zeros(bank.shape, np.bool_)
    open_ = np.flatnonzero(np.abs(target) > tolerance)
    for size in range(1, min(_LISTED, bank.shape[1]) + 1):
        open_ = _of_size(bank, target, tolerance, size, open_, mask)
    if len(open_):
        mask[open_] = solve_smallest(bank[open_], target[open_], tolerance).mask
    return mask


def _of_size(
    bank: Floats,
    target: Floats,
    tolerance: float,
    size: int,
    rows: NDArray[np.int64],
    mask: Bools,
) -> NDArray[np.int64]:
    """Write the closest subset of this size where within tolerance; return the other rows."""
    groups = _groups(bank.shape[1], size)
    left = []
    for part in np.array_split(rows, len(rows) * len(groups) // _CELLS + 1):
        total = bank[part[:, None], groups[:, 0]]
        for column in groups.T[1:]:
            total += bank[part[:, None], column]
        distance = np.abs(total - target[part, None])
        best = distance.argmin(axis=1)
        near = distance[np.arange(len(part)), best] <= tolerance
        mask[part[near, None], groups[best[near]]] = True
        left.append(part[~near])
    return np.concatenate(left)


@cache
def _groups(elements: int, size: int) -> NDArray[np.int64]:
    return np.array(list(combinations(range(elements), size)), np.int64)
