"""Parameters and functions, as one instance of a subcircuit sees them.

A name that a subcircuit does not define is looked up in its callers, up to the deck. Formulas are
evaluated on demand and once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from xbar.circuit.deck.expression import Formula, parse_formula
from xbar.circuit.deck.functions import call
from xbar.circuit.deck.linear import Value, number
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.numbers import parse_number
from xbar.circuit.deck.rules import Rules
from xbar.circuit.deck.words import Words, split

Quantity = float | Formula
Resolver = Callable[[str, str], Value]

_MOST_WORK = 20_000_000  # operations of all formulas and instances
_CONSTANTS = {"pi": math.pi, "time": 0.0, "freq": 0.0, "hertz": 0.0}  # at the operating point
_VOLTS = 1.3806226e-23 / 1.6021918e-19  # thermal voltage per kelvin, with the constants of SPICE
_DEEPEST = 30  # maximum nesting of calls of functions


class Reading:
    """What is shared while one deck is flattened.

    Attributes:
        rules: rules of the dialect.
        celsius: temperature of the circuit.
        nominal: temperature at which resistances are given.
        calls: number of functions that are being called.
        splits: words of models that were looked at, by the identity of their statement.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.celsius = self.nominal = rules.celsius
        self.calls = 0
        self.splits: dict[int, Words] = {}
        self._formulas: dict[str, Formula] = {}
        self._work = 0

    def quantity(self, text: str) -> Quantity:
        """A number, or a formula for one.

        Raises:
            ValueError: it is neither.
        """
        plain = parse_number(text, self.rules)
        if plain is not None:
            return plain
        found = self._formulas.get(text)
        if found is None:
            found = self._formulas[text] = parse_formula(text, self.rules)
        return found

    def words(self, statement: Statement) -> Words:
        """Words of a statement that many elements look at."""
        found = self.splits.get(id(statement))
        if found is None:
            found = self.splits[id(statement)] = split(statement)
        return found

    def spend(self, size: int) -> None:
        """Count the work of a formula.

        Raises:
            ValueError: all formulas together take too long.
        """
        self._work += size
        if self._work > _MOST_WORK:
            raise ValueError(
                f"the formulas and instances of a deck must take fewer than {_MOST_WORK} "
                f"operations in all"
            )


@dataclass(frozen=True)
class Function:
    """A function that the deck defines.

    Attributes:
        arguments: names of its arguments.
        text: its formula.
    """

    arguments: tuple[str, ...]
    text: str


