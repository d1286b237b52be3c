"""Theory of random subset sums, and which parts of it are suitable for sizing hardware.

- the recursion of the covered fraction and its exact simulation,
- explicit theorems: proofs that n numbers suffice. They require ten times what is needed;
  **never size hardware from them**,
- counting bounds: lower bounds for any construction,
- the design formula (`xbar.sizing.density`) and Monte Carlo (`xbar.sizing.precision`), for sizing
  hardware. Their names are also available here.

eps is the allowed error for targets in (-1/2, 1/2); numbers are from U(-1, 1).
"""

from __future__ import annotations

import math
from typing import SupportsIndex

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.sizing.density import density as density
from xbar.sizing.density import design_bits as design_bits
from xbar.sizing.density import design_resistors as design_resistors
from xbar.sizing.density import error_quantile as error_quantile
from xbar.sizing.density import largest_error as largest_error
from xbar.sizing.density import mean_error as mean_error
from xbar.sizing.density import median_error as median_error
from xbar.sizing.laws import Uniform, draw_banks
from xbar.sizing.precision import Precision as Precision
from xbar.sizing.precision import Sizing as Sizing
from xbar.sizing.precision import precision as precision
from xbar.sizing.precision import resistors_for_bits as resistors_for_bits

_GROWTHS = np.linspace(0.05, 0.2, 61)


def next_coverage(share: float) -> float:
    """Expected covered fraction after one more number: v + v (1 - v) / 2.

    Exact, given the fraction v so far, for the process truncated to (-1/2, 1/2) and numbers from
    U(-1, 1). (A. da Cunha, F. d'Amore, F. Giroire, H. Lesfari, E. Natale, L. Viennot, "Revisiting
    the random subset sum problem", ESA 2023.)

    >>> next_coverage(0.5)
    0.625
    """
    return share + share * (1.0 - share) / 2.0


def expected_coverage(n: int, eps: float) -> float:
    """The recursion iterated n times from 2 eps: roughly the fraction of targets within eps.

    It is not an expectation after more than one step: v (1 - v) is concave, so at mid-range the
    mean of `simulate_coverage` is lower. On the other hand the process is confined to (-1/2, 1/2)
    at every step, unlike real subset sums, so real banks cover far more.

    Raises:
        SpecError: n is negative, or eps not above 0 and at most 1/4.

    >>> expected_coverage(0, 0.01), round(expected_coverage(20, 0.01), 4)
    (0.02, 0.9991)
    """
    _check_eps(eps)
    if n < 0:
        raise SpecError(f"n must not be negative, not {n}")
    share = 2.0 * eps
    for _ in range(n):
        share = next_coverage(share)
    return share


def simulate_coverage(n: int, eps: float, runs: int, *, seed: SupportsIndex) -> Floats:
    """(runs, n + 1) covered fractions of the truncated process after 0 to n numbers, exactly.

    Sets are represented as unions of intervals, so only the numbers are sampled.

    Raises:
        SpecError: n or runs is below 1, eps not above 0 and at most 1/4, or the seed invalid.

    >>> share = simulate_coverage(8, 2**-4, runs=100, seed=0)
    >>> share.shape, bool((np.diff(share, axis=1) >= 0).all()), float(share[0, 0])
    ((100, 9), True, 0.125)
    """
    from xbar.sizing.kernels import coverage

    _check_eps(eps)
    share = np.empty((runs, n + 1))
    coverage.covered(draw_banks(Uniform(-1, 1), n, runs, seed), eps, share)
    return share


def tail_bound(n: int, eps: float) -> float:
    """Proved upper bound on the probability that n numbers leave 2 eps or more uncovered.

    While the fraction v is at most 1/2, it grows by a factor of 1 + b with a probability of at
    least p = (1/4 - b)/(1 - b), as its mean grows by 1/4 or more and it at most doubles. So k =
    ceil(log(1/(4 eps))/log(1 + b)) such steps reach 1/2, and Hoeffding's inequality bounds the
    probability that t steps contain fewer. From there the uncovered fraction shrinks to 3/4 or less
    per step on average, and Markov's inequality bounds the probability that s = n - t steps leave
    2 eps. Any b from 0 to 1/4 and any t > k/p give a bound; the best of a grid is taken.

    A theorem, not a sizing rule: see `theorem_resistors`.

    Raises:
        SpecError: n is below 1, or eps not above 0 and at most 1/4.

    >>> tail_bound(100, 2**-4), tail_bound(300, 2**-4) < 0.01
    (1.0, True)
    """
    _check_eps(eps)
    if n < 1:
        raise SpecError(f"n must be at least 1, not {n}")
    growth = _GROWTHS[:, None]
    chance = (0.25 - growth) / (1.0 - growth)
    steps = np.ceil(math.log(1.0 / (4.0 * eps)) / np.log1p(growth))
    t = np.arange(1, n + 1)
    slow = np.exp(-2.0 * t * (chance - steps / t) ** 2)
    left = 0.75 ** (n - t) / (4.0 * eps)
    return float(np.where(t * chance > steps, np.minimum(slow + left, 1.0), 1.0).min())


