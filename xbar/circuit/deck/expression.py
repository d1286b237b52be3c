"""SPICE numbers and expressions: ``2.2k``, ``{2*r_on + 1meg}``.

An expression is parsed to a syntax tree and computed from it; nothing is evaluated as Python.
Expressions on which simulators differ are rejected, such as chained powers without parentheses.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?)([a-z]*)")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?[a-z]*)"
    r"|(?P<name>[a-z_][a-z0-9_]*)|(?P<sign>\*\*|[-+*/^(),]))"
)
_SUFFIXES = {
    "meg": Decimal("1e6"),
    "mil": Decimal("25.4e-6"),
    "t": Decimal("1e12"),
    "g": Decimal("1e9"),
    "k": Decimal("1e3"),
    "m": Decimal("1e-3"),
    "u": Decimal("1e-6"),
    "n": Decimal("1e-9"),
    "p": Decimal("1e-12"),
    "f": Decimal("1e-15"),
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "int": math.trunc,
    "ln": math.log,
    "log": math.log,
    "log10": math.log10,
    "max": max,
    "min": min,
    "pow": math.pow,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: math.pow,
}
_LONGEST = 4000  # maximum number of characters in a formula
_DEEPEST = 100


def parse_number(text: str) -> float | None:
    """Parse a number in lower case; None if it is not a number.

    Letters after the suffix are a unit and are ignored, as in SPICE.

    >>> parse_number("4.7k"), parse_number("2megohm"), parse_number("1mil"), parse_number("1k2")
    (4700.0, 2000000.0, 2.54e-05, None)
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits, letters = match.groups()
    suffix = next((s for s in _SUFFIXES if letters.startswith(s)), None)
    value = Decimal(digits) * (_SUFFIXES[suffix] if suffix else 1)
    number = float(value)
    return number if math.isfinite(number) else None


def evaluate(text: str, lookup: Callable[[str], float]) -> float:
    """Value of a formula in lower case.

    Args:
        text: number, or formula of numbers, parameters, ``+ - * / ** ^``, parentheses and the
            usual functions; enclosing braces and quotes are treated as parentheses.
        lookup: function from a parameter's name to its value; raises ValueError for unknown names.

    Raises:
        ValueError: it is not such a formula, or has no finite value.

    >>> evaluate("{2*r + 1k}", {"r": 3.0}.__getitem__)
    1006.0
    """
    plain = parse_number(text)
    if plain is not None:
        return plain
    try:
        value = _value(_tree(text), lookup, 0)
    except (ArithmeticError, TypeError) as error:
        raise ValueError(f"{text!r} has no value: {error}") from error
    if not math.isfinite(value):
        raise ValueError(f"{text!r} must be finite, and is {value}")
    return value


def _tree(text: str) -> ast.expr:
    """The formula's syntax tree, with an underscore before names and no suffixes on numbers."""
    if len(text) > _LONGEST:
        raise ValueError(f"a formula must be shorter than {_LONGEST} characters")
    plain = text.replace("{", "(").replace("}", ")")
    if plain[:1] in ("'", '"') and plain[-1:] == plain[0] and len(plain) > 2:
        plain = f"({plain[1:-1]})"
    parts, at = [], 0
    plain = plain.strip()
    while at < len(plain):
        match = _TOKEN.match(plain, at)
        if match is None:
            raise ValueError(f"{plain[at:].split()[0]!r} is not understood in {text!r}")
        if match["number"]:
            number = parse_number(match["number"])
            if number is None:
                raise ValueError(f"{match['number']!r} is not a finite number in {text!r}")
            parts.append(repr(number))
        else:
            parts.append(f"_{match['name']}" if match["name"] else match["sign"].replace("^", "**"))
        at = match.end()
    try:
        return ast.parse(" ".join(parts), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is not a formula") from error


def _value(node: ast.expr, lookup: Callable[[str], float], depth: int) -> float:
    if depth > _DEEPEST:
        raise ValueError("a formula is nested too deeply")
    match node:
        case ast.Constant(value=float(number)):
            return number
        case ast.Name(id=name):
            return lookup(name[1:])
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
            value = _value(inner, lookup, depth + 1)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            if isinstance(operator, ast.Pow) and _is_power(right):
                raise ValueError("a power of a power is ambiguous; write pow(a, b)")
            both = (_value(side, lookup, depth + 1) for side in (left, right))
            return _OPERATORS[type(operator)](*both)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name[1:] not in _FUNCTIONS:
                raise ValueError(f"the function {name[1:]!r} is unknown")
            values = [_value(argument, lookup, depth + 1) for argument in arguments]
            return float(_FUNCTIONS[name[1:]](*values))
    raise ValueError("only + - * / ** and functions of numbers and parameters are understood")


def _is_power(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
