"""Quantities with SI prefixes: "4.7k" is 4700.0, and back.

Used by files, the command line and reports only; all other numbers are in SI units.
Prefixes are the SI ones and case matters: ``m`` is milli, ``M`` is mega (SPICE's ``meg`` is
accepted too, its ``M`` for milli is not).
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from xbar.errors import SpecError

_PREFIXES = {
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "µ": -6,
    "μ": -6,
    "m": -3,
    "%": -2,
    "": 0,
    "k": 3,
    "K": 3,
    "meg": 6,
    "M": 6,
    "G": 9,
    "T": 12,
}
_UNITS = ("ohm", "Ohm", "Ω", "Ω", "S", "V", "A", "K", "s", "F", "")
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?)\s*(.*)", re.DOTALL)
_FORMAT = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def parse_quantity(text: str | float) -> float:
    """Value of a quantity such as ``"4.7k"``, ``"2 uS"`` or ``"30%"``.

    The text is scaled in decimal and rounded once, so ``"0.1u"`` is exactly ``0.1e-6``.

    Raises:
        SpecError: it is not a finite number with an optional SI prefix and unit.

    >>> parse_quantity("4.7k"), parse_quantity("2u"), parse_quantity("30%")
    (4700.0, 2e-06, 0.3)
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        value = float(text)
    else:
        match = _NUMBER.fullmatch(text.strip()) if isinstance(text, str) else None
        power = _power(match.group(2)) if match else None
        if match is None or power is None:
            raise SpecError(
                f"a quantity must be a number with an SI prefix such as '4.7k' or '2u', "
                f"not {text!r}"
            )
        value = float(Decimal(match.group(1)).scaleb(power))
    if not math.isfinite(value):
        raise SpecError(f"a quantity must be finite, not {text!r}")
    return value


def _power(suffix: str) -> int | None:
    for unit in _UNITS:
        if suffix.endswith(unit) and suffix[: len(suffix) - len(unit)] in _PREFIXES:
            return _PREFIXES[suffix[: len(suffix) - len(unit)]]
    return None


def format_quantity(value: float, unit: str = "", digits: int = 3) -> str:
    """A number with the SI prefix that leaves one to three digits before the point.

    >>> format_quantity(4700.0, "ohm"), format_quantity(2e-6, "S"), format_quantity(0.0, "S")
    ('4.7 kohm', '2 µS', '0 S')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}".strip()
    rounded = float(f"{value:.{digits - 1}e}")
    power = min(max(3 * math.floor(math.log10(abs(rounded)) / 3), -15), 12)
    scaled = rounded / 10.0**power
    return f"{scaled:.{digits}g} {_FORMAT[power]}{unit}".strip()
