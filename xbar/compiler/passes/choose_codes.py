"""Choose codes of the nominal values, without measurement: a rival of subsets."""

from __future__ import annotations

from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.passes.choose_subsets import choose_codes, chosen_for_tile


def run(state: TileState) -> TileState:
    """Choose the nominal subset of one cell closest to each target."""
    return chosen_for_tile(state, choose_codes)


def _applies(job: TileJob) -> bool:
    return job.kept is None and job.options.programming == "nominal"


PASS = Pass("choose_codes", run, ("blocks", "banks", "scales"), ("choices",), _applies)
