"""The measures of a bank's cell: where its resistors, switches and wires lie.

    y   word line, metal 1 ══════╦══════════════════╦═════════   over the upper heads of resistors
    │                            R                  R            poly, 2 kohm/sq, of own lengths
    │                        ┌───┘              ┌───┘            local interconnect
    │                      drain─gate─source  drain─gate─source  each switch by itself
    │        strap, metal 1 ═════ │ ═════╩══════════ │ ═════╩═   up to the bit line, metal 2
    │                          gate pad           gate pad       local interconnect
    └   VSS, metal 1 over taps

The branches stand side by side, all alike. Each switch has a source of its own: contacts to a
common one would carry the currents of two branches, which then conduct less together than alone.
The switch lies next to the bit line, whose voltage the sense amplifier holds: next to the word line
its overdrive would move with the input.
"""

from __future__ import annotations

from dataclasses import dataclass

from xbar.errors import SpecError, shown
from xbar.silicon.layout.rules import Rules, drawing_rules

PITCH = 950
"""Of the branches: a switch and difftap.3."""
SIDE = 215
"""From a gate's middle to that of the contacts beside it: half of each, licon.11."""
END = 125
"""From there to the end of the diffusion: half a contact, licon.5a."""
HEAD = 2160
"""Of a resistor's end: its slot contact and its enclosure, twice."""
LOW = 1330
"""Lower edge of the switches."""
ABOVE = 290
"""From the longest resistor to the next cell, whose tap begins 190 above: poly.9."""
BIT_WIDTH = 2800
"""Of the bit line; from 3000 on, m2.3ab asks for more space."""
MOST = 64
"""Resistors of a bank that is drawn."""


@dataclass(frozen=True)
class BankGeometry:
    """The measures of one cell of K branches; all lengths are whole nanometres.

    Attributes:
        lengths: (K,) nanometres of each resistor between its contacts; of any K.
        switch: nanometres of the switches' width: one, or K values.
        process: process that it is drawn in.
        least_width: nanometres that the cell takes at least along the word line, for what stands
            below it.

    Raises:
        SpecError: K is not 1 to 64, a length or width is off the grid of 5 nm or beyond what the
            process allows, or there is no drawing for this process.

    >>> geometry = BankGeometry(lengths=(4000, 4400, 4840, 5320, 5860, 6440, 7090, 7790))
    >>> geometry.width, geometry.height
    (7600, 15360)
    """

    lengths: tuple[int, ...]
    switch: int | tuple[int, ...] = 1000
    process: str = "sky130"
    least_width: int = 0

    def __post_init__(self) -> None:
        rules = self.rules
        if not 1 <= len(self.lengths) <= MOST:
            raise SpecError(f"a cell must have 1 to {MOST} resistors, not {len(self.lengths)}")
        if isinstance(self.switch, tuple) and len(self.switch) != len(self.lengths):
            raise SpecError(
                f"switch must be one width or {len(self.lengths)}, one a resistor, "
                f"not {len(self.switch)}"
            )
        for what, values, kind in (
            ("lengths", self.lengths, "resistor"),
            ("switch", self.switches, "switch"),
        ):
            for number, value in enumerate(values):
                _check(f"{what}[{number}]", value, kind, rules)

    @property
    def rules(self) -> Rules:
        """Layers and rules of the process."""
        return drawing_rules(self.process)

    @property
    def resistors(self) -> int:
        """Number of branches K."""
        return len(self.lengths)

    @property
    def switches(self) -> tuple[int, ...]:
        """(K,) nanometres of each switch's width."""
        if isinstance(self.switch, tuple):
            return self.switch
        return (self.switch,) * len(self.lengths)

    @property
    def width(self) -> int:
        """From one cell to the next along the word line."""
        return max(PITCH * self.resistors, self.least_width)

    @property
    def foot(self) -> int:
        """Where the resistors begin, 480 above the gates of the widest switch."""
        return LOW + max(self.switches) + 150 + self.rules["resistor_space"]

    @property
    def top(self) -> int:
        """Upper end of the resistors' heads, where the word line ends."""
        return self.foot + 2 * HEAD + max(self.lengths)

    @property
    def height(self) -> int:
        """From one cell to the next along the bit line."""
        return self.top + ABOVE

    @property
    def area(self) -> float:
        """Square metres of a cell, without configuration memory."""
        return self.width * self.height * 1e-18

    @property
    def bit_width(self) -> int:
        """Width of the bit line."""
        return min(BIT_WIDTH, self.width - 300)

    @property
    def bit_line(self) -> tuple[int, int]:
        """From where to where the bit line lies along x."""
        return self.width // 2 - self.bit_width // 2, self.width // 2 + self.bit_width // 2

    @property
    def word_line(self) -> tuple[int, int]:
        """From where to where the word line lies along y."""
        return self.top - HEAD, self.top

    def gate(self, branch: int) -> tuple[int, int]:
        """Middle of the local interconnect over a gate's contact (x, y)."""
        return self.resistor(branch), 965

    def resistor(self, branch: int) -> int:
        """Middle of a resistor along x, and of its switch's gate."""
        return PITCH * branch + PITCH // 2

    @property
    def word_wire(self) -> float:
        """Ohms of the word line from cell to cell: sheet resistance times squares."""
        return self.rules.sheet["met1"] * self.width / HEAD

    @property
    def bit_wire(self) -> float:
        """Ohms of the bit line from cell to cell: sheet resistance times squares."""
        return self.rules.sheet["met2"] * self.height / self.bit_width


def _check(key: str, value: int, kind: str, rules: Rules) -> None:
    """Refuse a length or width that the process can't hold."""
    least, most = rules[f"{kind}_least"], rules[f"{kind}_most"]
    what = "length of a resistor" if kind == "resistor" else "width of a switch"
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpecError(f"{key} must be whole nanometres, not {shown(value)}")
    if value % rules.grid:
        raise SpecError(
            f"{key} must be a multiple of {rules.grid} nm, the grid of {rules.process}, "
            f"not {value} nm"
        )
    if not least <= value <= most:
        raise SpecError(
            f"{key} must be {least} to {most} nm in {rules.process}, the {what}, not {value} nm"
        )
