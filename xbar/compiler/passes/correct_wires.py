"""Choose subsets again until the *effective* weights, wires included, are the wanted ones.

The exact transfer matrix of the programmed array tells what each weight really is. Each round
adds what is missing to the subset's target and chooses anew:

    P <- P + (Z - D(P)) / a      Z wanted, D effective difference, a attenuation of the cell

A new subset also changes how much current its lines carry, and with it every neighbour's IR drop.
So subsets are chosen with a second wish: to keep the total conductance of both cells
(``xbar.subset.variants.pair``), and from the third round on only the worse half of the weights
moves. The column's scale is lowered first by the attenuation, so that attenuated targets stay
within reach; where the error stays large it is lowered further.

The round with the least error is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.prepared import PreparedArray
from xbar.compiler.block import Indices
from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.choose_subsets import choose_subsets, joined, joined_values
from xbar.compiler.passes.set_scales import Expected, expected_of, set_scales
from xbar.compiler.tile import ProgrammedTile, gain_of, pack
from xbar.hardware.chip import Resistors
from xbar.subset.variants.pair import PreparedPairs, prepare_pairs

Choice = NDArray[np.bool_]

ROUNDS = 30
"""At most so many corrections in one attempt."""

PATIENCE, PROGRESS = 4, 0.9
"""An attempt ends when so many rounds bring the least error not even down to this share of it."""

GOOD = 0.01
"""A relative error that no further attempt is made for."""

FLOOR = 0.02
"""Attenuations below this are not trusted: such a cell hardly reaches its amplifier."""


HARSH = 0.05
"""A relative error after the first attempt from which further ones begin with more headroom."""


@dataclass(frozen=True)
class Attempt:
    """One way to begin.

    Attributes:
        headroom: scales are lowered so much further than the attenuation asks.
        keep_total: what a siemens of changed total costs beside one of missed difference.
    """

    headroom: float
    keep_total: float


SOFT = 0.3
"""A relative error before, up to which the first attempt hardly asks for the old totals."""

GENTLE = Attempt(1.0, 2.0**-9)
FIRM = Attempt(1.0, 2.0**-6)
MILD = (FIRM, Attempt(0.5, 2.0**-6))
BOLD = (Attempt(0.5, 2.0**-6), Attempt(0.25, 2.0**-6))
"""What follows until one is good. A lower scale leaves a fraction of the error on harsh wires, and
less signal beside read noise."""


def correct_wires(
    tile: ProgrammedTile, banks: Sequence[SignedBank], expected: Expected, *, alike: bool = False
) -> ProgrammedTile:
    """The tile with its subsets chosen for its wires; ``wire_errors`` tells each round's error.

    Reference cells stay as they are. A tile whose wires change nothing, and one that no round
    improves, comes back as it is.

    Args:
        tile: programmed without regard to its wires.
        banks: by block, of each weight.
        expected: what error to expect of them.
        alike: each block has one scale.
    """
    bench = Bench.of(tile)
    before = wire_error(tile, bench)
    if bench.array.ideal or before == 0.0:
        return tile
    scales = partial(set_scales, expected=expected, alike=alike)
    chooser = Chooser.of(joined(banks), pairs=tile.mapping.bit_lines_per_column == 2)
    found: list[ProgrammedTile] = []
    attempts = [GENTLE if before < SOFT else FIRM]
    for attempt in attempts:
        start, loss = _begin(tile, banks, scales, chooser, attempt, bench)
        found.append(_correct(start, loss, chooser, attempt, (before, tile), bench))
        error = found[-1].wire_errors[-1]
        if error < GOOD:
            break
        if len(found) == 1:
            attempts += [a for a in (BOLD if error > HARSH else MILD) if a is not attempt]
    return min(found, key=lambda tile: tile.wire_errors[-1])


@dataclass(frozen=True, eq=False)
class Bench:
    """A tile's array and resistors, kept at hand to solve it under one mask after another.

    Attributes:
        array: the array's wires; each round changes some of its columns only.
        resistors: of the tile.
    """

    array: PreparedArray
    resistors: Resistors

    @classmethod
    def of(cls, tile: ProgrammedTile) -> Bench:
        """The bench of a tile and of all others like it under another mask."""
        return cls(tile.prepare(), tile.chip.resistors(tile.index))

    def cells(self, tile: ProgrammedTile) -> tuple[Floats, Floats]:
        """(W, B) siemens of the cells: their own, and the effective ones."""
        branch = self.resistors.branch(tile.mask)
        return branch.sum(axis=-1), tile.effective(self.array, branch)


@dataclass(frozen=True, eq=False)
class Chooser:
    """Chooses subsets with a wish for the total conductance of each weight's cells.

    Attributes:
        bank: (M,) of the weights of all blocks.
        pairs: the sums of both halves of each bank; None where a weight has one cell, whose total
            follows from its target.
    """

    bank: SignedBank
    pairs: PreparedPairs | None

    @classmethod
    def of(cls, bank: SignedBank, *, pairs: bool) -> Chooser:
        """The chooser for a tile's banks."""
        if not pairs:
            return cls(bank, None)
        k = bank.element.shape[-1] // 2
        return cls(bank, prepare_pairs(bank.element[..., :k], -bank.element[..., k:]))

    def wish(self) -> Floats:
        """(M,) siemens of total to begin with: where most subsets are."""
        full = float(np.median(np.abs(self.bank.element).sum(axis=-1)))
        return np.full(self.bank.offset.shape, full / 2)

    def choose(
        self, target: Floats, total: Floats, weight: float, which: NDArray[np.bool_] | None = None
    ) -> Choice:
        """(M, E); nothing is chosen for weights that are not asked for."""
        goal = target - self.bank.offset
        if self.pairs is None:
            return choose_subsets(self.bank, target)
        solution = self.pairs.solve(goal, total, weight, which)
        choice: Choice = np.concatenate([solution.plus, solution.minus], axis=-1)
        choice &= self.bank.element != 0.0
        return choice

    def total(self, choice: Choice) -> Floats:
        """(M,) siemens of all chosen elements."""
        chosen: Floats = (np.abs(self.bank.element) * choice).sum(axis=-1)
        return chosen

    def achieved(self, choice: Choice) -> Floats:
        """(M,) siemens of difference, wires aside."""
        chosen: Floats = (self.bank.element * choice).sum(axis=-1)
        return self.bank.offset + chosen


