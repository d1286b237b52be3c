"""Searches over the switches of a network given as a callable: local search and best-first."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SHORTLIST = 8  # flips evaluated per step when sensitivities are known
_BATCH = 256  # partial settings split at a time
_SHARE = 16  # ratio of evaluations, best-first to local search

Found = tuple[NDArray[np.bool_], float]


@dataclass(frozen=True, eq=False)
class Network:
    """A switched network.

    Attributes:
        value: function from masks (M, K) to values (M,), not NaN.
        elements: number of switches K.
        monotone: "rising", "falling" or None.
        sensitivity: function from a mask (K,) to the approximate change (K,) of the value by each
            single flip.
    """

    value: Callable[[NDArray[np.bool_]], NDArray[np.float64]]
    elements: int
    monotone: str | None
    sensitivity: Callable[[NDArray[np.bool_]], NDArray[np.float64]] | None


@dataclass(frozen=True, eq=False)
class Effort:
    """Search effort for one target.

    Attributes:
        tolerance: sufficient |residual|.
        evaluations: maximum number of values computed; a multiple in the best-first search.
        over: (1,) flag, set to 1 at the deadline.
    """

    tolerance: float
    evaluations: int
    over: NDArray[np.int64]


def local_search(
    network: Network, target: float, effort: Effort, rng: np.random.Generator
) -> Found:
    """Local search by flips of one or two switches, from many starts.

    Every second start is a perturbation of the best setting so far, the others are random.

    Returns:
        Best mask (K,) and its value.
    """
    left, round_ = effort.evaluations, 0
    best = np.zeros(network.elements, np.bool_)
    value = float(network.value(best[None])[0])
    while left > 0 and abs(value - target) > effort.tolerance and not effort.over[0]:
        if round_ % 2:
            mask = best.copy()
            mask[rng.choice(network.elements, 5, replace=False)] ^= True
        else:
            mask = rng.random(network.elements) < rng.random()
        round_ += 1
        mask, here, used = _descend(network, target, mask, left, effort.over)
        left -= used
        if abs(here - target) < abs(value - target):
            best, value = mask, here
    return best, value


def _descend(
    network: Network,
    target: float,
    mask: NDArray[np.bool_],
    left: int,
    over: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], float, int]:
    """Steepest descent by flips of one or two switches."""
    value, used = float(network.value(mask[None])[0]), 1
    pairs = _pairs(network.elements)
    while used < left and not over[0]:
        tried = mask ^ _moves(network, target, mask, value, pairs)
        values = network.value(tried)
        used += len(tried)
        k = int(np.abs(values - target).argmin())
        if not abs(values[k] - target) < abs(value - target):
            break
        mask, value = tried[k], float(values[k])
    return mask, value, used


def _pairs(elements: int) -> NDArray[np.bool_]:
    """All flips of one or two switches, (K + K (K - 1) / 2, K)."""
    first, second = np.triu_indices(elements)
    moves = np.zeros((len(first), elements), np.bool_)
    rows = np.arange(len(first))
    moves[rows, first] = moves[rows, second] = True
    return moves


def _moves(
    network: Network,
    target: float,
    mask: NDArray[np.bool_],
    value: float,
    pairs: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """The flips to evaluate: all, or the most promising by sensitivity."""
    if network.sensitivity is None or not np.isfinite(value):
        return pairs
    change = np.asarray(network.sensitivity(mask), np.float64)
    expected = np.abs(pairs @ np.nan_to_num(change) + value - target)
    few = min(_SHORTLIST, len(pairs) - 1)
    return pairs[np.argpartition(expected, few)[:few]]


def best_first(
    network: Network, target: float, found: Found, effort: Effort
) -> tuple[NDArray[np.bool_], float, float]:
    """Branch and bound over partial settings of a monotone network, best first.

    A partial setting fixes the first switches; the values of all its completions lie between those
    with the other switches open and closed.

    Returns:
        Best mask (K,), its value, and a lower bound on |value - target| over all settings.
    """
    best, value = found
    heap: list[tuple[float, int, int, NDArray[np.bool_]]] = [
        (0.0, 0, 0, np.zeros(network.elements, np.bool_))
    ]
    left, count = effort.evaluations * _SHARE, 0
    while heap and left > 0 and heap[0][0] < abs(value - target) and not effort.over[0]:
        taken = [heapq.heappop(heap) for _ in range(min(_BATCH, len(heap)))]
        depth = np.repeat([-node[1] for node in taken], 2)
        masks = np.repeat([node[3] for node in taken], 2, axis=0)
        masks[np.arange(1, len(masks), 2), depth[1::2]] = True
        undecided = np.arange(network.elements) > depth[:, None]
        both = network.value(np.concatenate([masks, masks | undecided]))
        left -= len(both)
        ends = both.reshape(2, -1)
        for mask, v in zip([*masks, *(masks | undecided)], both.tolist(), strict=True):
            if abs(v - target) < abs(value - target):
                best, value = mask, v
        low, high = ends if network.monotone == "rising" else ends[::-1]
        outside = np.maximum(np.maximum(low - target, target - high), 0.0)
        for k in np.flatnonzero((outside < abs(value - target)) & (depth < network.elements - 1)):
            count += 1
            heapq.heappush(heap, (float(outside[k]), -int(depth[k]) - 1, count, masks[k]))
    open_ = min((node[0] for node in heap), default=np.inf)
    return best, value, min(open_, abs(value - target))
