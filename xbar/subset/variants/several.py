"""One subset for the readings of a bank at several points of its life.

The exact choice is that of ``solve_vector`` (norm "linf" for the worst point, "l2" for the mean)
where elements have no variance; here thousands of short banks are chosen for at once, and each
element's variance counts as in ``solve_robust``.

Shapes: M banks, D points, E elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from xbar.arrays import Bools, Floats

Over: TypeAlias = Literal["worst", "mean"]

EXACT = 24
"""Largest number of elements for an exact choice."""


@dataclass(frozen=True, eq=False)
class ForSeveral:
    """Choices for several points.

    Attributes:
        mask: (M, E) chosen elements.
        power: (M,) expected squared error: the largest or the mean over the points.
        bound: (M,) what no subset's is below: ``power`` of exact choices.
    """

    mask: Bools
    power: Floats
    bound: Floats


def choose_for_several(
    bank: Floats, target: Floats, variance: Floats | None = None, over: Over = "worst"
) -> ForSeveral:
    """Choose the elements of least expected squared error over several points.

    Exact up to EXACT elements other than 0, by meet-in-the-middle along the mean of the points; of
    more the best of an improved relaxation, with a lower bound. See ``kernels/several.py``.

    Args:
        bank: (M, D, E) what each element adds to the reading at each point.
        target: (M, D) readings wanted.
        variance: (M, D, E) variance that it adds; None for none.
        over: "worst" for the largest of the points' errors, "mean" for their mean.

    >>> at_cold_and_hot = [[[4.0, 2.0, 1.0, 0.5], [4.4, 2.1, 1.3, 0.5]]]
    >>> found = choose_for_several(np.array(at_cold_and_hot), np.array([[2.6, 2.6]]))
    >>> found.mask[0], found.power.round(6)
    (array([False,  True, False,  True]), array([0.01]))
    """
    from xbar.subset.kernels import several

    bank = np.ascontiguousarray(bank, np.float64)
    power = np.zeros(bank.shape) if variance is None else variance
    chosen = np.empty((bank.shape[0], bank.shape[2]), np.bool_)
    cost, bound = np.empty(len(bank)), np.empty(len(bank))
    goal = np.ascontiguousarray(np.broadcast_to(target, bank.shape[:2]), np.float64)
    power = np.ascontiguousarray(power, np.float64)
    several.choose(bank, power, goal, over == "worst", EXACT, chosen, cost, bound)
    return ForSeveral(chosen, cost, bound)


def bounds_for_several(bank: Floats, target: Floats, variance: Floats) -> Floats:
    """(M,) what no subset's error is below; -1 where the choice is exact. Arguments as above."""
    from xbar.subset.kernels import several

    found = np.empty(len(bank))
    bank, variance, target = map(np.ascontiguousarray, (bank, variance, target))
    several.bounds(bank, variance, target, EXACT, found)
    return found


def errors_over(power: Floats, over: Over) -> Floats:
    """What counts of squared errors (..., D) at several points."""
    found: Floats = power.max(axis=-1) if over == "worst" else power.mean(axis=-1)
    return found
