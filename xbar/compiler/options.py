"""Options of a compilation, stored with the program."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xbar.compiler.packing.rules import Rule
from xbar.hardware.base import Fraction, Spec
from xbar.hardware.spec import Moment


class Options(Spec):
    """Options of programming a network.

    Attributes:
        mapping: mapping of signed weights: "pair", two cells per weight; or "reference", one cell
            per weight and one bit line of each tile subtracted from all others.
        scale_per: extent of one scale (siemens per unit weight): each "column" of a block, all
            columns of a block on a "tile", or all blocks of a "layer".
        programming: programming method: "subset", the best subset of each measured bank (with read
            noise, that of least bias² + variance, exact up to 40 resistors per weight, heuristic
            beyond); or, for comparison, "nominal", the code of the nominal values, without
            measurement; "write-verify", "bit-slice" or "residual", K tunable devices instead of
            the resistors (see ``tuned.py``).
        write_error: standard deviation of a written conductance of tunable devices, relative to the
            device's full scale; None for that of ``device.error`` at its target, and 0.05 on a
            design without.
        cell_bits: bits per tunable device with "bit-slice".
        wire_aware: whether subsets are chosen for the weights with the tile's wires; takes several
            exact solutions of each tile, and banks of at most 16. With harsh wires few resistors
            are switched in, and inputs and outputs are exchanged within their block (see
            ``passes/correct_wires.py``).
        compact: whether to leave out inputs and outputs whose weights are all zero, and group the
            others so that zeros take few cells; no effect without zero weights.
        pack: lines that blocks on one tile may share: "none", one block per tile; "apart", no line;
            "beside", word lines; "any", bit lines too (see ``packing/rules.py``).
        swap_lines: tiles on which inputs and outputs may be exchanged within their block and with
            idle lines, to minimise the effect of stuck and dead resistors: those with "faults",
            "always" or "never" (see ``passes/assign_lines.py``). With ``wire_aware`` they are
            exchanged for harsh wires too, except with "never".
        aged: whether the chip has aged since switches were chosen: ``Program.on`` sets it, and
            ``chosen``.
        chosen: moment of the chip that switches were chosen for, if it is not the program's own
            chip; None for that chip, or with ``aged`` for ``chip.programmed``.
    """

    mapping: Literal["pair", "reference"] = "pair"
    scale_per: Literal["column", "tile", "layer"] = "column"
    programming: Literal["subset", "nominal", "write-verify", "bit-slice", "residual"] = "subset"
    write_error: Fraction | None = Field(default=None, ge=0)
    cell_bits: int = Field(default=2, ge=1, le=8)
    wire_aware: bool = False
    compact: bool = True
    pack: Rule = "apart"
    swap_lines: Literal["faults", "always", "never"] = "faults"
    aged: bool = False
    chosen: Moment | None = None
