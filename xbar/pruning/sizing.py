"""How many random numbers a weight takes: simulation, design formula and theorem side by side.

A layer whose weights each choose among n random numbers (or products of two) is n times as wide
as the layer that it approximates; it fails if any of its weights misses epsilon. So of m weights
each may miss with the chance 1 - (1 - delta)^(1/m), about delta/m.

- simulation: targets and numbers drawn, best subsets found, misses counted for one n after the
  other. Where misses get too rare to count, a line through log(share) goes on.
- formula: the mean of exp(-2 rho(w) eps) (`xbar.subset.density`). It knows only of sums near
  the target, not of sums that do not reach it, and so asks for too few.
- theorem: proved, for targets in (-1/2, 1/2) at once, and ten times what is needed.
- counting: no construction can do with less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from xbar.errors import SpecError
from xbar.pruning.choosing import MOST, Floats
from xbar.subset.density import density
from xbar.subset.intervals import Estimate, share_estimate
from xbar.subset.laws import Uniform, check_seed, draw_banks, draw_shares
from xbar.subset.solver import solve_subset
from xbar.subset.theory import counting_resistors, theorem_resistors

Law = Literal["uniform", "products"]

_ENOUGH = 10  # misses from which a share may be extrapolated
_LONGEST = 64
_BANKS = 4096
_HALF = math.log(2.0) / 2.0
"""A product of two numbers of U(-1, 1) has the density -ln|t|/2, in (-1/2, 1/2) at least this: with
this chance it is a number of U(-1/2, 1/2)."""


@dataclass(frozen=True, eq=False)
class Width:
    """How many random numbers each weight takes.

    Attributes:
        epsilon: the error allowed.
        delta: the chance that any weight misses it.
        weights: how many there are.
        law: "uniform" or "products".
        failure: the chance that one weight may miss epsilon with.
        simulated: the fewest numbers of which the simulation confirms that, with 97.5 %
            confidence; None where it would take more samples or more than 32 numbers.
        extrapolated: the fewest by the line through the simulated shares; None where too few
            misses were counted.
        formula: the fewest by the design formula; None above 64.
        theorem: numbers that are proved to do.
        counting: numbers without which it can't be done.
        curve: n, the share that misses and what the formula says, of each n simulated.
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
    """How many random numbers each weight must choose from.

    Args:
        epsilon: the error allowed, above 0 and at most 1/4, in units where numbers are of U(-1, 1).
        delta: the chance that any weight misses it, between 0 and 1.
        weights: how many there are.
        law: "uniform" for numbers of U(-1, 1), "products" for u |v| of the constructions.
        targets: (...) the weights, from which targets are drawn; None for U(-1, 1).
        samples: targets to simulate for each n.
        seed: of the simulation.

    Raises:
        SpecError: an argument is not allowed.

    >>> size = width(0.01, delta=0.05, samples=2000)
    >>> size.counting, size.formula, size.simulated, size.theorem > 10 * size.simulated
    (7, 12, 15, True)
    """
    failure = _check(epsilon, delta, weights, law, samples)
    goal = _targets(targets, samples, check_seed(seed))
    curve: list[tuple[int, Estimate, float]] = []
    simulated, formula = None, None
    for n in range(1, MOST + 1):
        banks = _banks(law, n, samples, check_seed(seed))
        residual = np.abs(np.asarray(solve_subset(banks, goal, tolerance=epsilon).residual))
        misses = share_estimate(int((residual > epsilon).sum()), samples)
        curve.append((n, misses, _poisson(banks[:_BANKS], goal[:_BANKS], epsilon)))
        if misses.high <= failure:
            simulated = n
            break
        if misses.value * samples < _ENOUGH:
            break
    for n in range(1, _LONGEST + 1):
        few = min(samples, _BANKS)
        if _poisson(_banks(law, n, few, check_seed(seed)), goal[:few], epsilon) <= failure:
            formula = n
            break
    return Width(
        epsilon=epsilon,
        delta=delta,
        weights=weights,
        law=law,
        failure=failure,
        simulated=simulated,
        extrapolated=_extrapolate(curve, samples, failure),
        formula=formula,
        theorem=_theorem(epsilon, failure, law),
        counting=counting_resistors(epsilon, 2.0),
        curve=tuple(curve),
    )


def _check(epsilon: float, delta: float, weights: int, law: str, samples: int) -> float:
    """The chance that a weight may miss with."""
    if not (0 < epsilon <= 0.25):
        raise SpecError(f"epsilon must be above 0 and at most 1/4, not {epsilon}")
    if not (0 < delta < 1):
        raise SpecError(f"delta must lie between 0 and 1, not {delta}")
    if weights < 1 or samples < 1:
        raise SpecError(f"weights and samples must be at least 1, not {weights} and {samples}")
    if law not in ("uniform", "products"):
        raise SpecError(f"law must be 'uniform' or 'products', not {law!r}")
    return -math.expm1(math.log1p(-delta) / weights)


def _targets(targets: ArrayLike | None, samples: int, seed: int) -> Floats:
    shares = draw_shares(samples, seed)
    if targets is None:
        return 2.0 * shares - 1.0
    pool = np.asarray(targets, np.float64).ravel()
    if not pool.size or not np.isfinite(pool).all() or np.abs(pool).max() > 1.0:
        raise SpecError("targets must be numbers within -1 and 1; divide them by a power of two")
    return np.asarray(pool[(shares * pool.size).astype(np.int64)])


def _banks(law: Law, n: int, samples: int, seed: int) -> Floats:
    if law == "uniform":
        return draw_banks(Uniform(-1, 1), n, samples, seed)
    numbers = draw_banks(Uniform(-1, 1), 2 * n, samples, seed)
    return numbers[:, 0::2] * np.abs(numbers[:, 1::2])


def _poisson(banks: Floats, targets: Floats, epsilon: float) -> float:
    """The share of targets without a sum within epsilon, by the design formula."""
    return float(np.exp(-2.0 * density(banks, targets) * epsilon).mean())


def _extrapolate(
    curve: list[tuple[int, Estimate, float]], samples: int, failure: float
) -> int | None:
    """Where the line through the last three shares that rest on ten misses or more gets there."""
    counted = [(n, e.value) for n, e, _ in curve if e.value * samples >= _ENOUGH][-3:]
    if len(counted) < 3 or counted[0][1] <= counted[-1][1]:
        return None
    n, share = np.array(counted).T
    slope, start = np.polyfit(n, np.log(share), 1)
    return max(math.ceil((math.log(failure) - float(start)) / float(slope)), 1)


def _theorem(epsilon: float, failure: float, law: Law) -> int:
    """Numbers that are proved to do for every target in (-1/2, 1/2), or (-1/4, 1/4) for products.

    `theorem_resistors(e)` leaves less than 2 e uncovered, so no target is further than 3 e from a
    sum. Products: of n, those that are of U(-1/2, 1/2), a share of ln(2)/2 or more, are twice a
    number of U(-1, 1) too small, so e halves its unit; Hoeffding's inequality bounds the chance
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
