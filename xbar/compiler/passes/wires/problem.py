"""A tile that is to be programmed for its wires, and what was found for it.

Shapes: R inputs and C outputs of a block, M weights of all blocks of a tile, S scales, E elements.
Units: siemens of conductance, and siemens per unit weight for scales. A gain between conductance
and reading multiplies bias and noise alike: it counts in the finished tile's scales alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from xbar.arrays import Bools, Floats
from xbar.compiler.block import Block, Indices
from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.choose_subsets import joined
from xbar.compiler.passes.wires.array import Array, Reading
from xbar.compiler.passes.wires.chooser import Chooser
from xbar.compiler.passes.wires.score import Score
from xbar.compiler.rounding import rounded
from xbar.compiler.tile import ProgrammedTile, pack
from xbar.effects.expected import ExpectedError, expected_error

Order: TypeAlias = tuple[Indices, Indices]
"""Of a block: (R,) which of its inputs lies on each of its word lines, in their order, and (C,)
which of its outputs on each of its columns."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Weights, the cells that they lie on, and how a choice is judged.

    Attributes:
        array: the tile with its wires.
        banks: by block, of the weight on each cell.
        chooser: chooses subsets of them.
        weights: by block, (R, C) what is wanted on each cell.
        score: the error to be expected.
        orders: by block, which inputs and outputs lie where.
        alike: each block has one scale.
        gain: mean reading over conductance.
    """

    array: Array
    banks: Sequence[SignedBank]
    chooser: Chooser
    weights: tuple[Floats, ...]
    score: Score
    orders: tuple[Order, ...]
    alike: bool
    gain: float

    @classmethod
    def of(cls, tile: ProgrammedTile, banks: Sequence[SignedBank], *, alike: bool) -> Problem:
        """The problem of a tile whose blocks lie where they lie."""
        read = expected_error(tile.chip.hardware)
        error = ExpectedError(noise=read.noise)
        # laid out alike wherever the job is done, so that sums have the same bits
        weights = tuple(np.ascontiguousarray(part.weight) for part in tile.blocks)
        return cls(
            Array(tile, noisy=error.noise > 0.0),
            banks,
            Chooser.of(joined(banks), error, pairs=tile.mapping.bit_lines_per_column == 2),
            weights,
            Score.of(weights, [part.scale / read.gain for part in tile.blocks], error, alike=alike),
            tuple((np.arange(len(w)), np.arange(w.shape[1])) for w in weights),
            alike,
            read.gain,
        )

    def ordered(self) -> Problem:
        """The same blocks, large inputs and outputs where little is lost.

        An input's size is the sum of the squares of its weights, each relative to the largest of
        its column, as columns have scales of their own; an output's likewise. Where little is lost
        is what the uniform array says: next to the driver, and next to the sense amplifier. On
        LeNet-5's tiles (128 and 256 lines, 1 and 2 ohm, cells of 1 mS, three chips) the errors are
        0.74 to 0.94 times those without.
        """
        orders = []
        share = self.array.split(self.array.uniform_share().mean(axis=0))
        for weight, arrives in zip(self.weights, share, strict=True):
            orders.append(order_of(weight, arrives))
        weights = tuple(
            weight[np.ix_(*order)] for weight, order in zip(self.weights, orders, strict=True)
        )
        scales = [
            part.scale[order[1]] / self.gain
            for part, order in zip(self.tile.blocks, orders, strict=True)
        ]
        score = Score.of(weights, scales, self.score.expected, alike=self.alike)
        return replace(self, weights=weights, score=score, orders=tuple(orders))

    @property
    def tile(self) -> ProgrammedTile:
        """As it was before."""
        return self.array.tile

    def tried(self, choice: Bools, before: tuple[float, ...]) -> Found:
        """What comes of a choice (M, E), after rounds with these errors."""
        return self.found(choice, self.array.read(choice), before)

    def found(self, choice: Bools | None, reading: Reading, before: tuple[float, ...]) -> Found:
        """The same where what arrives is known; of no choice: of the switches before."""
        scale = rounded(self.score.fit(reading))
        return Found(self, choice, reading, scale, (*before, self.error(reading, scale)))

    def error(self, reading: Reading, scale: Floats) -> float:
        """``Score.error``, rounded: the same bits on every machine, and the same comparisons."""
        return float(rounded(self.score.error(reading, scale)))


@dataclass(frozen=True, eq=False)
class Found:
    """A choice, and what comes of it.

    Attributes:
        problem: where inputs and outputs lie.
        choice: (M, E); None where the switches are those before.
        reading: what arrives.
        scale: (S,) of the least expected error.
        errors: of each round; the last is this one's.
    """

    problem: Problem
    choice: Bools | None
    reading: Reading
    scale: Floats
    errors: tuple[float, ...]

    @property
    def error(self) -> float:
        """Root of the expected squared error, relative to the weights."""
        return self.errors[-1]

    def finished(self) -> ProgrammedTile:
        """The tile with its scales, each block's inputs and outputs named in the order they had."""
        problem, parts, done = self.problem, [], 0
        for part, (rows, columns) in zip(problem.tile.blocks, problem.orders, strict=True):
            count = 1 if problem.alike else len(columns)
            scale = np.broadcast_to(problem.gain * self.scale[done : done + count], len(columns))
            done += count
            block = _lying(part.block, np.argsort(rows), np.argsort(columns))
            parts.append(replace(part, block=block, scale=scale[np.argsort(columns)]))
        packed = pack(problem.array.mask(self.choice))
        return replace(problem.tile, blocks=tuple(parts), packed=packed, wire_errors=self.errors)


def order_of(weight: Floats, arrives: Floats) -> Order:
    """See ``Problem.ordered``: for weights (R, C), and what arrives of each place (R, C)."""
    largest = np.abs(weight).max(axis=0)
    power = np.divide(weight, largest, out=np.zeros_like(weight), where=largest > 0) ** 2
    rows, columns = (_matched(power.sum(axis=a), arrives.mean(axis=a)) for a in (1, 0))
    return rows, columns


def _lying(block: Block, rows: Indices, columns: Indices) -> Block:
    """The block with its inputs on other of its word lines, its outputs on other columns."""
    return replace(block, word_lines=block.word_lines[rows], columns=block.columns[columns])


def _matched(size: Floats, place: Floats) -> Indices:
    """(n,) for each place the one that it is for, so that the largest get the best."""
    order = np.empty(len(size), dtype=np.int64)
    order[np.argsort(place, kind="stable")] = np.argsort(size, kind="stable")
    return order
