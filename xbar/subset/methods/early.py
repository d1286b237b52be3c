"""Early termination: a sufficient subset of a few elements, tried before the full search."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xbar.subset.problem import Batch

_SPARE = 3  # elements beyond the bits required by the tolerance
_WORTH = 6  # least number of elements left out for a partial search to pay


def part_sizes(batch: Batch, tolerance: float) -> NDArray[np.int64]:
    """(R,) number of elements that probably meet the tolerance, 0 if a try does not pay.

    The median error halves with each element and is about the bank's span over 2**(K + 2).
    """
    elements = batch.bank.shape[1]
    if tolerance <= 0.0 or elements <= _WORTH:
        return np.zeros(len(batch.bank), np.int64)
    with np.errstate(divide="ignore"):
        bits = np.log2(batch.high - batch.low) - math.log2(tolerance)
    size = np.maximum(np.ceil(np.maximum(bits, 0.0)).astype(np.int64) + _SPARE, 4)
    return np.where(size + _WORTH <= elements, size, 0)


def part_of(batch: Batch, size: int) -> tuple[Batch, NDArray[np.bool_]]:
    """The problem restricted to the first `size` elements, with the others fixed.

    Another element is switched in if that brings the remaining target closer to the middle of the
    first elements' range.

    Args:
        batch: M problems with a bank each, as from `select`.
        size: number of elements to search.

    Returns:
        M problems of M banks, and the choice (M, K - size) of the other elements.
    """
    first = batch.bank[:, :size]
    low, high = np.minimum(first, 0.0).sum(axis=1), np.maximum(first, 0.0).sum(axis=1)
    rest = batch.target - (low + high) / 2
    fixed = np.empty((len(rest), batch.bank.shape[1] - size), np.bool_)
    taken = np.zeros(len(rest))
    for e in range(fixed.shape[1]):
        g = batch.bank[:, size + e]
        fixed[:, e] = np.abs(rest - g) < np.abs(rest)
        chosen = np.where(fixed[:, e], g, 0.0)
        rest -= chosen
        taken += chosen
    part = replace(
        batch,
        bank=np.ascontiguousarray(first),
        low=low,
        high=high,
        target=batch.target - taken,
    )
    return part, fixed


def add_up(batch: Batch, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(M,) sums of the chosen elements of M banks, added in the bank's order."""
    total = np.zeros(len(mask))
    for e in range(mask.shape[1]):
        total += np.where(mask[:, e], batch.bank[:, e], 0.0)
    return total


def select(batch: Batch, which: slice | NDArray[np.bool_]) -> Batch:
    """Some of the problems, each with its own copy of its bank."""
    row, target = batch.row[which], batch.target[which]
    # a batch with one bank per problem has them in order
    banks = which if len(batch.bank) == len(batch.target) else row
    bank, low, high = batch.bank[banks], batch.low[banks], batch.high[banks]
    return Batch(bank, low, high, np.arange(len(row)), target, row.shape)
