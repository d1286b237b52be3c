"""Subsets for the wires, chosen again and again while every line's load stays what it is.

Each round adds what is missing to the subset's target and chooses anew:

    P <- P + (Z - D(P)) / a      Z wanted, D effective difference, a attenuation of the cell

A new subset also changes how much current its lines carry, and with it every neighbour's IR drop;
so it is chosen with a second wish, to keep the total conductance of both cells. Half of all that
there is is where it begins, as most subsets are there; where reads are noisy, what suits the noise.
The scales are lowered by the attenuation first, so that attenuated targets stay within reach.

All weights move in every round. Moving the worse half alone is no better: on nine designs (Gaussian
weights, 64 and 128 lines, 1 to 4 ohm, cells of 80 uS to 1 mS, three to five chips each) its errors
were 0.95 to 1.03 times those of all at once, 1.00 in the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.passes.choose_subsets import joined_values
from xbar.compiler.passes.set_scales import Expected, set_scales
from xbar.compiler.passes.wires.problem import Found, Problem

ROUNDS = 30
"""At most so many corrections in one attempt."""

PATIENCE, PROGRESS = 3, 0.9
"""An attempt ends when so many rounds bring the least error not even down to this share of it."""

FLOOR = 0.02
"""Attenuations below this are not trusted: such a cell hardly reaches its amplifier."""


@dataclass(frozen=True)
class Attempt:
    """One way to begin.

    Attributes:
        headroom: scales are lowered so much further than the attenuation asks.
        keep_total: what a siemens of changed total costs beside one of missed difference.
    """

    headroom: float
    keep_total: float


def correct(
    problem: Problem, attempt: Attempt, expected: Expected, before: tuple[float, ...]
) -> Found:
    """The best round of one attempt, after these errors."""
    chooser, score = problem.chooser, problem.score
    total, weight = chooser.half, 0.0 if chooser.error.noise > 0.0 else attempt.keep_total
    choice = chooser.choose(score.target(score.first), total, weight)
    share = problem.array.read(choice).share.min(axis=0)  # of the weaker cell
    attenuation = np.maximum(share, FLOOR)
    wanted = score.target(attempt.headroom * _scales(problem, attenuation, expected))
    aim, errors, best = wanted / attenuation, list(before), None
    for _ in range(ROUNDS):
        choice = chooser.choose(aim, total, weight)
        found = problem.tried(choice, tuple(errors))
        errors.append(found.error)
        if best is None or found.error < best.error:
            best = found
        if stalled(errors[len(before) :]):
            break
        total, weight = chooser.total(choice), attempt.keep_total
        aim = chooser.achieved(choice) + (wanted - found.reading.difference) / attenuation
    assert best is not None
    return best


def stalled(errors: list[float]) -> bool:
    """Whether the last rounds of an attempt brought no progress."""
    return len(errors) > PATIENCE and min(errors) > PROGRESS * min(errors[:-PATIENCE])


def _scales(problem: Problem, attenuation: Floats, expected: Expected) -> Floats:
    """(S,) so low that attenuated targets stay within reach."""
    parts = problem.array.split(attenuation)
    scales = [
        set_scales(bank, weight / part, expected, alike=problem.alike)[
            : 1 if problem.alike else None
        ]
        for bank, weight, part in zip(problem.banks, problem.weights, parts, strict=True)
    ]
    return np.minimum(joined_values(scales), problem.score.first)
