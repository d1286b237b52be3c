"""``read_spice``: read a resistive deck as a circuit."""

from __future__ import annotations

import os
from pathlib import Path

from xbar.circuit.deck.circuit import Circuit
from xbar.circuit.deck.hierarchy import flatten
from xbar.circuit.deck.lines import read_statements
from xbar.circuit.deck.statements import parse_deck


def read_spice(path: str | os.PathLike[str]) -> Circuit:
    r"""Read a SPICE deck of resistors and DC sources.

    Supported are R, V, I and subcircuits (X, .subckt, nested, with parameters), .param with
    formulas, .global, and .include from the deck's own folder. Output requests, options and
    ``.control`` blocks are ignored; any other element or directive is rejected.

    Args:
        path: deck for ngspice, Xyce or HSPICE. Its first line is the title.

    Returns:
        The circuit: ``solve()`` returns its operating point, ``network`` its resistors only.

    Raises:
        FileError: the deck can't be read or parsed; the message has file, line and token.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     deck = Path(folder, "divider.cir")
    ...     _ = deck.write_text("a divider\nV1 in 0 10\nR1 in out 3k\nR2 out 0 1k\n")
    ...     op = read_spice(deck).solve()
    >>> op.voltage["out"], op.current["r2"]
    (2.5, 0.0025)
    """
    return Circuit(flatten(parse_deck(read_statements(Path(path)))))
