"""Quantities with SI prefixes and units: "4.7k" is 4700.0, and back.

Used by files, the command line and reports only; all other numbers are in SI units.
Prefixes are the SI ones and case matters: ``m`` is milli, ``M`` is mega (SPICE's ``meg`` is
accepted too, its ``M`` for milli is not). A unit may be left out; a unit of another dimension than
the one wanted is refused, with what the text would mean.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from xbar.errors import SpecError, shown
from xbar.textfiles import plain_text

_PREFIXES = {
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "μ": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "K": 3,
    "meg": 6,
    "M": 6,
    "G": 9,
    "T": 12,
}
# the spellings of each unit; those of three letters and more in any case
_SPELLINGS = {
    "ohm": ("Ω", "ohm", "ohms"),
    "S": ("S", "siemens", "mho", "℧"),
    "V": ("V", "volt", "volts"),
    "A": ("A", "amp", "amps", "ampere", "amperes"),
    "s": ("s", "sec", "second", "seconds"),
    "J": ("J", "joule", "joules"),
    "eV": ("eV", "electronvolt", "electronvolts"),
    "m": ("m", "metre", "metres", "meter", "meters"),
    "m²": ("m²", "m2", "m^2"),
    "K": ("K", "kelvin"),
    "F": ("F", "farad"),
    "H": ("H", "henry"),
    "Hz": ("Hz", "hertz"),
    "W": ("W", "watt", "watts"),
    "%": ("%",),
}
_KINDS = {
    "ohm": "a resistance",
    "S": "a conductance",
    "V": "a voltage",
    "A": "a current",
    "s": "a time",
    "J": "an energy",
    "eV": "an energy",
    "m": "a length",
    "m²": "an area",
    "K": "a temperature",
    "F": "a capacitance",
    "H": "an inductance",
    "Hz": "a frequency",
    "W": "a power",
    "%": "a fraction",
}
_UNIT_OF = {spelling: unit for unit, all_ in _SPELLINGS.items() for spelling in all_}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?)\s*(.*)", re.DOTALL)
_FORMAT = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_LONGEST = 40
"""Characters of a prefix and unit."""
ZERO_CELSIUS = 273.15
"""Kelvin."""
_YEAR = 31_557_600
_DURATIONS = {
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
    **dict.fromkeys(("y", "yr", "year", "years"), _YEAR),  # 365.25 days
}
_CELSIUS = ("C", "c", "°C", "°c", "℃", "degC", "celsius", "Celsius")
_FAHRENHEIT = ("f", "°f", "℉", "degf", "fahrenheit")
_NO_MINUTES = ("m", "M")  # minutes, months or a prefix: who can say?


def parse_quantity(text: str | float, unit: str = "") -> float:
    """Value of a quantity such as ``"4.7k"``, ``"2 uS"`` or ``"30%"``.

    The text is scaled in decimal and rounded once, so ``"0.1u"`` is exactly ``0.1e-6``.

    Args:
        text: a number, or a text with an optional SI prefix and unit.
        unit: the unit that is wanted: "ohm", "S", "V", "A", "s", "J", "m", "m²"; "1" for a number
            or fraction without unit, which may have a percent sign; "" for any unit.

    Raises:
        SpecError: it is not a finite number with an optional SI prefix, or has another unit.

    >>> parse_quantity("4.7k"), parse_quantity("2u"), parse_quantity("30%")
    (4700.0, 2e-06, 0.3)
    >>> parse_quantity("25 uS", "ohm")
    Traceback (most recent call last):
    xbar.errors.SpecError: must be in ohm, not '25 uS', which is a conductance: 25 µS is 40 kohm
    """
    value, found = measured_quantity(text, unit)
    if found and unit and found != (unit if unit != "1" else "%"):
        raise SpecError(_other_unit(str(text), value, found, unit))
    return value


def measured_quantity(text: str | float, unit: str = "") -> tuple[float, str]:
    """Value of a quantity and the unit that is written with it, empty if none is.

    Args:
        text: a number, or a text with an optional SI prefix and unit.
        unit: the unit that is expected where a text can be read in two ways: "5K" is 5 kilo
            unless it is a temperature.

    Raises:
        SpecError: it is not a finite number with an optional SI prefix and unit.

    >>> measured_quantity("25 uS"), measured_quantity("4.7k")
    ((2.5e-05, 'S'), (4700.0, ''))
    """
    plain = _plain(text)
    if plain is not None:
        return _finite(plain, text), ""
    match = _NUMBER.fullmatch(plain_text(text).strip()) if isinstance(text, str) else None
    suffix = None if match is None else _suffix(match.group(2), unit)
    if match is None or suffix is None:
        raise SpecError(
            f"a quantity must be a number with an SI prefix such as '4.7k' or '2u', "
            f"not {shown(text)}"
        )
    number = Decimal(match.group(1))
    value = _finite(number.scaleb(suffix[0]), text)
    if number and not value:
        raise SpecError(f"a quantity must be 0 or above 1e-323 in size, not {shown(text)}")
    return value, suffix[1]


def parse_time(text: str | float) -> float:
    """Seconds of a time such as ``"30 d"``, ``"1 y"`` or ``"250 ns"``; a year has 365.25 days.

    Raises:
        SpecError: it is no time, or is negative.

    >>> parse_time("1.5 h"), parse_time("1 d"), parse_time("20")
    (5400.0, 86400.0, 20.0)
    """
    number, suffix = _parts(text)
    if suffix in _NO_MINUTES:
        raise SpecError(
            f"a time must have a unit such as ms, s, min, h, d or y, not {shown(text)}: is it "
            f"'{number} min'?"
        )
    seconds = _DURATIONS.get(suffix)
    if seconds is None:
        value = parse_quantity(text, "s")
    else:
        value = _finite(Decimal(number) * seconds, text)
    if value < 0:
        raise SpecError(f"a time must be at least 0 s, not {shown(text)}")
    return value


def parse_temperature(text: str | float) -> float:
    """Kelvin of a temperature such as ``"85 C"``, ``"-40 °C"`` or ``"358 K"``; a number is kelvin.

    Raises:
        SpecError: it is no temperature above absolute zero, or a text without unit.

    >>> parse_temperature("85 C"), parse_temperature("358 K")
    (358.15, 358.0)
    """
    number, suffix = _parts(text)
    if suffix.lower() in _FAHRENHEIT:
        raise SpecError(f"a temperature must be in C or K, not {shown(text)}")
    if suffix in _CELSIUS:
        value = _finite(Decimal(number) + Decimal(str(ZERO_CELSIUS)), text)
    elif isinstance(text, str) and number and not suffix:
        raise SpecError(f"a temperature must have its unit, not {shown(text)}: '{number} C'?")
    else:
        value = parse_quantity(text, "K")
    if not value > 0:
        raise SpecError(f"a temperature must be above absolute zero (-273.15 C), not {shown(text)}")
    return value


def _plain(given: object) -> float | None:
    """A number, also one of numpy's or an array of one without axes; None for anything else."""
    if getattr(given, "shape", None) == () and hasattr(given, "item"):
        given = given.item()
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return None
    return given


