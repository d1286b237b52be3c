"""One bank and very many targets: look-up in a sorted table of all its sums."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Ints
from xbar.parallel import in_threads, writeable
from xbar.subset.problem import Batch

_LONGEST = 20  # elements; the table has 16 MB
_BLOCK = 1 << 14


def worth_a_table(batch: Batch) -> bool:
    """Whether each bank has enough targets for sorting all its sums to pay."""
    banks, elements = batch.bank.shape
    many = banks << max(elements - 1, 10)
    return bool(elements <= _LONGEST and len(batch.target) >= many)


def solve_by_table(
    batch: Batch, mask: NDArray[np.bool_], achieved: NDArray[np.float64], threads: int
) -> None:
    """Write the optimum of each problem to (M, K) and (M,)."""
    from xbar.subset.kernels import scale, table

    bank, row, target = writeable(batch.bank), np.array(batch.row), writeable(batch.target)
    values, goal = np.empty(bank.shape, np.int64), np.empty(len(row), np.int64)
    scale.to_integers(bank, row, target, values, goal)
    order = np.argsort(row, kind="stable")
    ends = np.searchsorted(row[order], np.arange(len(bank) + 1))

    def solve(which: Ints, sums: Ints, masks: Ints, heads: Ints, shift: int) -> None:
        found = np.empty(len(which), np.int64)
        table.closest(sums, heads, shift, goal[which], found)
        chosen, total = np.empty((len(which), mask.shape[1]), np.bool_), np.empty(len(which))
        scale.unpack(masks[found], chosen)
        scale.rescore(bank, row[which], chosen, total)
        mask[which], achieved[which] = chosen, total

    for r in range(len(bank)):
        sums, masks = table.build(values[r])
        heads, shift = table.heads(sums)
        mine = order[ends[r] : ends[r + 1]]
        blocks = [mine[start : start + _BLOCK] for start in range(0, len(mine), _BLOCK)]
        query = partial(solve, sums=sums, masks=masks, heads=heads, shift=shift)
        in_threads(query, blocks, threads)
