"""Where a cell's configuration memory lies: K latches below its bank, and the wires between.

    ║ ║ ║   data lines d_j_k, metal 2, one a branch, from cell to cell along the bit line
    ║┌╨───  bank: a switch's gate ── metal 2 ── its latch's output
    ║│
    ╫───── enable line e_i, metal 1, from cell to cell along the word line
    ║│ row  latch  tap      rows of the library's cells, every other one upside down;
    ║│ row  latch  tap      supply rails of metal 1 from cell to cell

While e_i is high, the latches of word line i take what stands on the data lines: the K bits of
cell (i, j) on d_j_0 .. d_j_(K-1). A configuration is written word line by word line.

Metal 2 runs on tracks, one column of latches after the other: the enable signal, then for each of
its latches a data line and the wire to its gate. Metal 3 is the bit line's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from xbar.errors import SpecError
from xbar.silicon.layout.geometry import BankGeometry

TRACK = 350
"""From track to track: half a piece of metal 2 under a via2, m2.2, half a line."""
LINE = 70
"""Half a line's width on a track."""
REACH = 160
"""Of metal 1 beyond the middle of a contact to a track: via.5a."""
APART = 140
"""m1.2, m2.2."""
COVER = 55
"""Per cent of the width that the bit line takes: of a metal 40 % of a chip must stay clear."""
STACK = 165
"""From the middle of a via2 to the edge of metal 3 around it: m3.4."""
FAR = 1_000_000
"""Farther than any cell is wide."""
BELOW = 320
"""From the resistors of the cell below to the first row."""
ABOVE = 580
"""From the last row to the bank: its rail, the enable line, VSS."""


@dataclass(frozen=True)
class MemoryGeometry:
    """The measures of a cell with its memory; whole nanometres from the cell's lower left corner.

    Attributes:
        bank: the bank's measures, as wide as the memory needs it.
        columns: latches beside each other.
        rows: latches above each other.
        pitch: from one column of latches to the next.
        gates: (K,) middle of the track from each latch's output to its gate.
        data: (K,) middle of each data line.
    """

    bank: BankGeometry
    columns: int
    rows: int
    pitch: int
    gates: tuple[int, ...]
    data: tuple[int, ...]

    @property
    def width(self) -> int:
        """From one cell to the next along the word line."""
        return self.bank.width

    @property
    def top(self) -> int:
        """Upper edge of the last row."""
        return BELOW + self.rows * self.row_height

    @property
    def row_height(self) -> int:
        """Of a row of the library's cells."""
        return int(self.bank.rules.memory["row"])

    @property
    def lift(self) -> int:
        """Where the bank begins."""
        return self.top + ABOVE

    @property
    def height(self) -> int:
        """From one cell to the next along the bit line."""
        return self.lift + self.bank.height

    @property
    def enable_line(self) -> tuple[int, int]:
        """From where to where the enable line lies along y."""
        rail = self.bank.rules.memory["rail"]
        return self.top + rail + APART, self.top + rail + APART + 260

    @property
    def bit_line(self) -> tuple[int, int]:
        """From where to where the bit line, of metal 3, lies along x: over most of the gates."""
        margin = self.bank.rules["met3_space"] // 2
        wide = self.width * COVER // 1000 * 10
        start = (min(self.gates) + max(self.gates) - wide) // 20 * 10
        left = min(max(start, margin), self.width - margin - wide)
        return left, left + wide

    @property
    def stacks(self) -> tuple[int, ...]:
        """Tracks on which contacts lead from the strap up to the bit line."""
        left, right = self.bit_line
        return tuple(x for x in self.gates if left + STACK <= x <= right - STACK)

    @property
    def word_wire(self) -> float:
        """Ohms of the word line from cell to cell: sheet resistance times squares."""
        return self.bank.word_wire

    @property
    def bit_wire(self) -> float:
        """Ohms of the bit line from cell to cell: sheet resistance times squares."""
        left, right = self.bit_line
        return self.bank.rules.sheet["met3"] * self.height / (right - left)

    def place(self, branch: int) -> tuple[int, int]:
        """Column and row of a branch's latch; rows are counted from below."""
        return divmod(branch, self.rows)

    def point(self, branch: int, pin: str) -> tuple[int, int]:
        """Middle of a latch's pin: "data", "enable" or "output"."""
        column, row = self.place(branch)
        x, y = self.bank.rules.memory[pin]
        base = BELOW + row * self.row_height
        return column * self.pitch + x, base + (self.row_height - y if row % 2 else y)


