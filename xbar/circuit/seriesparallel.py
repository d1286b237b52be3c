"""Series and parallel resistors: network reduction, and enumeration of reachable values.

A series-parallel network is reduced to one resistor; others are reduced to an irreducible core that
must be solved as a network (a bridge, a mesh of terminals).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import TypeAlias

import numpy as np

from xbar.circuit.network import ResistorNetwork
from xbar.errors import SpecError

Number: TypeAlias = int | float | Fraction
Count: TypeAlias = tuple[int, ...]

_MOST = 16  # resistors
_MOST_VALUES = 200_000  # more than from 12 equal or 7 different resistors


def reduce_series_parallel(network: ResistorNetwork) -> ResistorNetwork:
    """Eliminate series and parallel connections; equivalent as seen from the terminals.

    Parallel resistors are merged; an internal node with two resistors is eliminated by merging
    them; dangling branches and parts without a terminal are removed. Terminals keep their numbers
    and labels, the remaining nodes their labels.

    >>> chain = ResistorNetwork([0, 2, 3], [2, 3, 1], [1.0, 1.0, 1.0], terminals=2)
    >>> reduce_series_parallel(chain).conductance
    array([0.33333333])
    """
    near = _neighbours(network)
    queue = [node for node in near if node >= network.terminals]
    while queue:
        node = queue.pop()
        around = near.get(node, {})
        if node < network.terminals or node not in near or len(around) > 2:
            continue
        del near[node]
        for other in around:
            del near[other][node]
        if len(around) == 2:
            (a, first), (b, second) = around.items()
            _join(near, a, b, first / (1 + first / second))
        queue += around
    return _network(network, near)


def _neighbours(network: ResistorNetwork) -> dict[int, dict[int, float]]:
    near: dict[int, dict[int, float]] = {node: {} for node in range(network.nodes)}
    edges = (network.tail.tolist(), network.head.tolist(), network.conductance.tolist())
    for tail, head, siemens in zip(*edges, strict=True):
        if siemens > 0:
            _join(near, tail, head, siemens)
    return near


def _join(near: dict[int, dict[int, float]], a: int, b: int, siemens: float) -> None:
    near[a][b] = near[b][a] = near[a].get(b, 0.0) + siemens


def _network(network: ResistorNetwork, near: dict[int, dict[int, float]]) -> ResistorNetwork:
    """The remaining network, with the nodes connected to terminals."""
    reached = dict.fromkeys(range(network.terminals))
    queue = list(reached)
    while queue:
        new = [other for other in near[queue.pop()] if other not in reached]
        reached.update(dict.fromkeys(new))
        queue += new
    number = {node: k for k, node in enumerate(reached)}
    edges = [(a, b, g) for a in reached for b, g in near[a].items() if number[a] < number[b]]
    labels = network.labels or range(network.nodes)
    return ResistorNetwork(
        np.array([number[a] for a, _, _ in edges], dtype=np.int64),
        np.array([number[b] for _, b, _ in edges], dtype=np.int64),
        [g for _, _, g in edges],
        network.terminals,
        [labels[node] for node in reached],
    )


def series_parallel_values(resistances: Sequence[Number]) -> frozenset[Fraction]:
    """All resistances of series-parallel connections of these resistors, exactly.

    Floats are taken as exact binary fractions; use integers or fractions so that equal values
    compare equal.

    Args:
        resistances: positive resistances in ohms, at most 16.

    Raises:
        SpecError: there are none or too many, one is not positive, or they have more than 200,000
            values.

    >>> sorted(series_parallel_values([1, 1, 1]))
    [Fraction(1, 3), Fraction(2, 3), Fraction(3, 2), Fraction(3, 1)]
    """
    if not 1 <= len(resistances) <= _MOST:
        raise SpecError(f"there must be 1 to {_MOST} resistances, not {len(resistances)}")
    if not all(0 < value < np.inf for value in resistances):
        raise SpecError(f"resistances must be positive and finite, not {list(resistances)}")
    exact = [Fraction(value) for value in resistances]
    kinds = sorted(set(exact))
    return _values(tuple(exact.count(kind) for kind in kinds), kinds, {})


def _values(
    count: Count, kinds: Sequence[Fraction], known: dict[Count, frozenset[Fraction]]
) -> frozenset[Fraction]:
    """Values of a multiset of resistors, from all its splits into two."""
    if count in known:
        return known[count]
    found: set[Fraction] = set()
    if sum(count) == 1:
        found.add(kinds[count.index(1)])
    for part in product(*(range(n + 1) for n in count)):
        rest = tuple(n - k for n, k in zip(count, part, strict=True))
        if not any(part) or not any(rest) or part > rest:  # each split once
            continue
        seconds = _values(rest, kinds, known)
        for first in _values(part, kinds, known):
            for second in seconds:
                found.add(first + second)
                found.add(first * second / (first + second))
            if len(found) > _MOST_VALUES:
                raise SpecError(f"these resistors have over {_MOST_VALUES} values; take fewer")
    known[count] = frozenset(found)
    return known[count]
