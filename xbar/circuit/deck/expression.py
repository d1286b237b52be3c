"""Formulas of a deck: ``{2*r_on + 1meg}``, ``'(sel==2) ? 10k : 20k'``.

A formula is parsed to functions of the names that it uses; nothing is evaluated as Python. Formulas
that simulators read differently are refused: a sign before a power, a power of a power, and what
rules.py and functions.py list.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from xbar.circuit.deck.functions import power
from xbar.circuit.deck.linear import DrawError, Linear, Value, number
from xbar.circuit.deck.numbers import parse_number
from xbar.circuit.deck.rules import Rules

_TOKEN = re.compile(
    r"(?P<probe>[vi]\([^()]*\))"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]{1,4})?\w*)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>\*\*|<=|>=|==|!=|<>|&&|\|\||[-+*/%^()<>=!~&|?:,])"
)
_SPACE = re.compile(r"\s*")
_BRACKETS = str.maketrans("{}", "()")
_LONGEST = 4000  # maximum number of characters in a formula
_DEEPEST = 40  # maximum nesting

Compute = Callable[["Names"], Value]


class Names(Protocol):
    """What a formula needs to know."""

    rules: Rules

    def value(self, name: str) -> Value:
        """Value of a parameter; raises ValueError if there is none."""

    def call(self, name: str, values: list[Value]) -> Value:
        """Value of a function; raises ValueError if there is none."""

    def probe(self, kind: str, of: str) -> Value:
        """A voltage ("v") or current ("i") of the circuit."""


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Attributes:
        text: as it was written.
        compute: its value, given the names; raises ValueError.
        size: number of tokens, a measure of the time that it takes.
    """

    text: str
    compute: Compute
    size: int

    def evaluate(self, names: Names) -> Value:
        """Its value.

        Raises:
            ValueError: it has no finite value, or a name is unknown.
        """
        try:
            value = self.compute(names)
        except (ArithmeticError, TypeError) as error:
            raise ValueError(f"{self.text!r} has no value: {error}") from error
        if not isinstance(value, Linear) and not math.isfinite(value):
            raise ValueError(f"{self.text!r} must be finite, and is {value}")
        return value


