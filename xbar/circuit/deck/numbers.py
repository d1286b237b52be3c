"""Numbers of SPICE: ``2.2k``, ``1meg``, ``10µ``, with what dialects read differently in them."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from xbar.circuit.deck.rules import Rules

_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]{1,4})?)([^\W\d_]*)")
_LETTER_AS_POINT = re.compile(r"([+-]?[0-9]+)(meg|[tgkmunpfr])([0-9]+)")
_POWERS = {
    "t": 12,
    "g": 9,
    "k": 3,
    "m": -3,
    "u": -6,
    "\N{MICRO SIGN}": -6,
    "\N{GREEK SMALL LETTER MU}": -6,
    "n": -9,
    "p": -12,
    "f": -15,
}
SUFFIX = re.compile(rf"(?:meg|mil|[{''.join(_POWERS)}])(?:ohms?|ω)?")
"""What may follow a resistance as its scale."""

_MIL = Decimal("25.4e-6")
_LONGEST = 400  # maximum number of characters


def parse_number(text: str, rules: Rules, *, in_formula: bool = False) -> float | None:
    """Value of a number in lower case; None if it is not a number.

    Letters after the suffix are a unit and are ignored, as in SPICE.

    Args:
        text: the number, without blanks.
        rules: rules of its dialect.
        in_formula: whether it stands in a formula, where ngspice reads "mil" as milli.

    Raises:
        ValueError: simulators read it differently, and the dialect was not named.

    >>> from xbar.circuit.deck.rules import rules_of
    >>> [parse_number(n, rules_of(None)) for n in ("4.7k", "2megohm", "1mil", "10µ", "k")]
    [4700.0, 2000000.0, 2.54e-05, 1e-05, None]
    >>> parse_number("3x", rules_of("xyce")), parse_number("4k7", rules_of("ltspice"))
    (3000000.0, 4700.0)
    """
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return _with_letter_as_point(text, rules)
    digits, letters = match.groups()
    if not letters:
        value = float(digits)
    elif letters[0] in _POWERS:
        value = _scaled(digits, letters, text, rules, in_formula)
    else:
        value = _lettered(digits, letters, text, rules)
    return value if math.isfinite(value) else None


def _scaled(digits: str, letters: str, text: str, rules: Rules, in_formula: bool) -> float:
    power = _POWERS[letters[0]]
    if letters[0] == "m":
        if letters.startswith("meg"):
            power = 6
        elif letters.startswith("mil"):
            if not in_formula or rules.name != "ngspice":
                return float(Decimal(digits) * _MIL)
            rules.insist(f"{text!r} in a formula is milli in ngspice and a mil elsewhere")
    return float(f"{digits}e{power}") if "e" not in digits else float(Decimal(digits).scaleb(power))


def _lettered(digits: str, letters: str, text: str, rules: Rules) -> float:
    """A number with a unit that is no known suffix, or that only some simulators know."""
    if letters[0] == "x":
        rules.insist(f"{text!r} is 1e6 times as much in Xyce and HSPICE as in ngspice")
        if rules.mega:
            return float(Decimal(digits).scaleb(6))
    if letters[0] == "a":
        if rules.atto:
            return float(Decimal(digits).scaleb(-18))
        if rules.name == "ngspice":
            rules.remarks.add(
                f"{text!r} is read as {digits}; HSPICE and newer versions of ngspice read the a as "
                f"1e-18: write {digits}"
            )
    return float(digits)


def _with_letter_as_point(text: str, rules: Rules) -> float | None:
    match = _LETTER_AS_POINT.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    if not rules.letter_as_point:
        raise ValueError(
            f"LTspice reads a letter between digits as the point, other simulators end there: "
            f"write {match[1]}.{match[3]}{match[2]}, or name the dialect"
        )
    whole, letter, part = match.groups()
    power = {"meg": 6, "r": 0}.get(letter, _POWERS.get(letter, 0))
    return float(Decimal(f"{whole}.{part}").scaleb(power))