class Scope:
    """Parameters of one instance.

    Attributes:
        reading: what the whole deck shares.
        formulas: texts of its own parameters.
        values: values known so far.
        functions: its own functions.
        above: scope of the caller.
    """

    __slots__ = (
        "_failed",
        "_given",
        "_open",
        "above",
        "formulas",
        "functions",
        "reading",
        "rules",
        "values",
    )

    def __init__(
        self,
        reading: Reading,
        formulas: Mapping[str, str],
        functions: Mapping[str, Function],
        values: dict[str, Value] | None = None,
        above: Scope | None = None,
    ) -> None:
        self.reading, self.rules = reading, reading.rules
        self.formulas, self.functions = dict(formulas), dict(functions)
        self.values: dict[str, Value] = values or {}
        self._given = dict(self.values)
        self.above = above
        self._open: list[str] = []
        self._failed: dict[str, str] = {}

    def value(self, name: str) -> Value:
        """Value of a parameter.

        Raises:
            ValueError: it is not defined, is defined by itself, or has no value.
        """
        found = self.values.get(name)
        if found is not None:
            return found
        text = self.formulas.get(name)
        if text is None or (self._open and self._open[-1] == name and self.above is not None):
            if self.above is not None:
                return self.above.value(name)
            return self._constant(name)
        if name in self._open:
            raise ValueError(f"the parameter {name!r} is defined by itself")
        if name in self._failed:
            raise ValueError(self._failed[name])
        self._open.append(name)
        try:
            self.values[name] = value = self.of(text)
        except ValueError as error:
            self._failed[name] = str(error)
            raise
        finally:
            self._open.pop()
        return value

    def of(self, text: str) -> Value:
        """Value of a formula's text."""
        quantity = self.reading.quantity(text)
        if not isinstance(quantity, Formula):
            return quantity
        self.reading.spend(quantity.size)
        return quantity.evaluate(self)

    def number(self, quantity: Quantity, statement: Statement) -> float:
        """A number of an element.

        Raises:
            FileError: it has no value, or depends on the circuit.
        """
        if not isinstance(quantity, Formula):
            return quantity
        try:
            self.reading.spend(quantity.size)
            return number(quantity.evaluate(self))
        except (ValueError, RecursionError) as error:
            raise statement.error(f"{quantity.text!r} must be a number: {error}") from error

    def call(self, name: str, values: list[Value]) -> Value:
        """Value of a function of the deck, or of a built-in one."""
        return self.apply(name, values, self)

    def apply(self, name: str, values: list[Value], names: Scope | Probing | _Call) -> Value:
        """The same, voltages and currents in its formula being those of ``names``."""
        scope: Scope | None = self
        while scope is not None and name not in scope.functions:
            scope = scope.above
        if scope is None:
            return call(name, [number(value) for value in values], self.rules)
        function = scope.functions[name]
        if len(values) != len(function.arguments):
            raise ValueError(f"{name} must have {len(function.arguments)} arguments")
        reading = self.reading
        reading.calls += 1
        try:
            if reading.calls > _DEEPEST:
                raise ValueError(f"the function {name!r} calls itself, or is nested too deeply")
            body = reading.quantity(function.text)
            if not isinstance(body, Formula):
                return body
            reading.spend(body.size)
            given = dict(zip(function.arguments, values, strict=True))
            return body.evaluate(_Call(scope, given, names))
        finally:
            reading.calls -= 1

    def probe(self, kind: str, of: str) -> Value:
        """There are no voltages and currents where parameters are computed."""
        raise ValueError(f"{kind}({of}) has no value here; only sources may depend on the circuit")

    def extend(
        self, formulas: Mapping[str, str], functions: Mapping[str, Function], statement: Statement
    ) -> None:
        """Add what a branch of a choice defines; what is known already is computed anew.

        Raises:
            FileError: the instance sets one of its parameters too.
        """
        for name, text in formulas.items():
            if name in self._given:
                raise statement.error(f"the parameter {name!r}, set by the instance, is set again")
            if self.formulas.get(name, text) != text:
                self.rules.remarks.add(
                    f"{statement.file}:{statement.number}: the parameter {name!r} is defined again "
                    f"within .if; that value counts"
                )
        self.formulas.update(formulas)
        self.functions.update(functions)
        if formulas or functions:
            self.values = dict(self._given)
            self._failed.clear()

    def defines(self, name: str) -> bool:
        """Whether a name is a parameter here or in a caller."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.formulas or name in scope.values:
                return True
            scope = scope.above
        return False

    def settle(self) -> None:
        """Evaluate all parameters, in order or else backwards, so that no long chain is nested."""
        self.values = dict(self._given)
        self._failed.clear()
        for names in (self.formulas, reversed(self.formulas)):
            try:
                for name in names:
                    self._try(name)
            except RecursionError:
                continue
            return

    def _try(self, name: str) -> None:
        """Evaluate a parameter; what is wrong with it is told where it is used."""
        with suppress(ValueError):
            self.value(name)

    def _constant(self, name: str) -> float:
        if name in ("temper", "temp"):
            return self.reading.celsius
        found = _CONSTANTS.get(name)
        if found is None and self.rules.name == "ltspice" and name == "e":
            found = math.e
        if found is None and self.rules.name == "xyce":
            found = {
                "exp": math.e,
                "gmin": 1e-12,
                "vt": _VOLTS * (self.reading.celsius + 273.15),
            }.get(name)
        if found is None:
            raise ValueError(f"the parameter {name!r} is not defined")
        return found


class Probing:
    """A scope in which voltages and currents of the circuit have values.

    Attributes:
        scope: the scope.
        rules: rules of the dialect.
    """

    def __init__(self, scope: Scope, resolve: Resolver) -> None:
        self.scope, self.rules, self._resolve = scope, scope.rules, resolve

    def value(self, name: str) -> Value:
        """Value of a parameter."""
        return self.scope.value(name)

    def call(self, name: str, values: list[Value]) -> Value:
        """Value of a function."""
        return self.scope.apply(name, values, self)

    def probe(self, kind: str, of: str) -> Value:
        """A voltage or current of the circuit."""
        return self._resolve(kind, of)


class _Call:
    """Names in the formula of a function that is called."""

    def __init__(
        self, scope: Scope, given: Mapping[str, Value], names: Scope | Probing | _Call
    ) -> None:
        self.scope, self.rules, self._given, self._names = scope, scope.rules, given, names

    def value(self, name: str) -> Value:
        found = self._given.get(name)
        return self.scope.value(name) if found is None else found

    def call(self, name: str, values: list[Value]) -> Value:
        return self.scope.apply(name, values, self)

    def probe(self, kind: str, of: str) -> Value:
        return self._names.probe(kind, of)
