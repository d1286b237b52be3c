"""Banks of resistors and switches as lines of a netlist.

    .subckt xbar_switch a b closed=1 leak=1      a closed switch has switch_on ohms, an open one
    R1 a b {closed*switch_on+(1-closed)*leak}    its leak
    .ends xbar_switch
    .subckt bank_fc1_tile_0 w b r0=1 o0=1 c0=1   one cell: branch k has the resistor r<k>, whose
    Rr0 w m0 {r0}                                switch leaks o<k> when c<k> is 0
    Xs0 m0 b xbar_switch closed={c0} leak={o0}
    .ends bank_fc1_tile_0
    Xc_3_17 w_3_17 b_3_17 bank_fc1_tile_0 r0=9.9e3 o0={switch_off} c0=1

For a transistor switch, replace the body of xbar_switch: ``closed`` is 1 or 0, the gate's logic
level. To reprogram a cell, change its ``c<k>``.
"""

from __future__ import annotations

from collections.abc import Sequence

from xbar.circuit.dialects.dialect import Dialect
from xbar.circuit.switches import OPEN, SwitchedBank
from xbar.circuit.text import number, sanitise

SWITCH = "xbar_switch"
_LONGEST = 64  # maximum number of a title's characters in a subcircuit's name


def bank_name(title: str) -> str:
    """Subcircuit name of a cell's bank.

    >>> bank_name("fc1 tile 0")
    'bank_fc1_tile_0'
    """
    return f"bank_{sanitise(title)[:_LONGEST]}"


def switch_parameters(bank: SwitchedBank) -> list[tuple[str, str]]:
    """On-resistance and smallest off-resistance of the switches, for the whole netlist."""
    return [("switch_on", number(bank.closed_ohms)), ("switch_off", number(_leakiest(bank)))]


def switch_definition(dialect: Dialect) -> list[str]:
    """The subcircuit of a switch."""
    formula = dialect.expression("closed*switch_on+(1-closed)*leak")
    body = [dialect.resistor("1", "a", "b", formula)]
    return dialect.subcircuit(SWITCH, ("a", "b"), [("closed", "1"), ("leak", "1")], body)


def definitions(name: str, resistors: int, dialect: Dialect) -> list[str]:
    """The subcircuits of a switch and of a cell's bank of K resistors."""
    branches = []
    for k in range(resistors):
        branches.append(dialect.resistor(f"r{k}", "w", f"m{k}", dialect.expression(f"r{k}")))
        stands = [("closed", dialect.expression(f"c{k}")), ("leak", dialect.expression(f"o{k}"))]
        branches.append(dialect.instance(f"s{k}", (f"m{k}", "b"), SWITCH, stands))
    defaults = [(f"{letter}{k}", "1") for k in range(resistors) for letter in "roc"]
    return switch_definition(dialect) + dialect.subcircuit(name, ("w", "b"), defaults, branches)


def cell_parameters(bank: SwitchedBank, dialect: Dialect) -> list[list[list[tuple[str, str]]]]:
    """Parameters of each cell (W, B): resistors, leakage and switch states."""
    leakiest = _leakiest(bank)
    rows = zip(bank.resistor.tolist(), bank.leak.tolist(), bank.closed.tolist(), strict=True)

    def leak(ohms: float) -> str:
        if ohms == OPEN:
            return number(OPEN)
        same = ohms == leakiest
        return dialect.expression("switch_off" if same else f"switch_off*{number(ohms / leakiest)}")

    def cell(
        resistor: Sequence[float], open_ohms: Sequence[float], closed: Sequence[bool]
    ) -> list[tuple[str, str]]:
        found = []
        for k, ohms in enumerate(resistor):
            found += [(f"r{k}", number(ohms)), (f"o{k}", leak(open_ohms[k]))]
            found.append((f"c{k}", "1" if closed[k] else "0"))
        return found

    return [[cell(*at) for at in zip(*row, strict=True)] for row in rows]


def _leakiest(bank: SwitchedBank) -> float:
    return float(bank.leak.min(initial=OPEN))
