"""Subsets of few resistors, for wires so harsh that a loaded line lets nothing through.

A line of r ohm a segment with g siemens a cell lets a signal through for about 1 / sqrt(r g) cells.
With half of all resistors on that may be a tenth of the tile; with one cell of each pair open and
few resistors in the other more arrives of less conductance. Two limits meet: load, which asks for
few resistors, and their grain, as a weight smaller than one resistor takes two.

1. One cell of each pair is open, the other one any conductance d, no subset yet; a column's largest
   weight has about one resistor. Rounds of d <- d + 0.7 (s w - D(d)) / a bring what arrives to the
   weights w, where each column's scale s follows what arrives.
2. Subsets of the least (|miss| + cost x total)² + noise are chosen for d, and for a few rounds
   corrected the same way. The best of some first sizes and costs is taken.
3. Some rounds more keep its totals, as other rounds do (``steady.py``), at a high price.

``program_held`` begins otherwise: columns keep their largest d while the others' grow. Scales that
follow what arrives leave a column's size open, and where more conductance brings less current
columns may grow from round to round. It finds the conductances that a network was trained with
through these wires, where lines lie as they did in training, better than 1. to 3.; of other
networks it is no better.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.passes.wires.array import Reading
from xbar.compiler.passes.wires.problem import Found, Problem
from xbar.compiler.passes.wires.steady import FLOOR, stalled

FIRST_SIZES = (0.9, 2.0)
"""Of a column's largest weight, in usual resistors."""

MOST = 8.0
"""Usual resistors that a relaxed cell has at most."""

COSTS = (1.0 / 24.0, 1.0 / 96.0)
"""Of a siemens of total beside one of missed difference."""

COARSE = 0.1
"""Relative error from which ``program_held`` is tried as well."""

HELD_SIZE, HELD_COST = 2.5, 1.0 / 8.0
"""Usual resistors of a held column's largest weight, and what its totals cost."""

HELD_ROUNDS = (2, 16)
"""Held rounds before subsets are chosen: an early and a late start."""

KEEP = 2.0**-4
"""Of a siemens of changed total, in the last rounds."""

RELAXED, TRIAL, LAST = 8, 5, 12
"""Rounds of each step."""

STEP = 0.7
"""What of the missing is added at a time: a whole step makes neighbours shake each other."""


def program_few(problem: Problem, before: tuple[float, ...]) -> Found:
    """The best of all attempts, after these errors."""
    tries = []
    for size in FIRST_SIZES:
        start = _relaxed(problem, size * problem.chooser.resistor)
        tries += [_rounds(problem, start, cost, TRIAL, before) for cost in COSTS]
    found, aim, totals = min(tries, key=lambda one: one[0].error)
    kept, *_ = _rounds(problem, aim, KEEP, LAST, found.errors, totals)
    return min(found, kept, key=lambda one: one.error)


def program_held(problem: Problem, before: tuple[float, ...], known: float) -> Found:
    """The best of the attempts that begin with held columns, after these errors.

    They go on only where they are better than a known error.
    """
    starts = _held(problem, HELD_SIZE * problem.chooser.resistor)
    tries = [_rounds(problem, start, HELD_COST, TRIAL, before) for start in starts]
    found, aim, _ = min(tries, key=lambda one: one[0].error)
    if found.error >= known:
        return found
    more, *_ = _rounds(problem, aim, HELD_COST, LAST, found.errors)
    return min(found, more, key=lambda one: one.error)


def _rounds(
    problem: Problem,
    aim: Floats,
    cost: float,
    count: int,
    before: tuple[float, ...],
    total: Floats | None = None,
) -> tuple[Found, Floats, Floats]:
    """The best of some rounds, what it would aim at next, and its totals.

    Args:
        problem: the tile.
        aim: (M,) siemens of difference to begin with.
        cost: of totals.
        count: how many rounds at most.
        before: errors before.
        total: (M,) siemens to keep; None to have as few as possible.
    """
    chooser, errors = problem.chooser, list(before)
    wish, best = np.zeros_like(aim) if total is None else total, None
    for _ in range(count):
        choice = chooser.choose(aim, wish, cost)
        found, own = problem.tried(choice, tuple(errors)), chooser.total(choice)
        errors.append(found.error)
        follows = problem.score.slope(found.reading)
        aim = _next(problem, chooser.achieved(choice), found.reading, follows)
        if best is None or found.error < best[0].error:
            best = found, aim, own
        if stalled(errors[len(before) :]):
            break
        if total is not None:
            wish = own
    assert best is not None
    return best


def _relaxed(problem: Problem, largest: float) -> Floats:
    """(M,) signed conductances of which the weights arrive; a column's largest begins with this."""
    now = _proportional(problem, largest)
    best, least, limit = now, np.inf, MOST * problem.chooser.resistor
    for _ in range(RELAXED):
        reading = problem.array.read_open(now)
        scale = problem.score.fit(reading)
        error = problem.score.error(reading, scale)
        if error < least:
            best, least = now, error
        now = np.clip(_next(problem, now, reading, scale), -limit, limit)
    return best


def _held(problem: Problem, largest: float) -> list[Floats]:
    """(M,) signed conductances after so many rounds, of columns that have at most this largest."""
    now, starts = _proportional(problem, largest), []
    for done in range(1, max(HELD_ROUNDS) + 1):
        reading = problem.array.read_open(now)
        free = _next(problem, now, reading, problem.score.fit(reading))
        now = np.concatenate(
            [
                (part * np.minimum(1.0, largest / np.maximum(top, largest))).ravel()
                for part, top in _tops(problem, free)
            ]
        )
        if done in HELD_ROUNDS:
            starts.append(now)
    return starts


def _proportional(problem: Problem, largest: float) -> Floats:
    """(M,) conductances in proportion to the weights; a column's largest has this."""
    shapes = [
        np.divide(weight, top, out=np.zeros_like(weight), where=top > 0).ravel()
        for weight, top in _tops(problem, problem.score.weight)
    ]
    return largest * np.concatenate(shapes)


def _tops(problem: Problem, value: Floats) -> list[tuple[Floats, Floats]]:
    """By block, its values (R, C) of some (M,), and the largest size of those with one scale."""
    axis = None if problem.alike else 0
    parts = problem.array.split(value)
    tops = [np.abs(part).max(axis=axis, keepdims=True) for part in parts]
    return [(part, np.broadcast_to(top, part.shape)) for part, top in zip(parts, tops, strict=True)]


def _next(problem: Problem, now: Floats, reading: Reading, scale: Floats) -> Floats:
    """(M,) siemens of difference to aim at after some that gave a reading."""
    missing = problem.score.target(scale) - reading.difference
    aim: Floats = now + STEP * missing / np.maximum(reading.share.mean(axis=0), FLOOR)
    return aim
