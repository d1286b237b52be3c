"""A deck without a title: its first line is an element, and is lost."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from xbar.circuit.deck.elements import Instance, Resistor, Store
from xbar.circuit.deck.expression import Formula
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.hierarchy import READERS
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.rules import Rules
from xbar.circuit.deck.scope import Reading
from xbar.circuit.deck.sources import Source
from xbar.errors import FileError

_DIRECTIVES = (
    ".param",
    ".subckt",
    ".include",
    ".inc ",
    ".lib",
    ".global",
    ".func",
    ".model",
    ".temp",
)


def lost_element(
    title: str, elements: Sequence[FlatElement], subcircuits: Collection[str], rules: Rules
) -> str:
    """What to say of a title that looks like an element of this circuit; nothing if it doesn't.

    It must parse as an element whose value is a number, and share a node with the circuit.
    """
    text = title.lstrip("\ufeff").strip()
    if text.lower().startswith(_DIRECTIVES):
        return _said(text, "a directive")
    statement, words = Statement("title", 1, text), text.split()
    reader = READERS.get(text[:1].lower())
    if reader is None:
        return ""
    try:
        element = reader(statement, Reading(rules))
    except FileError:
        return ""
    if isinstance(element, Resistor) and any(isinstance(value, str) for value in element.values):
        return ""
    if isinstance(element, Instance) and element.of not in subcircuits:
        return ""
    if isinstance(element, Store) and not (len(words) > 3 and words[3][0] in "{'.0123456789"):
        return ""
    if isinstance(element, Source) and isinstance(element.dc, Formula) and element.dc.size == 1:
        return ""
    nodes = {node for e in elements for node in (e.first, e.second)} | {"0"}
    if not nodes.intersection(element.nodes):
        return ""
    return _said(text, "an element")


def _said(text: str, what: str) -> str:
    return (
        f"line 1, {text[:60]!r}, looks like {what} and was taken as the title, as SPICE does; put "
        f"a title line before it"
    )
