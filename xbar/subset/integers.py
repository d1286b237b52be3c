"""Problems one at a time as integers: for methods that are not worth running in lock-step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.subset.parallel import in_threads, writeable
from xbar.subset.problem import Batch, SubsetSolution

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

# values (K,), goal, |excess| that is good enough, chosen (K,) all False -> searched to the end
Search: TypeAlias = Callable[[Ints, int, int, Bools], bool]


def solve_each(
    batch: Batch, method: str, search: Search, tolerance: float, threads: int
) -> SubsetSolution:
    """Runs a search on every problem of a batch.

    The search gets absolute values as integers whose sum is below 2**60, a goal strictly between
    0 and their sum, and how close is close enough: the tolerance, or a part of what float64 sums
    err by. It writes its choice and says whether it knows that none is closer.

    Args:
        batch: M problems.
        method: the solver's name.
        search: finds one subset.
        tolerance: a |residual| that is good enough.
        threads: problems that are solved side by side.
    """
    from xbar.subset.kernels import scale

    bank, row, target = writeable(batch.bank), np.array(batch.row), writeable(batch.target)
    values = np.empty(bank.shape, np.int64)
    goal = np.empty(len(row), np.int64)
    scale.to_integers(bank, row, target, values, goal)
    total = values.sum(axis=1)
    goal[batch.target <= batch.low[row]] = 0
    goal = np.where(batch.target >= batch.high[row], total[row], goal)
    enough = _enough(batch, total, tolerance)
    chosen = np.zeros((len(row), bank.shape[1]), np.bool_)
    proven = np.ones(len(row), np.bool_)

    def solve(m: int) -> None:
        r = row[m]
        if goal[m] >= total[r]:
            chosen[m] = values[r] > 0
        elif goal[m] > 0:
            proven[m] = search(values[r], int(goal[m]), int(enough[m]), chosen[m])

    in_threads(solve, range(len(row)), threads)
    achieved = np.empty(len(row))
    scale.rescore(bank, row, chosen, achieved)
    return batch.solution(method, chosen, achieved, proven, tolerance)


def _enough(batch: Batch, total: Ints, tolerance: float) -> Ints:
    """(M,) integer distances that meet the tolerance or are lost in rounding anyway."""
    elements = batch.bank.shape[1]
    rounding = min(elements, 64) * (total >> 54)
    span = batch.high - batch.low
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        allowed = np.nan_to_num(tolerance * (total / span), nan=0.0, posinf=2.0**59)
    # less what the integers and the float64 sum may differ by
    allowed = np.minimum(allowed, 2.0**59) * (1 - 2.0**-40) - 2.0 * elements * (total >> 52)
    each = np.maximum(rounding, np.maximum(allowed, 0.0).astype(np.int64))
    return np.asarray(each[batch.row])
