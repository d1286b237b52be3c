"""Banks whose sums are a lattice: equal nominals with little spread, and whole numbers.

The design formula (`xbar.sizing.density`) smears the 2^n sums over one normal distribution. With
equal nominals and little spread they lie in tiers instead, one for each subset size k, and what
decides is how far the few outermost sums of a tier reach into the gap to the next: far beyond
where a normal distribution holds. The number of subsets of size k with a sum near z is therefore
taken at the saddle point of the sums' generating function (H. E. Daniels, "Saddlepoint
approximations in statistics", Annals of Mathematical Statistics 25, 1954), in two variables:

    K(s, t) = sum of ln(1 + exp(s + t x_i)),    dK/ds = k,    dK/dt = z
    rho(z)  = sum over k of exp(K - s k - t z) / (2 pi sqrt(det K''))     sums per unit

and no sum lies within e of z with a probability of about exp(-2 rho e). Whole numbers have a step
of 1, so that rho is the expected number of subsets with exactly the sum z. For one wide
distribution this is the threshold of number partitioning (C. Borgs, J. Chayes, B. Pittel, "Sharp
threshold and scaling window for the integer partitioning problem", STOC 2001), on which the
discrete strong lottery tickets of A. Kumar and E. Natale (arXiv:2508.11020) are built.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Bools, Floats
from xbar.errors import SpecError

LARGEST_SUM = 2**30
"""Largest sum of a bank that is enumerated, a byte each."""

_NEWTON_STEPS = 60
_LARGEST_STEP = 2.0
_CLOSE = 1e-6


def tiered_density(bank: ArrayLike, targets: ArrayLike) -> Floats:
    """Sums per unit near each target, tier by tier.

    Args:
        bank: (K,) elements, K at least 2, in any unit; whole numbers have steps of 1.
        targets: (N,) targets in the same unit.

    Returns:
        (N,) sums per unit; 0 where no tier reaches, and between the tiers of equal elements.

    Raises:
        SpecError: the bank isn't one row of at least 2 finite numbers, or a target isn't finite.

    >>> bank = 100 + np.arange(16) % 5
    >>> tiered_density(bank, [816, 850]).round()  # of 65,536 sums, 1,578 and none
    array([1709.,    0.])
    """
    elements = np.asarray(bank, np.float64)
    if elements.ndim != 1 or elements.size < 2 or not np.isfinite(elements).all():
        raise SpecError("a bank must be one row of at least 2 finite numbers")
    mean, spread = float(elements.mean()), float(elements.std())
    wanted = np.atleast_1d(np.asarray(targets, np.float64))
    if wanted.ndim != 1 or not np.isfinite(wanted).all():
        raise SpecError("targets must be one row of finite numbers")
    if spread <= 1e-12 * abs(mean):
        return np.zeros(len(wanted))
    standard = np.sort((elements - mean) / spread)
    size = np.arange(1, elements.size)
    low = np.cumsum(standard)[:-1]
    high = np.cumsum(standard[::-1])[:-1]
    # a tier's outermost sums are single subsets, where there is no saddle point
    away = (wanted[:, None] - mean * size) / spread
    found = np.zeros(away.shape)
    inside = (away > low + 1e-9) & (away < high - 1e-9)
    if inside.any():
        k = np.broadcast_to(size, away.shape)[inside].astype(np.float64)
        found[inside] = _saddle(standard, k, away[inside])
    return np.asarray(found.sum(axis=1) / spread)


def _saddle(x: Floats, k: Floats, z: Floats) -> Floats:
    """(N,) subsets of size k per unit of their sum z, for standardised elements x."""
    s, t = np.log(k / (len(x) - k)), np.zeros(len(k))
    for _ in range(_NEWTON_STEPS):
        p, (a, b, c) = _moments(x, s, t)
        off_k, off_z = k - p.sum(axis=1), z - p @ x
        det = a * c - b * b
        step_s, step_t = (c * off_k - b * off_z) / det, (a * off_z - b * off_k) / det
        length = np.maximum(np.hypot(step_s, step_t), 1e-300)
        short = np.minimum(1.0, _LARGEST_STEP / length)
        s, t = s + short * step_s, t + short * step_t
        if (length < _CLOSE).all():
            break
    p, (a, b, c) = _moments(x, s, t)
    free = np.logaddexp(0.0, s[:, None] + t[:, None] * x).sum(axis=1) - s * k - t * z
    good = (np.abs(k - p.sum(axis=1)) < _CLOSE * len(x)) & (np.abs(z - p @ x) < _CLOSE * len(x))
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.exp(free) / (2 * math.pi * np.sqrt(a * c - b * b))
    # not converged: within a subset or two of a tier's outermost sum
    return np.where(good & np.isfinite(density), density, 0.0)


def _moments(x: Floats, s: Floats, t: Floats) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """Chances (N, K) that elements are in, and the second derivatives of K."""
    from scipy.special import expit

    p = expit(s[:, None] + t[:, None] * x)
    weight = np.maximum(p * (1 - p), 1e-300)
    return p, (weight.sum(axis=1), weight @ x, weight @ (x * x))


def exact_chance(bank: ArrayLike, targets: ArrayLike) -> Floats:
    """Chance that a bank of whole numbers has a subset with exactly each target as its sum.

    Args:
        bank: (K,) whole numbers, K at least 2.
        targets: (N,) whole targets.

    Raises:
        SpecError: as `tiered_density`.

    >>> exact_chance(100 + np.arange(16) % 5, [816, 850]).round(3)
    array([1., 0.])
    """
    return np.asarray(-np.expm1(-tiered_density(bank, targets)))


def reachable(bank: ArrayLike) -> Bools:
    """Which sums a bank of whole numbers has, by exact enumeration.

    Args:
        bank: (K,) whole numbers of at least 0.

    Returns:
        (total + 1,) True at each sum that some subset has.

    Raises:
        SpecError: an element is negative or not whole, or all add up to more than
            ``LARGEST_SUM``.

    >>> np.flatnonzero(reachable([2, 3, 3])).tolist()
    [0, 2, 3, 5, 6, 8]
    """
    elements = np.atleast_1d(np.asarray(bank, np.float64))
    good = elements.ndim == 1 and ((elements >= 0) & (elements == np.floor(elements))).all()
    if not good:
        raise SpecError("a bank to enumerate must be one row of whole numbers of at least 0")
    if elements.sum() > LARGEST_SUM:
        raise SpecError(f"a bank to enumerate must add up to {LARGEST_SUM:,} at most")
    whole = elements.astype(np.int64)
    bits = 1  # bit z: there is a subset of sum z
    for element in whole.tolist():
        bits |= bits << element
    total = int(whole.sum())
    packed = np.frombuffer(bits.to_bytes(total // 8 + 1, "little"), np.uint8)
    return np.unpackbits(packed, bitorder="little")[: total + 1].astype(np.bool_)


def partition_chance(elements: int, bits: float) -> tuple[float, float]:
    """Chance that whole numbers from U{1, ..., 2^bits} split into two halves that are alike.

    For an even sum (both halves equal), and for an odd one (they differ by 1). With
    bits = n - log2(n)/2 + lambda, the window of Borgs, Chayes and Pittel, it depends on lambda
    alone: 2^-lambda sqrt(3/(2 pi)) perfect partitions are expected for an even sum and twice as
    many for an odd one.

    Args:
        elements: n, at least 1.
        bits: m, above 0.

    Raises:
        SpecError: one of them is not.

    >>> [round(chance, 2) for chance in partition_chance(20, 20.0)]
    [0.14, 0.27]
    """
    if not (1 <= elements < math.inf and bits > 0):
        raise SpecError(f"elements and bits must be positive, not {elements} and {bits}")
    below = bits - elements + math.log2(elements) / 2
    mean = 2.0 ** min(-below, 1000.0) * math.sqrt(3 / (2 * math.pi))
    return -math.expm1(-mean), -math.expm1(-2 * mean)


def threshold_bits(elements: int) -> float:
    """Largest bits m for which n numbers from U{1, ..., 2^m} have a perfect partition.

    n - log2(n)/2, the middle of the window of Borgs, Chayes and Pittel: one bit an element, less
    half a bit for each doubling.

    Raises:
        SpecError: there is less than one element.

    >>> threshold_bits(16)
    14.0
    """
    if not 1 <= elements < math.inf:
        raise SpecError(f"elements must be at least 1, not {elements}")
    return elements - math.log2(elements) / 2
