"""Controlled sources E, F, G, H and B, as far as they are linear.

E1 a b c d 10                  G1 a b POLY(2) c d e f 0 1m 2m       E2 a b VALUE={2*V(c)+1}
F1 a b vsense 2                H1 a b POLY(1) vsense 0 50           B1 a b i=1m*V(c,d)
"""

from __future__ import annotations

from dataclasses import dataclass

from xbar.circuit.deck.elements import Element, named_nodes, quantity, unquoted
from xbar.circuit.deck.expression import Formula
from xbar.circuit.deck.flat import Control, FlatElement
from xbar.circuit.deck.linear import NOT_LINEAR, Linear, Value
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.place import Place
from xbar.circuit.deck.scope import Probing, Quantity, Reading
from xbar.circuit.deck.words import Words, split

_FORMULAS = ("value", "vol", "cur", "v", "i")
_KEYWORDS = {"e": "vcvs", "g": "vccs", "f": "cccs", "h": "ccvs"}
_PASSED_OVER = frozenset({"ic", "noise", "reciproctc", "smoothbsrc", "tripdt", "tripdv"})
_MOST_TERMS = 1000


@dataclass(slots=True)
class Dependent(Element):
    """A controlled source.

    Attributes:
        fixes: "v" or "i".
        constant: its constant part.
        terms: gains, each with its nodes or its element.
        formula: a formula that holds instead.
        many: number of these in parallel.
    """

    fixes: str
    constant: Quantity
    terms: list[tuple[Quantity, tuple[str, ...]]]
    formula: Formula | None
    many: Quantity

    def flat(self, place: Place) -> FlatElement:
        """The source in an instance."""
        if self.formula is not None:
            value = self._evaluated(self.formula, place)
        else:
            value = self._summed(place)
        many = place.parallel(self.many, self.statement)
        if not isinstance(value, Linear):
            value = Linear(value, {})
        return self._placed(value, many, place)

    def _summed(self, place: Place) -> Linear:
        gains: dict[tuple[str, ...], float] = {}
        place.spend(len(self.terms), self.statement)
        for gain, by in self.terms:
            full = _full(by, place)
            gains[full] = gains.get(full, 0.0) + place.number(gain, self.statement)
        return Linear(place.number(self.constant, self.statement), gains)

    def _evaluated(self, formula: Formula, place: Place) -> Value:
        names = Probing(place.scope, lambda kind, of: _probed(kind, of, place))
        try:
            place.scope.reading.spend(formula.size)
            return formula.evaluate(names)
        except (ValueError, RecursionError) as error:
            raise self.statement.error(f"{formula.text!r} must be linear: {error}") from error

    def _placed(self, value: Linear, many: float, place: Place) -> FlatElement:
        """The element of ``place.many`` instances in parallel, whose currents are their sums."""
        current = self.fixes == "i"
        across = many * place.many if current else 1.0
        through = many if current else 1 / place.many
        controls = tuple(
            Control(gain * (across if len(by) == 2 else through), by)
            for by, gain in value.gains.items()
        )
        rules = place.scope.rules
        if place.many != 1 and rules.name == "ngspice" and any(len(c.by) == 1 for c in controls):
            rules.remarks.add(
                "a source controlled by a current, in an instance with m, follows the current of "
                "one of the instances in parallel; ngspice 39 counts m twice"
            )
        first, second = (place.node(node) for node in self.nodes)
        name = place.element(self.name)
        fixes = self.fixes if self.name[0] == "b" else ""
        return FlatElement(name, first, second, value.constant * across, controls, fixes)


def read_dependent(statement: Statement, reading: Reading) -> Dependent:
    """A controlled source.

    Raises:
        FileError: it is not linear, or not understood.
    """
    words = split(statement)
    nodes = named_nodes(statement, words, 2)
    name, rest = words.words[0], words.words[3:]
    fixes = "v" if name[0] in "eh" else "i"
    assigned = {k: t for k, t in words.assigned.items() if k not in _PASSED_OVER}
    many = quantity(assigned.pop("m", "1"), statement, reading)
    if "gain" in assigned and len(rest) == (2 if name[0] in "eg" else 1):
        rest = [*rest, assigned.pop("gain")]
    found = next((key for key in _FORMULAS if key in assigned), None)
    if found is None and len(rest) == 2 and rest[0] in _FORMULAS:
        found, text = rest[0], rest[1]
    elif found is not None and not rest:
        text = assigned.pop(found)
    if found in ("v", "i") and name[0] == "b":
        fixes = found
    if assigned or (found is None and name[0] == "b"):
        key = next(iter(assigned), statement.brief)
        raise statement.error(f"{name} has {key!r}, which is not understood")
    if found is not None:
        formula = quantity(text, statement, reading)
        whole = formula if isinstance(formula, Formula) else None
        constant: Quantity = 0.0 if whole else formula
        return Dependent(statement, name, nodes, fixes, constant, [], whole, many)
    if rest and rest[0] == _KEYWORDS[name[0]]:
        rest = rest[1:]
    constant, terms = _terms(statement, name, rest, reading)
    return Dependent(statement, name, nodes, fixes, constant, terms, None, many)


