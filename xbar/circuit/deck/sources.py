"""Independent sources: their DC value, else the value of their function at time 0 (waves.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

from xbar.arrays import LARGEST
from xbar.circuit.deck.elements import Element, named_nodes, quantity
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.place import Place
from xbar.circuit.deck.scope import Quantity, Reading
from xbar.circuit.deck.waves import FUNCTIONS, at_zero, check
from xbar.circuit.deck.words import Words, blanked

_AC = frozenset({"ac", "distof1", "distof2"})  # each with up to two numbers
_PORT = frozenset({"portnum", "pwr", "freq", "phase", "cpar"})  # each with a number
_KEYWORDS = FUNCTIONS | _AC | _PORT | {"z0", "rser", "r", "td", "m"}
_PASSED_OVER = frozenset({"r", "td", "repeat", "perjit", "seed", "m0"})


@dataclass(slots=True)
class Source(Element):
    """A voltage or current source.

    Attributes:
        dc: its DC value; None if it has none.
        function: name of its function of time, or nothing.
        arguments: arguments of the function.
        delay: delay of a PWL.
        many: number of sources in parallel.
        series: resistance in series.
    """

    dc: Quantity | None = None
    function: str = ""
    arguments: list[Quantity] = field(default_factory=list)
    delay: Quantity = 0.0
    many: Quantity = 1.0
    series: Quantity = 0.0

    def flat(self, place: Place) -> FlatElement:
        """The source in an instance."""
        amount = self._value(place)
        if self.name[0] == "i":
            amount *= place.many * place.parallel(self.many, self.statement)
        name, (first, second) = place.element(self.name), self.nodes
        if self.series != 0.0:
            first = f"{first}#{self.name}"
        return FlatElement(name, place.node(first), place.node(second), amount)

    def beside(self, place: Place) -> tuple[FlatElement, ...]:
        """The resistance in series with it."""
        if self.series == 0.0:
            return ()
        ohms = place.number(self.series, self.statement) / place.many
        if not 0 <= ohms < LARGEST:
            raise self.statement.error(f"a resistance must be from 0 upwards, not {ohms:g} ohm")
        first = self.nodes[0]
        inner = place.node(f"{first}#{self.name}")
        return (FlatElement(f"rser.{place.element(self.name)}", place.node(first), inner, ohms),)

    def override(self, value: Quantity) -> None:
        """Give it another DC value."""
        self.dc = value

    def _value(self, place: Place) -> float:
        if self.dc is not None:
            return place.number(self.dc, self.statement)
        if not self.function:
            return 0.0
        place.spend(len(self.arguments), self.statement)
        numbers = [place.number(q, self.statement) for q in self.arguments]
        delay = place.number(self.delay, self.statement)
        try:
            return at_zero(self.function, numbers, delay)
        except (ValueError, ArithmeticError) as error:
            raise self.statement.error(error) from error


def read_source(statement: Statement, reading: Reading) -> Source:
    """A voltage or current source; the order of DC, AC and function is free.

    Raises:
        FileError: a word is not understood, or the function has no value at time 0 that is known.
    """
    words = blanked(statement)
    nodes = named_nodes(statement, Words(words, {}), 2)
    rest = _Rest(words[3:], statement, reading)
    source = Source(statement, words[0], nodes)
    while rest.words:
        word = rest.words.pop(0)
        if word == "dc":
            source.dc = rest.number() if rest.has_number() else source.dc
        elif word in _AC:
            for _ in range(2):
                if rest.has_number():
                    rest.number()
        elif word == "pwl" and rest.words[:1] == ["file"]:
            raise statement.error("pwl from a file is not understood; give the source a DC value")
        elif word in FUNCTIONS and not source.function:
            source.function = word
            source.arguments, source.delay = rest.numbers()
        elif word == "m" and words[0][0] == "i":
            source.many = rest.number()
        elif word in ("z0", "rser") and words[0][0] == "v":
            source.series = rest.number()
        elif word in _PORT:
            rest.number()
        elif source.dc is None and not source.function and rest.is_value(word):
            source.dc = quantity(word, statement, reading)
        else:
            raise statement.error(
                f"{words[0]} must be a source with a DC value or a known function of time; "
                f"{word!r} is not understood"
            )
    if source.dc is None and source.function:
        check(source.function, len(source.arguments), statement)
    return source


class _Rest:
    """Words after the nodes of a source."""

    def __init__(self, words: list[str], statement: Statement, reading: Reading) -> None:
        self.words, self.statement, self.reading = words, statement, reading

    def is_value(self, word: str) -> bool:
        """Whether a word may be a value: a number, a formula or the name of a parameter."""
        if word[0] in "{'\"+-." or word[0].isdigit():
            return True
        return word not in _KEYWORDS and word.isidentifier()

    def has_number(self) -> bool:
        """Whether the next word is a value."""
        return bool(self.words) and self.words[0] != "dc" and self.is_value(self.words[0])

    def number(self) -> Quantity:
        """The next word as a value."""
        if not self.has_number():
            got = self.words[0] if self.words else "nothing"
            raise self.statement.error(f"a value must follow, not {got!r}")
        return quantity(self.words.pop(0), self.statement, self.reading)

    def numbers(self) -> tuple[list[Quantity], Quantity]:
        """Arguments of a function, and its delay; other options are left out."""
        found: list[Quantity] = []
        delay: Quantity = 0.0
        while self.words:
            if self.words[0] in _PASSED_OVER:
                name = self.words.pop(0)
                if name == "td":
                    delay = self.number()
                elif self.has_number():
                    self.number()
            elif self.has_number():
                found.append(self.number())
            else:
                break
        return found, delay
