"""A bank for some bits at some lines, of least area: what ``xbar silicon design`` gives.

The bits are measured, not estimated: random weights are compiled for sampled chips behind the
wires of the drawing (``bits.py``). The search (``search.py``) knows branches by a law over their
length (``lengths.py``); what it finds is characterised itself, and measured on other chips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SpecError
from xbar.silicon.bits import Held, bits_of, chips_needed, measure_bits
from xbar.silicon.cell import Cell
from xbar.silicon.lengths import LengthLaw
from xbar.silicon.process import Process
from xbar.silicon.search import Limits, Search
from xbar.tables import Card, Facts

if TYPE_CHECKING:
    from xbar.hardware.spec import Hardware
    from xbar.silicon.layout.geometry import BankGeometry
    from xbar.silicon.model import BranchModel
    from xbar.silicon.search import Candidate

Stage: TypeAlias = Callable[[str, int, int], None]
"""Called with the name of a stage, its steps done, and their total."""
MARGIN = 0.05
"""Bits that the search asks for in addition, because chips differ."""
_ATTEMPTS = 5
_CHIPS = 3
_OTHERS = 1000
"""Distance of the seeds that a design is confirmed with from those of the search."""
TEMPERATURES = (-40.0, 85.0)


@dataclass(frozen=True, eq=False, repr=False)
class Design(Card):
    """A bank and its array that hold some bits.

    Attributes:
        bits: bits that were asked for.
        held: errors of weights on sampled chips.
        chips: number of these chips.
        cell: the cell.
        model: its branches as characterised.
        hardware: design of the array, for ``xbar.compile`` and to be saved.
        geometry: drawing of the cell.
        law_error: worst relative error of a branch's conductance by the law over the length,
            against the characterised bank.
        tried: number of banks that the search compiled for.
    """

    bits: float
    held: Held
    chips: int
    cell: Cell
    model: BranchModel
    hardware: Hardware
    geometry: BankGeometry
    law_error: float
    tried: int

    @property
    def area(self) -> float:
        """Square metres of a cell, without configuration memory."""
        return self.geometry.area

    @property
    def headline(self) -> str:
        """The design in a line."""
        low, high = (1e6 * each(self.cell.lengths) for each in (min, max))
        tile = self.hardware.tile
        lines = f"{tile.word_lines}"
        if tile.bit_lines != tile.word_lines:
            lines += f" x {tile.bit_lines}"
        return (
            f"{self.bits:g} bits at {lines} lines: K = {self.cell.resistors}, lengths {low:.3g} "
            f"to {high:.3g} um, {1e12 * self.area:.0f} um2 a cell"
        )

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the hardware as TOML, with what is known of it in remarks.

        Raises:
            FileError: the file exists and ``force`` is not set, or can't be written.
        """
        from xbar.files import write_text
        from xbar.hardware.toml import to_toml

        remarks = [self.headline, *(f"{name}: {text}" for name, text in self._facts()[1:])]
        remarks += self.model.facts()
        write_text(Path(path), to_toml(self.hardware, remarks), force=force)

    def __str__(self) -> str:
        return "\n".join(
            [self.headline, *(f"  {name}: {text}" for name, text in self._facts()[1:])]
        )

    def _facts(self) -> Facts:
        held = self.held
        lengths = ", ".join(f"{1e6 * each:.10g}" for each in self.cell.lengths)
        rows = [
            ("design", self.headline),
            ("lengths", f"{lengths} um"),
            ("a weight", f"{2e12 * self.area:.0f} um2 without configuration memory"),
            ("wires", self._wires()),
            ("measured", self._measured()),
            ("search", f"{self.tried} banks; law over the length off by {self.law_error:.1e}"),
        ]
        for name, (raw, rest) in held.other.items():
            text = f"{bits_of(raw):.1f} bits, {bits_of(rest):.1f} with one gain calibrated"
            rows.append((f"programmed at {self.model.temperature:g} C, read at {name}", text))
        return rows

    def _wires(self) -> str:
        tile, series = self.hardware.tile, self.model.series
        return (
            f"{tile.word_wire:.3g} and {tile.bit_wire:.3g} ohm a cell, {series.max():.0f} ohm "
            "inside a branch, from the masks"
        )

    def _measured(self) -> str:
        held, volts = self.held, self.hardware.read_voltage
        return (
            f"{held.bits:.2f} bits on {self.chips} sampled chips: the weights "
            f"{bits_of(held.weight):.2f}, the bend at +-{volts:g} V {bits_of(held.bend):.2f}"
        )

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        held = self.held
        return {
            "bits": self.bits,
            "process": self.model.process,
            "word_lines": self.hardware.tile.word_lines,
            "bit_lines": self.hardware.tile.bit_lines,
            "resistors": self.cell.resistors,
            "lengths": list(self.cell.lengths),
            "switch_widths": list(self.cell.switch_widths),
            "area": self.area,
            "word_wire": self.hardware.tile.word_wire,
            "bit_wire": self.hardware.tile.bit_wire,
            "measured_bits": held.bits,
            "weight_error": held.weight,
            "bend_error": held.bend,
            "chips": self.chips,
            "conditions": {
                name: {"error": raw, "error_with_one_gain": rest}
                for name, (raw, rest) in held.other.items()
            },
            "law_error": self.law_error,
            "tried": self.tried,
            "notes": list(self.model.notes),
        }


