"""Elements of a deck but its sources: resistors, capacitors, inductors, instances.

Each kind is a class that is made from a statement and that gives the flat element in an instance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xbar.arrays import LARGEST
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.place import Place
from xbar.circuit.deck.resistance import KNOWN, PASSED_OVER, resistance
from xbar.circuit.deck.scope import Quantity, Reading
from xbar.circuit.deck.words import Words, split

_CAPITAL_M = re.compile(r"\s(?:[rR]\s*=\s*)?([0-9]+(?:\.[0-9]*)?M)(?:[oO][hH][mM][sS]?|Ω)?(?=\s|$)")
_LISTED = str.maketrans(",()", "   ")


@dataclass(slots=True)
class Element:
    """An element as a statement describes it.

    Attributes:
        statement: its statement.
        name: its name; the first letter is its kind.
        nodes: nodes that it connects.
    """

    statement: Statement
    name: str
    nodes: tuple[str, ...]

    def flat(self, place: Place) -> FlatElement:
        """The element in an instance.

        Raises:
            FileError: a value is missing, is no number, or is not allowed.
        """
        raise NotImplementedError  # an instance has none: its elements are entered instead

    def beside(self, place: Place) -> tuple[FlatElement, ...]:
        """Resistors that its statement describes beside it."""
        return ()

    def override(self, value: Quantity) -> None:
        """Give it another value.

        Raises:
            FileError: it has none.
        """
        raise self.statement.error(f"{self.name!r} has no value that can be swept")


@dataclass(slots=True)
class Resistor(Element):
    """A resistor.

    Attributes:
        values: positional words: a value, a model, or both.
        given: quantities by parameter.
    """

    values: Sequence[Quantity | str]
    given: Mapping[str, Quantity]

    def flat(self, place: Place) -> FlatElement:
        """The resistor in an instance."""
        ohms = resistance(self.statement, self.values, self.given, place)
        first, second = self.nodes
        return FlatElement(place.element(self.name), place.node(first), place.node(second), ohms)

    def override(self, value: Quantity) -> None:
        """Give it another resistance."""
        self.values = [value]


@dataclass(slots=True)
class Store(Element):
    """A capacitor or an inductor: open, or a short; its value doesn't matter.

    Attributes:
        series: resistance in series, of an inductor.
        across: resistance in parallel.
    """

    series: Quantity | None = None
    across: Quantity | None = None

    def flat(self, place: Place) -> FlatElement:
        """The open or shorted element in an instance."""
        first, second = self.nodes
        if self.series is not None:
            first = f"{first}#{self.name}"
        return FlatElement(place.element(self.name), place.node(first), place.node(second), 0.0)

    def beside(self, place: Place) -> tuple[FlatElement, ...]:
        """Its resistances."""
        name, (first, second) = place.element(self.name), self.nodes
        inner = f"{first}#{self.name}"
        found = []
        for kind, value, a, b in (
            ("rser", self.series, first, inner),
            ("rpar", self.across, first, second),
        ):
            if value is not None:
                ohms = place.number(value, self.statement) / place.many
                if not 0 <= ohms <= LARGEST:
                    raise self.statement.error(f"{kind} must be from 0 upwards, not {ohms:g} ohm")
                found.append(FlatElement(f"{kind}.{name}", place.node(a), place.node(b), ohms))
        return tuple(found)

    def override(self, value: Quantity) -> None:
        """Another value doesn't matter either."""


@dataclass(slots=True)
class Instance(Element):
    """An instance of a subcircuit.

    Attributes:
        of: name of the subcircuit.
        given: quantities by parameter.
    """

    of: str
    given: Mapping[str, Quantity]


def read_resistor(statement: Statement, reading: Reading) -> Resistor:
    """A resistor with a value, a model, or parameters.

    Raises:
        FileError: it has too many or too few words, or an unknown parameter.
    """
    words = split(statement)
    nodes = named_nodes(statement, words, 2)
    given = _resistor_parameters(statement, words, reading)
    values = [value(word, statement, reading) for word in words.words[3:]]
    numbers = [v for v in values if not isinstance(v, str)]
    if reading.rules.name == "hspice" and 1 < len(numbers) <= 3:  # R1 a b 1k tc1 tc2
        given.update(zip(("tc1", "tc2"), numbers[1:], strict=False))
        values = [v for v in values if v not in numbers[1:]]
    known = any(name in given for name in ("r", "resistance", "l"))
    if len(values) > 2 or not (values or known):
        got = " ".join(words.words[3:]) or "nothing"
        raise statement.error(f"{words.words[0]} must have one resistance, not {got!r}")
    if "M" in statement.raw:
        _tell_of_milliohms(statement, reading)
    return Resistor(statement, words.words[0], nodes, values, given)


