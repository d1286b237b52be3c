"""An array as masks: what ``Cell.layout`` and ``xbar silicon layout`` give."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from xbar.arrays import one_integer
from xbar.errors import SpecError
from xbar.files import write_text
from xbar.silicon.layout.array import EDGE, Frame, draw_array
from xbar.silicon.layout.description import covered, describe, describe_json
from xbar.silicon.layout.gds import library, read_library, tool, top_cell, write_library
from xbar.silicon.layout.geometry import BankGeometry
from xbar.silicon.layout.memory import plan_memory
from xbar.silicon.layout.netlist import Devices, array_netlist
from xbar.silicon.layout.picture import svg
from xbar.silicon.layout.shapes import Drawing
from xbar.silicon.layout.standard import StandardCells, find_cells
from xbar.silicon.process import Process

if TYPE_CHECKING:
    import gdstk

    from xbar.hardware.spec import Hardware
    from xbar.silicon.checks.compare import Comparison
    from xbar.silicon.checks.deck import DeckComparison, DeckReport
    from xbar.silicon.checks.rules import RuleReport
    from xbar.silicon.checks.wires import Wires

Drive: TypeAlias = Literal["left", "right", "both"]
Sense: TypeAlias = Literal["bottom", "top", "both"]

INNER = ("bank", "cell", "ring_contact", "ring_stitch")
"""Names of the cells in an array."""
MOST_LINES = 1024
"""Lines of an array that is drawn."""


@dataclass(frozen=True)
class Layout:
    """The masks of an array of banks.

    Attributes:
        geometry: measures of one cell.
        word_lines: number of word lines W.
        bit_lines: number of bit lines B.
        name: of the top cell and of the netlist's subcircuit.
        memory: whether each switch has a latch of the PDK's standard cells below its bank; without,
            its gate is a pin.
        pdk: the only folder to look for the PDK's cells in; None: PDK_ROOT, then the package.
        drive: ends of the word lines that have a pin: "left", "right" or "both".
        sense: ends of the bit lines that have a pin: "bottom", "top" or "both".

    Raises:
        SpecError: W or B is not 1 to 1024, or the name has other signs than [A-Za-z0-9_] or is
            that of a cell in it; or a
            memory's wires have no room.

    >>> from xbar.silicon.layout import BankGeometry, Layout
    >>> layout = Layout(BankGeometry(lengths=(4000, 4400, 4840, 5320)), word_lines=16, bit_lines=8)
    >>> layout.width, layout.height
    (34400, 210240)
    """

    geometry: BankGeometry
    word_lines: int
    bit_lines: int
    name: str = "tile"
    memory: bool = False
    pdk: Path | None = None
    drive: Drive = "left"
    sense: Sense = "bottom"

    def __post_init__(self) -> None:
        for key in ("word_lines", "bit_lines"):
            if not 1 <= one_integer(getattr(self, key), key) <= MOST_LINES:
                raise SpecError(f"{key} must be 1 to {MOST_LINES}, not {getattr(self, key)}")
        if not self.name.replace("_", "").isalnum() or not self.name.isascii():
            raise SpecError(f"a layout's name must be of [A-Za-z0-9_], not {self.name!r}")
        if self.name in INNER:
            raise SpecError(f"a layout's name must not be {self.name}, that of a cell in it")

    @classmethod
    def of(cls, hardware: Hardware, *, memory: bool = False, pdk: Path | None = None) -> Layout:
        """The array of a design whose table [silicon] says what its bank is drawn as.

        Raises:
            SpecError: it does not say, or this can't be drawn.
        """
        drawn, tile = hardware.silicon, hardware.tile
        if drawn is None:
            raise SpecError(
                "the design must have a table [silicon] with process, lengths and switch_width to "
                "be drawn; 'xbar silicon design' and 'xbar silicon characterise' write one"
            )
        if hardware.bank.layout != "cell":
            raise SpecError(
                f"bank.layout must be 'cell' to be drawn, not {hardware.bank.layout!r}: a bank's "
                "resistors stand in one cell"
            )
        if drawn.switch not in (None, "1v8"):
            raise SpecError(
                f"silicon.switch must be '1v8' to be drawn, not {drawn.switch!r}: there is no "
                "drawing of its transistor"
            )
        widths = tuple(_nanometres(w) for w in drawn.switch_widths)
        geometry = BankGeometry(
            lengths=tuple(_nanometres(x) for x in drawn.lengths),
            switch=widths[0] if len(set(widths)) == 1 else widths,
            process=drawn.process,
        )
        return cls(
            geometry, tile.word_lines, tile.bit_lines,
            memory=memory, pdk=pdk, drive=tile.drive, sense=tile.sense,
        )  # fmt: skip

    @cached_property
    def frame(self) -> Frame:
        """Where the cells lie."""
        planned = plan_memory(self.geometry) if self.memory else None
        geometry = planned.bank if planned else self.geometry
        lines = self.word_lines, self.bit_lines
        return Frame(geometry, *lines, planned, self.drive, self.sense)

    @cached_property
    def cells(self) -> StandardCells | None:
        """The PDK's cells of the memory; None without memory.

        Raises:
            ToolError: no PDK with their masks is there, or gdstk is missing.
            FileError: they are not those that the drawing is made for.
        """
        if not self.memory:
            return None
        place = Process.named(self.geometry.process).place
        return find_cells(place, self.geometry.rules, self.pdk)

    @property
    def cell_area(self) -> float:
        """Square metres of a cell, with its memory if there is one."""
        width, height = self.frame.cell
        return width * height * 1e-18

    @property
    def word_wire(self) -> float:
        """Ohms of a word line from cell to cell: sheet resistance times squares."""
        return (self.frame.memory or self.geometry).word_wire

    @property
    def bit_wire(self) -> float:
        """Ohms of a bit line from cell to cell: sheet resistance times squares."""
        return (self.frame.memory or self.geometry).bit_wire

    @property
    def width(self) -> int:
        """Nanometres of the whole drawing, guard ring and pins included."""
        return self.frame.width + 2 * EDGE

    @property
    def height(self) -> int:
        """Likewise."""
        return self.frame.height + 2 * EDGE

    @property
    def area(self) -> float:
        """Square metres of the whole drawing."""
        return self.width * self.height * 1e-18

    @cached_property
    def drawings(self) -> list[Drawing]:
        """The cells as plain rectangles, the array last."""
        return draw_array(self.frame, self.name)

    def library(self) -> gdstk.Library:
        """The masks as a library of gdstk.

        Raises:
            ToolError: gdstk or the PDK's cells of a memory are missing.
            FileError: the PDK's cells are not those that the drawing is made for.
        """
        tool()
        parts = self.cells.parts() if self.cells is not None else []
        return library(self.drawings, self.geometry.rules, parts)

    def write(self, path: str | Path, *, force: bool = False) -> None:
        """Write the masks as a GDS file, atomically; the same layout gives the same bytes.

        Raises:
            ToolError: gdstk or the PDK's cells of a memory are missing.
            FileError: the file exists and ``force`` is not set, or can't be written.
        """
        write_library(self.library(), Path(path), force=force)

    def netlist(self, devices: Devices = "primitive") -> str:
        """The circuit that the masks must be, as SPICE text.

        Without memory every gate is a pin; with, the PDK's circuit of a latch is part of the text.

        Args:
            devices: "primitive" for elements M and R with their sizes, or "subcircuit" for calls of
                the PDK's models.
        """
        latch = self.cells.circuit if self.cells is not None else ""
        return array_netlist(self.frame, self.name, devices, latch)

    def picture(
        self, path: str | Path, cells: tuple[int, int] = (2, 2), *, force: bool = False
    ) -> None:
        """Write a picture of the masks as SVG, of an array of at most ``cells`` such cells.

        Args:
            path: file to write.
            cells: word lines and bit lines that are shown.
            force: replace an existing file.

        Raises:
            ToolError: gdstk or the PDK's cells of a memory are missing.
            FileError: the file exists and ``force`` is not set, or can't be written.
        """
        rows, columns = min(self.word_lines, cells[0]), min(self.bit_lines, cells[1])
        part = replace(self, word_lines=rows, bit_lines=columns)
        with part._written() as masks:
            found = top_cell(read_library(masks), self.name)
        geometry = self.geometry
        title = f"{rows} x {columns} cells of {geometry.resistors} branches, {geometry.process}"
        if self.memory:
            title += ", with configuration memory"
        write_text(Path(path), svg(found, geometry.rules, title), force=force)

    def write_netlist(self, path: str | Path, *, force: bool = False) -> None:
        """Write the circuit that the masks must be, as calls of the PDK's models.

        Raises:
            ToolError: the PDK's cells of a memory are missing.
            FileError: the file exists and ``force`` is not set, or can't be written.
        """
        write_text(Path(path), self.netlist("subcircuit"), force=force)

    def density(self) -> dict[str, float]:
        """Fraction of a cell's area that each conductor covers: there is no fill.

        Raises:
            ToolError: gdstk or the PDK's cells of a memory are missing.
        """
        with replace(self, word_lines=1, bit_lines=1)._written() as masks:
            found = top_cell(read_library(masks), "cell" if self.memory else "bank")
        return covered(found, self.geometry.rules, self.frame.cell)

    def table(self) -> str:
        """Sizes, areas and wires, one line each, and what the drawing leaves out."""
        return describe(self)

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return describe_json(self)

    def compare(self) -> Comparison:
        """The masks compared with the netlist: devices and nets, found by the klayout program.

        Raises:
            ToolError: gdstk or klayout is not installed.
            EngineError: klayout failed, or did not end in time.
        """
        from xbar.silicon.checks.compare import compare_masks

        with self._written() as path:
            return compare_masks(path, self.netlist(), self.geometry.process, self.name)

    def compare_by(self, deck: str | Path) -> DeckComparison:
        """The masks compared with the netlist by a foundry's deck, in the klayout program.

        Raises:
            FileError: there is no such deck.
            ToolError: gdstk or klayout is not installed.
            EngineError: the deck failed, or did not end in time.
        """
        from xbar.silicon.checks.deck import for_decks, run_netlist_deck

        with self._written() as path:
            netlist = for_decks(self.netlist("subcircuit"))
            return run_netlist_deck(path, netlist, deck, self.name)

    def check(self, deck: str | Path | None = None) -> RuleReport | DeckReport:
        """The masks measured against rules, by the klayout program.

        Args:
            deck: a foundry's deck; own rules if None.

        Raises:
            FileError: there is no such deck.
            ToolError: gdstk or klayout is not installed.
            EngineError: klayout or the deck failed, or did not end in time.
        """
        from xbar.silicon.checks.deck import run_rule_deck
        from xbar.silicon.checks.rules import check_rules

        with self._written() as path:
            if deck is None:
                return check_rules(path, self.geometry.process, self.name)
            return run_rule_deck(path, deck, self.name)

    def wires(self, tolerance: float = 1e-3) -> Wires:
        """Ohms of the wires as they are drawn, from cell to cell and inside each branch.

        Args:
            tolerance: distance of each value's bounds, relative to their middle.

        Raises:
            ToolError: gdstk is not installed.
            SolverError: the ohms can't be bounded so closely.
        """
        from xbar.silicon.checks.wires import extract_wires

        return extract_wires(self, tolerance)

    @contextmanager
    def _written(self) -> Iterator[Path]:
        """The masks as a file in a folder of its own."""
        with tempfile.TemporaryDirectory(prefix="xbar-layout-") as folder:
            path = Path(folder) / f"{self.name}.gds"
            self.write(path)
            yield path


def _nanometres(metres: float) -> int:
    """A length in whole nanometres, of which the geometry checks whether they are on the grid.

    Raises:
        SpecError: it is not a whole number of them.
    """
    nm = round(metres * 1e9)
    if abs(metres * 1e9 - nm) > 1e-3:
        raise SpecError(f"a drawn length must be whole nanometres, not {metres * 1e9:g} nm")
    return nm
