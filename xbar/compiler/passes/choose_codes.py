"""Choose the code of the nominal values, which nothing is measured for: a rival of subsets."""

from __future__ import annotations

from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.choose_subsets import choose_codes, chosen_for_tile


def run(state: TileState) -> TileState:
    """The nominal subset of one cell that comes closest to each target."""
    return chosen_for_tile(state, choose_codes)


def _applies(job: TileJob) -> bool:
    return job.kept is None and job.options.programming == "nominal"


PASS = Pass("choose_codes", run, ("blocks", "banks", "scales"), ("choices",), _applies)
