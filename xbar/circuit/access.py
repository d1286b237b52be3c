"""One cell of an array reached alone: what the others see, and what they add to the reading.

    scheme        other word lines   other bit lines   half-selected cells   others
    "ground"      0                  0                 V on the word line    0
    "V/2"         V/2                V/2               V/2                   0
    "V/3"         V/3                2V/3              V/3                   -V/3
    "5V/12"       5V/12              7V/12             5V/12                 -V/6
    "float"       floating           floating          what the cells make it
    "float words", "float bits"      floating on one side, 0 on the other

The selected word line is at V, the selected bit line is read at 0 V. The voltages are those of
drivers and amplifiers, so with ideal wires those of the cells. The sneak current is what reaches
the selected bit line's amplifier beside the current of the selected cell. 5V/12: W. Sun, S. Choi,
H. Shin, Semicond. Sci. Technol. 31, 085009 (2016).

Shapes: W word lines, B bit lines. Units: SI.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import attrs
import numpy as np

from xbar.arrays import Bools, Floats, as_indices, frozen, one_number, one_of
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.nonlinear import CellLaw, PolynomialCell, solve_nonlinear
from xbar.circuit.selectors import GatedCell, SeriesCell, check_range
from xbar.errors import SpecError, XbarWarning
from xbar.hardware.tile import Tile
from xbar.tables import Card, Facts
from xbar.units import format_quantity

Scheme: TypeAlias = Literal["ground", "V/2", "V/3", "5V/12", "float", "float words", "float bits"]
"""What the lines that are not selected are held at."""
Gates: TypeAlias = Literal["none", "word", "bit"]
"""Lines along which the gates of access transistors run; "none" for cells without them."""

_MOST_LINES = 4096
"""Lines of a square array: its cells take 128 MiB."""

_HELD: dict[str, tuple[float | None, float | None]] = {
    "ground": (0.0, 0.0),
    "V/2": (1 / 2, 1 / 2),
    "V/3": (1 / 3, 2 / 3),
    "5V/12": (5 / 12, 7 / 12),
    "float": (None, None),
    "float words": (None, 0.0),
    "float bits": (0.0, None),
}


@dataclass(frozen=True, eq=False, repr=False)
class Access(Card):
    """An array while one of its cells is read or written.

    Attributes:
        scheme: what the other lines are held at.
        word_line: selected word line.
        bit_line: selected bit line.
        volts: volts of the selected word line's driver.
        voltage: (W, B) volts across each cell, word line minus bit line; NaN at lines that no cell
            connects to anything.
        cell_current: (W, B) amperes through each cell, from the word line to the bit line.
        current: amperes into the selected bit line's amplifier.
        drawn: amperes out of the selected word line's driver.
        power: watts in cells, wires, drivers and amplifiers.
    """

    scheme: Scheme
    word_line: int
    bit_line: int
    volts: float
    voltage: Floats
    cell_current: Floats
    current: float
    drawn: float
    power: float

    @property
    def selected_voltage(self) -> float:
        """Volts across the selected cell."""
        return float(self.voltage[self.word_line, self.bit_line])

    @property
    def selected_current(self) -> float:
        """Amperes through the selected cell."""
        return float(self.cell_current[self.word_line, self.bit_line])

    @property
    def sneak_current(self) -> float:
        """Amperes into the selected amplifier that did not come through the selected cell.

        Negative where cells draw current off the bit line.
        """
        others = np.delete(self.cell_current[:, self.bit_line], self.word_line)
        return float(others.sum())

    @property
    def half_selected(self) -> tuple[float, float]:
        """The voltages farthest from 0 across another cell of the selected word and bit line."""
        row = np.delete(self.voltage[self.word_line], self.bit_line)
        column = np.delete(self.voltage[:, self.bit_line], self.word_line)
        return _farthest(row), _farthest(column)

    @property
    def unselected_voltage(self) -> float:
        """The voltage farthest from 0 across a cell of neither line."""
        rest = np.delete(np.delete(self.voltage, self.word_line, 0), self.bit_line, 1)
        return _farthest(rest)

    def _facts(self) -> Facts:
        along, across = self.half_selected
        return [
            ("scheme", self.scheme),
            ("selected cell", f"word line {self.word_line}, bit line {self.bit_line}"),
            ("voltage", f"{self.selected_voltage:.4g} of {self.volts:g} V"),
            ("half-selected", f"{along:.4g} V on its word line, {across:.4g} V on its bit line"),
            ("unselected", f"{self.unselected_voltage:.4g} V"),
            ("current", format_quantity(self.selected_current, "A")),
            ("sneak current", format_quantity(self.sneak_current, "A")),
            ("power", format_quantity(self.power, "W")),
        ]


def _farthest(volts: Floats) -> float:
    known = volts[~np.isnan(volts)]
    return float(known[np.argmax(np.abs(known))]) if known.size else 0.0


def access(
    crossbar: Crossbar,
    word_line: int,
    bit_line: int,
    volts: float,
    scheme: Scheme = "V/2",
    *,
    law: CellLaw | None = None,
    gates: Gates = "none",
) -> Access:
    """Reach one cell of a crossbar, the other lines held or floating by a scheme.

    Args:
        crossbar: crossbar with its wires, solved exactly.
        word_line: selected word line.
        bit_line: selected bit line.
        volts: volts of the selected word line's driver.
        scheme: what the other lines are held at.
        law: I-V curve of the cells; Ohm's law by default.
        gates: lines along which the gates of access transistors run (1T1R): the cells of lines
            that are not selected are then open. "none" for cells without one.

    Raises:
        SpecError: an index or a name is unknown, or a selected line is not driven or read.
        SolverError: Newton's method did not converge.

    >>> f"{access(Crossbar(np.full((4, 4), 1e-4)), 0, 0, 0.3, 'V/3').sneak_current:.3e}"
    '3.000e-05'
    """
    lines, columns = crossbar.conductance.shape
    i = int(as_indices(word_line, "word_line", lines, "a word line")[0])
    j = int(as_indices(bit_line, "bit_line", columns, "a bit line")[0])
    one_of(scheme, "scheme", get_args(Scheme))
    one_of(gates, "gates", get_args(Gates))
    volts = one_number(volts, "volts")
    if np.isinf(crossbar.source[i]) or np.isinf(crossbar.load[j]):
        raise SpecError(
            f"the selected lines must have a driver and an amplifier, and word line {i} or bit "
            f"line {j} has an infinite source or load"
        )
    word, bit = _HELD[scheme]
    driven = np.full(lines, 0.0 if word is None else word * volts)
    held = np.full(columns, 0.0 if bit is None else bit * volts)
    driven[i], held[j] = volts, 0.0
    on = _reached((lines, columns), i, j, gates)
    if law is not None and gates != "none":
        law = GatedCell(law, on)
    biased = attrs.evolve(
        crossbar,
        conductance=np.where(on, crossbar.conductance, 0.0),
        source=_floating(crossbar.source, i, word),
        load=_floating(crossbar.load, j, bit),
    )
    across, through, current = _solved(biased, law, driven, held)
    power = float((through.sum(axis=1) * driven).sum() - (through.sum(axis=0) * held).sum())
    return Access(
        scheme,
        i,
        j,
        volts,
        voltage=frozen(across),
        cell_current=frozen(through),
        current=float(current[j]),
        drawn=float(through[i].sum()),
        power=power,
    )


def _reached(shape: tuple[int, int], i: int, j: int, gates: Gates) -> Bools:
    """(W, B) cells whose access transistors are on."""
    on = np.full(shape, gates == "none")
    if gates == "word":
        on[i] = True
    elif gates == "bit":
        on[:, j] = True
    return on


def _floating(ohms: Floats, selected: int, level: float | None) -> Floats:
    """Sources or loads, infinite but for the selected line where the others float."""
    if level is not None:
        return ohms
    found = np.full_like(ohms, np.inf)
    found[selected] = ohms[selected]
    return found


def _solved(
    crossbar: Crossbar, law: CellLaw | None, driven: Floats, held: Floats
) -> tuple[Floats, Floats, Floats]:
    """Voltages across and currents through the cells (W, B), and the amplifiers' currents (B,)."""
    if law is None:
        with warnings.catch_warnings():
            # lines that only open cells touch are told by their NaN
            warnings.filterwarnings("ignore", "no voltage for", XbarWarning)
            found = crossbar.solve(driven[None], held)
        across = found.word_voltage[0] - found.bit_voltage[0]
        return across, found.cell_current[0], found.current[0]
    if crossbar.ideal:  # nothing is unknown
        across = driven[:, None] - held
        through = law.current(across)[0]
        check_range(law, across)
        return across, through, through.sum(axis=0)
    bent = solve_nonlinear(crossbar, law, driven[None], 1e-12, held)
    across = bent.word_voltage[0] - bent.bit_voltage[0]
    return across, bent.cell_current[0], bent.current[0]


