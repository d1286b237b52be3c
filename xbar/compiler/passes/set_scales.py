"""Set the scales: siemens per unit weight.

A larger scale reduces the relative error of a subset, until the largest weights reach values where
their banks have few or no sums. The scale of least expected error is chosen
(``xbar.subset.scaling``) for each column, for all columns of a block, or for a whole layer. The
expected error is measured once per compilation, on a sample of the banks of the chip's first tile;
the range of each bank of a column or block is its own, including stuck resistors and leakage. A
layer's scale is set from that sample, before its tiles are programmed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from xbar.arrays import Floats, Ints
from xbar.compiler.block import Block
from xbar.compiler.mapping import SignedBank, get_mapping
from xbar.compiler.options import Options
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.choose_subsets import choose_least_error, choose_on_one_side
from xbar.compiler.tuned import TunedCells
from xbar.compiler.whole_life import Ahead, LifeBank, whole_tile
from xbar.effects.expected import ExpectedError, expected_error
from xbar.hardware.chip import Chip
from xbar.hardware.fabricate import Resistors
from xbar.subset.scaling import (
    ErrorCurve,
    Reach,
    best_scales,
    error_curve,
    measure_error,
    reach_of,
)

SAMPLE = 64
"""Number of banks on which the error is measured; a quarter of it for long banks."""

LONG = 24
"""Number of elements above which a bank is long."""


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected error of a chip's banks.

    Attributes:
        curve: error by distance of a target from the middle of its bank.
        reach: range of the S banks of the sample.
        gain: ratio of mean reading to conductance that subsets are chosen for; 1 for tuned cells.
        ahead: the points of the chip's life, where one mask is chosen for all of them.
    """

    curve: ErrorCurve
    reach: Reach
    gain: float = 1.0
    ahead: Ahead | None = None


def expect(chip: Chip, options: Options) -> Expected:
    """Measure the error on a sample of the first tile's banks with the fewest defects."""
    error = expected_error(chip.hardware)
    noise = error.noise
    tuned = TunedCells.of(options, chip)
    if tuned is not None:
        curve, one = tuned.expected(noise)
        return Expected(curve, Reach(one.values[:, None]))
    mapping, block = get_mapping(options.mapping), whole_tile(chip, options)
    bank = mapping.bank(*chip.resistors(0), block)
    element, offset = bank.element.reshape(bank.offset.size, -1), bank.offset.reshape(-1)
    missing = (element == 0.0).sum(axis=1)
    size = SAMPLE if element.shape[1] <= LONG else SAMPLE // 4
    half = min(size, -(-len(element) // 2))  # on a small tile dead lines are a large fraction
    sound = np.argsort(missing, kind="stable")[: max(half, int((missing == missing.min()).sum()))]
    size = min(size, len(sound))
    sample = sound[np.linspace(0, len(sound) - 1, size).astype(np.int64)]
    if options.whole_life is not None:
        return _expect_for_life(chip, options, block, sample)
    if options.programming == "subset":
        choose = partial(choose_least_error, error=ExpectedError(noise=noise))
        curve = measure_error(element[sample], choose=choose, read_noise=noise)
        return Expected(curve, reach_of(element[sample], offset[sample]), error.gain)
    known = mapping.bank(*nominal_resistors(chip), block)
    nominal = known.element.reshape(element.shape)[sample]
    curve = measure_error(nominal, element[sample], choose_on_one_side, noise)
    return Expected(curve, reach_of(nominal, known.offset.reshape(-1)[sample]), error.gain)


def _expect_for_life(chip: Chip, options: Options, block: Block, sample: Ints) -> Expected:
    """The same for one mask over the chip's life: the error that counts, on the mean banks."""
    from xbar.compiler.passes.choose_for_life import choose_for_life

    ahead = Ahead.of(chip, options)
    every = ahead.banks(0, get_mapping(options.mapping), [block])[0].flat()
    life = LifeBank(every.element[:, sample], every.variance[:, sample], every.offset[:, sample])
    mean = life.mean()

    def error(which: Ints, goal: Floats) -> Floats:
        own = LifeBank(life.element[:, which], life.variance[:, which], life.offset[:, which])
        return choose_for_life(own, goal + mean.offset[which], ahead.life.over).power

    curve = error_curve(mean.element, error)
    reach = reach_of(mean.element, mean.offset)
    return Expected(curve, reach, expected_error(chip.hardware).gain, ahead)


def nominal_resistors(chip: Chip) -> Resistors:
    """``Chip.resistors`` of any tile with nominal values, as known without measurement."""
    bank = chip.hardware.bank
    shape = (*chip.hardware.cells, bank.resistors)
    on = np.broadcast_to(bank.nominal_conductance, shape)
    return Resistors(on, on / bank.on_off_ratios, np.zeros(shape, dtype=np.int8))


def set_scales(
    bank: SignedBank | TunedCells, weight: Floats, expected: Expected, *, alike: bool = False
) -> Floats:
    """Siemens per unit weight of each column, (C,), for weights (R, C), without gain.

    Args:
        bank: bank of each weight, or the model of tuned cells.
        weight: target weights (R, C).
        expected: expected error.
        alike: whether all columns have one scale.
    """
    if isinstance(bank, TunedCells):
        reach = bank.reach_of(weight.shape)
    else:
        reach = reach_of(bank.element, bank.offset)
    if not alike:
        return best_scales(weight, reach, expected.curve)
    whole = Reach(reach.values.reshape(4, -1, 1))
    one = best_scales(weight.reshape(-1, 1), whole, expected.curve)
    return np.repeat(one, weight.shape[1])


def layer_scale(weight: Floats, expected: Expected) -> float:
    """One scale for all weights of a layer (any shape), assigned to the sample's banks in turn.

    In siemens of the reading, gain included, as in ``scales_of``.
    """
    values = expected.reach.values
    place = np.arange(weight.size) % values.shape[1]
    reach = Reach(values[:, place][:, :, None])
    return expected.gain * float(best_scales(weight.reshape(-1, 1), reach, expected.curve)[0])


def expected_of(job: TileJob) -> Expected:
    """Expected error of the banks of a job's chip."""
    return expect(job.chip, job.options) if job.expected is None else job.expected


def scales_of(
    job: TileJob, blocks: Sequence[Block], banks: Sequence[SignedBank | TunedCells]
) -> tuple[Floats, ...]:
    """By block, (C,) siemens per unit weight; the job's own if given."""
    if job.units:
        return tuple(np.full(b.shape[1], u) for b, u in zip(blocks, job.units, strict=True))
    expected, alike = expected_of(job), job.options.scale_per != "column"
    return tuple(
        expected.gain * set_scales(bank, weight, expected, alike=alike)
        for bank, weight in zip(banks, job.weights, strict=True)
    )


def run(state: TileState) -> TileState:
    """Set the scales of all blocks of a tile."""
    return state.having(scales=scales_of(state.job, state.blocks, state.banks))


PASS = Pass(
    "set_scales",
    run,
    needs=("blocks", "banks"),
    makes=("scales",),
    applies=lambda job: job.tuned is None,
)
