"""Choose subsets again until the *effective* weights, wires included, are the wanted ones.

The exact transfer matrix of the programmed array tells what each weight really is. Two ways lead
from there, each of them rounds of choosing, solving the array and correcting:

    steady      every line keeps the load that it has (``wires/steady.py``): finest where wires take
                some of a cell's current
    few on      one cell of each pair open, few resistors on in the other (``wires/few.py``): where
                wires take nearly all of it, a lighter load lets more through than it gives up

What a choice costs is one figure (``wires/score.py``): bias² + variance of what arrives, relative
to the weights, with the scales that suit it best. Read noise counts in it, attenuated like the
current that it comes with, and in each choice (``xbar.subset.variants.pair``). The subsets that
were there before are judged likewise, with their scales refitted: nothing worse is kept.

A first steady attempt is all that mild wires need. Where it is not good enough inputs and outputs
change places within their block, large ones next to driver and sense amplifier (unless
``Options.swap_lines`` says "never"); then steady attempts follow with lower and higher scales, and
few resistors where the error is large. The least expected error wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.set_scales import Expected, expected_of
from xbar.compiler.passes.wires.few import COARSE, program_few, program_held
from xbar.compiler.passes.wires.problem import Found, Problem
from xbar.compiler.passes.wires.steady import Attempt, correct
from xbar.compiler.tile import ProgrammedTile
from xbar.subset.scaling import reach_of

GOOD, NEAR = 0.01, 1.1
"""A relative error that no further attempt is made for: the larger of this one and so many times
what the subsets before would have with ideal wires, which is read noise mostly."""

SOFT = 0.1
"""A relative error before, up to which the first attempt hardly asks for the old totals."""

HARSH, HOPELESS = 0.05, 0.25
"""Relative errors after the first attempt from which few resistors are tried, and from which
nothing else is."""

GENTLE = Attempt(1.0, 2.0**-9)
FIRM = Attempt(1.0, 2.0**-6)
LOWER = Attempt(0.5, 2.0**-6)
LOWEST = Attempt(0.25, 2.0**-6)
HIGHER = Attempt(1.6, 2.0**-6)
"""A lower scale keeps attenuated targets within reach: on harsh wires it may leave a fraction of
the error, with less signal relative to noise. A higher one is better where the resistors' grain
limits, and beside a reference column."""


def correct_wires(
    tile: ProgrammedTile,
    banks: Sequence[SignedBank],
    expected: Expected,
    *,
    alike: bool = False,
    swap: bool = True,
) -> ProgrammedTile:
    """The tile with its subsets chosen for its wires; ``wire_errors`` tells each round's error.

    Reference cells stay as they are. A tile whose wires change nothing comes back as it is, and
    one that no round improves with other scales at most.

    Args:
        tile: programmed without regard to its wires.
        banks: by block, of each weight.
        expected: what error to expect of them.
        alike: each block has one scale.
        swap: inputs and outputs may change places within their block.
    """
    problem = Problem.of(tile, banks, alike=alike)
    if problem.array.ideal:
        return tile
    as_it_is = problem.array.read(None)
    told = (problem.error(as_it_is, problem.score.first),)
    if told == (0.0,):
        return tile
    best = problem.found(None, as_it_is, told)
    without = problem.found(None, problem.array.read(None, wires=False), ())
    good = max(GOOD, NEAR * without.error)
    for found in _attempts(problem, expected, best, good, swap=swap):
        if found.error < best.error:
            best = found
        if best.error < good:
            break
    return best.finished()


def _attempts(
    problem: Problem, expected: Expected, before: Found, good: float, *, swap: bool
) -> Iterator[Found]:
    """One attempt after the other, each made when it is asked for."""
    first = GENTLE if before.error < SOFT else FIRM
    told = before.errors[:1]
    found = correct(problem, first, expected, told)
    yield found
    as_it_lies = problem
    if swap:
        problem = problem.ordered()
    if found.error > max(HARSH, 2.0 * good):
        if problem.chooser.pairs is not None:
            few = program_few(problem, told)
            yield few
            if few.error > COARSE:
                yield program_held(as_it_lies, told, few.error)
            steady = [LOWER, LOWEST] if found.error < HOPELESS else []
        else:  # one cell per weight, whose load follows from its target
            steady = [HIGHER]
    else:
        steady = [FIRM, LOWER, HIGHER] if first is GENTLE else [LOWER, HIGHER]
    for attempt in steady:
        yield correct(problem, attempt, expected, told)


def run(state: TileState) -> TileState:
    """The tile with its subsets chosen for its wires, and what its weights then have."""
    job = state.job
    alike, swap = job.options.scale_per != "column", job.options.swap_lines != "never"
    expected = expected_of(job)
    tile = correct_wires(state.tile, state.banks, expected, alike=alike, swap=swap)
    if not tile.wire_errors:
        return state.having(tile=tile)
    achieved, resistors = tuple(tile.difference("nodal")), state.resistors
    banks = [job.mapping.bank(*resistors, part.block, state.mask) for part in tile.blocks]
    reach = tuple(reach_of(bank.element, bank.offset) for bank in banks)
    return state.having(tile=tile, achieved=achieved, reach=reach)


def _applies(job: TileJob) -> bool:
    return job.options.wire_aware and job.kept is None and job.tuned is None


PASS = Pass(
    "correct_wires",
    run,
    needs=("tile", "resistors", "mask", "banks", "reach", "achieved"),
    makes=("tile", "reach", "achieved"),
    applies=_applies,
)