@dataclass(frozen=True, eq=False, repr=False)
class ReadMargins(Card):
    """How well an on cell is told from an off one, all other cells on, by size of the array.

    Attributes:
        scheme: what the other lines are held at.
        sizes: (S,) lines W = B of square arrays.
        on_current: (S,) amperes into the amplifier with the selected cell on.
        off_current: (S,) amperes with it off.
        sneak_current: (S,) amperes of the latter that came through other cells.
        on_voltage: (S,) volts across the selected cell when it is on.
        power: (S,) watts of the whole array when it is on.
        half_selected: (S, 2) volts farthest from 0 across other cells of its word line and of its
            bit line, when it is on.
        unselected: (S,) the same of cells of neither.
    """

    scheme: Scheme
    sizes: tuple[int, ...]
    on_current: Floats
    off_current: Floats
    sneak_current: Floats
    on_voltage: Floats
    power: Floats
    half_selected: Floats
    unselected: Floats

    @property
    def margin(self) -> Floats:
        """(S,) of the on current, the part that an off cell lacks: 1 is best, 0 can't be read."""
        return np.asarray(1.0 - self.off_current / self.on_current)

    def _facts(self) -> Facts:
        each = zip(self.sizes, self.margin, self.sneak_current, strict=True)
        lines = [
            (f"{n} x {n}", f"margin {100 * m:.1f} %, sneak {format_quantity(float(s), 'A')}")
            for n, m, s in each
        ]
        return [("scheme", self.scheme), *lines]


