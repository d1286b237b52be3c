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
level. To reprogram a cell, change its ``c<k>``. Switches with ohms of their own have the parameter
``s<k>`` of the cell instead of ``switch_on``. A branch that bends has a source beside it, of the
current ``c<k> (p<k> v² + q<k> v³)`` beyond Ohm's law, v across the cell.
"""

from __future__ import annotations

from typing import Any

from xbar.arrays import Floats
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
    """On-resistance, if one, and smallest off-resistance of the switches, for the whole netlist."""
    ohms, leakiest = bank.closed_ohms, ("switch_off", number(_leakiest(bank)))
    return [("switch_on", number(ohms)), leakiest] if isinstance(ohms, float) else [leakiest]


def switch_definition(dialect: Dialect, own: bool = False) -> list[str]:
    """The subcircuit of a switch; ``own``: its on-resistance is a parameter of its own."""
    ohms = "ohms" if own else "switch_on"
    formula = dialect.expression(f"closed*{ohms}+(1-closed)*leak")
    body = [dialect.resistor("1", "a", "b", formula)]
    parameters = [("closed", "1"), ("leak", "1"), *([("ohms", "1")] if own else [])]
    return dialect.subcircuit(SWITCH, ("a", "b"), parameters, body)


def definitions(
    name: str, bank: SwitchedBank, dialect: Dialect, powers: Floats | None = None
) -> list[str]:
    """The subcircuits of a switch and of a cell's bank of K resistors.

    Args:
        name: name of the bank's subcircuit.
        bank: the cells.
        dialect: syntax.
        powers: (P, W, B, K) coefficients of v² and v³ of each branch's current; None if ohmic.
    """
    own, branches = not isinstance(bank.closed_ohms, float), []
    letters = f"roc{'s' * own}{'pq' * (powers is not None)}"
    for k in range(bank.on.shape[2]):
        branches.append(dialect.resistor(f"r{k}", "w", f"m{k}", dialect.expression(f"r{k}")))
        stands = [("closed", dialect.expression(f"c{k}")), ("leak", dialect.expression(f"o{k}"))]
        stands += [("ohms", dialect.expression(f"s{k}"))] * own
        branches.append(dialect.instance(f"s{k}", (f"m{k}", "b"), SWITCH, stands))
        if powers is not None:
            formula = f"c{k}*v(w,b)*v(w,b)*(p{k}+v(w,b)*q{k})"
            branches.append(dialect.current_source(f"b{k}", "w", "b", formula))
    defaults = [(f"{letter}{k}", "1") for k in range(bank.on.shape[2]) for letter in letters]
    return switch_definition(dialect, own) + dialect.subcircuit(
        name, ("w", "b"), defaults, branches
    )


def cell_parameters(
    bank: SwitchedBank, dialect: Dialect, powers: Floats | None = None
) -> list[list[list[tuple[str, str]]]]:
    """Parameters of each cell (W, B): resistors, leakage and switch states, and what is its own."""
    leakiest = _leakiest(bank)
    values: dict[str, list[Any]] = {
        "r": [[[number(one) for one in cell] for cell in row] for row in bank.resistor.tolist()]
    }

    def leak(ohms: float) -> str:
        if ohms == OPEN:
            return number(OPEN)
        same = ohms == leakiest
        return dialect.expression("switch_off" if same else f"switch_off*{number(ohms / leakiest)}")

    values["o"] = [[[leak(one) for one in cell] for cell in row] for row in bank.leak.tolist()]
    values["c"] = [[["01"[one] for one in cell] for cell in row] for row in bank.closed.tolist()]
    more = {} if isinstance(bank.closed_ohms, float) else {"s": bank.closed_ohms}
    if powers is not None:
        more |= {"p": powers[0], "q": powers[1]}
    for letter, each in more.items():
        values[letter] = [[[number(x) for x in cell] for cell in row] for row in each.tolist()]
    rows, columns, count = bank.on.shape
    return [
        [
            [(f"{name}{k}", each[i][j][k]) for k in range(count) for name, each in values.items()]
            for j in range(columns)
        ]
        for i in range(rows)
    ]


def _leakiest(bank: SwitchedBank) -> float:
    return float(bank.leak.min(initial=OPEN))