def _parts(text: object) -> tuple[str, str]:
    """A quantity's number and what follows it; both empty if it is no text with a number."""
    match = _NUMBER.fullmatch(plain_text(text).strip()) if isinstance(text, str) else None
    return ("", "") if match is None else (match.group(1), match.group(2).strip())


def parse_unit(text: str) -> tuple[int, str] | None:
    """Power of ten and unit of a text such as "uS" or "kohm"; None if it is no unit.

    >>> parse_unit("uS"), parse_unit("kΩ"), parse_unit("V/s")
    ((-6, 'S'), (3, 'ohm'), None)
    """
    found = _suffix(plain_text(text).strip(), "")
    return found if found is not None and found[1] else None


def _finite(number: float | Decimal, text: object) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise SpecError(f"a quantity must be finite, not {shown(text)}")
    return value


def _suffix(suffix: str, wanted: str) -> tuple[int, str] | None:
    """Power of ten and unit of what follows a number, as the wanted unit if it can be."""
    found = [
        (_prefix(suffix[:cut]), _unit(suffix[cut:])) for cut in range(len(suffix), -1, -1)
    ] if len(suffix) <= _LONGEST else []  # fmt: skip
    readings = [
        (power * (2 if unit == "m²" else 1), unit)
        for power, unit in found
        if power is not None and unit is not None and not (unit == "%" and power)
    ]
    readings = [(power - 2 * (unit == "%"), unit) for power, unit in readings]
    for power, unit in readings:
        if unit and unit == wanted:
            return power, unit
    return readings[0] if readings else None


def _prefix(text: str) -> int | None:
    text = text.rstrip()
    return _PREFIXES.get(text, 6 if text.lower() == "meg" else None)


def _unit(text: str) -> str | None:
    if not text:
        return ""
    return _UNIT_OF.get(text) or (_UNIT_OF.get(text.lower()) if len(text) > 2 else None)


def _other_unit(text: str, value: float, found: str, wanted: str) -> str:
    must = "a number without unit" if wanted == "1" else f"in {wanted}"
    message = f"must be {must}, not {shown(text)}, which is {_KINDS[found]}"
    if {found, wanted} == {"S", "ohm"} and value > 0:
        message += f": {format_quantity(value, found)} is {format_quantity(1 / value, wanted)}"
    return message


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


def format_time(seconds: float) -> str:
    """A time in the largest unit that leaves at least 1.

    >>> format_time(86_400.0), format_time(5400.0), format_time(2e-3)
    ('1 d', '1.5 h', '2 ms')
    """
    for unit, length in (("y", _YEAR), ("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.4g} {unit}"
    return format_quantity(seconds, "s")


def format_temperature(kelvin: float) -> str:
    """A temperature in celsius.

    >>> format_temperature(358.15)
    '85 °C'
    """
    return f"{round(kelvin - ZERO_CELSIUS, 6):.5g} °C"
