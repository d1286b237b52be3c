"""Flattening of a deck: every element with its full name and value.

Names are those of ngspice: resistor r1 of instance x2 within x1 is r.x1.x2.r1, and its node m is
x1.x2.m. (For nested subcircuit definitions ngspice 39 repeats letters, r.x1.r.x2.r1; here names are
regular.) A parameter not defined in a subcircuit is looked up in its callers, up to the deck.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from xbar.arrays import LARGEST, SMALLEST
from xbar.circuit.deck.expression import evaluate
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.statements import Deck, Definition, Element

_DEEPEST = 50  # maximum nesting of instances
_MOST = 20_000_000  # elements


@dataclass
class _Scope:
    """Parameters of one instance; formulas are evaluated on demand.

    Attributes:
        formulas: formulas of its own parameters.
        values: values computed so far.
        above: scope of the caller.
    """

    formulas: Mapping[str, str]
    values: dict[str, float]
    above: _Scope | None
    open: set[str] = field(default_factory=set)

    def value(self, name: str) -> float:
        if name in self.values:
            return self.values[name]
        if name in self.formulas:
            if name in self.open:
                raise ValueError(f"the parameter {name!r} is defined by itself")
            self.open.add(name)
            self.values[name] = evaluate(self.formulas[name], self.value)
            return self.values[name]
        if self.above is None:
            raise ValueError(f"the parameter {name!r} is not defined")
        return self.above.value(name)

    def of(self, formula: str, statement: Statement) -> float:
        try:
            return evaluate(formula, self.value)
        except (ValueError, RecursionError) as error:
            raise statement.error(f"{formula!r} must be a number: {error}") from error


@dataclass(frozen=True)
class _Place:
    """Context of an instance's elements.

    Attributes:
        path: path of instance names, each followed by a dot.
        nodes: full names of the ports.
        known: subcircuits by name, innermost first.
        names: names of the enclosing subcircuits, for detecting recursion.
        scope: parameters of the instance.
    """

    path: str
    nodes: Mapping[str, str]
    known: tuple[Mapping[str, Definition], ...]
    names: tuple[str, ...]
    scope: _Scope


def flatten(deck: Deck) -> list[FlatElement]:
    """All resistors and sources of a deck.

    Raises:
        FileError: a parameter or subcircuit is not defined, a subcircuit is recursive or has a
            different number of nodes, names are not unique, or a resistance is negative.
    """
    found: dict[str, FlatElement] = {}
    scope = _Scope(deck.top.parameters, {}, None)
    _expand(deck, deck.top, _Place("", {}, (deck.top.inner,), (), scope), found)
    return list(found.values())


def _expand(
    deck: Deck, definition: Definition, place: _Place, found: dict[str, FlatElement]
) -> None:
    instances: set[str] = set()
    for element in definition.elements:
        nodes = [_node(deck, place, node) for node in element.nodes]
        if element.name[0] == "x":
            if element.name in instances:
                raise element.statement.error(f"the name {element.name!r} is used twice")
            instances.add(element.name)
            inner, below = _enter(element, nodes, place)
            _expand(deck, inner, below, found)
            continue
        name = element.name
        if place.path:
            name = f"{name[0]}.{place.path}{name}"
        if name in found:
            raise element.statement.error(f"the name {name!r} is used twice")
        found[name] = FlatElement(name, nodes[0], nodes[1], _value(element, place.scope))
        if len(found) > _MOST:
            raise element.statement.error(f"a deck must have fewer than {_MOST} elements")


def _node(deck: Deck, place: _Place, node: str) -> str:
    if node in deck.shared:
        return "0" if node == "gnd" else node
    return place.nodes.get(node, place.path + node)


def _enter(element: Element, nodes: list[str], place: _Place) -> tuple[Definition, _Place]:
    """Definition of an instance, and the context of its elements."""
    statement, name = element.statement, element.value
    inner = next((known[name] for known in place.known if name in known), None)
    if inner is None:
        raise statement.error(f"the subcircuit {name!r} is not defined")
    if name in place.names or len(place.names) >= _DEEPEST:
        raise statement.error(f"the subcircuit {name!r} contains itself, or is nested too deeply")
    if len(nodes) != len(inner.ports):
        raise statement.error(
            f"{element.name!r} must connect the {len(inner.ports)} nodes of {name!r}, "
            f"not {len(nodes)}"
        )
    unknown = [key for key in element.parameters if key not in inner.defaults]
    if unknown:
        raise statement.error(f"{name!r} has no parameter {unknown[0]!r}")
    given = {key: place.scope.of(text, statement) for key, text in element.parameters.items()}
    scope = _Scope({**inner.defaults, **inner.parameters}, given, place.scope)
    return inner, _Place(
        f"{place.path}{element.name}.",
        dict(zip(inner.ports, nodes, strict=True)),
        (inner.inner, *place.known),
        (*place.names, name),
        scope,
    )


def _value(element: Element, scope: _Scope) -> float:
    value = scope.of(element.value, element.statement)
    if element.name[0] != "r":
        return value
    for formula in element.parameters.values():
        many = scope.of(formula, element.statement)
        if not many > 0:
            raise element.statement.error(f"m must be positive, not {many}")
        value /= many
    if value != 0 and not SMALLEST <= value <= LARGEST:
        must = "from 0 upwards" if not value > 0 else f"from {SMALLEST:g} to {LARGEST:g} ohm, or 0"
        raise element.statement.error(f"a resistance must be {must}, not {value} ohm")
    assert math.isfinite(value)
    return value
