"""Put inputs on the word lines and outputs on the columns whose resistors suit them.

A line with stuck or dead resistors can't hold every weight. Which input lies on which word line is
free, as long as its voltage goes there; which output on which column is too. So the inputs of a
block are assigned to its own word lines and the tile's idle ones such that the error to expect is
least (the Hungarian method, ``scipy.optimize.linear_sum_assignment``), then the outputs to its own
and the idle columns, and so on until nothing is gained. What to expect of a target on a bank is

    4^n s² curve(|t - m| / s) + (what t lies beyond the bank's reach)²

with the bank's mean m and deviation s, as for the scales (``set_scales``), and n resistors that are
stuck: each halves the density of the sums and so doubles the error. The first term is at most
s² / 3a with a live ones, which is what a target between two sums one element apart has on average
(exact for a = 1). Banks are compared at the scale that sound banks would have: the final one is set
when it is known where all lies.

Shapes: R inputs and C outputs of a block; W word lines and D columns that it may use.
Units: siemens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.block import Block, Indices, span
from xbar.compiler.mapping import SignedBank, SignedMapping, get_mapping
from xbar.compiler.options import Options
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.set_scales import Expected, expected_of
from xbar.hardware.fabricate import Resistors
from xbar.subset.scaling import ErrorCurve, Reach, best_scales, reach_of

WORTH = 4.0
"""Lines are exchanged where the error to expect is so many times that of sound banks."""

ROUNDS = 8
"""Assignments of inputs and outputs in turn, at most."""

DEAD = 0.01
"""A resistor is dead whose conductance is less than this share of its like's mean."""

STAY = 1e-3
"""What an exchange must gain, in errors of one sound bank."""


def assign_lines(
    blocks: Sequence[Block],
    weights: Sequence[Floats],
    resistors: Resistors,
    options: Options,
    expected: Expected,
    scales: Sequence[float | Floats] = (),
) -> tuple[Block, ...]:
    """A tile's blocks with their inputs and outputs on the lines that suit them best.

    Args:
        blocks: what lies on the tile.
        weights: by block, (R, C) what is to be programmed.
        resistors: on and off (W, B, K) siemens, and stuck.
        options: mapping, what shares a scale, and when lines are exchanged.
        expected: what error to expect.
        scales: by block, siemens per unit weight where that is given; else found out.
    """
    always = options.swap_lines == "always"
    if options.swap_lines == "never" or not (always or faulty(resistors)):
        return tuple(blocks)
    tile, result = _Tile(resistors, options, expected), list(blocks)
    for number, weight in enumerate(weights):
        others = result[:number] + result[number + 1 :]
        scale = scales[number] if len(scales) else None
        result[number] = _assigned(tile, result[number], others, weight, scale)
    return tuple(result)


def faulty(resistors: Resistors) -> bool:
    """Whether a tile has resistors that are stuck, or that hardly conduct beside their like."""
    on, off, stuck = resistors
    step = on - off
    return bool(stuck.any() or (step < DEAD * step.mean(axis=(0, 1))).any())


@dataclass(frozen=True, eq=False)
class _Tile:
    resistors: Resistors
    options: Options
    expected: Expected

    @property
    def mapping(self) -> SignedMapping:
        return get_mapping(self.options.mapping)

    def banks(self, lines: Indices, columns: Indices) -> Floats:
        """(6, W, D): the banks at those lines and columns, see ``describe``."""
        block = Block("", 0, span(0, len(lines)), span(0, len(columns)), lines, columns)
        return describe(self.mapping.bank(*self.resistors, block))

    def lines(self, block: Block, others: Sequence[Block]) -> tuple[Indices, Indices]:
        """Word lines and columns that a block may use: its own, then those that no block uses."""
        rows, bit_lines = self.resistors[0].shape[:2]
        columns = self.mapping.columns(bit_lines)
        return (
            _free(block.word_lines, [other.word_lines for other in others], rows),
            _free(block.columns, [other.columns for other in others], columns),
        )

    def scales(self, weight: Floats, sound: Floats) -> Floats:
        """Siemens per unit weight that sound banks would have."""
        shaped = weight if self.options.scale_per == "column" else weight.reshape(-1, 1)
        reach = Reach(_everywhere(sound[:4], shaped.shape))
        return best_scales(shaped, reach, self.expected.curve)


def _free(own: Indices, taken: Sequence[Indices], count: int) -> Indices:
    return np.concatenate([own, np.setdiff1d(span(0, count), np.concatenate([own, *taken]))])


