"""Make each weight's bank of its cells' resistors, where its block lies now.

The cells that weights share are programmed first: what they have is part of every bank.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xbar.compiler.passes.base import Pass, TileState
from xbar.subset.scaling import reach_of


def run(state: TileState) -> TileState:
    """Banks and what they reach, and a mask with the switches of reference cells closed."""
    mapping, (on, off, stuck) = state.job.mapping, state.resistors
    mask = np.zeros(on.shape, dtype=np.bool_)
    mapping.close_references(mask, on, off, stuck, state.blocks)
    banks = tuple(mapping.bank(on, off, stuck, block, mask) for block in state.blocks)
    reach = tuple(reach_of(bank.element, bank.offset) for bank in banks)
    return replace(state, mask=mask, banks=banks, reach=reach)


PASS = Pass(
    "form_banks",
    run,
    needs=("resistors", "blocks"),
    makes=("mask", "banks", "reach"),
    applies=lambda job: job.tuned is None,
)
