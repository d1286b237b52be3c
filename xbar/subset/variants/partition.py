"""Partition of one bank among several targets, each resistor used at most once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import one_of
from xbar.errors import SpecError
from xbar.subset.methods.base import alarm, check_time_limit
from xbar.subset.problem import Batch, SubsetSolution, broadcast, check_bank, shape_of
from xbar.subset.solver import solve_subset
from xbar.subset.variants.choices import closest_choice, norm, points
from xbar.subset.variants.common import check_stuck
from xbar.subset.variants.vector import METHODS, NORMS

_NAME = "solve_many_targets"
_EPSILON = float(np.finfo(np.float64).eps)
_ANY_LENGTH = 1 << 20
_EXACT = 600_000  # largest number of half sums for an exhaustive search
_POOL = 16  # resistors repartitioned between two targets at a time: 3**8 sums per half
_WINDOW = 24  # resistors of the exact final choice of a target
_ROUNDS = 120


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PartitionSolution(SubsetSolution):
    """A bank partitioned among m targets.

    mask is (m, K) with at most one True per column; achieved, residual and reachable (for each
    target alone) are (m,); status is "optimal", "within tolerance" or "best found".

    Attributes:
        distance: norm of the residuals; `bound` is its lower bound.
    """

    distance: np.float64


def solve_many_targets(
    bank: ArrayLike,
    targets: ArrayLike,
    norm: str = "linf",
    tolerance: float = 0.0,
    stuck: ArrayLike | None = None,
    seed: int = 0,
    time_limit: float | None = None,
) -> PartitionSolution:
    """Partition one bank among m targets, so that each sum is close to its target.

    Exact where (m + 1)**(K/2) <= 600,000, by meet-in-the-middle with a k-d tree: K = 24 for two
    targets, 18 for three, 16 for four. In larger banks the targets are served in turn, the largest
    first, and then 16 resistors are repeatedly repartitioned, exactly, between the worst target
    and another; optimality is not proved then.

    Args:
        bank: elements (K,) in siemens, or any signed numbers.
        targets: targets (m,) in the bank's unit.
        norm: norm of the residuals: "linf" for the largest, "l2" for the root of the sum of
            squares, or "l1" for the sum.
        tolerance: sufficient norm, which ends the search in large banks.
        stuck: stuck switches of each resistor to each target, broadcast to (m, K): -1 stuck open,
            0 free, +1 stuck closed, which assigns the resistor to that target.
        seed: seed of the search.
        time_limit: seconds, None for no limit; many targets may need minutes.

    Returns:
        Masks (m, K), sums and residuals (m,), the residuals' norm and its lower bound.

    Raises:
        SpecError: bank or targets are empty, not finite or not one-dimensional; the norm or
            tolerance is invalid; or a resistor is stuck closed to two targets.

    >>> solution = solve_many_targets([4.0, 3.0, 2.0, 1.0, 0.5], [5.1, 3.4])
    >>> solution.mask.astype(int)
    array([[1, 0, 0, 1, 0],
           [0, 1, 0, 0, 1]])
    """
    norm = one_of(norm, "norm", NORMS)
    shapes = shape_of("bank", bank), shape_of("targets", targets)
    if len(shapes[0]) != 1 or len(shapes[1]) != 1 or shapes[1] == (0,):
        raise SpecError(
            f"bank must be (K,) and targets (m,) with m >= 1, not of shapes {shapes[0]} and "
            f"{shapes[1]}"
        )
    batch = broadcast(check_bank(bank, _ANY_LENGTH, _NAME), targets, tolerance, _NAME)
    g, goals = batch.bank[0], batch.target
    allowed = _allowed(check_stuck(stuck, (len(goals), len(g))), g)
    if time_limit is not None:
        check_time_limit(time_limit)
    with alarm(time_limit) as over:
        problem = _Problem(g, goals, allowed, NORMS[norm], over)
        pool, among = np.arange(len(g)), np.arange(len(goals))
        if points(problem.alternatives(pool, among)) <= _EXACT:
            owner, exact = _share(problem, np.full(len(g), -1), pool, among)
        else:
            owner, exact = _search(problem, tolerance, np.random.default_rng(seed)), False
    return _solution(batch, problem, owner, tolerance, exact)


@dataclass(frozen=True, eq=False)
class _Problem:
    """A bank to partition.

    Attributes:
        bank: (K,) elements.
        targets: (m,) targets.
        allowed: (m + 1, K) allowed owners of each resistor: none in row 0, target j in row j + 1.
        power: exponent of the norm.
        over: (1,) flag, set to 1 at the deadline.
    """

    bank: NDArray[np.float64]
    targets: NDArray[np.float64]
    allowed: NDArray[np.bool_]
    power: float
    over: NDArray[np.int64]

    def alternatives(
        self, pool: NDArray[np.int64], among: NDArray[np.int64]
    ) -> list[NDArray[np.float64]]:
        """For each resistor of the pool, the vectors that it can add to the targets `among`."""
        unit = np.vstack([np.zeros(len(among)), np.eye(len(among))])
        rows = np.concatenate([[0], among + 1])
        return [self.bank[e] * unit[self.allowed[rows, e]] for e in pool]

    def sums(self, owner: NDArray[np.int64]) -> NDArray[np.float64]:
        """(m,) sums for owners (K,), -1 for none, added in the bank's order."""
        return _sums(self.bank, owner, len(self.targets))

    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(m,) lowest and highest sum of each target, if the others got nothing more."""
        may, must = self.allowed[1:], ~self.allowed[0]
        closed = np.where(may & must, self.bank, 0.0).sum(axis=1)
        free = np.where(may & ~must, self.bank, 0.0)
        low, high = np.minimum(free, 0.0).sum(axis=1), np.maximum(free, 0.0).sum(axis=1)
        return closed + low, closed + high


def _allowed(stuck: NDArray[np.int64], bank: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(m + 1, K) allowed owners of each resistor: none in row 0, target j in row j + 1."""
    closed = stuck > 0
    if (closed.sum(axis=0) > 1).any():
        e = int(np.flatnonzero(closed.sum(axis=0) > 1)[0])
        raise SpecError(f"resistor {e} is stuck closed to two targets; it can serve one only")
    taken = np.asarray(closed.any(axis=0))
    to_targets = np.where(taken, closed, (stuck == 0) & (bank != 0))
    return np.concatenate([~taken[None], to_targets])


