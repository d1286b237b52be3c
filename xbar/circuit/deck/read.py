"""``read_spice``: read a linear deck as a circuit."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xbar.circuit.deck.circuit import Circuit
from xbar.circuit.deck.files import Files
from xbar.circuit.deck.hierarchy import flatten
from xbar.circuit.deck.options import Settings
from xbar.circuit.deck.rules import rules_of
from xbar.circuit.deck.title import lost_element
from xbar.errors import warn


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: all is kept, and looking for garbage in it takes 40 % of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def read_spice(path: str | os.PathLike[str], dialect: str | None = None) -> Circuit:
    r"""Read a SPICE deck of linear elements, for its operating point.

    Understood are R, C (open), L (a short), V, I, linear E, F, G, H and B, and subcircuits (X,
    nested, with parameters and m), parameters, functions, ``.if``, files and library sections from
    the deck's folder or below. Sources count by their DC value, else by their function at time 0.
    Requests for analyses and output and ``.control`` blocks are passed over; any other element,
    directive or option is refused. docs/formats.md lists all.

    Args:
        path: the deck. Its first line is the title.
        dialect: "ngspice", "xyce", "hspice" or "ltspice". Without one it is read as ngspice does,
            and text that simulators read differently is refused, or remarked on.

    Returns:
        The circuit: ``solve()`` returns its operating point, ``network`` its resistors only,
        ``notes`` what was assumed; each note is also a warning.

    Raises:
        FileError: the deck can't be read or parsed; the message has file, line and token.
        SpecError: there is no such dialect.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     deck = Path(folder, "divider.cir")
    ...     _ = deck.write_text("a divider\nV1 in 0 10\nR1 in out 3k\nR2 out 0 1k\n")
    ...     op = read_spice(deck).solve()
    >>> op.voltage["out"], op.current["r2"]
    (2.5, 0.0025)
    """
    rules = rules_of(dialect)
    files = Files(rules)
    settings = Settings(rules, rules.grounds)
    with _uncollected():
        elements, subcircuits = flatten(files.statements(Path(path)), settings)
    lost = lost_element(files.title, elements, subcircuits, rules)
    if lost:
        rules.remarks.add(lost)
    for note in rules.remarks.all:
        warn(note)
    return Circuit(elements, rules.remarks.all, lost)