def _assigned(
    tile: _Tile, block: Block, others: Sequence[Block], weight: Floats, scale: float | Floats | None
) -> Block:
    """One block on its own lines and those that no other one uses."""
    lines, places = tile.lines(block, others)
    banks = tile.banks(lines, places)
    sound = _sound(banks)
    own = tile.scales(weight, sound) if scale is None else scale / tile.expected.gain
    target = weight * own
    curve = tile.expected.curve
    ideal = float(errors(target, _everywhere(sound, target.shape), curve).sum())
    search = _Search(target, banks, curve, (ideal + 1e-300) / target.size)
    line, place = np.arange(len(target)), np.arange(target.shape[1])
    if search.total(line, place) > WORTH * ideal or tile.options.swap_lines == "always":
        line, place = search.run(line, place)
    return replace(block, word_lines=lines[line], columns=places[place])


@dataclass(frozen=True, eq=False)
class _Search:
    """Where inputs and outputs lie, as numbers of the lines and columns that may be used.

    Attributes:
        target: (R, C) siemens.
        banks: (6, W, D) see ``describe``.
        curve: what error to expect.
        small: siemens², the error of one sound bank.
    """

    target: Floats
    banks: Floats
    curve: ErrorCurve
    small: float

    def run(self, line: Indices, place: Indices) -> tuple[Indices, Indices]:
        """Inputs and outputs assigned in turn, each at its best while the other stays."""
        cost = self.total(line, place)
        for number in range(ROUNDS):
            if number % 2 == 0:
                trial = self._best(self.target, self.banks[:, :, place], line), place
            else:
                turned = self.banks[:, line].transpose(0, 2, 1)
                trial = line, self._best(self.target.T, turned, place)
            better = self.total(*trial)
            if better < cost:
                (line, place), cost = trial, better
            elif number:
                break
        return line, place

    def total(self, line: Indices, place: Indices) -> float:
        """Siemens² to expect of all weights together."""
        return float(errors(self.target, self.banks[:, line[:, None], place], self.curve).sum())

    def _best(self, target: Floats, banks: Floats, now: Indices) -> Indices:
        """(R,) the line of banks for each input; where two are as good, the one it has."""
        from scipy.optimize import linear_sum_assignment

        cost = costs(target, banks, self.curve)
        cost[np.arange(len(target)), now] -= STAY * self.small
        return np.asarray(linear_sum_assignment(cost)[1], dtype=np.int64)


def describe(bank: SignedBank) -> Floats:
    """(6, R, C): of each bank mean, deviation, lowest and highest sum; 4^n; 1/3a."""
    live = (bank.element != 0.0).sum(axis=-1)
    worse = 4.0 ** (bank.element.shape[-1] - live), 1.0 / (3.0 * np.maximum(live, 1))
    return np.concatenate([reach_of(bank.element, bank.offset).values, worse])


def errors(target: Floats, banks: Floats, curve: ErrorCurve) -> Floats:
    """Siemens² to expect of each target (...) on its bank (6, ...): the formula at the head."""
    mean, deviation, low, high, worse, most = banks
    within = np.clip(target, low, high)
    some = np.where(deviation > 0, deviation, 1.0)
    place = np.minimum(np.abs(within - mean) / some * curve.per_unit, len(curve.table) - 1)
    inside = deviation**2 * np.minimum(worse * curve.table[place.astype(np.int64)], most)
    result: Floats = inside + (target - within) ** 2
    return result


def costs(target: Floats, banks: Floats, curve: ErrorCurve) -> Floats:
    """(R, W): the error to expect of each input's targets (R, C) on each line's banks (6, W, C)."""
    from xbar.subset.kernels import lines

    result = np.empty((len(target), banks.shape[1]))
    ordered = np.ascontiguousarray(np.moveaxis(banks, 0, -1))
    lines.costs(np.ascontiguousarray(target), ordered, curve.table, curve.per_unit, result)
    return result


def _sound(banks: Floats) -> Floats:
    """(6,) as the middle of the sounder half of banks (6, W, D) are."""
    flat = banks.reshape(len(banks), -1)
    order = np.argsort(flat[4], kind="stable")
    middle: Floats = np.median(flat[:, order[: -(-len(order) // 2)]], axis=1)
    return middle


def _everywhere(bank: Floats, shape: tuple[int, ...]) -> Floats:
    return np.broadcast_to(bank[:, None, None], (len(bank), *shape))


def run(state: TileState) -> TileState:
    """The blocks on the lines that suit them."""
    job = state.job
    blocks = assign_lines(
        state.blocks, job.weights, state.resistors, job.options, expected_of(job), job.units
    )
    return state.having(blocks=blocks)


def _applies(job: TileJob) -> bool:
    when = job.options.swap_lines
    return job.chooses and (when == "always" or (when == "faults" and job.chip.may_have_faults))


PASS = Pass("assign_lines", run, ("resistors", "blocks"), ("blocks",), _applies)
