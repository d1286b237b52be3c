"""An array as masks: what ``Cell.layout`` and ``xbar silicon layout`` give."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from xbar.errors import SpecError
from xbar.silicon.layout.array import EDGE, Frame, draw_array
from xbar.silicon.layout.gds import library, tool, write_library
from xbar.silicon.layout.geometry import BankGeometry
from xbar.silicon.layout.netlist import Devices, array_netlist
from xbar.silicon.layout.shapes import Drawing

if TYPE_CHECKING:
    import gdstk

    from xbar.silicon.checks.compare import Comparison
    from xbar.silicon.checks.rules import RuleReport
    from xbar.silicon.checks.wires import Wires

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

    Raises:
        SpecError: W or B is not 1 to 1024, or the name has other signs than [A-Za-z0-9_].

    >>> from xbar.silicon.layout import BankGeometry, Layout
    >>> layout = Layout(BankGeometry(lengths=(4000, 4400, 4840, 5320)), word_lines=16, bit_lines=8)
    >>> layout.width, layout.height
    (30560, 210240)
    """

    geometry: BankGeometry
    word_lines: int
    bit_lines: int
    name: str = "tile"

    def __post_init__(self) -> None:
        for key in ("word_lines", "bit_lines"):
            if not 1 <= getattr(self, key) <= MOST_LINES:
                raise SpecError(f"{key} must be 1 to {MOST_LINES}, not {getattr(self, key)}")
        if not self.name.replace("_", "").isalnum() or not self.name.isascii():
            raise SpecError(f"a layout's name must be of [A-Za-z0-9_], not {self.name!r}")

    @property
    def frame(self) -> Frame:
        """Where the cells lie."""
        return Frame(self.geometry, self.word_lines, self.bit_lines)

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
            ToolError: gdstk is not installed.
        """
        tool()
        return library(self.drawings, self.geometry.rules)

    def write(self, path: str | Path, *, force: bool = False) -> None:
        """Write the masks as a GDS file, atomically; the same layout gives the same bytes.

        Raises:
            ToolError: gdstk is not installed.
            FileError: the file exists and ``force`` is not set, or can't be written.
        """
        write_library(self.library(), Path(path), force=force)

    def netlist(self, devices: Devices = "primitive") -> str:
        """The circuit that the masks must be, as SPICE text with every gate a pin.

        Args:
            devices: "primitive" for elements M and R with their sizes, or "subcircuit" for calls of
                the PDK's models.
        """
        return array_netlist(self.frame, self.name, devices)

    def compare(self) -> Comparison:
        """The masks compared with the netlist: devices and nets, found by the klayout program.

        Raises:
            ToolError: gdstk or klayout is not installed.
            EngineError: klayout failed, or did not end in time.
        """
        from xbar.silicon.checks.compare import compare_masks

        with self._written() as path:
            return compare_masks(path, self.netlist(), self.geometry.process, self.name)

    def check(self) -> RuleReport:
        """The masks measured against own rules, by the klayout program.

        Raises:
            ToolError: gdstk or klayout is not installed.
            EngineError: klayout failed, or did not end in time.
        """
        from xbar.silicon.checks.rules import check_rules

        with self._written() as path:
            return check_rules(path, self.geometry.process, self.name)

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