@cache
def plan_memory(bank: BankGeometry) -> MemoryGeometry:
    """The smallest cell with a bank and a latch for each of its switches.

    Raises:
        SpecError: there is no room for the wires.
    """
    found = [plan for columns in range(1, bank.resistors + 1) if (plan := _plan(bank, columns))]
    if not found:
        raise SpecError(
            f"a memory must fit below its bank; for {bank.resistors} resistors there is no way for "
            "its wires: draw it without"
        )
    return min(found, key=lambda plan: plan.width * plan.height)


def _plan(bank: BankGeometry, columns: int) -> MemoryGeometry | None:
    """A plan with so many columns of latches; None where its wires do not fit."""
    rows = -(-bank.resistors // columns)
    if -(-bank.resistors // rows) != columns:
        return None  # fewer columns hold as many
    memory = bank.rules.memory
    pitch = max(memory["latch_width"] + memory["tap_width"], TRACK * (2 * rows + 1))
    width = max(bank.width, columns * pitch)
    pitch = width // columns // 10 * 10
    wide = replace(bank, least_width=width)
    gates: list[int] = []
    data: list[int] = []
    for column in range(columns):
        end = width if column == columns - 1 else (column + 1) * pitch
        branches = range(column * rows, min((column + 1) * rows, bank.resistors))
        tracks = list(range(column * pitch + 560, end - APART + 1, TRACK))
        chosen = _nearest([wide.gate(k)[0] for k in branches], tracks)
        left = [
            x for x in tracks if x not in (chosen or ()) and column * pitch + 640 <= x <= end - 220
        ]
        if chosen is None or len(left) < len(branches):
            return None
        gates += chosen
        data += left[: len(branches)]
    plan = MemoryGeometry(wide, columns, rows, pitch, tuple(gates), tuple(data))
    return plan if _hops_are_apart(plan) else None


def hop(at: int, track: int) -> tuple[int, int]:
    """Metal 1 from a contact at some x to a track: from where to where."""
    return min(at - 145, track - REACH), max(at + 145, track + REACH)


def _nearest(gates: Sequence[int], tracks: Sequence[int]) -> list[int] | None:
    """A track for each gate, so that the sum of distances is least and their hops stay apart."""
    # by the track of the last gate so far: sum of distances, tracks; and where its metal ends
    best: dict[int, tuple[int, list[int]]] = {-1: (0, [])}
    ends = {-1: -FAR}
    for gate in gates:
        new: dict[int, tuple[int, list[int]]] = {}
        for n, track in enumerate(tracks):
            start = hop(gate, track)[0]
            fits = [found for m, found in best.items() if m < n and start - ends[m] >= APART]
            if fits:
                cost, path = min(fits)
                new[n] = (cost + abs(gate - track), [*path, track])
        best, ends = new, {n: hop(gate, tracks[n])[1] for n in new}
    return min(best.values())[1] if best else None


def _hops_are_apart(plan: MemoryGeometry) -> bool:
    """Whether no two wires of metal 1 touch, at the gates and in the rows, and across cells."""
    bank, count = plan.bank, range(plan.bank.resistors)
    levels: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for k in count:
        _, row = plan.place(k)
        levels.setdefault(("gate", 0), []).append(hop(bank.gate(k)[0], plan.gates[k]))
        output = hop(plan.point(k, "output")[0], plan.gates[k])
        levels.setdefault(("output", row), []).append(output)
        enable = plan.point(k, "enable")[0]
        levels.setdefault(("data", row), []).append((enable - 130, enable + 130))
        levels.setdefault(("data", row), []).append(hop(plan.point(k, "data")[0], plan.data[k]))
    for spans in levels.values():
        spans.sort()
        spans.append((spans[0][0] + plan.width, spans[0][1] + plan.width))
        if any(b[0] - a[1] < APART for a, b in pairwise(spans)):
            return False
    return True
