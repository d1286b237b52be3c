"""The passes that program a tile, in their order.

    measure_resistors ─► assign_lines ─► form_banks ─► set_scales ─► choose_subsets
    ─► close_switches ─► correct_wires ─► record_reached

A pass steps aside for the jobs that it has nothing to do for: lines stay where they are on sound
tiles, wires are looked at on request. Tickets and rivals put a pass of their own in another's
place: ``keep_switches`` or ``choose_codes`` for ``choose_subsets``, ``tune_cells`` for all that
measures and chooses.
"""

from __future__ import annotations

from collections.abc import Sequence

from xbar.compiler.passes import (
    assign_lines,
    choose_codes,
    choose_subsets,
    close_switches,
    correct_wires,
    form_banks,
    keep_switches,
    measure_resistors,
    record_reached,
    set_scales,
    tune_cells,
)
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.tile import ProgrammedTile
from xbar.errors import SpecError

PASSES: tuple[Pass, ...] = (
    measure_resistors.PASS,
    assign_lines.PASS,
    form_banks.PASS,
    set_scales.PASS,
    keep_switches.PASS,
    choose_codes.PASS,
    choose_subsets.PASS,
    close_switches.PASS,
    tune_cells.PASS,
    correct_wires.PASS,
    record_reached.PASS,
)


def program_tile(job: TileJob, passes: Sequence[Pass] | None = None) -> ProgrammedTile:
    """One tile with its weights on it.

    Args:
        job: what there is to do.
        passes: ``PASSES`` where nothing is said.

    Raises:
        SpecError: the passes can't be run in this order.
    """
    state = TileState(job, job.blocks)
    for step in in_order(PASSES if passes is None else passes, job):
        state = step.run(state)
    return state.tile


def in_order(passes: Sequence[Pass], job: TileJob) -> list[Pass]:
    """The passes that apply to a job.

    Raises:
        SpecError: one needs what none before it makes, or none makes the tile.
    """
    steps = [step for step in passes if step.applies(job)]
    made = {"job", "blocks"}
    for place, step in enumerate(steps):
        for need in step.needs:
            if need not in made:
                raise SpecError(_misplaced(step, need, steps[place + 1 :], job))
        made.update(step.makes)
    if "tile" not in made:
        raise SpecError(
            f"PASSES must make the tile, but none of {[step.name for step in steps]} does for "
            f"programming {job.options.programming!r}; add 'close_switches' to it"
        )
    return steps


def _misplaced(step: Pass, need: str, later: Sequence[Pass], job: TileJob) -> str:
    makers = [other.name for other in later if need in other.makes]
    if makers:
        return (
            f"pass {step.name!r} needs {need}, which {makers[0]!r} makes after it: put "
            f"{makers[0]!r} before {step.name!r} in PASSES"
        )
    return (
        f"pass {step.name!r} needs {need}, which no pass makes for programming "
        f"{job.options.programming!r}: put one that does before {step.name!r} in PASSES"
    )