def read_margins(
    tile: Tile,
    on: float,
    off: float,
    sizes: Sequence[int],
    *,
    volts: float,
    scheme: Scheme = "V/2",
    selector: CellLaw | None = None,
) -> ReadMargins:
    """Read margins of square arrays in their worst state, the cell that is hardest to read.

    All cells are on, but for the selected one, once on and once off: the one farthest from its
    driver and amplifier.

    Args:
        tile: wires, drivers and amplifiers; its number of lines does not count.
        on: siemens of a cell that is on.
        off: siemens of one that is off, less than on.
        sizes: numbers of lines, up to 4096.
        volts: volts of the selected word line's driver.
        scheme: what the other lines are held at.
        selector: I-V curve of a selector in series with each cell; None for none.

    Raises:
        SpecError: a value is out of range, or a voltage beyond the selector's table.
        SolverError: Newton's method did not converge.
    """
    on, off = one_number(on, "on", 0, above=True), one_number(off, "off", 0)
    if off >= on:
        raise SpecError(f"off must conduct less than on, {on:g} S, not {off:g} S")
    if tile.topology != "input-source":
        raise SpecError(
            f"one cell is reached by a word line and a bit line, tile.topology 'input-source', not "
            f"{tile.topology!r}"
        )
    found = []
    for size in as_indices(sizes, "sizes", None, "numbers of lines").tolist():
        if not 1 <= size <= _MOST_LINES:
            raise SpecError(f"sizes must be from 1 to {_MOST_LINES:,} lines, not {size:,}")
        i, j = _farthest_cell(tile, size)
        cells = np.full((size, size), on)
        reads = []
        for state in (on, off):
            cells[i, j] = state
            crossbar = Crossbar(
                cells,
                tile.word_wire,
                tile.bit_wire,
                tile.source,
                tile.load,
                tile.drive,
                tile.sense,
            )
            law = None if selector is None else SeriesCell(PolynomialCell(cells[None]), selector)
            reads.append(access(crossbar, i, j, volts, scheme, law=law))
        one, other = reads
        told = (one.current, other.current, other.sneak_current, one.selected_voltage, one.power)
        found.append((*told, *one.half_selected, one.unselected_voltage))
    each = np.array(found, dtype=np.float64).reshape(-1, 8)
    columns = [*each[:, :5].T, each[:, 5:7], each[:, 7]]
    return ReadMargins(scheme, tuple(int(n) for n in sizes), *map(frozen, columns))


def _farthest_cell(tile: Tile, size: int) -> tuple[int, int]:
    """Word line and bit line of the cell with the most wire before and behind it."""
    ends = {"left": size - 1, "right": 0, "bottom": 0, "top": size - 1, "both": size // 2}
    return ends[tile.sense], ends[tile.drive]