def theorem_resistors(eps: float, failure: float | None = None) -> int:
    """The fewest numbers for which `tail_bound` proves a failure probability of at most `failure`.

    A theorem like G. Lueker's (Random Structures and Algorithms 12, 1998): it shows that
    O(log 1/eps) suffice and is an order of magnitude above the simulated count. Never size hardware
    from it; use `resistors_for_bits`.

    Args:
        eps: allowed error.
        failure: probability of failure; None takes eps, as the theorem is usually stated.

    Raises:
        SpecError: eps is not above 0 and at most 1/4, or failure not between 0 and 1.

    >>> [theorem_resistors(2.0**-k) for k in (4, 6, 8, 10)]
    [207, 368, 527, 686]
    """
    wanted = eps if failure is None else failure
    if not (0 < wanted < 1):
        raise SpecError(f"failure must lie between 0 and 1, not {wanted}")
    _check_eps(eps)
    high = 64
    while tail_bound(high, eps) > wanted:
        high *= 2
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tail_bound(middle, eps) <= wanted else (middle, high)
    return high


def counting_resistors(eps: float, span: float = 1.0) -> int:
    """The fewest numbers whose 2^n sums, each covering 2 eps, can cover a span.

    >>> counting_resistors(2.0**-9)
    8
    """
    _check_eps(eps)
    return max(math.ceil(math.log2(span / (2.0 * eps)) - 1e-9), 0)


def fixed_size_counting_resistors(eps: float, share: float, span: float = 1.0) -> int:
    """The fewest numbers whose C(n, k) subsets of one size can cover a span, k = share * n.

    Natale, Ferre, Giambartolomei, Giroire, Mallmann-Trenn (NeurIPS 2024) show that about
    log2(k/eps)/H2(k/n) suffice, with the binary entropy H2 in bits: the bound is nearly attained.

    Raises:
        SpecError: the share is not between 0 and 1.

    >>> fixed_size_counting_resistors(2.0**-9, 0.5), fixed_size_counting_resistors(2.0**-9, 0.25)
    (11, 13)
    """
    _check_eps(eps)
    if not (0 < share < 1):
        raise SpecError(f"the share k/n must lie between 0 and 1, not {share}")
    n = 1
    while math.comb(n, round(share * n)) * 2.0 * eps < span:
        n += 1
    return n


def fixed_size_resistors(eps: float, share: float) -> int:
    """log2(k/eps)/H2(k/n) with k = share n, rounded up: sufficient up to constants.

    Natale and others (NeurIPS 2024), see `fixed_size_counting_resistors`.

    >>> fixed_size_resistors(2.0**-9, 0.5)
    12
    """
    _check_eps(eps)
    if not (0 < share < 1):
        raise SpecError(f"the share k/n must lie between 0 and 1, not {share}")
    entropy = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    n = 1
    while n * entropy < math.log2(max(share * n, 1.0) / eps):
        n += 1
    return n


def vector_counting_resistors(eps: float, dimensions: int) -> int:
    """The fewest vectors whose 2^n sums can cover the unit cube of d dimensions within eps.

    About d log2(1/(2 eps)): one mask shared by d targets needs d times the numbers. A proved
    sufficient n is O(d^3 log(1/eps) (log(1/eps) + log d)) (L. Becchetti, A. da Cunha, A. Clementi,
    F. d'Amore, H. Lesfari, E. Natale, L. Trevisan, "On the multidimensional random subset sum
    problem", 2022).

    >>> vector_counting_resistors(2.0**-9, 3)
    24
    """
    _check_eps(eps)
    if dimensions < 1:
        raise SpecError(f"dimensions must be at least 1, not {dimensions}")
    return max(math.ceil(dimensions * math.log2(1.0 / (2.0 * eps)) - 1e-9), 0)


def _check_eps(eps: float) -> None:
    if not (0 < eps <= 0.25):
        raise SpecError(f"eps must be above 0 and at most 1/4, not {eps}")
