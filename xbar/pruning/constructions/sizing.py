"""Random numbers needed per weight, by simulation, design formula and theorem.

A layer whose weights each choose among n random numbers (or products of two) is n times as wide as
the approximated layer; it fails if any of its weights misses epsilon. So each of m weights may miss
with a probability of 1 - (1 - delta)^(1/m), about delta/m.

- simulation: targets and numbers are drawn, best subsets found and misses counted for increasing
  n, in eight ranges of |w|. Where misses get too rare to count, the logarithm of each range's miss
  rate is extrapolated linearly.
- formula: the mean of exp(-2 rho(w) eps) (`xbar.sizing.density`). It covers sums near the target,
  but not banks whose range excludes the target, and so underestimates n.
- theorem: proved, for all targets in (-1/2, 1/2), and ten times what is needed.
- counting: lower bound for any construction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.draw import check_seed
from xbar.pruning.constructions.choosing import MOST
from xbar.sizing.density import density
from xbar.sizing.laws import Uniform, draw_banks, draw_shares
from xbar.sizing.theory import counting_resistors, theorem_resistors
from xbar.statistics import Estimate, share_estimate
from xbar.subset.solver import solve_subset

Law = Literal["uniform", "products"]

_ENOUGH = 20  # least number of misses for extrapolation
_POINTS = 4
_STRATA = 8
_LAST = 24  # largest bank simulated after misses become too rare to count
_LONGEST = 64
_BANKS = 4096  # sample size of the formula's average
_HALF = math.log(2.0) / 2.0
"""A product of two numbers from U(-1, 1) has the density -ln|t|/2, which is at least this within
(-1/2, 1/2): it can be seen as a number from U(-1/2, 1/2) with this probability."""


@dataclass(frozen=True, eq=False)
class Width:
    """Random numbers needed per weight.

    Attributes:
        epsilon: largest allowed error.
        delta: probability that any weight misses epsilon.
        weights: number of weights.
        law: distribution of the numbers, "uniform" or "products".
        failure: allowed probability that a single weight misses epsilon.
        simulated: count confirmed by simulation with 97.5 % confidence; None if that would take
            more samples or more than 32 numbers.
        extrapolated: count extrapolated from the simulated misses; None if too few misses were
            counted, and above 64.
        formula: count by the design formula; None above 64.
        theorem: provably sufficient count.
        counting: lower bound by counting.
        curve: (n, simulated miss rate, miss rate by formula) of each n simulated.
    """

    epsilon: float
    delta: float
    weights: int
    law: Law
    failure: float
    simulated: int | None
    extrapolated: int | None
    formula: int | None
    theorem: int
    counting: int
    curve: tuple[tuple[int, Estimate, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Its figures."""
        curve = [{"n": n, "misses": e.to_json(), "formula": f} for n, e, f in self.curve]
        return {**vars(self), "curve": curve}


