"""One mask for several targets: temperature corners, or several outputs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import one_of, real
from xbar.errors import SpecError
from xbar.subset.methods.base import alarm, check_time_limit
from xbar.subset.problem import SubsetSolution, broadcast, check_bank, shape_of
from xbar.subset.variants.choices import closest_choice, norm
from xbar.subset.variants.common import check_stuck

NORMS = {"linf": math.inf, "l2": 2.0, "l1": 1.0}
METHODS = "meet-in-the-middle", "neighbourhood search"

_NAME = "solve_vector"
_EPSILON = float(np.finfo(np.float64).eps)
_ANY_LENGTH = 1 << 20
_EXACT = 34  # largest number of free elements for an exhaustive search, 2**17 sums per half
_WINDOW = 24  # elements re-optimised at a time in a larger bank
_ROUNDS = 40


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class VectorSolution(SubsetSolution):
    """Masks shared by d targets.

    mask is (..., K); achieved, residual and reachable (for each target alone) are (..., d);
    status is "optimal" if every mask is optimal up to rounding, else "best found".

    Attributes:
        distance: (...) weighted norm of the residual; `bound` (...) is its lower bound.
    """

    distance: NDArray[np.float64] | np.float64


def solve_vector(
    bank: ArrayLike,
    target: ArrayLike,
    norm: str = "linf",
    weights: ArrayLike | None = None,
    stuck: ArrayLike | None = None,
    seed: int = 0,
    time_limit: float | None = None,
) -> VectorSolution:
    """Choose elements whose d-dimensional sum is closest to a d-dimensional target.

    Minimises the norm of w_j (sum over S of g_ij - t_j). Exact for up to 34 free elements, by
    meet-in-the-middle with a k-d tree; precision is about K/d bits per target. In a larger bank
    the rounded least-squares solution is improved by re-optimising 24 elements at a time.

    Args:
        bank: contribution (..., K, d) of each element to each target: its conductance in d
            temperature corners, or its contribution to d outputs.
        target: targets (..., d), broadcast against the bank's leading axes.
        norm: "linf" for the largest residual, "l2" for the root of the sum of squares, or "l1".
        weights: positive weights (d,), the reciprocal of each target's tolerance. None for 1.
        stuck: stuck elements (..., K): -1 stuck open, 0 free, +1 stuck closed.
        seed: seed of the search in banks of more than 34 elements.

        time_limit: seconds per problem, None for no limit; many targets may need minutes.

    Returns:
        Masks, residuals per target, distances in the weighted norm and their lower bounds.

    Raises:
        SpecError: bank or target is empty, not finite, or of incompatible shapes; the norm,
            weights or stuck are invalid.

    >>> at_cold_and_hot = [[4.0, 4.4], [2.0, 2.1], [1.0, 1.3], [0.5, 0.5]]
    >>> solution = solve_vector(at_cold_and_hot, [2.6, 2.6])
    >>> solution.mask, solution.residual.round(6)
    (array([False,  True, False,  True]), array([-0.1,  0. ]))
    """
    norm = one_of(norm, "norm", NORMS)
    banks, targets, shape = _check(bank, target)
    elements, dimensions = banks.shape[1:]
    w = _check_weights(weights, dimensions)
    fixed = check_stuck(stuck, (*shape, elements)).reshape(-1, elements)
    problems = _Problems(banks, targets, fixed, w, NORMS[norm], shape)
    if time_limit is not None:
        check_time_limit(time_limit)
    mask, exact = np.zeros(fixed.shape, np.bool_), np.zeros(len(fixed), np.bool_)
    for i, (g, t, f) in enumerate(zip(banks, targets, fixed, strict=True)):
        with alarm(time_limit) as over:
            mask[i], exact[i] = _Search(g * w, t * w, f, NORMS[norm], over).solve(seed)
    return _solution(problems, mask, exact)


@dataclass(frozen=True, eq=False)
class _Problems:
    """M problems.

    Attributes:
        banks: (M, K, d) banks.
        targets: (M, d) targets.
        fixed: (M, K) -1 stuck open, 0 free, +1 stuck closed.
        weights: (d,) weights.
        power: exponent of the norm.
        shape: batch axes; their product is M.
    """

    banks: NDArray[np.float64]
    targets: NDArray[np.float64]
    fixed: NDArray[np.int64]
    weights: NDArray[np.float64]
    power: float
    shape: tuple[int, ...]

    @property
    def slack(self) -> NDArray[np.float64]:
        """(M, d) twice a plain sum's rounding, for the search's distances and the final sums."""
        total = np.abs(self.banks).sum(axis=1)
        each = (self.banks.shape[1] + 2) * total + np.abs(self.targets)
        return np.asarray(2 * _EPSILON * each)

    def reachable(self) -> NDArray[np.bool_]:
        """(M, d) whether each target alone is within the range of the free elements."""
        closed = np.where(self.fixed[:, :, None] > 0, self.banks, 0.0).sum(axis=1)
        free = np.where(self.fixed[:, :, None] == 0, self.banks, 0.0)
        low = closed + np.minimum(free, 0.0).sum(axis=1)
        high = closed + np.maximum(free, 0.0).sum(axis=1)
        inside = (low - self.slack <= self.targets) & (self.targets <= high + self.slack)
        return np.asarray(inside)

    def norms(self, residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        """(M,) weighted norms of (M, d)."""
        each = [norm(one * self.weights, self.power) for one in residuals]
        return np.array(each).reshape(len(residuals))


def _check(
    bank: ArrayLike, target: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, ...]]:
    """Validated banks (M, K, d) and targets (M, d), and the batch axes."""
    banks, targets = shape_of("bank", bank), shape_of("target", target)
    if len(banks) < 2 or len(targets) < 1 or banks[-1] != targets[-1]:
        raise SpecError(
            f"bank must be (..., K, d) and target (..., d), not of shapes {banks} and {targets}"
        )
    by_target = np.swapaxes(np.asarray(bank), -1, -2)  # (..., d, K): d ordinary banks
    if by_target.shape[-2] == 0:
        raise SpecError("bank and target must have a dimension or more on their last axis")
    batch = broadcast(check_bank(by_target, _ANY_LENGTH, _NAME), target, 0.0, _NAME)
    full = batch.bank[batch.row].reshape(*batch.shape, banks[-2])
    problems = int(np.prod(batch.shape[:-1]))
    vectors = np.swapaxes(full, -1, -2).reshape(problems, banks[-2], banks[-1])
    return vectors, batch.target.reshape(problems, banks[-1]), batch.shape[:-1]


def _check_weights(weights: ArrayLike | None, dimensions: int) -> NDArray[np.float64]:
    array = np.ones(dimensions) if weights is None else real(weights, "weights")
    if (
        array.dtype.kind not in "biuf"
        or array.shape not in ((), (dimensions,))
        or not (np.isfinite(array) & (array > 0)).all()
    ):
        raise SpecError(f"weights must be {dimensions} finite positive numbers, one per target")
    return np.broadcast_to(array.astype(np.float64), (dimensions,))


@dataclass(frozen=True, eq=False)
class _Search:
    """One problem, with the weights multiplied into bank and target.

    Attributes:
        bank: (K, d) weighted bank.
        target: (d,) weighted target.
        fixed: (K,) -1 stuck open, 0 free, +1 stuck closed.
        power: exponent of the norm.
        over: (1,) flag, set to 1 at the deadline.
    """

    bank: NDArray[np.float64]
    target: NDArray[np.float64]
    fixed: NDArray[np.int64]
    power: float
    over: NDArray[np.int64]

    def solve(self, seed: int) -> tuple[NDArray[np.bool_], bool]:
        """The mask (K,), and whether it is optimal."""
        mask = self.fixed > 0
        free = np.flatnonzero((self.fixed == 0) & self.bank.any(axis=1))
        if len(free) <= _EXACT:
            return self._choose(mask, free)
        return self._improve(mask, free, np.random.default_rng(seed)), False

    def _choose(
        self, mask: NDArray[np.bool_], free: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], bool]:
        """The mask with its free elements re-optimised, and whether that is optimal."""
        mask = mask.copy()
        mask[free] = False
        alternatives = [np.stack([np.zeros_like(self.target), self.bank[e]]) for e in free]
        rest = self.target - mask @ self.bank
        chosen, complete = closest_choice(alternatives, rest, self.power, self.over)
        mask[free] = chosen == 1
        return mask, complete

    def _improve(
        self, mask: NDArray[np.bool_], free: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Large-neighbourhood search from the rounded least-squares solution."""
        from scipy.optimize import lsq_linear

        best = mask.copy()
        rest = self.target - mask @ self.bank
        best[free] = lsq_linear(self.bank[free].T, rest, bounds=(0.0, 1.0)).x > 0.5
        distance = norm(best @ self.bank - self.target, self.power)
        for _ in range(_ROUNDS):
            if self.over[0]:
                break
            window = np.sort(rng.choice(free, _WINDOW, replace=False))
            other, _ = self._choose(best, window)
            nearer = norm(other @ self.bank - self.target, self.power)
            if nearer < distance:
                best, distance = other, nearer
        return best


def _solution(
    problems: _Problems, mask: NDArray[np.bool_], exact: NDArray[np.bool_]
) -> VectorSolution:
    banks, targets, shape = problems.banks, problems.targets, problems.shape
    elements, dimensions = banks.shape[1:]
    achieved = np.zeros(targets.shape)
    for e in range(elements):
        achieved += np.where(mask[:, e, None], banks[:, e], 0.0)
    residual = achieved - targets
    distance, rounding = problems.norms(residual), problems.norms(problems.slack)
    used = [how for how, some in zip(METHODS, (exact, ~exact), strict=True) if some.any()]
    return VectorSolution(
        mask=mask.reshape(*shape, elements),
        achieved=achieved.reshape(*shape, dimensions),
        residual=residual.reshape(*shape, dimensions),
        status="optimal" if exact.all() else "best found",
        bound=np.where(exact, np.maximum(distance - rounding, 0.0), 0.0).reshape(shape)[()],
        method=" and ".join(used or METHODS[:1]),
        reason=f"K = {elements}: exact up to {_EXACT} free elements, which a k-d tree can match",
        reachable=problems.reachable().reshape(*shape, dimensions),
        distance=distance.reshape(shape)[()],
    )
