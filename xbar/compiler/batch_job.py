"""Batches of tiles whose chips are drawn and whose subsets are chosen on a card, all at once.

Ordinary tiles are programmed on the card as a whole (``on_device.py``). Of others the passes before
and after the choice run tile by tile in threads, as in ``crew.py``. Results have the bits of those
that ``run_job`` gives, one tile after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, pairwise

import numpy as np

from xbar.arrays import Floats
from xbar.compiler import on_device
from xbar.compiler.job import Jobs, TileResult
from xbar.compiler.passes import choose_subsets, measure_resistors
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.pipeline import PASSES, in_order
from xbar.device import Card, DeviceMemoryError, find
from xbar.effects.expected import expected_error
from xbar.errors import warn
from xbar.hardware import on_device as drawing
from xbar.parallel import in_threads, one_thread
from xbar.subset import on_device as choosing

BATCH_RESISTORS = 1 << 25
"""Resistors of a batch: their banks take 256 MB, a few times."""

WHOLE_RESISTORS = 1 << 28
"""Resistors of a batch whose banks never leave the card."""


def obstacle(job: TileJob) -> str:
    """Why a card has no part in a job; empty if it has."""
    if not job.chooses:
        return "no subsets are chosen"
    if job.options.whole_life is not None:
        return "one mask is chosen for several points of the chip's life"
    if job.options.wire_aware:
        return "wire-aware programming chooses again and again for one tile"
    if expected_error(job.chip.hardware).noise > 0.0:
        return "read noise counts in the choice"
    return ""


def takes(jobs: Jobs, device: str) -> bool:
    """Whether jobs run in batches on the card that a device names.

    Warns:
        XbarWarning: they don't, and "cuda" asked for it.

    Raises:
        ToolError: "cuda" without a card.
    """
    card = find(device)
    if card is None or not len(jobs):
        return False
    job = jobs[0]
    elements = job.chip.hardware.bank.resistors * job.mapping.bit_lines_per_column
    why = obstacle(job) or choosing.obstacle(elements, card)
    if why and device == "cuda":
        warn(f"the network is compiled on the CPU: {why}")
    drawn = drawing.obstacle(job.chip)
    if not why and drawn and device == "cuda":
        warn(f"the card chooses the subsets, of resistors from the CPU: {drawn}")
    return not why


def run_batches(jobs: Jobs, todo: Sequence[int], device: str, threads: int) -> Iterator[TileResult]:
    """Run jobs that a card ``takes``; yields results in order."""
    if not todo:
        return
    hardware, card = jobs.plan.hardware, find(device)
    resistors = hardware.cells[0] * hardware.cells[1] * hardware.bank.resistors
    whole = card is not None and on_device.ordinary(jobs[todo[0]])
    size = max(1, (WHOLE_RESISTORS if whole else BATCH_RESISTORS) // resistors)
    for start in range(0, len(todo), size):
        batch = [jobs[index] for index in todo[start : start + size]]
        if card is not None and whole and all(map(on_device.fits, batch)):
            try:
                yield from run_whole(card, batch)
                continue
            except DeviceMemoryError:
                whole = False  # pieces of a tile may fit
        yield from run_batch(batch, device, threads)


def run_whole(card: Card, batch: Sequence[TileJob]) -> list[TileResult]:
    """Run a batch of jobs of an ordinary chip on the card, from weights to masks."""
    return [
        result for tiles, made in on_device.program(card, batch) for result in tiles.results(made)
    ]


def run_batch(batch: Sequence[TileJob], device: str, threads: int) -> list[TileResult]:
    """Run a batch of jobs of one chip."""
    steps = in_order(PASSES, batch[0])
    at = steps.index(choose_subsets.PASS)
    before = [step for step in steps[:at] if step is not measure_resistors.PASS]
    states = _measured(batch, device)
    states = _each(partial(_run, before), states, threads)
    states = choose_together(states, device)
    tiles = _each(partial(_run, steps[at + 1 :]), states, threads)
    return [TileResult.of(state.tile) for state in tiles]


def _measured(batch: Sequence[TileJob], device: str) -> list[TileState]:
    """The tiles' states after ``measure_resistors``."""
    chip = batch[0].chip
    drawn: list[Floats] = []
    for tiles in _runs([job.index for job in batch]):
        there = "cpu" if drawing.obstacle(chip) else device  # ``takes`` has told
        drawn += list(drawing.conductances(chip, tiles, there))
    return [
        TileState(job, job.blocks).having(resistors=chip.resistors(job.index, on))
        for job, on in zip(batch, drawn, strict=True)
    ]


def _runs(indices: Sequence[int]) -> Iterator[range]:
    """Ranges of consecutive indices."""
    breaks = [i for i in range(1, len(indices)) if indices[i] != indices[i - 1] + 1]
    for start, stop in pairwise([0, *breaks, len(indices)]):
        yield range(indices[start], indices[stop - 1] + 1)


def choose_together(states: Sequence[TileState], device: str) -> list[TileState]:
    """The choices of all tiles, made by one call of the solver."""
    error = expected_error(states[0].job.chip.hardware)
    problems = [choose_subsets.problems_of(state, error) for state in states]
    element = np.concatenate([one for one, _ in problems])
    goal = np.concatenate([one for _, one in problems])
    choice = choose_subsets.choose_least_error(element, goal, error, device)
    ends = accumulate((len(one) for _, one in problems), initial=0)
    parts = [choice[start:stop] for start, stop in pairwise(ends)]
    return [
        choose_subsets.with_choices(state, part) for state, part in zip(states, parts, strict=True)
    ]


def _run(steps: Sequence[Pass], state: TileState) -> TileState:
    for step in steps:
        state = step.run(state)
    return state


def _each(
    work: Callable[[TileState], TileState], states: Sequence[TileState], threads: int
) -> list[TileState]:
    """Every state after some work, in threads."""
    done: list[TileState] = list(states)

    def one(number: int) -> None:
        with one_thread():
            done[number] = work(states[number])

    in_threads(one, range(len(states)), threads)
    return done
