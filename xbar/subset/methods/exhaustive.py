"""Exhaustive search: the reference for the other solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xbar.subset.methods.base import Method
from xbar.subset.problem import Batch, SubsetSolution

_TABLE = 1 << 21  # sums in memory at a time: 16 MB


@dataclass(frozen=True)
class Exhaustive(Method):
    """Compares all 2**K sums in float64, K <= 20; plain numpy.

    Ties are resolved in favour of the smallest mask as a binary number, element 0 the lowest bit.
    """

    name: ClassVar[str] = "exhaustive"
    max_elements: ClassVar[int] = 20

    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """The closest subset of each problem, whatever the tolerance."""
        elements = batch.bank.shape[1]
        index = np.zeros(len(batch.target), np.int64)
        achieved = np.zeros(len(batch.target))
        step = max(_TABLE >> elements, 1)
        for start in range(0, len(index), step):
            part = slice(start, start + step)
            index[part], achieved[part] = _closest(batch, part)
        mask = (index[:, None] >> np.arange(elements)) & 1 == 1
        return batch.solution(self.name, mask, achieved)


def _closest(batch: Batch, part: slice) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    bank = batch.bank[batch.row[part]]
    sums = _all_sums(bank)
    # far out of range all sums would be equally distant in float64
    ends = np.minimum(bank, 0.0).sum(axis=1), np.maximum(bank, 0.0).sum(axis=1)
    target = np.clip(batch.target[part], *ends)
    index = np.abs(sums - target[:, None]).argmin(axis=1)
    return index, np.take_along_axis(sums, index[:, None], axis=1)[:, 0]


def _all_sums(bank: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 2**K) sums of banks (M, K); each adds its elements in ascending order."""
    count, elements = bank.shape
    sums = np.zeros((count, 1 << elements))
    for e in range(elements):
        half = 1 << e
        np.add(sums[:, :half], bank[:, e, None], out=sums[:, half : 2 * half])
    return sums
