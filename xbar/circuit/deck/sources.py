"""Independent sources: their DC value, else the value of their function at time 0.

    PULSE(v1 ...) v1     SIN(offset amplitude f delay damping phase) offset + amplitude sin(phase)
    PWL(t1 v1 ...) interpolated at 0       EXP(v1 ...) v1       SFFM(offset ...) offset       AM 0

As in the manuals of ngspice and HSPICE, section Transient sources.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from xbar.circuit.deck.elements import Element, named_nodes, quantity
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.place import Place
from xbar.circuit.deck.scope import Quantity, Reading
from xbar.circuit.deck.words import Words, blanked

_FUNCTIONS = frozenset(
    {"pulse", "pu", "sin", "pwl", "exp", "sffm", "am", "pat", "trnoise", "trrandom", "external"}
)
_AC = frozenset({"ac", "distof1", "distof2"})  # each with up to two numbers
_PASSED_OVER = frozenset({"r", "td", "repeat", "perjit", "seed", "m0"})


@dataclass(slots=True)
class Source(Element):
    """A voltage or current source.

    Attributes:
        dc: its DC value; None if it has none.
        function: name of its function of time, or nothing.
        arguments: arguments of the function.
        many: number of sources in parallel.
    """

    dc: Quantity | None
    function: str
    arguments: list[Quantity]
    many: Quantity

    def flat(self, place: Place) -> FlatElement:
        """The source in an instance."""
        amount = self._value(place)
        if self.name[0] == "i":
            many = place.number(self.many, self.statement)
            if not many > 0:
                raise self.statement.error(f"m must be positive, not {many:g}")
            amount *= place.many * many
        first, second = self.nodes
        return FlatElement(place.element(self.name), place.node(first), place.node(second), amount)

    def override(self, value: Quantity) -> None:
        """Give it another DC value."""
        self.dc = value

    def _value(self, place: Place) -> float:
        if self.dc is not None:
            return place.number(self.dc, self.statement)
        numbers = [place.number(q, self.statement) for q in self.arguments]
        if not self.function:
            return 0.0
        if self.function == "sin":
            offset, amplitude, phase = (numbers[k] if k < len(numbers) else 0.0 for k in (0, 1, 5))
            return offset + amplitude * math.sin(math.radians(phase))
        if self.function == "pwl":
            return self._interpolated(numbers, place)
        if self.function == "am":
            return 0.0
        return numbers[0]

    def _interpolated(self, numbers: list[float], place: Place) -> float:
        """Value at time 0 of the points (time, value)."""
        if len(numbers) % 2:
            raise self.statement.error("pwl must have pairs of a time and a value")
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        before = [point for point in points if point[0] <= 0]
        after = [point for point in points if point[0] > 0]
        if not before:
            rules = place.scope.rules
            try:
                rules.insist("before its first time pwl is its first value in ngspice, 0 in Xyce")
            except ValueError as error:
                raise self.statement.error(error) from error
            return 0.0 if rules.name == "xyce" else points[0][1]
        start, low = before[-1]
        if start == 0 or not after:
            return low
        end, high = after[0]
        return low + (high - low) * -start / (end - start)


def read_source(statement: Statement, reading: Reading) -> Source:
    """A voltage or current source; the order of DC, AC and function is free.

    Raises:
        FileError: a word is not understood, or the function has no value at time 0 that is known.
    """
    words = blanked(statement)
    nodes = named_nodes(statement, Words(words, {}), 2)
    rest = _Rest(words[3:], statement, reading)
    dc: Quantity | None = None
    function, arguments = "", list[Quantity]()
    many: Quantity = 1.0
    while rest.words:
        word = rest.words.pop(0)
        if word == "dc":
            dc = rest.number() if rest.has_number() else dc
        elif word in _AC:
            for _ in range(2):
                if rest.has_number():
                    rest.number()
        elif word in _FUNCTIONS and not function:
            function = word
            arguments = rest.numbers()
        elif word == "m" and words[0][0] == "i":
            many = rest.number()
        elif dc is None and not function and rest.is_value(word):
            dc = quantity(word, statement, reading)
        else:
            raise statement.error(
                f"{words[0]} must be a source with a DC value or a known function of time; "
                f"{word!r} is not understood"
            )
    _check(statement, dc, function, arguments)
    return Source(statement, words[0], nodes, dc, function, arguments, many)


def _check(
    statement: Statement, dc: Quantity | None, function: str, arguments: list[Quantity]
) -> None:
    if dc is not None or not function:
        return
    if function in ("pat", "trnoise", "trrandom", "external"):
        raise statement.error(
            f"{function} has no definite value at time 0; give the source a DC value"
        )
    if len(arguments) < 2:
        raise statement.error(f"{function} must have at least two values; for a constant write DC")


class _Rest:
    """Words after the nodes of a source."""

    def __init__(self, words: list[str], statement: Statement, reading: Reading) -> None:
        self.words, self.statement, self.reading = words, statement, reading

    def is_value(self, word: str) -> bool:
        """Whether a word may be a value: a number, a formula or the name of a parameter."""
        if word[0] in "{'\"+-." or word[0].isdigit():
            return True
        return word not in _FUNCTIONS | _AC | _PASSED_OVER and word.isidentifier()

    def has_number(self) -> bool:
        """Whether the next word is a value."""
        return (
            bool(self.words) and self.words[0] not in ("dc", "m") and self.is_value(self.words[0])
        )

    def number(self) -> Quantity:
        """The next word as a value."""
        if not self.has_number():
            got = self.words[0] if self.words else "nothing"
            raise self.statement.error(f"a value must follow, not {got!r}")
        return quantity(self.words.pop(0), self.statement, self.reading)

    def numbers(self) -> list[Quantity]:
        """Arguments of a function; its options with a value are left out."""
        found: list[Quantity] = []
        while self.words:
            if self.words[0] in _PASSED_OVER:
                del self.words[:2]
            elif self.has_number():
                found.append(self.number())
            else:
                break
        return found
