"""Take the switches of a ticket of this chip: each weight with all its resistors, or with none."""

from __future__ import annotations

from xbar.compiler.passes.base import Pass, TileState


def run(state: TileState) -> TileState:
    """Switch in all resistors of the kept weights, except stuck ones."""
    kept = state.job.kept or ()
    choices = tuple(
        which[..., None] & (bank.element != 0.0)
        for which, bank in zip(kept, state.banks, strict=True)
    )
    return state.having(choices=choices)


PASS = Pass("keep_switches", run, ("banks",), ("choices",), lambda job: job.kept is not None)