def design(
    process: Process | str,
    bits: float,
    limits: Limits | None = None,
    report: Stage | None = None,
) -> Design:
    """The bank of least area whose weights have some bits.

    Args:
        process: process with its models, or its name.
        bits: required bits, from 2 to 20: of a uniform quantiser with the same rms error, the
            bend of the branches at the read voltage included.
        limits: lines, and where to look; by default 64 x 64 lines and any bank.
        report: called with the name of a stage, its steps done, and their total.

    Raises:
        SpecError: no bank within the limits holds the bits, or there is no drawing of the process.
        ToolError: ngspice or the process's models are not installed.
        EngineError: ngspice failed.
    """
    found = Process.named(process) if isinstance(process, str) else process
    limits, tell = limits or Limits(), report or (lambda stage, done, total: None)
    if not 2 <= bits <= 20:
        raise SpecError(f"bits must be from 2 to 20, not {bits:g}")
    _check_drawing(found, limits)
    found = found.located()
    law = LengthLaw.characterised(
        found, limits.switch_width, lambda done, total: tell("characterise lengths", done, total)
    )
    search = Search(found, law, limits, lambda done, total: tell("search", done, total))
    return _Designer(search, bits, tell).run()


class _Designer:
    """Search, and confirm on other chips what was found; search for more where it falls short."""

    def __init__(self, search: Search, bits: float, tell: Stage) -> None:
        self.search, self.bits, self.tell = search, bits, tell

    def run(self) -> Design:
        goal = self.bits + MARGIN
        for _ in range(_ATTEMPTS):
            candidate = self.search.best(goal)
            if candidate is None:
                break
            made = self._made(candidate, characterised=False)
            if made.held.bits >= self.bits:
                made = self._made(candidate, characterised=True)
                if made.held.bits >= self.bits:
                    return made
            goal += self.bits - made.held.bits + MARGIN
        raise SpecError(self._why())

    def _made(self, candidate: Candidate, *, characterised: bool) -> Design:
        """A candidate as a design, its bits measured on other chips at the lines asked for."""
        search, limits = self.search, self.search.limits
        geometry = search.geometry(candidate)
        lengths = [1e-9 * each for each in geometry.lengths]
        cell = Cell(search.process, len(lengths), lengths, switch_width=limits.switch_width)
        model = law = search.law.at(cell.lengths)
        wires: tuple[float, float] | None = (geometry.word_wire, geometry.bit_wire)
        shifts: dict[str, NDArray[np.float64]] = {}
        if characterised:
            wires = None  # those of the masks
            model = cell.characterise(
                report=lambda done, total: self.tell("characterise the bank", done, total)
            )
            law = replace(law, series=model.series)
            shifts = _shifts(model)
        error = float(np.abs(law.conductance / model.conductance - 1).max())
        hardware = cell.hardware(limits.word_lines, limits.bit_lines, wires, model)
        self.tell("confirm", 0, 1)
        chips = chips_needed(limits.word_lines, limits.bit_lines, _CHIPS)
        held = measure_bits(hardware, chips, limits.seed + _OTHERS, shifts)
        count = len(search.tried)
        return Design(self.bits, held, chips, cell, model, hardware, geometry, error, count)

    def _why(self) -> str:
        limits, process = self.search.limits, self.search.process.name
        low, high = limits.ratio
        kind = f"{limits.counts[0]}"
        if len(limits.counts) > 1:
            kind += f" to {limits.counts[-1]}"
        told = (
            f"no bank of {kind} resistors with a ratio of {low:g} to {high:g} holds "
            f"{self.bits:g} bits at {limits.word_lines} x {limits.bit_lines} lines in {process}"
        )
        if self.search.tried:
            most, best = self.search.most()
            told += (
                f"; the most was {most:.1f}, of {best.resistors} resistors from "
                f"{1e6 * best.first:.3g} um with a ratio of {best.ratio:g}"
            )
        elif self.search.ideal:
            told += f"; with ideal wires the most is about {max(self.search.ideal.values()):.1f}"
        return f"{told}; ask for fewer bits or lines, or allow other banks"


def _shifts(model: BranchModel) -> dict[str, NDArray[np.float64]]:
    """(K,) relative changes of G after programming, by condition."""
    found = {}
    for celsius in TEMPERATURES:
        away = celsius - model.temperature
        found[f"{celsius:g} C"] = model.tempco[0] * away + model.tempco[1] * away**2
    return found | {f"{volts:g} V": change for volts, change in model.supplies.items()}


def _check_drawing(process: Process, limits: Limits) -> None:
    """Check that there are masks of such a cell, before anything is simulated.

    Raises:
        SpecError: there are none, or the switch is out of range.
        ToolError: gdstk is not installed.
    """
    from xbar.silicon.layout.gds import tool

    shortest = process.resistor.least_length
    Cell(process, 2, shortest, 1.0, limits.switch_width).layout(1, 2)
    tool()
