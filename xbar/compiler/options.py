"""What a user may choose about a compilation; it is kept with the program."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xbar.compiler.packing.rules import Rule
from xbar.hardware.base import Quantity, Spec


class Options(Spec):
    """How a network is programmed.

    Attributes:
        mapping: how signed weights become conductances: "pair", two cells a weight; or
            "reference", one cell a weight and one bit line of each tile that is taken off all.
        scale_per: what shares one scale, the siemens that stand for a weight of one: each
            "column" of a block, all columns of a block on a "tile", or all blocks of a "layer".
        programming: how conductances come about: "subset", the best subset of each measured bank
            (with read noise of least bias² + variance, for up to 40 resistors a weight; a good
            guess beyond);
            or, to compare with, "nominal", the code of the nominal values, which nothing was
            measured for; "write-verify", "bit-slice" or "residual", K tunable devices in place
            of the resistors (see ``tuned.py``).
        write_error: of tunable devices: standard deviation of a written conductance, relative to
            the device's full scale.
        cell_bits: of tunable devices: bits that each holds with "bit-slice".
        wire_aware: choose the subsets so that the weights are right with the tile's wires, not
            without them; takes some exact solutions of each tile and banks of at most 16.
        compact: leave out inputs and outputs whose weights are all zero, and gather the others so
            that zeros take as few cells as possible; nothing changes where no weight is zero.
        pack: what blocks that share a tile may have in common: "none", one block a tile; "apart",
            no line; "beside", word lines; "any", bit lines too (see ``packing/rules.py``).
        swap_lines: when inputs and outputs may change places with others of their block and with
            idle lines of the tile, so that stuck and dead resistors harm least: on tiles with
            "faults", "always" or "never" (see ``passes/assign_lines.py``).
    """

    mapping: Literal["pair", "reference"] = "pair"
    scale_per: Literal["column", "tile", "layer"] = "column"
    programming: Literal["subset", "nominal", "write-verify", "bit-slice", "residual"] = "subset"
    write_error: Quantity = Field(default=0.05, ge=0, le=1)
    cell_bits: int = Field(default=2, ge=1, le=8)
    wire_aware: bool = False
    compact: bool = True
    pack: Rule = "apart"
    swap_lines: Literal["faults", "always", "never"] = "faults"