def _tell_of_milliohms(statement: Statement, reading: Reading) -> None:
    """Remark on a resistance such as 10M, of which another reader would think as 10 Mohm."""
    for found in _CAPITAL_M.findall(statement.raw):
        reading.rules.remarks.add(
            f"a resistance of {found} is one of {found[:-1]} milliohm, as M is milli in SPICE; "
            f"1e6 is written meg, and m is not in doubt"
        )


def _resistor_parameters(
    statement: Statement, words: Words, reading: Reading
) -> dict[str, Quantity]:
    given: dict[str, Quantity] = {}
    for name, text in words.assigned.items():
        if name == "tc":
            pair = text.translate(_LISTED).split()
            for key, part in zip(("tc1", "tc2"), pair, strict=False):
                given[key] = quantity(part, statement, reading)
        elif name in KNOWN:
            given[name] = quantity(text, statement, reading)
        elif name not in PASSED_OVER:
            raise statement.error(
                f"{words.words[0]} has the parameter {name!r}, which is not understood"
            )
    return given


def read_store(statement: Statement, reading: Reading) -> Store:
    """A capacitor or an inductor.

    Raises:
        FileError: it has too few words.
    """
    words = split(statement)
    nodes = named_nodes(statement, words, 2)
    kind = words.words[0][0]
    own = {
        name: quantity(words.assigned[name], statement, reading)
        for name in ("rser", "rpar")
        if name in words.assigned
    }
    if "rlshunt" in words.assigned:
        raise statement.error("rlshunt is not understood; write it as a resistor")
    if kind == "l" and reading.rules.name == "ltspice" and "rser" not in words.assigned:
        reading.rules.remarks.add(
            "inductors are shorts; LTspice gives them 1 mohm in series unless told otherwise"
        )
    series = own.get("rser") if kind == "l" else None
    return Store(statement, words.words[0], nodes, series, own.get("rpar"))


def read_instance(statement: Statement, reading: Reading) -> Instance:
    """An instance of a subcircuit; a slash before the name, as CDL writes it, is passed over.

    Raises:
        FileError: it names no subcircuit, or a value is no formula.
    """
    words = split(statement)
    names = [w for w in words.words if w != "/"]
    if len(names) < 2:
        raise statement.error(f"{statement.brief!r} must have a name, nodes and a subcircuit")
    given = {name: quantity(text, statement, reading) for name, text in words.assigned.items()}
    nodes = named_nodes(statement, Words(names, {}), len(names) - 2)
    return Instance(statement, names[0], nodes, unquoted(names[-1]).lstrip("/"), given)


def named_nodes(statement: Statement, words: Words, count: int) -> tuple[str, ...]:
    """The nodes after an element's name.

    Raises:
        FileError: there are too few words, or a formula stands where a node must.
    """
    found = words.words[: count + 1]
    if len(found) < count + 1:
        raise statement.error(f"{statement.brief!r} must have a name, {count} nodes, and a value")
    for name in found:
        if name[0] in "{=" or not name.strip("\"'"):
            raise statement.error(f"{name!r} is not a name of a node or an element")
    return tuple(unquoted(name) for name in found[1:])


def unquoted(name: str) -> str:
    """A name without the quotes around it."""
    return name[1:-1] if name[0] in "\"'" else name


def quantity(text: str, statement: Statement, reading: Reading) -> Quantity:
    """A number or formula.

    Raises:
        FileError: it is neither, or simulators read it differently.
    """
    try:
        return reading.quantity(text)
    except (ValueError, RecursionError) as error:
        raise statement.error(f"{text!r} must be a number: {error}") from error


def value(word: str, statement: Statement, reading: Reading) -> Quantity | str:
    """A positional value; a bare name stays text, since it may be a model or a parameter."""
    first = word[0]
    if first in "{\"'.+-" or "0" <= first <= "9":
        return quantity(word, statement, reading)
    return word
