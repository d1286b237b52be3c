"""The passes that program a tile, in order.

    measure_resistors ─► assign_lines ─► form_banks ─► set_scales ─► choose_subsets
    ─► close_switches ─► correct_wires ─► record_reached

Each pass applies only to some jobs: lines are moved on faulty tiles, wires are corrected on
request. Tickets and rivals replace passes by their own: ``keep_switches`` or ``choose_codes`` for
``choose_subsets``, ``tune_cells`` for all that measure and choose. One mask for a chip's whole life
takes ``follow_life`` after ``form_banks``, and ``choose_for_life``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from xbar.compiler.passes import (
    assign_lines,
    choose_codes,
    choose_for_life,
    choose_subsets,
    close_switches,
    correct_wires,
    follow_life,
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
    follow_life.PASS,
    set_scales.PASS,
    keep_switches.PASS,
    choose_codes.PASS,
    choose_subsets.PASS,
    choose_for_life.PASS,
    close_switches.PASS,
    tune_cells.PASS,
    correct_wires.PASS,
    record_reached.PASS,
)


def program_tile(job: TileJob, passes: Sequence[Pass] | None = None) -> ProgrammedTile:
    """Program one tile.

    Args:
        job: job of the tile.
        passes: passes in order; ``PASSES`` by default.

    Raises:
        SpecError: the passes can't be run in this order.
    """
    state = TileState(job, job.blocks)
    for step in in_order(PASSES if passes is None else passes, job):
        state = step.run(state)
    return state.tile


def in_order(passes: Sequence[Pass], job: TileJob) -> tuple[Pass, ...]:
    """The passes that apply to a job.

    Raises:
        SpecError: a pass needs an attribute that no earlier one makes, or makes one anew from which
            an earlier one has drawn conclusions; or none makes the tile.
    """
    steps = tuple(step for step in passes if step.applies(job))
    _check_order(steps, job.options.programming)
    return steps


@lru_cache(maxsize=64)
def _check_order(steps: tuple[Pass, ...], programming: str) -> None:
    """Raises SpecError for an order that can't be; many tiles have the same one."""
    made = {"job", "blocks"}
    for place, step in enumerate(steps):
        for need in step.needs:
            if need not in made:
                raise SpecError(_misplaced(step, need, steps[place + 1 :], programming))
        for other in steps[:place]:
            if stale := _stale(other, step):
                raise SpecError(
                    f"pass {step.name!r} makes {stale[0]} anew, which {other.name!r} has made "
                    f"{stale[1]} of before: put {step.name!r} before {other.name!r} in PASSES"
                )
        made.update(step.makes)
    if "tile" not in made:
        raise SpecError(
            f"PASSES must make the tile, but none of {[step.name for step in steps]} does for "
            f"programming {programming!r}; add 'close_switches' to it"
        )


def _stale(early: Pass, late: Pass) -> tuple[str, str] | None:
    """What a later pass makes anew, and what an earlier one made of it that goes on being used.

    The tile itself may be handed on: what a pass adds to it does not undo what was read of it.
    """
    for source in (need for need in early.needs if need != "tile"):
        for result in early.makes:
            kept = result not in late.makes or result in late.needs
            if source in late.makes and result != source and kept:
                return source, result
    return None


def _misplaced(step: Pass, need: str, later: Sequence[Pass], programming: str) -> str:
    makers = [other.name for other in later if need in other.makes]
    if makers:
        return (
            f"pass {step.name!r} needs {need}, which {makers[0]!r} makes after it: put "
            f"{makers[0]!r} before {step.name!r} in PASSES"
        )
    return (
        f"pass {step.name!r} needs {need}, which no pass makes for programming "
        f"{programming!r}: put one that does before {step.name!r} in PASSES"
    )
