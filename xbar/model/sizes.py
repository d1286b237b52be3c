"""Symbolic sizes in an exported archive.

``Mul(Integer(5), Symbol('s77', positive=True, integer=True))`` is five times the size s77.
PyTorch's own loader *evaluates* such text as Python; here it is parsed, checked against the allowed
forms, and computed from the syntax tree.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType

from xbar.errors import UntrustedFileError

_SYMBOL = re.compile(r"z?[a-z]{1,2}\d+")

_ARITHMETIC: Mapping[str, Callable[..., int]] = MappingProxyType(
    {
        "Integer": lambda value: value,
        "Add": lambda *terms: sum(terms),
        "Mul": lambda *factors: math.prod(factors),
        "Max": max,
        "Min": min,
        "FloorDiv": lambda a, b: a // b,
        "CleanDiv": lambda a, b: a // b,
        "CeilDiv": lambda a, b: -(-a // b),
        "Mod": lambda a, b: a % b,
        "PythonMod": lambda a, b: a % b,
        "Identity": lambda value: value,
    }
)

_KNOWN = frozenset(_ARITHMETIC) | frozenset(
    str.split(
        "Symbol Float Rational Pow PowByNatural FloatPow FloatTrueDiv IntTrueDiv Where "
        "ModularIndexing CeilToInt FloorToInt LShift RShift TruncToFloat TruncToInt "
        "RoundToInt ToFloat RoundDecimal IsNonOverlappingAndDenseIndicator Eq Ne Equality "
        "Unequality GreaterThan LessThan StrictGreaterThan StrictLessThan Ge Gt Le Lt And Or "
        "Not Piecewise ExprCondPair Tuple OpaqueUnaryFn_sqrt floor ceiling"
    )
)

_FORMS = (
    ast.Expression, ast.Call, ast.Name, ast.Constant, ast.keyword, ast.Load, ast.UnaryOp, ast.USub,
    ast.Not, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Tuple, ast.BoolOp,
    ast.And, ast.Or, ast.BitAnd, ast.BitOr, ast.Invert,
)  # fmt: skip
_MOST = 4000
_SIZE = re.compile(r"L\['\w{1,99}'\]\.size\(\)\[\d{1,3}\]", re.ASCII)
_GUARD_FORMS = (
    ast.Expression, ast.Compare, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.USub, ast.Not, ast.And,
    ast.Or, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Div, ast.Pow, ast.Eq, ast.NotEq,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Load,
)  # fmt: skip


def check_expression(text: str, where: str) -> None:
    """Refuse a size that is not pure arithmetic on symbols.

    Raises:
        UntrustedFileError: PyTorch's loader would execute it as code.

    >>> check_expression("Mul(Integer(5), Symbol('s77', positive=True))", "model.json")
    >>> check_expression("__import__('os').system('ls')", "model.json")
    Traceback (most recent call last):
    ...
    xbar.errors.UntrustedFileError: model.json: the size "__import__('os').system('ls')" is code...
    """
    tree = _parsed(text)
    if tree is None or not all(_is_arithmetic(item) for item in ast.walk(tree)):
        raise UntrustedFileError(
            f'{where}: the size "{text[:60]}" is code, not arithmetic on sizes; '
            "export the model again from its source"
        )


def check_guards(guards: object, where: str) -> None:
    """Refuse guards other than comparisons of arithmetic on an input's sizes.

    PyTorch writes ``L['x'].size()[0] == 2`` for a model that supports one size only, and *executes*
    it when the model is called. xbar never does: it takes sizes from the graph.

    Raises:
        UntrustedFileError: a guard is any other code.

    >>> check_guards(["L['x'].size()[0] == 2"], "model.json")
    >>> check_guards(["print(1)"], "model.json")
    Traceback (most recent call last):
    ...
    xbar.errors.UntrustedFileError: model.json: it has a guard 'print(1)', code that runs when...
    """
    for guard in guards if isinstance(guards, list) else [guards] if guards else []:
        if not isinstance(guard, str) or not _compares_sizes(guard):
            raise UntrustedFileError(
                f"{where}: it has a guard {str(guard)[:60]!r}, code that runs when the model is "
                "called; export the model again with torch.export.export(..., strict=False)"
            )


def _compares_sizes(text: str) -> bool:
    """Whether a guard compares arithmetic on sizes, and nothing else."""
    tree = _parsed(text)
    if tree is None or not isinstance(tree.body, (ast.Compare, ast.BoolOp)):
        return False
    return _guard_part(tree)


def _parsed(text: str) -> ast.Expression | None:
    """The syntax tree of an expression; None if it is none, or too long."""
    if len(text) > _MOST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd literals: nothing of it is compiled
            return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _guard_part(item: ast.AST) -> bool:
    if isinstance(item, ast.Constant):
        return type(item.value) in (int, float)
    if isinstance(item, ast.Subscript):
        return _SIZE.fullmatch(ast.unparse(item)) is not None
    if isinstance(item, ast.Call):
        known = isinstance(item.func, ast.Name) and item.func.id in ("max", "min", "abs")
        return known and not item.keywords and all(_guard_part(each) for each in item.args)
    return isinstance(item, _GUARD_FORMS) and all(map(_guard_part, ast.iter_child_nodes(item)))


def _is_arithmetic(item: ast.AST) -> bool:
    if isinstance(item, ast.Call):
        return isinstance(item.func, ast.Name) and item.func.id in _KNOWN
    if isinstance(item, ast.Name):
        return item.id in _KNOWN or _SYMBOL.fullmatch(item.id) is not None or item.id in ("oo",)
    if isinstance(item, ast.Constant):
        return isinstance(item.value, (bool, int, float)) or (
            isinstance(item.value, str) and _SYMBOL.fullmatch(item.value) is not None
        )
    return isinstance(item, _FORMS)


def symbols_of(text: str) -> frozenset[str]:
    """The symbols in a checked size.

    >>> symbols_of("Add(Symbol('s77', integer=True), Integer(1))")
    frozenset({'s77'})
    """
    tree = ast.parse(text, mode="eval")
    names = {item.id for item in ast.walk(tree) if isinstance(item, ast.Name)} | {
        item.value
        for item in ast.walk(tree)
        if isinstance(item, ast.Constant) and isinstance(item.value, str)
    }
    return frozenset(name for name in names if _SYMBOL.fullmatch(name) and name not in _KNOWN)


def evaluate(text: str, symbols: Mapping[str, int]) -> int | None:
    """Value of a checked size for given symbols; None if undetermined.

    >>> evaluate("Mul(Integer(5), Symbol('s77', positive=True))", {"s77": 3})
    15
    """
    try:
        return _value(ast.parse(text, mode="eval").body, symbols)
    except (KeyError, ZeroDivisionError, TypeError, OverflowError):
        return None


def _value(item: ast.expr, symbols: Mapping[str, int]) -> int:
    if isinstance(item, ast.Constant) and type(item.value) is int:
        return item.value
    if isinstance(item, ast.Name):
        return symbols[item.id]
    if isinstance(item, ast.UnaryOp) and isinstance(item.op, ast.USub):
        return -_value(item.operand, symbols)
    if isinstance(item, ast.BinOp):
        left, right = _value(item.left, symbols), _value(item.right, symbols)
        operators: dict[type[ast.operator], Callable[[], int]] = {
            ast.Add: lambda: left + right,
            ast.Sub: lambda: left - right,
            ast.Mult: lambda: left * right,
            ast.FloorDiv: lambda: left // right,
            ast.Mod: lambda: left % right,
        }
        return operators[type(item.op)]()
    if isinstance(item, ast.Call) and isinstance(item.func, ast.Name):
        if item.func.id == "Symbol" and isinstance(item.args[0], ast.Constant):
            return symbols[str(item.args[0].value)]
        return _ARITHMETIC[item.func.id](*(_value(each, symbols) for each in item.args))
    raise KeyError(ast.dump(item))