def _begin(
    tile: ProgrammedTile,
    banks: Sequence[SignedBank],
    scales: Callable[[SignedBank, Floats], Floats],
    chooser: Chooser,
    attempt: Attempt,
    bench: Bench,
) -> tuple[ProgrammedTile, Floats]:
    """The tile with lower scales, and the attenuation (M,) of its weights."""
    choice = chooser.choose(wanted_of(tile), chooser.wish(), attempt.keep_total)
    attenuation = _attenuation(_with_choice(tile, choice), bench)
    parts = []
    for part, own, loss in zip(tile.blocks, banks, attenuation, strict=True):
        scale = scales(own, part.weight / loss)
        # so low that attenuated targets stay within reach
        lower = attempt.headroom * np.minimum(scale, part.scale)
        parts.append(replace(part, scale=lower))
    return replace(tile, blocks=tuple(parts)), joined_values(attenuation)


def _correct(
    current: ProgrammedTile,
    loss: Floats,
    chooser: Chooser,
    attempt: Attempt,
    first: tuple[float, ProgrammedTile],
    bench: Bench,
) -> ProgrammedTile:
    """One attempt; ``first`` is the error before it, and the tile that has it."""
    wanted = wanted_of(current)
    aim, total = wanted / loss, chooser.wish()
    errors, best = [first[0]], first[1]
    choice, moves = None, None
    for number in range(1, ROUNDS + 1):
        fresh = chooser.choose(aim, total, attempt.keep_total, moves)
        choice = (
            fresh if choice is None or moves is None else np.where(moves[:, None], fresh, choice)
        )
        current = _with_choice(current, choice)
        miss = wanted - effective_of(current, bench)
        errors.append(float(np.sqrt((miss**2).sum() / (wanted**2).sum())))
        if errors[-1] < min(errors[:-1]):
            best = current
        if number > PATIENCE and min(errors) > PROGRESS * min(errors[:-PATIENCE]):
            break
        total, aim = chooser.total(choice), chooser.achieved(choice) + miss / loss
        if number >= 2:  # the worse half alone: all at once would shake each other for ever
            moves = np.abs(miss) >= np.median(np.abs(miss))
    return replace(best, wire_errors=tuple(errors[: int(np.argmin(errors)) + 1]))


def wire_error(tile: ProgrammedTile, bench: Bench) -> float:
    """Root mean square of effective minus wanted differences, over that of the wanted ones."""
    wanted = wanted_of(tile)
    power = float((wanted**2).sum())
    missed = float(((effective_of(tile, bench) - wanted) ** 2).sum())
    return float(np.sqrt(missed / power)) if power > 0 else 0.0


def wanted_of(tile: ProgrammedTile) -> Floats:
    """(M,) siemens that the weights of all blocks should have."""
    return joined_values([part.target for part in tile.blocks])


def effective_of(tile: ProgrammedTile, bench: Bench) -> Floats:
    """(M,) siemens that they have, wires included."""
    return joined_values(tile.differences(bench.cells(tile)[1]))


def _with_choice(tile: ProgrammedTile, choice: Choice) -> ProgrammedTile:
    """The tile with a choice (M, E) for the weights of all its blocks."""
    mask, done = tile.mask, 0
    for part in tile.blocks:
        r, c = part.block.shape
        tile.mapping.switch(mask, part.block, choice[done : done + r * c].reshape(r, c, -1))
        done += r * c
    return replace(tile, packed=pack(mask))


def _attenuation(tile: ProgrammedTile, bench: Bench) -> list[Floats]:
    """By block, (R, C): effective over programmed conductance of the weaker cell, smoothed."""
    from scipy.ndimage import median_filter

    gain, result = gain_of(*bench.cells(tile)), []
    for part in tile.blocks:
        rows = part.block.word_lines[:, None]
        pair = [gain[rows, lines(part.block.columns)] for lines in _lines(tile)]
        weaker = np.clip(np.minimum(*pair), 0.0, 1.0)
        trusted = weaker > FLOOR
        typical = float(np.median(weaker[trusted])) if trusted.any() else 1.0
        smooth: Floats = median_filter(np.where(trusted, weaker, typical), size=5)
        result.append(smooth)
    return result


def _lines(tile: ProgrammedTile) -> tuple[Callable[[Indices], Indices], ...]:
    return tile.mapping.plus, tile.mapping.minus


def run(state: TileState) -> TileState:
    """The tile with its subsets chosen for its wires, and what its weights then have."""
    job = state.job
    alike = job.options.scale_per != "column"
    tile = correct_wires(state.tile, state.banks, expected_of(job), alike=alike)
    if not tile.wire_errors:
        return replace(state, tile=tile)
    return replace(state, tile=tile, achieved=tuple(tile.difference("nodal")))


def _applies(job: TileJob) -> bool:
    return job.options.wire_aware and job.kept is None and job.tuned is None


PASS = Pass("correct_wires", run, ("tile", "banks", "achieved"), ("tile", "achieved"), _applies)
