"""A process's branches at any length, from the characterisation of a few.

A resistor is a body and two ends, so what is told of a branch follows its length smoothly: its
ohms grow with the length, its relative deviation falls with the root of it, and its bend, which
the switch's part of the voltage causes, with its square. Divided by these powers, a resistor's
quantities are nearly straight lines over 1 / length, which is what the ends have part in, and those
of the bend are smooth over its logarithm; cubic splines give the rest.

Shapes: K branches of a bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

    from xbar.silicon.characterise import Report
    from xbar.silicon.model import BranchModel
    from xbar.silicon.process import Process

LONGEST = 32e-6
"""Metres of the longest resistor that a design looks at."""
_SAMPLED = 5
"""Lengths that are characterised."""
_COPIES = 200
"""Devices of each length that are drawn for their deviations; one fit is through all lengths."""
_POWERS = {
    "resistance": 1.0,
    "series": 0.0,
    "switch_resistance": 0.0,
    "switch_slope": 0.0,
    "switch_bend": 0.0,
    "switch_cubic": 0.0,
    "switch_share_slope": -1.0,
    "sigma_resistor": -0.5,
    "sigma_threshold": 0.0,
    "c2": -2.0,
    "c3": -2.0,
    "kink": -2.0,
    "c2_slope": 0.0,
    "rise": -1.0,
    "off": 0.0,
}
"""Powers of the length that the quantities of a branch go with, about."""


@dataclass(frozen=True, eq=False)
class LengthLaw:
    """What a branch is at any length between the shortest and the longest characterised one.

    Attributes:
        model: branches of at least four lengths, in increasing order.

    Raises:
        SpecError: there are fewer, or they do not increase.
    """

    model: BranchModel

    def __post_init__(self) -> None:
        lengths = self.model.length
        if len(lengths) < 4 or not np.all(np.diff(lengths) > 0):
            raise SpecError(
                f"a law over the length needs four or more increasing lengths, not {len(lengths)}"
            )

    @classmethod
    def characterised(
        cls, process: Process, width: float, report: Report | None = None
    ) -> LengthLaw:
        """The law of a process without contacts, from ngspice, for switches ``width`` metres wide.

        Raises:
            ToolError: ngspice or the process's models are not installed.
            EngineError: ngspice failed.
        """
        from xbar.silicon.cell import Cell
        from xbar.silicon.characterise import Plan
        from xbar.silicon.mismatch import Sample

        lengths = np.geomspace(process.resistor.least_length, LONGEST, _SAMPLED)
        bare = replace(process, skewed=())  # a law has no use for corners
        cell = Cell(bare, _SAMPLED, lengths.tolist(), switch_width=width, series=0.0)
        return cls(cell.characterise(Plan(sample=Sample(_COPIES)), report))

    @cached_property
    def _splines(self) -> dict[str, CubicSpline]:
        from scipy.interpolate import CubicSpline

        length = self.model.length
        return {
            name: CubicSpline(_place(name, length), getattr(self.model, name) / length**power)
            for name, power in _POWERS.items()
        }

    def at(self, lengths: Sequence[float]) -> BranchModel:
        """The model of branches of K lengths in metres; corners and the like are left out.

        Raises:
            SpecError: a length is outside the characterised ones.
        """
        asked, known = np.asarray(lengths, dtype=np.float64), self.model.length
        if not np.all((asked >= known[0] * (1 - 1e-9)) & (asked <= known[-1] * (1 + 1e-9))):
            raise SpecError(
                f"lengths must be from {1e6 * known[0]:g} to {1e6 * known[-1]:g} um, as "
                f"characterised, not {1e6 * asked.min():g} to {1e6 * asked.max():g} um"
            )
        found: dict[str, Any] = {
            name: spline(_place(name, asked)) * asked ** _POWERS[name]
            for name, spline in self._splines.items()
        }
        return replace(self.model, length=asked, corners={}, supplies={}, open={}, **found)


def _place(name: str, length: Floats) -> Floats:
    """Where a quantity of branches of some length lies on its spline; increasing."""
    return np.log(length) if name in ("c2", "c3", "kink") else -1 / length
