"""Get a tile's resistors: measured, or nominal without measurement."""

from __future__ import annotations

from xbar.compiler.passes.base import Pass, TileState
from xbar.compiler.passes.set_scales import nominal_resistors


def run(state: TileState) -> TileState:
    """The chip's own resistors; the nominal ones for ``Options.programming`` "nominal"."""
    job = state.job
    if job.options.programming == "nominal":
        return state.having(resistors=nominal_resistors(job.chip))
    return state.having(resistors=job.chip.resistors(job.index))


PASS = Pass("measure_resistors", run, (), ("resistors",), lambda job: job.tuned is None)
