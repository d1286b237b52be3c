"""Form each weight's bank from the resistors of its cells, on the block's current lines.

Shared reference cells are programmed first: their conductance is part of every bank.
"""

from __future__ import annotations

import numpy as np

from xbar.compiler.passes.base import Pass, TileState
from xbar.subset.scaling import reach_of


def run(state: TileState) -> TileState:
    """Form banks and their ranges, and a mask with the switches of reference cells closed."""
    mapping, (on, off, stuck) = state.job.mapping, state.resistors
    mask = np.zeros(on.shape, dtype=np.bool_)
    mapping.close_references(mask, on, off, stuck, state.blocks)
    banks = tuple(mapping.bank(on, off, stuck, block, mask) for block in state.blocks)
    reach = tuple(reach_of(bank.element, bank.offset) for bank in banks)
    return state.having(mask=mask, banks=banks, reach=reach)


PASS = Pass(
    "form_banks",
    run,
    needs=("resistors", "blocks"),
    makes=("mask", "banks", "reach"),
    applies=lambda job: job.tuned is None,
)
