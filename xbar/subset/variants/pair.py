"""A differential pair's two halves, with a wish for their sum beside the target difference.

Many subsets come close to a target; this picks among them by a second, weaker wish, and by the
noise that they will be read with. A wire-aware compiler needs it: to correct a weight without
changing how much current its lines carry, or to load them little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import as_floats, one_number
from xbar.errors import SpecError

MAX_ELEMENTS = 16
"""K of one half: 2^K sums are listed for each."""

_MOST_SUMS = 2**23
"""Sums of a half that are kept at a time, 20 bytes each with their masks and the other half's, 36
with their powers."""

Lists: TypeAlias = tuple[
    tuple[NDArray[np.float64], NDArray[np.float64]],
    tuple[NDArray[np.uint16], NDArray[np.uint16]],
    tuple[NDArray[np.float64], NDArray[np.float64]],
]


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
    plus: ArrayLike,
    minus: ArrayLike,
    target: ArrayLike,
    total: ArrayLike,
    weight: float,
    read_noise: float = 0.0,
) -> PairSolution:
    """Choose subsets of two halves with p - m near a target and p + m near a wish.

    Of all pairs of a subset sum p of the plus half and one m of the minus half the one is taken
    with the least

        (|p - m - target| + weight |p + m - total|)² + read_noise² Σ g²

    over the chosen elements g. With a weight of 0 that is the expected squared error of a pair
    whose elements are read with independent noise (bias² + variance).

    Args:
        plus: (..., K) siemens, not negative; K at most 16.
        minus: (..., K) siemens, not negative.
        target: (...) siemens, the wanted difference.
        total: (...) siemens, the preferred sum.
        weight: not negative; how much a unit of the sum's distance counts.
        read_noise: standard deviation of each chosen element, relative to it.

    Raises:
        SpecError: shapes differ, a value is not finite or negative, or K is out of range.

    >>> solution = solve_pair([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 3.0, 9.0, 0.01)
    >>> float(solution.difference), float(solution.total)
    (3.0, 9.0)
    """
    return prepare_pairs(plus, minus, read_noise).solve(target, total, weight)


@dataclass(frozen=True, eq=False)
class PreparedPairs:
    """Halves whose subset sums are listed once and used for as many wishes as come.

    Attributes:
        plus: (M, K) siemens.
        minus: (M, K) siemens.
        shape: the halves' leading axes; their product is M.
        read_noise: standard deviation of each chosen element, relative to it.
    """

    plus: NDArray[np.float64]
    minus: NDArray[np.float64]
    shape: tuple[int, ...]
    read_noise: float = 0.0

    def solve(
        self,
        target: ArrayLike,
        total: ArrayLike,
        weight: float,
    ) -> PairSolution:
        """Subsets with p - m near a target and p + m near a wish, see ``solve_pair``.

        Args:
            target: (...) siemens, the wanted difference.
            total: (...) siemens, the preferred sum.
            weight: not negative; how much a unit of the sum's distance counts.

        Raises:
            SpecError: shapes differ, or a value is not finite or negative.
        """
        weight = one_number(weight, "weight", 0)
        wish = [_wish("target", target, self.shape), _wish("total", total, self.shape)]
        masks = self._solve(np.stack(wish, axis=1), float(weight))
        elements = self.plus.shape[1]
        bits = ((masks[:, :, None] >> np.arange(elements)) & 1).astype(np.bool_)
        p, m = (
            np.where(bits[:, i], half, 0.0).sum(axis=1).reshape(self.shape)[()]
            for i, half in enumerate((self.plus, self.minus))
        )
        shape = (*self.shape, elements)
        return PairSolution(bits[:, 0].reshape(shape), bits[:, 1].reshape(shape), p - m, p + m)

    def _solve(self, wish: NDArray[np.float64], weight: float) -> NDArray[np.int64]:
        """(M, 2) masks of both halves for wishes (M, 2)."""
        from xbar.subset.kernels.pair import closest_pairs

        count, noisy = len(self.plus), self.read_noise > 0.0
        step = max(1, _MOST_SUMS >> self.plus.shape[1])
        masks = np.zeros((count, 2), dtype=np.int64)
        for first in range(0, count, step):
            part = slice(first, first + step)
            # too many to keep: list a part, use it, forget it
            lists = (
                self._lists if count <= step else _lists(self.plus[part], self.minus[part], noisy)
            )
            closest_pairs(lists, wish[part], weight, self.read_noise**2, masks[part])
        return masks

    @cached_property
    def _lists(self) -> Lists:
        return _lists(self.plus, self.minus, self.read_noise > 0.0)


def prepare_pairs(plus: ArrayLike, minus: ArrayLike, read_noise: float = 0.0) -> PreparedPairs:
    """Halves of pairs, to be solved for many wishes.

    Args:
        plus: (..., K) siemens, not negative; K at most 16.
        minus: (..., K) siemens, not negative.
        read_noise: standard deviation of each chosen element, relative to it.

    Raises:
        SpecError: shapes differ, a value is not finite or negative, or K is out of range.
    """
    read_noise = one_number(read_noise, "read_noise", 0)
    halves = [_half(name, half) for name, half in (("plus", plus), ("minus", minus))]
    if halves[0].shape != halves[1].shape:
        raise SpecError(
            f"plus and minus must have one shape, not {halves[0].shape} and {halves[1].shape}"
        )
    elements = halves[0].shape[-1]
    flat = [half.reshape(-1, elements) for half in halves]
    return PreparedPairs(flat[0], flat[1], halves[0].shape[:-1], float(read_noise))


def _lists(plus: NDArray[np.float64], minus: NDArray[np.float64], noisy: bool) -> Lists:
    """The sorted sums of both halves, their masks, and their powers where reads are noisy."""
    from xbar.subset.kernels.pair import list_sums

    shape = (len(plus), 1 << plus.shape[1])
    sums = np.empty(shape), np.empty(shape)
    codes = np.empty(shape, np.uint16), np.empty(shape, np.uint16)
    asked = shape if noisy else (0, shape[1])
    powers = np.empty(asked), np.empty(asked)
    for half, total, code, power in zip((plus, minus), sums, codes, powers, strict=True):
        list_sums(half, total, code, power)
    return sums, codes, powers


def _half(name: str, half: ArrayLike) -> NDArray[np.float64]:
    array = as_floats(half, name)
    if array.ndim == 0 or not 1 <= array.shape[-1] <= MAX_ELEMENTS:
        raise SpecError(
            f"{name} must have shape (..., K) with K from 1 to {MAX_ELEMENTS}, not {array.shape}"
        )
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise SpecError(f"{name} must be finite and not negative everywhere")
    return array


def _wish(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = as_floats(value, name)
    if not np.isfinite(array).all():
        raise SpecError(f"{name} must be finite everywhere")
    try:
        return np.broadcast_to(array, shape).reshape(-1).astype(np.float64)
    except ValueError as error:
        raise SpecError(f"{name} must broadcast to {shape}, not {array.shape}") from error