def parse_formula(text: str, rules: Rules) -> Formula:
    """Parse a formula in lower case; enclosing braces and quotes are treated as parentheses.

    Raises:
        ValueError: it is not a formula, or simulators read it differently.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a formula must be shorter than {_LONGEST} characters")
    plain = text.strip()
    if len(plain) > 2 and plain[0] in "'\"" and plain[-1] == plain[0]:
        plain = plain[1:-1]
    parser = _Parser(plain.translate(_BRACKETS), text, rules)
    return Formula(text, parser.whole(), len(parser.tokens))


class _Parser:
    """Parses by precedence, one method a level; the tokens are (kind, text)."""

    def __init__(self, plain: str, text: str, rules: Rules) -> None:
        self.text, self.rules = text, rules
        self.tokens = list(self._split(plain))
        self.at = self.depth = 0

    def _split(self, plain: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        at = 0
        while True:
            space = _SPACE.match(plain, at)
            at = space.end() if space else at
            if at >= len(plain):
                return found
            match = _TOKEN.match(plain, at)
            if match is None or match.lastgroup is None:
                raise ValueError(
                    f"{plain[at : at + 20].split()[0]!r} is not understood in a formula"
                )
            found.append((match.lastgroup, match[0]))
            at = match.end()

    def whole(self) -> Compute:
        """The whole text as one formula."""
        found = self._choice()
        if self.at < len(self.tokens):
            raise self._wrong()
        return found

    def _wrong(self) -> ValueError:
        rest = self.tokens[self.at][1] if self.at < len(self.tokens) else "its end"
        return ValueError(f"{self.text!r} is not a formula: {rest!r} is out of place")

    def _next(self) -> str:
        token = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        return token[1] if token[0] == "sign" else ""

    def _took(self, *signs: str) -> str:
        found = self._next()
        if found and found in signs:
            self.at += 1
            return found
        return ""

    def _choice(self) -> Compute:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError("a formula is nested too deeply")
        test = self._chain(0)
        if self._took("?"):
            yes = self._choice()
            if not self._took(":"):
                raise self._wrong()
            test = _choose(test, yes, self._choice())
        self.depth -= 1
        return test

    def _chain(self, level: int) -> Compute:
        """Operands of one precedence, computed from left to right."""
        if level == len(_LEVELS):
            return self._signed()
        signs = _LEVELS[level]
        first, rest = self._chain(level + 1), []
        while sign := self._took(*signs):
            rest.append((signs[sign], self._chain(level + 1)))
        return _folded(first, rest) if rest else first

    def _signed(self) -> Compute:
        signs = []
        while sign := self._took("-", "+", "!", "~"):
            signs.append(sign)
        if len(signs) > _DEEPEST:
            raise ValueError("a formula is nested too deeply")
        at = self.at
        inner = self._power()
        if signs and not self.rules.power_first and "**" in self._signs(at):
            raise ValueError(
                f"in {self.text!r} simulators read a sign before a power differently; put one of "
                f"them in parentheses"
            )
        flips = [_UNARY[sign] for sign in reversed(signs) if sign != "+"]
        return _flipped(inner, flips) if flips else inner

    def _signs(self, start: int) -> list[str]:
        """Powers since a token, outside of parentheses."""
        depth, found = 0, []
        for kind, text in self.tokens[start : self.at]:
            depth += (kind == "sign") * ((text == "(") - (text == ")"))
            if kind == "sign" and depth == 0 and text in ("**", "^"):
                found.append("**")
        return found

    def _power(self) -> Compute:
        base = self._atom()
        sign = self._took("**", "^")
        if not sign:
            return base
        if sign == "^":
            self.rules.insist("^ is a power in ngspice and HSPICE, an exclusive or elsewhere")
            if not self.rules.caret:
                raise ValueError(f"^ is no power in {self.rules.name}; write ** for one")
        minus = bool(self._took("-"))
        exponent = self._atom()
        if self._next() in ("**", "^"):
            raise ValueError("a power of a power is ambiguous; write pow(a, b)")
        return _powered(base, exponent, minus)

    def _atom(self) -> Compute:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        self.at += 1
        if kind == "number":
            value = parse_number(text, self.rules, in_formula=True)
            if value is None:
                raise ValueError(f"{text!r} is not a finite number in {self.text!r}")
            return _constant(value)
        if kind == "probe":
            return _probed(text[0], text[2:-1].strip())
        if kind == "name":
            return self._call(text) if self._took("(") else _named(text)
        if text == "(":
            inner = self._choice()
            if self._took(")"):
                return inner
        else:
            self.at -= 1
        raise self._wrong()

    def _call(self, name: str) -> Compute:
        arguments = []
        if not self._took(")"):
            arguments.append(self._choice())
            while self._took(","):
                arguments.append(self._choice())
            if not self._took(")"):
                raise self._wrong()
        if name in ("if", "ternary_fcn") and len(arguments) == 3:
            return _choose(*arguments)
        return _called(name, arguments)


def _constant(value: float) -> Compute:
    return lambda names: value


def _named(name: str) -> Compute:
    return lambda names: names.value(name)


def _probed(kind: str, of: str) -> Compute:
    return lambda names: names.probe(kind, of)


def _called(name: str, arguments: list[Compute]) -> Compute:
    return lambda names: names.call(name, [argument(names) for argument in arguments])


def _choose(test: Compute, yes: Compute, no: Compute) -> Compute:
    return lambda names: yes(names) if number(test(names)) != 0 else no(names)


def _powered(base: Compute, exponent: Compute, minus: bool) -> Compute:
    sign = -1.0 if minus else 1.0
    return lambda names: power(number(base(names)), sign * number(exponent(names)), names.rules)


def _flipped(inner: Compute, flips: list[Callable[[Value], Value]]) -> Compute:
    def compute(names: Names) -> Value:
        value = inner(names)
        for flip in flips:
            value = flip(value)
        return value

    return compute


def _folded(first: Compute, rest: list[tuple[Callable[..., Value], Compute]]) -> Compute:
    def compute(names: Names) -> Value:
        drawn: DrawError | None = None
        value: Value = 0.0
        try:
            value = first(names)
        except DrawError as error:
            drawn = error
        for apply, other in rest:
            if drawn and apply not in (operator.mul, operator.truediv):
                raise drawn
            try:
                value = apply(value, factor := other(names))
            except DrawError:
                if apply is not operator.mul or drawn or value != 0:  # a switched off random part
                    raise
            else:
                if apply is operator.mul and factor == 0:
                    drawn = None
        if drawn:
            raise drawn
        return value

    return compute


def _test(compare: Callable[[float, float], bool]) -> Callable[[Value, Value], Value]:
    return lambda a, b: float(compare(number(a), number(b)))


_UNARY: Mapping[str, Callable[[Value], Value]] = {
    "-": operator.neg,
    "!": lambda value: float(number(value) == 0),
    "~": lambda value: float(number(value) == 0),
}
_EQUAL = _test(operator.eq)
_OR = _test(lambda a, b: a != 0 or b != 0)
_AND = _test(lambda a, b: a != 0 and b != 0)
_LEVELS: tuple[Mapping[str, Callable[..., Value]], ...] = (
    {"||": _OR, "|": _OR},
    {"&&": _AND, "&": _AND},
    {"==": _EQUAL, "=": _EQUAL, "!=": _test(operator.ne), "<>": _test(operator.ne)},
    {
        "<": _test(operator.lt),
        ">": _test(operator.gt),
        "<=": _test(operator.le),
        ">=": _test(operator.ge),
    },
    {"+": operator.add, "-": operator.sub},
    {
        "*": operator.mul,
        "/": operator.truediv,
        "%": lambda a, b: math.fmod(number(a), number(b)),
    },
)