def _share(
    problem: _Problem,
    owner: NDArray[np.int64],
    pool: NDArray[np.int64],
    among: NDArray[np.int64],
) -> tuple[NDArray[np.int64], bool]:
    """Owners (K,) with the pool repartitioned among some targets; whether optimally."""
    owner = owner.copy()
    owner[pool] = -1
    rest = (problem.targets - problem.sums(owner))[among]
    alternatives = problem.alternatives(pool, among)
    chosen, complete = closest_choice(alternatives, rest, problem.power, problem.over)
    rows = np.concatenate([[0], among + 1])
    for e, option in zip(pool, chosen, strict=True):
        owner[e] = rows[problem.allowed[rows, e]][option] - 1
    return owner, complete


def _sums(bank: NDArray[np.float64], owner: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(m,) sums, added in the bank's order."""
    total = np.zeros(count + 1)
    for g, j in zip(bank, owner, strict=True):
        total[j] += g  # unowned ones go to the last entry
    return total[:-1]


def _search(problem: _Problem, tolerance: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Serve the targets in turn, then repartition between the worst and another."""
    owner = _one_by_one(problem, rng)
    residual = problem.sums(owner) - problem.targets
    for _ in range(_ROUNDS):
        if norm(residual, problem.power) <= tolerance or problem.over[0]:
            break
        worst = int(np.abs(residual).argmax())
        others = np.delete(np.arange(len(residual)), worst)
        among = np.append(worst, rng.choice(others, min(1, len(others)), replace=False))
        # resistors owned by these targets or none, with a choice among just these
        choices = problem.allowed[[0, *(among + 1)]].sum(axis=0)
        pool = np.flatnonzero(np.isin(owner, [-1, *among]) & (choices > 1))
        pool = np.sort(rng.choice(pool, min(_POOL, len(pool)), replace=False))
        other, _ = _share(problem, owner, pool, among)
        after = problem.sums(other) - problem.targets
        if norm(after[among], problem.power) < norm(residual[among], problem.power):
            owner, residual = other, after
    return owner


def _one_by_one(problem: _Problem, rng: np.random.Generator) -> NDArray[np.int64]:
    """Owners (K,): greedy, then exact for the last resistors of each target, largest first."""
    bank, allowed = problem.bank, problem.allowed
    owner = np.where(allowed[0], -1, allowed[1:].argmax(axis=0))
    for j in np.argsort(-np.abs(problem.targets), kind="stable"):
        mine = np.flatnonzero(allowed[j + 1] & allowed[0] & (owner == -1))
        if len(mine) == 0:
            continue
        order = rng.permutation(mine)
        window = np.sort(order[:_WINDOW])
        rest = problem.targets[j] - problem.sums(owner)[j]
        ahead = rest - bank[window].sum() / 2
        for e in order[_WINDOW:]:
            if abs(ahead - bank[e]) < abs(ahead):
                owner[e] = j
                ahead -= bank[e]
                rest -= bank[e]
        owner[window[solve_subset(bank[window], rest).mask]] = j
    return owner


def _solution(
    batch: Batch, problem: _Problem, owner: NDArray[np.int64], tolerance: float, exact: bool
) -> PartitionSolution:
    bank, targets, power = problem.bank, problem.targets, problem.power
    achieved = _sums(bank, owner, len(targets))
    residual = achieved - targets
    distance = norm(residual, power)
    slack = 2 * _EPSILON * ((len(bank) + 2) * np.abs(bank).sum() + np.abs(targets))
    low, high = problem.ends()
    status = "within tolerance" if distance <= tolerance else "best found"
    return PartitionSolution(
        mask=owner == np.arange(len(targets))[:, None],
        achieved=achieved,
        residual=residual,
        status="optimal" if exact else status,
        bound=np.float64(max(distance - norm(slack, power), 0.0) if exact else 0.0),
        method=METHODS[0] if exact else METHODS[1],
        reason=f"K = {len(bank)}, {len(targets)} targets: exact if half of the bank has up to "
        f"{_EXACT} partitions",
        reachable=(low - slack <= targets) & (targets <= high + slack),
        distance=np.float64(distance),
    )
