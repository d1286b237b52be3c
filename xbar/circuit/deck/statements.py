"""Parses statements of a deck to definitions: elements, parameters and subcircuits.

Supported are R, V, I and X, .param, .global and .subckt to .ends. Output requests and options are
ignored; anything else is rejected by name, as leaving an element out would solve a different
circuit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from xbar.circuit.deck.lines import Statement

Value = TypeVar("Value")

_PASSED_OVER = re.compile(
    r"\.(op|dc|ac|tran|tf|noise|sens|pz|disto|four|print|plot|probe|save|meas|measure|options?"
    r"|title|width|ic|nodeset|temp|model)"
)
_WORD = re.compile(r"\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[^\s={}'\"]+|=")
_NAME = re.compile(r"[^\s=(){}'\",;$\x7f-\U0010ffff]+")
_PARAMETER = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Element:
    """A resistor, a source or an instance.

    Attributes:
        statement: source statement.
        name: name in lower case; its first letter is the kind of element.
        nodes: connected nodes.
        value: formula of its ohms, volts or amperes; for an instance, its subcircuit.
        parameters: formulas by name.
    """

    statement: Statement
    name: str
    nodes: tuple[str, ...]
    value: str
    parameters: dict[str, str]


@dataclass
class Definition:
    """A subcircuit, or the whole deck.

    Attributes:
        statement: first statement; None for the deck.
        name: name of the subcircuit.
        ports: external nodes.
        defaults: default formulas of the parameters that an instance may set.
        parameters: formulas of its own parameters, with their source statements.
        elements: elements in the deck's order.
        inner: nested subcircuits.
    """

    statement: Statement | None
    name: str
    ports: tuple[str, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    elements: list[Element] = field(default_factory=list)
    inner: dict[str, Definition] = field(default_factory=dict)


@dataclass(frozen=True)
class Deck:
    """A whole deck: its top level, and its global nodes."""

    top: Definition
    shared: frozenset[str]


def parse_deck(statements: Sequence[Statement]) -> Deck:
    """Parse statements to definitions.

    Raises:
        FileError: a statement can't be parsed; the message has file, line and token.
    """
    stack = [Definition(None, "")]
    shared = {"0", "gnd"}
    for statement in statements:
        word = statement.text.split()[0]
        inside = stack[-1]
        if word == ".subckt":
            stack.append(_subcircuit(statement))
            _add(inside.inner, stack[-1].name, stack[-1], statement, "subcircuit")
        elif word in (".ends", ".eom"):
            _close(statement, stack)
        elif word in (".param", ".params", ".parameter"):
            _parameters(statement, inside)
        elif word == ".global":
            shared.update(statement.text.split()[1:])
        elif word[0] in "rvix":
            inside.elements.append(_READERS[word[0]](statement))
        elif not _PASSED_OVER.fullmatch(word):
            raise statement.error(
                f"{word!r} is not understood; a deck may have R, V, I and X, .param, .subckt, "
                f".global and .include"
            )
    if stack[-1].statement is not None:
        raise stack[-1].statement.error(f"the subcircuit {stack[-1].name!r} has no .ends")
    return Deck(stack[0], frozenset(shared))


def _close(statement: Statement, stack: list[Definition]) -> None:
    name = statement.text.split()[1:]
    if len(stack) == 1 or (name and name != [stack[-1].name]):
        raise statement.error(f"{statement.text!r} has no matching .subckt")
    stack.pop()


def _subcircuit(statement: Statement) -> Definition:
    words, assigned = _split(statement)
    if len(words) < 2:
        raise statement.error(".subckt needs a name and its nodes")
    ports = tuple(words[2:])
    if len(set(ports)) != len(ports):
        raise statement.error(f"the nodes of {words[1]!r} must differ")
    return Definition(statement, words[1], ports, assigned)


def _parameters(statement: Statement, inside: Definition) -> None:
    words, assigned = _split(statement)
    if len(words) > 1 or not assigned:
        raise statement.error(f"a parameter must be written name=value, not {words[-1]!r}")
    for name, formula in assigned.items():
        if name in inside.defaults:
            raise statement.error(f"{name!r} is a parameter of the subcircuit already")
        _add(inside.parameters, name, formula, statement, "parameter")


def _resistor(statement: Statement) -> Element:
    words, assigned = _split(statement)
    value = assigned.pop("r", assigned.pop("resistance", None))
    given = words[3:] + ([value] if value is not None else [])
    _check_nodes(statement, words, 3)
    if len(given) != 1:
        got = " ".join(given) or "nothing"
        raise statement.error(f"{words[0]} must have one resistance, not {got!r}")
    for name in assigned:
        if name != "m":
            raise statement.error(f"{words[0]} has the parameter {name!r}, which is not understood")
    return Element(statement, words[0], tuple(words[1:3]), given[0], assigned)


def _source(statement: Statement) -> Element:
    words, assigned = _split(statement)
    _check_nodes(statement, words, 3)
    given = words[3:]
    value = assigned.pop("dc", None)
    if value is None and given and given[0] != "ac":
        value = given.pop(0)
        if value == "dc":
            value = given.pop(0) if given else None
    if assigned or (given and given[0] != "ac") or len(given) > 3:
        token = given[0] if given and given[0] != "ac" else " ".join([*assigned, *given])
        raise statement.error(f"{words[0]} must be a DC source; {token!r} is not understood")
    return Element(statement, words[0], tuple(words[1:3]), "0" if value is None else value, {})


def _instance(statement: Statement) -> Element:
    words, assigned = _split(statement)
    _check_nodes(statement, words, max(len(words) - 1, 2))
    return Element(statement, words[0], tuple(words[1:-1]), words[-1], assigned)


_READERS = {"r": _resistor, "v": _source, "i": _source, "x": _instance}


def _split(statement: Statement) -> tuple[list[str], dict[str, str]]:
    """Words before the first assignment, and the assignments."""
    text = re.sub(r"\bparams:", " ", statement.text)
    words = _WORD.findall(text)
    if re.sub(r"\s", "", "".join(words)) != re.sub(r"\s", "", text):
        raise statement.error(f"a quote or brace is not closed in {statement.text!r}")
    signs = [k for k, word in enumerate(words) if word == "="]
    assigned: dict[str, str] = {}
    for k, at in enumerate(signs):
        end = signs[k + 1] - 1 if k + 1 < len(signs) else len(words)
        if at == 0 or not _PARAMETER.fullmatch(words[at - 1]):
            raise statement.error(f"{words[max(at - 1, 0)]!r} is not a parameter name")
        value = words[at + 1 : end]
        if len(value) != 1:
            got = " ".join(value) or "nothing"
            raise statement.error(
                f"{words[at - 1]} must have one value, not {got!r}; "
                f"put a formula with spaces in braces"
            )
        _add(assigned, words[at - 1], value[0], statement, "parameter")
    return words[: signs[0] - 1] if signs else words, assigned


def _add(into: dict[str, Value], name: str, value: Value, at: Statement, what: str) -> None:
    if name in into:
        raise at.error(f"the {what} {name!r} is defined twice")
    into[name] = value


def _check_nodes(statement: Statement, words: list[str], least: int) -> None:
    if len(words) < least:
        raise statement.error(
            f"{statement.text[:40]!r} must have a name, nodes, and a value or a subcircuit"
        )
    for name in words[:least]:
        if not _NAME.fullmatch(name):
            raise statement.error(f"{name!r} is not a name of a node or an element")
