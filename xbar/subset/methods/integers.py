"""Integer problems, one at a time: for methods that do not pay in lock-step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from xbar.arrays import Bools, Ints
from xbar.parallel import in_threads, writeable
from xbar.subset.methods.base import Limited, Method, alarm
from xbar.subset.problem import Batch, SubsetSolution

_TOGETHER = 64  # maximum number of problems per thread task


@dataclass(frozen=True, eq=False)
class Whole:
    """One problem as integers.

    Attributes:
        values: (K,) absolute values, their sum below 2**60.
        goal: target, strictly between 0 and their sum.
        enough: sufficient |excess|: the tolerance, or a fraction of the error of float64 sums.
        over: (1,) flag, set to 1 when the search must end.
    """

    values: Ints
    goal: int
    enough: int
    over: Ints


# writes its choice into (K,), initially False; returns whether optimality is proved
Search: TypeAlias = Callable[[Whole, Bools], bool]


def solve_each(
    batch: Batch, method: Method, search: Search, tolerance: float, threads: int
) -> SubsetSolution:
    """Run a search on every problem of a batch, each within the method's time limit.

    Args:
        batch: M problems.
        method: method of the search.
        search: function that finds one subset.
        tolerance: sufficient |residual|.
        threads: number of problems solved concurrently.
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
    proven, late = np.ones(len(row), np.bool_), np.zeros(len(row), np.bool_)
    time_limit = method.time_limit if isinstance(method, Limited) else None

    def solve(part: range) -> None:
        for m in part:
            r = row[m]
            if goal[m] >= total[r]:
                chosen[m] = values[r] > 0
            elif goal[m] > 0:
                with alarm(time_limit) as over:
                    problem = Whole(values[r], int(goal[m]), int(enough[m]), over)
                    proven[m] = search(problem, chosen[m])
                    excess = abs(int(values[r][chosen[m]].sum()) - problem.goal)
                    late[m] = over[0] > 0 and not proven[m] and excess > problem.enough

    in_threads(solve, _parts(len(row), threads), threads)
    achieved = np.empty(len(row))
    scale.rescore(bank, row, chosen, achieved)
    solution = batch.solution(method.name, chosen, achieved, proven, tolerance)
    if late.any():
        why = f"{solution.reason}; {late.sum()} of {len(late)} searches ended after {time_limit} s"
        return replace(solution, reason=why)
    return solution


def _parts(count: int, threads: int) -> list[range]:
    """Ranges of problems, several per thread for load balance."""
    step = min(max(count // (8 * threads), 1), _TOGETHER)
    return [range(start, min(start + step, count)) for start in range(0, count, step)]


def _enough(batch: Batch, total: Ints, tolerance: float) -> Ints:
    """(M,) integer distances within the tolerance or within rounding."""
    elements = batch.bank.shape[1]
    rounding = min(elements, 64) * (total >> 54)
    span = batch.high - batch.low
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        allowed = np.nan_to_num(tolerance * (total / span), nan=0.0, posinf=2.0**59)
    # minus the possible difference between the integers and the float64 sum
    allowed = np.minimum(allowed, 2.0**59) * (1 - 2.0**-40) - 2.0 * elements * (total >> 52)
    each = np.maximum(rounding, np.maximum(allowed, 0.0).astype(np.int64))
    return np.asarray(each[batch.row])
