"""Functions of formulas, and what simulators read differently in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from xbar.circuit.deck.linear import DrawError
from xbar.circuit.deck.rules import Rules

Function = Callable[..., float]

_COMMON: Mapping[str, Function] = {
    "abs": abs,
    "acos": math.acos,
    "acosh": math.acosh,
    "arccos": math.acos,
    "arcsin": math.asin,
    "arctan": math.atan,
    "asin": math.asin,
    "asinh": math.asinh,
    "atan": math.atan,
    "atan2": math.atan2,
    "atanh": math.atanh,
    "ceil": math.ceil,
    "ceiling": math.ceil,
    "cos": math.cos,
    "cosh": math.cosh,
    "exp": math.exp,
    "floor": math.floor,
    "fmod": math.fmod,
    "hypot": math.hypot,
    "int": math.trunc,
    "ln": math.log,
    "log10": math.log10,
    "max": max,
    "min": min,
    "mod": math.fmod,
    "sin": math.sin,
    "sinh": math.sinh,
    "sqrt": math.sqrt,
    "tan": math.tan,
    "tanh": math.tanh,
    "trunc": math.trunc,
}
_DRAWS = frozenset({"agauss", "aunif", "gauss", "unif", "limit", "flat", "mc", "rand", "random"})


def call(name: str, values: list[float], rules: Rules) -> float:
    """Value of a built-in function.

    Raises:
        ValueError: there is no such function, it has no value there, or simulators differ.
    """
    found = _COMMON.get(name)
    if found is not None:
        return float(found(*values))
    special = _SPECIAL.get(name)
    if special is not None:
        return float(special(rules, *values))
    if name in _DRAWS:
        return _draw(name, values, rules)
    raise ValueError(f"the function {name!r} is unknown")


def power(base: float, exponent: float, rules: Rules) -> float:
    """A power as ``**`` computes it.

    Raises:
        ValueError: it has no value, or simulators differ: the base is negative and the exponent not
            an even number.
    """
    if base < 0 and (exponent % 2) != 0:
        rules.insist(f"the power {exponent:g} of the negative number {base:g}")
        base = abs(base) if rules.even_power else base
    return math.pow(base, exponent)


def _log(rules: Rules, x: float) -> float:
    rules.insist("log is base 10 in Xyce and natural in ngspice; ln and log10 are not in doubt")
    return math.log10(x) if rules.common_log else math.log(x)


def _nint(rules: Rules, x: float) -> float:
    if abs(x) % 1 == 0.5:
        rules.insist(f"nint({x:g}) is between two integers")
    if rules.nearest_even:
        return float(round(x))
    return math.copysign(math.floor(abs(x) + 0.5), x)


def _pow(rules: Rules, x: float, y: float) -> float:
    if rules.name == "hspice" and x < 0:
        y = math.trunc(y)
    return math.pow(x, y)


def _pwr(rules: Rules, x: float, y: float) -> float:
    if x < 0:
        rules.insist("pwr of a negative number")
    return math.copysign(math.pow(abs(x), y), x if rules.signed_pwr else 1.0)


def _draw(name: str, values: list[float], rules: Rules) -> float:
    """The nominal value of a random draw; limit clamps in some dialects."""
    if name == "limit" and len(values) == 3 and rules.clamps:
        low, high = sorted(values[1:])
        return min(max(values[0], low), high)
    if not rules.nominal_draws or name in ("rand", "random") or not values:
        if name == "limit" and len(values) == 3:
            raise DrawError(
                "limit clamps in Xyce and LTspice, and is a random draw in HSPICE; name the "
                "dialect, or use min and max"
            )
        raise DrawError(
            f"{name} is a random draw, and a circuit must have definite values; Xyce and HSPICE "
            f"take the nominal one (dialect='xyce' or 'hspice')"
        )
    return values[0]


def _step(rules: Rules, x: float) -> float:
    if x == 0:
        raise ValueError("a step at 0 is between its two values")
    return float(x > 0)


_SPECIAL: Mapping[str, Callable[..., float]] = {
    "db": lambda rules, x: 20 * math.log10(abs(x)),
    "log": _log,
    "m": lambda rules, x: abs(x),
    "nint": _nint,
    "pow": _pow,
    "pwr": _pwr,
    "pwrs": lambda rules, x, y: math.copysign(math.pow(abs(x), y), x),
    "round": _nint,
    "sgn": lambda rules, x: float((x > 0) - (x < 0)),
    "sign": lambda rules, x, y: abs(x) * float((y > 0) - (y < 0)),
    "sqr": lambda rules, x: x * x,
    "stp": _step,
    "u": _step,
    "uramp": lambda rules, x: max(x, 0.0),
}
