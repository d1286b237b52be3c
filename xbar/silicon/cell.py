"""A cell of an array in a process: the bank that ``Cell.hardware`` makes a design of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import one_integer, one_number, one_of, real
from xbar.errors import SpecError, shown
from xbar.silicon.branch import Branches, Kind, Side
from xbar.silicon.layout.rules import DRAWN
from xbar.silicon.process import Process
from xbar.units import format_quantity, parse_quantity

if TYPE_CHECKING:
    from xbar.hardware.silicon import Drawn
    from xbar.hardware.spec import Hardware
    from xbar.silicon.characterise import Plan, Report
    from xbar.silicon.checks.wires import Wires
    from xbar.silicon.layout.layout import Layout
    from xbar.silicon.model import BranchModel

Length: TypeAlias = str | float
MOST = 64
"""Resistors of a bank."""
LONGEST = 1e-3
"""Metres of a resistor or of a switch's width."""


@dataclass(frozen=True, eq=False)
class Cell:
    """K branches side by side: resistors of different lengths, each with a switch.

    Attributes:
        process: the process, or its name; its models are needed to characterise only.
        resistors: number of branches, K.
        length: length of the first resistor in metres or as text such as "4u"; or K lengths.
        ratio: ratio of successive lengths, each then rounded to the grid of the masks.
        switch_width: width of the switches' NMOS likewise: one, or K.
        switch: name of the switch's transistors in the process; None for its first.
        kind: "nmos", or "transmission" for a transmission gate at half the supply, which takes a
            second transistor and an inverted signal for each branch.
        side: the line that the switches lie beside. "bit": their overdrive is then constant,
            whatever the input is; on the "word" side it moves with it, and the current bends more.
        series: ohms of contacts and wires inside a branch, of all or K; None for those of the
            drawing, or none where there is no drawing.

    Raises:
        SpecError: a value is not a length, is less than the process can make, or there are not K.

    >>> cell = Cell("sky130", resistors=4, length="4u", ratio=1.1)
    >>> [round(1e9 * each) for each in cell.lengths]
    [4000, 4400, 4840, 5325]
    """

    process: Process | str
    resistors: int = 8
    length: Length | Sequence[Length] = "4u"
    ratio: float = 1.1
    switch_width: Length | Sequence[Length] = "1u"
    switch: str | None = None
    kind: Kind = "nmos"
    side: Side = "bit"
    series: float | Sequence[float] | None = None
    notes: tuple[str, ...] = field(init=False, repr=False)
    _bare: Branches = field(init=False, repr=False)

    def __post_init__(self) -> None:
        process = self.process if isinstance(self.process, Process) else Process.named(self.process)
        if not 1 <= one_integer(self.resistors, "resistors") <= MOST:
            raise SpecError(f"a cell must have 1 to {MOST} resistors, not {self.resistors}")
        device = process.switch(self.switch)
        asked = self._asked_lengths()
        lengths = _rounded(asked, process, "length", process.resistor.least_length)
        widths = _rounded(
            self._each(self.switch_width, "switch_width"),
            process,
            "switch_width",
            device.least_width,
        )
        branches = Branches(
            process,
            device,
            lengths,
            widths,
            self._given_series(),
            one_of(self.kind, "kind", ("nmos", "transmission")),
            one_of(self.side, "side", ("bit", "word")),
        )
        object.__setattr__(self, "process", process)
        object.__setattr__(self, "_bare", branches)
        object.__setattr__(self, "notes", _notes(asked, lengths, process))

    @property
    def lengths(self) -> tuple[float, ...]:
        """(K,) metres of the resistors, on the grid of the masks."""
        return tuple(self._bare.length.tolist())

    @property
    def switch_widths(self) -> tuple[float, ...]:
        """(K,) metres of the switches, on the grid of the masks."""
        return tuple(self._bare.width.tolist())

    @cached_property
    def branches(self) -> Branches:
        """The branches that ngspice simulates, with their contacts and wires.

        Raises:
            SpecError: ``series`` is that of the drawing, which can't hold these sizes.
            ToolError: likewise, and gdstk is not installed.
        """
        if self.series is not None or not self.is_drawn:
            return self._bare
        return replace(self._bare, series=self.wires.series)

    @property
    def is_drawn(self) -> bool:
        """Whether there is a drawing of such cells, of whatever sizes."""
        branches = self._bare
        return branches.process.name in DRAWN and self._is_drawn_kind

    @property
    def _is_drawn_kind(self) -> bool:
        """Whether the switches are of the kind that is drawn."""
        branches = self._bare
        nmos = (branches.kind, branches.side) == ("nmos", "bit")
        return nmos and branches.switch is branches.process.switch()

    @cached_property
    def wires(self) -> Wires:
        """Ohms from cell to cell and inside each branch, as drawn.

        Raises:
            SpecError: there is no drawing of such a cell.
            ToolError: gdstk is not installed.
        """
        return self.layout(1, 1).wires()

    def characterise(self, plan: Plan | None = None, report: Report | None = None) -> BranchModel:
        """The model of the cell's branches, from ngspice; the same plan is simulated once.

        Args:
            plan: temperature, supply, deviations and so on; None for the process's own.
            report: called with the number of decks done and of all.

        Raises:
            SpecError: a value of the plan is out of range.
            ToolError: ngspice or the process's models are not installed.
            EngineError: ngspice failed.
            FileError: the models lack a corner.
        """
        from xbar.silicon.characterise import Plan, characterise

        plan = plan or Plan()
        known = self.__dict__.setdefault("_models", {})
        if plan not in known:
            known[plan] = characterise(self.branches, plan, report)
        model: BranchModel = known[plan]
        return model

    def hardware(
        self,
        word_lines: int,
        bit_lines: int,
        wires: tuple[float, float] | None = None,
        model: BranchModel | None = None,
    ) -> Hardware:
        """The design of an array of such cells.

        Args:
            word_lines: number of word lines.
            bit_lines: number of bit lines.
            wires: ohms of a word line's and of a bit line's segment, from one cell to the next;
                None for those of the drawing.
            model: model of the branches; None to characterise them.

        Raises:
            SpecError: ``wires`` is None and there is no drawing, or a value is out of range.
            ToolError: ngspice, the process's models, or gdstk for the drawing are not installed.
            EngineError: ngspice failed.
        """
        from xbar.hardware.spec import Hardware
        from xbar.hardware.tile import Tile

        word, bit = wires or (self.wires.word_wire, self.wires.bit_wire)
        tile = Tile(word_lines=word_lines, bit_lines=bit_lines, word_wire=word, bit_wire=bit)
        name = f"{self._bare.process.name}, {self.resistors} resistors a cell"
        model = model or self.characterise()
        return Hardware(name=name, bank=model.bank(), tile=tile, silicon=self._drawn(model))

    def _drawn(self, model: BranchModel) -> Drawn | None:
        """What later netlists and masks are made from; they know NMOS beside the bit line only."""
        from xbar.hardware.silicon import Drawn

        branches = self._bare
        if (branches.kind, branches.side) != ("nmos", "bit"):
            return None
        return Drawn(
            process=branches.process.name,
            lengths=self.lengths,
            switch_width=self.switch_widths,
            switch=branches.switch.name,
            temperature=_unlike(model.temperature, branches.process.temperature),
            supply=_unlike(model.supply, branches.switch.supply),
        )

    def layout(self, word_lines: int, bit_lines: int) -> Layout:
        """The masks of an array of such cells.

        Raises:
            SpecError: there is no drawing of such a cell, or the process can't hold it.
        """
        from xbar.silicon.layout.geometry import BankGeometry
        from xbar.silicon.layout.layout import Layout

        branches = self._bare
        first = branches.process.switch()
        if not self._is_drawn_kind:
            raise SpecError(
                f"masks can be drawn of NMOS switches {first.name} beside the bit line, not of "
                f"{branches.kind} {branches.switch.name} beside the {branches.side} line"
            )
        lengths, widths = (
            tuple(round(1e9 * each) for each in values.tolist())
            for values in (branches.length, branches.width)
        )
        geometry = BankGeometry(lengths, widths, branches.process.name)
        return Layout(geometry, word_lines, bit_lines)

    def _asked_lengths(self) -> list[float]:
        if isinstance(self.length, (str, Real)):
            first = parse_quantity(self.length, "m")
            if not 0.5 <= one_number(self.ratio, "ratio") <= 2:
                raise SpecError(f"ratio must be from 0.5 to 2, not {shown(self.ratio)}")
            return [first * float(self.ratio) ** k for k in range(self.resistors)]
        return self._each(self.length, "length")

    def _each(self, value: Length | Sequence[Length], what: str) -> list[float]:
        """K lengths in metres from one or K of them."""
        if isinstance(value, (str, Real)):
            return [parse_quantity(value, "m")] * self.resistors
        if not isinstance(value, (Sequence, np.ndarray)):
            raise SpecError(f"{what} must be a length such as '4u' or a list, not {shown(value)}")
        if len(value) != self.resistors:
            raise SpecError(
                f"{what} must be one or {self.resistors}, one a resistor, not {len(value)}"
            )
        return [parse_quantity(each, "m") for each in value]

    def _given_series(self) -> NDArray[np.float64]:
        """(K,) ohms, 0 where those of the drawing are wanted."""
        given = real(0.0 if self.series is None else self.series, "series")
        values = np.asarray(given, dtype=np.float64)
        if values.shape not in ((), (self.resistors,)):
            raise SpecError(
                f"series must be one or {self.resistors}, one a resistor, not {values.size}"
            )
        if not np.all((values >= 0) & (values < 1e6)):
            raise SpecError(f"series must be ohms from 0 to 1e6, not {shown(self.series)}")
        return np.array(np.broadcast_to(values, self.resistors))


