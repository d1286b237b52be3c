"""``read_spice``: any resistive deck as a circuit that xbar solves."""

from __future__ import annotations

import os
from pathlib import Path

from xbar.circuit.deck.circuit import Circuit
from xbar.circuit.deck.hierarchy import flatten
from xbar.circuit.deck.lines import read_statements
from xbar.circuit.deck.statements import parse_deck


def read_spice(path: str | os.PathLike[str]) -> Circuit:
    """Read a SPICE deck of resistors and DC sources.

    Understood are R, V, I and subcircuits (X, .subckt, nested, with parameters), .param with
    formulas, .global, and .include from the deck's own folder. Requests for results and options
    are passed over, ``.control`` blocks too; any other element or directive is refused.

    Args:
        path: a deck for ngspice, Xyce or HSPICE. Its first line is the title.

    Returns:
        The circuit: ``solve()`` gives its operating point, ``network`` its resistors alone.

    Raises:
        FileError: the deck can't be read or understood; file, line and token are named.

    >>> circuit = read_spice("divider.cir")            # doctest: +SKIP
    >>> circuit.solve().voltage["out"]                 # doctest: +SKIP
    0.5
    """
    return Circuit(flatten(parse_deck(read_statements(Path(path)))))
