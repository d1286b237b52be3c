"""Base class of the specs: frozen, validated with units, one-line errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from numbers import Rational
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from xbar.arrays import LARGEST
from xbar.errors import SpecError, printable, shown
from xbar.units import parse_quantity, parse_temperature, parse_time


def _reader(unit: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value == "inf":  # each field decides whether to allow it
            return float("inf")
        if isinstance(value, (str, bool)):
            return parse_quantity(value, unit)
        if isinstance(value, (Rational, np.number)):
            return _as_float(value)
        return value

    return read


def _text_reader(parse: Callable[[str], float]) -> Callable[[Any], Any]:
    """Reader of a quantity whose texts have units of their own; numbers are in SI units."""
    number = _reader("")

    def read(value: Any) -> Any:
        return parse(value) if isinstance(value, str) else number(value)

    return read


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError):  # an integer beyond floats, or a complex number
        raise SpecError(f"must be a finite real number, not {shown(value)}") from None


def _each_reader(unit: str) -> Callable[[Any], Any]:
    read = _reader(unit)

    def read_each(value: Any) -> Any:
        if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
            return tuple(read(item) for item in value)
        return read(value)

    return read_each


def _write_quantity(value: float) -> float | str:
    return "inf" if value == float("inf") else value  # JSON has no infinity


def _write_each(value: float | tuple[float, ...]) -> Any:
    if isinstance(value, tuple):
        return [_write_quantity(one) for one in value]
    return _write_quantity(value)


def _check_fraction(value: float) -> float:
    if value > 1:
        raise SpecError(
            f"must be at most 1, not {value:g}: it is a fraction; "
            f"{value:g} %? Then write {value / 100:g} or '{value:g} %'"
        )
    return value


_WRITTEN = PlainSerializer(_write_quantity, return_type=float | str, when_used="json")
_WRITTEN_EACH = PlainSerializer(_write_each, return_type=Any, when_used="json")

Quantity = Annotated[float, BeforeValidator(_reader("1")), _WRITTEN]
"""A number without unit, in files optionally with an SI prefix: 4700.0 or "4.7k"."""

Fraction = Annotated[Quantity, AfterValidator(_check_fraction)]
"""A fraction of at most 1, in files optionally in per cent: 0.05 or "5 %"."""

Ohms = Annotated[float, BeforeValidator(_reader("ohm")), _WRITTEN]
"""Ohms, in files optionally with an SI prefix and the unit: 4700.0 or "4.7 kohm"."""

Each: TypeAlias = float | tuple[float, ...]
"""One number for all resistors of a bank, or one a resistor."""

OhmsEach = Annotated[Each, BeforeValidator(_each_reader("ohm"))]
"""Ohms, or a list of them."""

QuantityEach = Annotated[Each, BeforeValidator(_each_reader("1"))]
"""A number without unit, or a list of them."""

_Any = Annotated[float, Field(allow_inf_nan=True)]

RatioEach = Annotated[_Any | tuple[_Any, ...], BeforeValidator(_each_reader("1")), _WRITTEN_EACH]
"""A number without unit that may be infinite, or a list of them."""

VoltsEach = Annotated[Each, BeforeValidator(_each_reader("V"))]
"""Volts, or a list of them."""

Volts = Annotated[float, BeforeValidator(_reader("V")), _WRITTEN]
"""Volts, likewise."""

Seconds = Annotated[float, BeforeValidator(_reader("s")), _WRITTEN]
"""Seconds, likewise."""

Joules = Annotated[float, BeforeValidator(_reader("J")), _WRITTEN]
"""Joules, likewise."""

Metres = Annotated[float, BeforeValidator(_reader("m")), _WRITTEN]
"""Metres, likewise."""

Hertz = Annotated[float, BeforeValidator(_reader("Hz")), _WRITTEN]
"""Hertz, likewise."""

Watts = Annotated[float, BeforeValidator(_reader("W")), _WRITTEN]
"""Watts, likewise."""

Amperes = Annotated[float, BeforeValidator(_reader("A")), _WRITTEN]
"""Amperes, likewise."""

Farads = Annotated[float, BeforeValidator(_reader("F")), _WRITTEN]
"""Farads, likewise."""

Siemens = Annotated[float, BeforeValidator(_reader("S")), _WRITTEN]
"""Siemens, likewise."""

ElectronVolts = Annotated[float, BeforeValidator(_reader("eV")), _WRITTEN]
"""Electronvolts, likewise."""

Duration = Annotated[float, BeforeValidator(_text_reader(parse_time)), _WRITTEN]
"""Seconds, in files optionally with a unit: 86400.0, "1 d" or "250 ns"."""

Kelvin = Annotated[float, BeforeValidator(_text_reader(parse_temperature)), _WRITTEN]
"""Kelvin, in files optionally with a unit: 358.15, "85 C" or "358 K"."""

SquareMetres = Annotated[float, BeforeValidator(_reader("m²")), _WRITTEN]
"""Square metres, likewise: a prefix counts twice, as in "5 µm²"."""


_KEY = 64
"""Characters of a key that are shown in a message."""


def _types(annotation: Any) -> Iterator[Any]:
    """The types that a field's one is made of."""
    yield annotation
    for each in get_args(annotation):
        yield from _types(each)