def _terms(
    statement: Statement, name: str, rest: list[str], reading: Reading
) -> tuple[Quantity, list[tuple[Quantity, tuple[str, ...]]]]:
    """Constant part and terms of ``c d gain`` or ``POLY(n) ... coefficients``."""
    width = 2 if name[0] in "eg" else 1
    if rest and rest[0] == "poly":
        return _polynomial(statement, rest[1:], width, reading)
    if len(rest) != width + 1 or any(word[0] in "{'" for word in rest[:width]):
        got = " ".join(rest)[:60] or "nothing"
        raise statement.error(
            f"{name} must have {'two nodes' if width == 2 else 'a voltage source'} and a gain, "
            f"POLY or VALUE={{formula}}, not {got!r}; tables and functions of frequency or time "
            f"are not understood"
        )
    by = named_nodes(statement, Words([name, *rest], {}), width)
    return 0.0, [(quantity(rest[width], statement, reading), by)]


def _polynomial(
    statement: Statement, rest: list[str], width: int, reading: Reading
) -> tuple[Quantity, list[tuple[Quantity, tuple[str, ...]]]]:
    """Coefficients in SPICE's order: constant, each quantity, then products, which must be 0."""
    count = int(rest[0]) if rest and rest[0].isdecimal() and len(rest[0]) < 4 else 0
    if not 1 <= count <= _MOST_TERMS or len(rest) < 2 + width * count:
        raise statement.error(f"{statement.brief!r} must have POLY(n), n controls and coefficients")
    names, texts = rest[1 : 1 + width * count], rest[1 + width * count :]
    by = [tuple(unquoted(n) for n in names[k : k + width]) for k in range(0, len(names), width)]
    coefficients = [quantity(text, statement, reading) for text in texts]
    if len(coefficients) == 1 and count == 1:
        return _single(coefficients[0], by[0], statement, reading)
    for coefficient in coefficients[1 + count :]:
        if isinstance(coefficient, Formula) or coefficient != 0:
            raise statement.error(f"POLY has products of voltages or currents: {NOT_LINEAR}")
    return coefficients[0], list(zip(coefficients[1 : 1 + count], by, strict=False))


def _single(
    coefficient: Quantity, by: tuple[str, ...], statement: Statement, reading: Reading
) -> tuple[Quantity, list[tuple[Quantity, tuple[str, ...]]]]:
    """The only coefficient of POLY(1): the gain since SPICE 2, a constant in ngspice."""
    if coefficient == 0:
        return 0.0, []
    try:
        reading.rules.insist(
            "POLY(1) with one coefficient, a constant in ngspice, a gain elsewhere"
        )
    except ValueError as error:
        raise statement.error(error) from error
    if reading.rules.name == "ngspice":
        return coefficient, []
    return 0.0, [(coefficient, by)]


def _full(by: tuple[str, ...], place: Place) -> tuple[str, ...]:
    return (place.node(by[0]), place.node(by[1])) if len(by) == 2 else (place.other(by[0]),)


def _probed(kind: str, of: str, place: Place) -> Value:
    """``v(a)``, ``v(a,b)`` or ``i(element)``."""
    names = [name.strip().strip('"') for name in of.split(",")]
    if not all(names) or len(names) > (2 if kind == "v" else 1):
        raise ValueError(f"{kind}({of}) is not understood")
    if kind == "i":
        return Linear(0.0, {_full((names[0],), place): 1.0})
    first, second = place.node(names[0]), place.node(names[1]) if len(names) == 2 else "0"
    return 0.0 if first == second else Linear(0.0, {(first, second): 1.0})
