"""A differential pair's two halves, with a wish for their sum beside the target difference.

Many subsets come close to a target; this picks among them by a second, weaker wish. A wire-aware
compiler needs it: to correct a weight without changing how much current its lines carry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError

MAX_ELEMENTS = 16
"""K of one half: 2^K sums are listed for each."""


@dataclass(frozen=True, eq=False)
class PairSolution:
    """What was chosen.

    Attributes:
        plus: (..., K) bool, chosen elements of the plus half.
        minus: (..., K) bool, chosen elements of the minus half.
        difference: (...) sum of the chosen plus elements minus that of the minus elements.
        total: (...) both sums added.
    """

    plus: NDArray[np.bool_]
    minus: NDArray[np.bool_]
    difference: NDArray[np.float64]
    total: NDArray[np.float64]


def solve_pair(
    plus: ArrayLike, minus: ArrayLike, target: ArrayLike, total: ArrayLike, weight: float
) -> PairSolution:
    """Choose subsets of two halves with p - m near a target and p + m near a wish.

    For each subset sum p of the plus half the best m of the minus half is considered; of these
    2^K pairs the one with the least |p - m - target| + weight |p + m - total| is taken. It is not
    the optimum of that cost over all pairs, but no other m has a smaller |p - m - target| with
    the same p.

    Args:
        plus: (..., K) siemens, not negative; K at most 16.
        minus: (..., K) siemens, not negative.
        target: (...) siemens, the wanted difference.
        total: (...) siemens, the preferred sum.
        weight: not negative; how much a unit of the sum's distance counts.

    Raises:
        SpecError: shapes differ, a value is not finite or negative, or K is out of range.

    >>> solution = solve_pair([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 3.0, 9.0, 0.01)
    >>> float(solution.difference), float(solution.total)
    (3.0, 9.0)
    """
    halves = [_half(name, half) for name, half in (("plus", plus), ("minus", minus))]
    if halves[0].shape != halves[1].shape:
        raise SpecError(
            f"plus and minus must have one shape, not {halves[0].shape} and {halves[1].shape}"
        )
    if not (np.isfinite(weight) and weight >= 0):
        raise SpecError(f"weight must be finite and not negative, not {weight}")
    shape = halves[0].shape[:-1]
    wish = np.stack([_wish("target", target, shape), _wish("total", total, shape)], axis=1)
    chosen = _solve(halves[0], halves[1], wish, weight)
    p, m = (
        np.where(mask, half, 0.0).sum(axis=-1) for mask, half in zip(chosen, halves, strict=True)
    )
    return PairSolution(chosen[0], chosen[1], p - m, p + m)


def _solve(
    plus: NDArray[np.float64], minus: NDArray[np.float64], wish: NDArray[np.float64], weight: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    from xbar.subset.kernels.pair import closest_pairs, work_size

    elements = plus.shape[-1]
    masks = np.empty((len(wish), 2), dtype=np.int64)
    size = work_size(elements)
    closest_pairs(
        plus.reshape(-1, elements),
        minus.reshape(-1, elements),
        wish,
        float(weight),
        masks,
        np.empty(size),
        np.empty(size, dtype=np.int64),
    )
    bits = ((masks[:, :, None] >> np.arange(elements)) & 1).astype(np.bool_)
    return bits[:, 0].reshape(plus.shape), bits[:, 1].reshape(plus.shape)


def _half(name: str, half: ArrayLike) -> NDArray[np.float64]:
    array = np.array(half, dtype=np.float64, order="C")
    if array.ndim == 0 or not 1 <= array.shape[-1] <= MAX_ELEMENTS:
        raise SpecError(
            f"{name} must have shape (..., K) with K from 1 to {MAX_ELEMENTS}, not {array.shape}"
        )
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise SpecError(f"{name} must be finite and not negative everywhere")
    return array


def _wish(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise SpecError(f"{name} must be finite everywhere")
    try:
        return np.broadcast_to(array, shape).reshape(-1).astype(np.float64)
    except ValueError as error:
        raise SpecError(f"{name} must broadcast to {shape}, not {array.shape}") from error