def _unlike(value: float, usual: float) -> float | None:
    return None if value == usual else value


def _rounded(values: list[float], process: Process, what: str, least: float) -> NDArray[np.float64]:
    found = [process.length(value, f"{what}[{k}]") for k, value in enumerate(values)]
    for k, each in enumerate(found):
        if not least <= each <= LONGEST:
            raise SpecError(
                f"{what}[{k}] must be from {format_quantity(least, 'm')}, the least that "
                f"{process.name} makes, to {format_quantity(LONGEST, 'm')}, not "
                f"{format_quantity(each, 'm', 4)}"
            )
    return np.array(found)


def _notes(asked: list[float], lengths: NDArray[np.float64], process: Process) -> tuple[str, ...]:
    """What was done to the lengths."""
    notes = []
    # relative to the grid, for that a length such as 4.4e-6 is no exact number
    if np.any(np.abs(np.array(asked) - lengths) > 1e-6 * process.grid):
        shown_lengths = ", ".join(f"{1e6 * each:.10g}" for each in lengths)
        notes.append(
            f"lengths were rounded to the grid of {format_quantity(process.grid, 'm')}: "
            f"{shown_lengths} um"
        )
    if len(np.unique(lengths)) < len(lengths):
        notes.append("resistors of equal length match: their sums fill a range with large gaps")
    return tuple(notes)
