"""Resistances between all pairs of a network's terminals, without subtractions.

The resistance between two nodes is the reciprocal of their conductance once all others are
eliminated. The pairs of two sets of nodes are found by halving the larger set, and eliminating one
half for the pairs of the other: as many operations as for a few eliminations of the whole.

Shapes: T terminals. Units: SI.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats, Ints

_FEW = 16  # terminals among which each pair is found by itself, all pairs at once


def pair_resistances(siemens: Floats) -> Floats:
    """Resistances (T, T) in ohms, infinite between parts that nothing connects.

    Args:
        siemens: (T, T) conductances between terminals, symmetric, not negative, 0 on the diagonal.
    """
    count = len(siemens)
    ohms = np.zeros((count, count))
    _within(siemens, np.arange(count), ohms)
    return ohms


def _within(siemens: Floats, names: Ints, ohms: Floats) -> None:
    """All pairs of some terminals."""
    if len(names) < 2:
        return
    split = len(names) // 2
    _across(siemens, names, split, ohms)
    for part in (np.arange(split), np.arange(split, len(names))):
        _within(_keep(siemens, part), names[part], ohms)


def _across(siemens: Floats, names: Ints, split: int, ohms: Floats) -> None:
    """Pairs of the first ``split`` terminals with the others."""
    count = len(names)
    if count <= _FEW:
        one, other = (side.ravel() for side in np.mgrid[:split, split:count])
        found = _last_two(siemens, one, other)
        ohms[names[one], names[other]] = ohms[names[other], names[one]] = found
        return
    left, right = np.arange(split), np.arange(split, count)
    if split > count - split:
        halves = [(half, right) for half in np.array_split(left, 2)]
    else:
        halves = [(left, half) for half in np.array_split(right, 2)]
    for one, other in halves:
        kept = np.concatenate([one, other])
        _across(_keep(siemens, kept), names[kept], len(one), ohms)


def _last_two(siemens: Floats, one: Ints, other: Ints) -> Floats:
    """Resistances (P,) of P pairs of terminals, with all others eliminated for each."""
    every = np.broadcast_to(np.arange(len(siemens)), (len(one), len(siemens)))
    rest = every[(every != one[:, None]) & (every != other[:, None])].reshape(len(one), -1)
    order = np.column_stack([rest, one, other])
    left = siemens[order[:, :, None], order[:, None, :]]
    for p in range(len(siemens) - 2):
        row = left[:, p, p + 1 :]
        total = row.sum(axis=1, keepdims=True)
        share = np.divide(row, total, out=np.zeros_like(row), where=total > 0)
        left[:, p + 1 :, p + 1 :] += share[:, :, None] * row[:, None, :]
    between: Floats = left[:, -2, -1]
    ohms = np.full(len(one), np.inf)
    np.divide(1.0, between, out=ohms, where=between > 0)
    return ohms


def _keep(siemens: Floats, kept: Ints) -> Floats:
    """Conductances between some terminals, with the others eliminated one by one.

    Diagonals are not used.
    """
    gone = np.setdiff1d(np.arange(len(siemens)), kept)
    order = np.concatenate([gone, kept])
    left = siemens[np.ix_(order, order)]
    for p in range(len(gone)):
        row = left[p, p + 1 :]
        total = row.sum()
        if total > 0:
            left[p + 1 :, p + 1 :] += np.outer(row / total, row)
    return np.asarray(left[len(gone) :, len(gone) :])
