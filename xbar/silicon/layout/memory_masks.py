"""The masks of a cell with its memory: the bank, rows of the library's cells, and wires.

The library's cells are placed by name and taken from the PDK when a file is written. Numbers are
nanometres from the cell's lower left corner; a comment names the rule that decides.
"""

from __future__ import annotations

from xbar.silicon.layout.memory import BELOW, LINE, MemoryGeometry, hop
from xbar.silicon.layout.shapes import Drawing, Placed

NWELL, HVTP = 1415, 1470
"""How far wells and the mask of PMOS thresholds reach from a supply rail, as in the library."""
OVER = 190
"""Of wells and implants beyond a row's edge, likewise."""
N_TO, P_FROM = 1015, 1355
"""Where the implants of NMOS end and those of PMOS begin in a row, likewise."""
GATE = 35
"""How far below a gate pad's middle its contact lies: 280 from a wide strap, m1.3ab."""


def draw_cell(memory: MemoryGeometry, bank: str, name: str = "cell") -> Drawing:
    """A bank with its latches, which abuts with itself on all sides.

    Args:
        memory: its measures.
        bank: name of the bank's drawing.
        name: of the cell.
    """
    d = Drawing(name)
    d.box("boundary", 0, 0, memory.width, memory.height)
    d.placed.append(Placed(bank, 0, memory.lift))
    _place(d, memory)
    _rails(d, memory)
    for branch in range(memory.bank.resistors):
        _wires(d, memory, branch)
    _enable(d, memory)
    left, right = memory.bit_line
    d.box("met3", left, 0, right, memory.height)
    return d


def _place(d: Drawing, memory: MemoryGeometry) -> None:
    """The latches, what fills the row beside each, and a tap before the next column."""
    cells, count = memory.bank.rules.memory, memory.bank.resistors
    latch, tap = cells["latch_width"], cells["tap_width"]
    for row in range(memory.rows):
        y, flipped = BELOW + (row + row % 2) * memory.row_height, bool(row % 2)
        for column in range(memory.columns):
            x = column * memory.pitch
            end = memory.width if column == memory.columns - 1 else x + memory.pitch
            if column * memory.rows + row < count:
                d.placed.append(Placed(cells["latch"], x, y, flipped=flipped))
            else:
                _fill(d, memory, row, x, x + latch)
            _fill(d, memory, row, x + latch, end - tap)
            d.placed.append(Placed(cells["tap"], end - tap, y, flipped=flipped))


def _fill(d: Drawing, memory: MemoryGeometry, row: int, x0: int, x1: int) -> None:
    """Implants where a row has no cell."""
    if x1 == x0:
        return
    height = memory.row_height
    for layer, low, high in (("nsdm", -OVER, N_TO), ("psdm", P_FROM, height + OVER)):
        if row % 2:
            low, high = height - high, height - low
        base = BELOW + row * height
        d.box(layer, x0, base + low, x1, base + high)


def _rails(d: Drawing, memory: MemoryGeometry) -> None:
    """Supply rails, wells and the library's marker over the whole width of the rows."""
    w, rail = memory.width, memory.bank.rules.memory["rail"]
    d.box("standard", 0, BELOW, w, memory.top)
    for edge in range(memory.rows + 1):
        y = BELOW + edge * memory.row_height
        d.box("met1", 0, y - rail, w, y + rail)
        d.box("li", 0, y - 85, w, y + 85)
        if edge % 2:  # VPWR
            inside = edge < memory.rows
            d.box("nwell", 0, y - NWELL, w, y + (NWELL if inside else OVER))
            d.box("hvtp", 0, y - HVTP, w, y + (HVTP if inside else 0))


def _wires(d: Drawing, memory: MemoryGeometry, branch: int) -> None:
    """The data line of a branch and the wire from its latch to its gate."""
    data, gate = memory.data[branch], memory.gates[branch]
    d.box("met2", data - LINE, 0, data + LINE, memory.height)
    _hop(d, memory, memory.point(branch, "data"), data)
    output = memory.point(branch, "output")
    _hop(d, memory, output, gate)
    x, y = memory.bank.gate(branch)
    end = y + memory.lift - GATE
    _hop(d, memory, (x, end), gate)
    d.box("met2", gate - LINE, output[1], gate + LINE, end)


def _hop(d: Drawing, memory: MemoryGeometry, at: tuple[int, int], track: int) -> None:
    """Metal 1 from a contact to local interconnect over to a track of metal 2."""
    x, y = at
    left, right = hop(x, track)
    d.square("mcon", x, y, memory.bank.rules["contact"])
    d.box("met1", left, y - 130, right, y + 130)  # via.5a: 55 around the via
    _via(d, memory, track, y)


def _via(d: Drawing, memory: MemoryGeometry, x: int, y: int) -> None:
    d.square("via", x, y, memory.bank.rules["via"])
    d.box("met2", x - 130, y - 160, x + 130, y + 160)  # m2.4, m2.5


def _enable(d: Drawing, memory: MemoryGeometry) -> None:
    """The enable line and, by column of latches, the wire up to it."""
    low, high = memory.enable_line
    middle = (low + high) // 2
    d.box("met1", 0, low, memory.width, high)
    starts: dict[int, int] = {}
    for branch in range(memory.bank.resistors):
        x, y = memory.point(branch, "enable")
        d.square("mcon", x, y, memory.bank.rules["contact"])
        d.box("met1", x - 130, y - 160, x + 130, y + 160)
        _via(d, memory, x, y)
        starts[x] = min(y, starts.get(x, y))
    for x, y in starts.items():
        d.box("met2", x - LINE, y, x + LINE, middle)
        _via(d, memory, x, middle)