@cache
def _numbers(spec: type[Spec]) -> frozenset[str]:
    """The fields that hold whole or real numbers, and may not be true or false."""
    fields = {name: set(_types(one.annotation)) for name, one in spec.model_fields.items()}
    return frozenset(name for name, of in fields.items() if of & {int, float} and bool not in of)


def _check_no_flag(name: str, value: Any) -> None:
    if isinstance(value, (bool, np.bool_)):
        raise SpecError(f"{name} must be a number, not {value}")
    for place, each in enumerate(value) if isinstance(value, (list, tuple)) else ():
        _check_no_flag(f"{name}.{place}", each)


class Spec(BaseModel):
    """A frozen set of validated values; unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, values: Any) -> Any:
        """Refuse true and false for numbers: pydantic would take them as 1 and 0."""
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if name in _numbers(cls):
                _check_no_flag(name, value)
        return values

    if not TYPE_CHECKING:  # mypy derives the signature from the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                known = ", ".join(sorted(type(self).model_fields))
                raise SpecError(_one_line(error, known)) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some values replaced, validated as in the constructor."""
        del deep  # every value is immutable
        return type(self)(**{**dict(self), **(update or {})})


def values_of(each: Each) -> tuple[float, ...]:
    """The values that are given: one, or one a resistor."""
    return each if isinstance(each, tuple) else (each,)


def spread_out(each: Each, resistors: int) -> NDArray[np.float64]:
    """(K,) values, one a resistor."""
    return np.broadcast_to(np.array(each, dtype=np.float64), (resistors,)).copy()


def check_length(name: str, each: Each, resistors: int) -> None:
    """Check that a list has one value a resistor.

    Raises:
        SpecError: it has another number.
    """
    if isinstance(each, tuple) and len(each) != resistors:
        raise SpecError(f"{name} must list {resistors} values, one a resistor, not {len(each)}")


def check_size(name: str, each: Each, unit: str = "") -> None:
    """Check that values are of a size that can be computed with: at most 1e100 either way.

    Raises:
        SpecError: one is larger.
    """
    largest = max(values_of(each), key=abs, default=0.0)
    if not abs(largest) <= LARGEST:
        suffix = f" {unit}" if unit else ""
        raise SpecError(f"{name} must be at most {LARGEST:g}{suffix} either way, not {largest:g}")


def check_least(name: str, each: Each, least: float, unit: str = "") -> None:
    """Check that no value is less than a least one.

    Raises:
        SpecError: one is.
    """
    lowest = min(values_of(each), default=least)
    if not lowest >= least:
        suffix = f" {unit}" if unit else ""
        raise SpecError(
            f"{name} must be greater than or equal to {least:g}{suffix}, not {lowest:g}"
        )


def _one_line(error: ValidationError, known: str) -> str:
    found = error.errors()
    # of a list, only its values are at fault, not that it is no number
    listed = [item for item in found if isinstance(item["input"], (list, tuple))]
    found = [item for item in found if item not in listed or item["type"] != "float_type"] or found
    keys = [_key(item["loc"]) for item in found]
    text, others = _say(keys[0], dict(found[0]), known), [*dict.fromkeys(keys)][1:]
    return f"{text} (and {len(others)} more: {', '.join(others[:4])})" if others else text


def _key(place: tuple[int | str, ...]) -> str:
    """Dotted name of a field, without the alternatives of its type."""
    parts = [str(part) for part in place]
    parts = [part for part in parts if part != "float" and not part.startswith("tuple[")]
    return ".".join(printable(part)[:_KEY] for part in parts)


def _say(key: str, item: dict[str, Any], known: str) -> str:
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, SpecError):
        return join(key, str(cause), nested=item["input"])
    if item["type"] == "extra_forbidden":
        return f"{key} is not a known key; known are {known}"
    if item["type"] == "missing":
        return f"{key} is missing"
    must = item["msg"].replace("Input should be", "must be").replace("Value error, ", "")
    return f"{key} {must}, not {shown(item['input'])}" if key else must


def join(key: str, message: str, nested: Any = None) -> str:
    """A message with its key; that of a nested spec has its own: ``bank.sigma must …``."""
    if not key:
        return message
    if message.startswith("must "):
        return f"{key} {message}"
    return f"{key}.{message}" if isinstance(nested, Mapping) else f"{key}: {message}"