def width(
    epsilon: float,
    delta: float = 0.05,
    weights: int = 1,
    law: Law = "products",
    targets: ArrayLike | None = None,
    samples: int = 20_000,
    *,
    seed: SupportsIndex = 0,
) -> Width:
    """Random numbers needed per weight for a given error and failure probability.

    Args:
        epsilon: largest allowed error, above 0 and at most 1/4, relative to numbers from U(-1, 1).
        delta: probability that any weight misses epsilon, between 0 and 1.
        weights: number of weights.
        law: "uniform" for numbers from U(-1, 1), "products" for u |v| of the constructions.
        targets: (...) weights from which targets are sampled; None for U(-1, 1).
        samples: targets simulated for each n.
        seed: seed of the simulation.

    Raises:
        SpecError: an argument is invalid.

    >>> size = width(0.01, delta=0.05, samples=2000)
    >>> size.counting, size.formula, size.simulated, size.theorem > 10 * size.simulated
    (7, 12, 17, True)
    """
    failure = _check(epsilon, delta, weights, law, samples)
    number = check_seed(seed)
    strata = _strata(targets, max(samples // _STRATA, 1), number)
    goal, share = np.concatenate([s[1] for s in strata]), np.array([s[0] for s in strata])
    curve: list[tuple[int, Estimate, float]] = []
    counts, simulated = [], None
    for n in range(1, MOST + 1):
        banks = _banks(law, n, len(goal), number)
        residual = np.abs(np.asarray(solve_subset(banks, goal, tolerance=epsilon).residual))
        far = (residual > epsilon).reshape(len(strata), -1)
        counts.append(far.sum(axis=1))
        each = [share_estimate(int(count), far.shape[1]) for count in counts[-1]]
        ends = [[e.value, e.low, e.high] for e in each]
        misses = Estimate(*(float(total) for total in share @ np.array(ends)))
        curve.append((n, misses, _poisson(banks, goal, epsilon, share)))
        if misses.high <= failure:
            simulated = n
            break
        if n >= _LAST and failure * samples < _ENOUGH:
            break  # such a low miss rate can't be confirmed
    few = [part[1][: _BANKS // len(strata)] for part in strata]
    return Width(
        epsilon=epsilon,
        delta=delta,
        weights=weights,
        law=law,
        failure=failure,
        simulated=simulated,
        extrapolated=_extrapolate(np.array(counts), share, len(strata[0][1]), failure),
        formula=_formula(law, np.concatenate(few), share, epsilon, failure, number),
        theorem=_theorem(epsilon, failure, law),
        counting=counting_resistors(epsilon, 2.0),
        curve=tuple(curve),
    )


def _check(epsilon: float, delta: float, weights: int, law: str, samples: int) -> float:
    """Allowed probability that a single weight misses epsilon."""
    if not (0 < epsilon <= 0.25):
        raise SpecError(f"epsilon must be above 0 and at most 1/4, not {epsilon}")
    if not (0 < delta < 1):
        raise SpecError(f"delta must lie between 0 and 1, not {delta}")
    if weights < 1 or samples < 1:
        raise SpecError(f"weights and samples must be at least 1, not {weights} and {samples}")
    if law not in ("uniform", "products"):
        raise SpecError(f"law must be 'uniform' or 'products', not {law!r}")
    return -math.expm1(math.log1p(-delta) / weights)


def _strata(targets: ArrayLike | None, samples: int, seed: int) -> list[tuple[float, Floats]]:
    """Eight strata of |target|: each one's share of the targets, and samples from it.

    The distribution is symmetric, so signs do not matter; large targets are rare and fail most.
    """
    draws = draw_shares(samples, seed)
    if targets is None:
        return [(1.0 / _STRATA, (k + draws) / _STRATA) for k in range(_STRATA)]
    pool = np.abs(np.asarray(targets, np.float64)).ravel()
    if not pool.size or not np.isfinite(pool).all() or pool.max() > 1.0:
        raise SpecError("targets must be numbers within -1 and 1; divide them by a power of two")
    which = np.minimum((pool / max(pool.max(), 1e-300) * _STRATA).astype(np.int64), _STRATA - 1)
    strata = []
    for k in np.unique(which):
        part = pool[which == k]
        strata.append((part.size / pool.size, part[(draws * part.size).astype(np.int64)]))
    return strata


def _banks(law: Law, n: int, samples: int, seed: int) -> Floats:
    if law == "uniform":
        return draw_banks(Uniform(-1, 1), n, samples, seed)
    numbers = draw_banks(Uniform(-1, 1), 2 * n, samples, seed)
    return numbers[:, 0::2] * np.abs(numbers[:, 1::2])


def _poisson(banks: Floats, targets: Floats, epsilon: float, share: Floats) -> float:
    """Fraction of targets without a sum within epsilon, by the design formula."""
    missed = np.exp(-2.0 * density(banks, targets) * epsilon).reshape(len(share), -1)
    return float(share @ missed.mean(axis=1))


def _formula(
    law: Law, targets: Floats, share: Floats, epsilon: float, failure: float, seed: int
) -> int | None:
    for n in range(1, _LONGEST + 1):
        if _poisson(_banks(law, n, len(targets), seed), targets, epsilon, share) <= failure:
            return n
    return None


def _extrapolate(
    counts: NDArray[np.int64], share: Floats, samples: int, failure: float
) -> int | None:
    """Extrapolate log(miss rate) of each stratum to the n at which their sum is small enough.

    Each line is fitted to the last four n with at least twenty misses (with any, if fewer than four
    have so many). The miss rate falls ever faster, so the result is conservative; a stratum without
    misses contributes nothing.
    """
    lines = []
    for part, count in zip(share, counts.T, strict=True):
        last = np.flatnonzero(count >= _ENOUGH)
        if len(last) < _POINTS:
            last = np.flatnonzero(count)
        last = last[-_POINTS:]
        if len(last) > 2 and count[last[0]] > count[last[-1]]:
            slope, start = np.polyfit(last + 1, np.log(count[last] / samples), 1)
            lines.append((np.log(part) + start, slope))
        elif count.any():
            return None
    if not lines:
        return None
    start, slope = np.array(lines).T
    for n in range(1, _LONGEST + 1):
        if np.exp(start + slope * n).sum() <= failure:
            return n
    return None


def _theorem(epsilon: float, failure: float, law: Law) -> int:
    """Provably sufficient count for every target in (-1/2, 1/2), or (-1/4, 1/4) for products.

    `theorem_resistors(e)` leaves less than 2 e uncovered, so every target is within 3 e of a sum.
    Products: a fraction of at least ln(2)/2 of them are numbers from U(-1/2, 1/2), half the scale
    of U(-1, 1), so e is doubled relative to it; Hoeffding's inequality bounds the probability
    that there are fewer than needed.
    """
    if law == "uniform":
        return theorem_resistors(epsilon / 3.0, failure)
    needed = theorem_resistors(min(2.0 * epsilon / 3.0, 0.25), failure / 2.0)
    low, high = needed, 100 * needed
    while high - low > 1:
        n = (low + high) // 2
        short = math.exp(-2.0 * n * max(_HALF - needed / n, 0.0) ** 2)
        low, high = (low, n) if short <= failure / 2.0 else (n, high)
    return high
