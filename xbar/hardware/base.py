"""Base class of the specs: frozen, validated with units, one-line errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from xbar.errors import SpecError
from xbar.units import parse_quantity


def _read_quantity(value: Any) -> Any:
    if value == "inf":  # each field decides whether to allow it
        return float("inf")
    return parse_quantity(value) if isinstance(value, (str, bool)) else value


def _read_quantities(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_read_quantity(item) for item in value)
    return _read_quantity(value)


def _write_quantity(value: float) -> float | str:
    return "inf" if value == float("inf") else value  # JSON has no infinity


Quantity = Annotated[
    float,
    BeforeValidator(_read_quantity),
    PlainSerializer(_write_quantity, return_type=float | str, when_used="json"),
]
"""A float, optionally with a unit prefix in files: 4700.0 or "4.7k"."""

Quantities = Annotated[float | tuple[float, ...], BeforeValidator(_read_quantities)]
"""One quantity, or a list of them."""


class Spec(BaseModel):
    """A frozen set of validated values; unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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


def _one_line(error: ValidationError, known: str) -> str:
    first, *more = error.errors()
    text = _say(".".join(map(str, first["loc"])), dict(first), known)
    return f"{text} (and {len(more)} more)" if more else text


def _say(key: str, item: dict[str, Any], known: str) -> str:
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, SpecError):
        return _join(key, str(cause), nested=item["input"])
    if item["type"] == "extra_forbidden":
        return f"{key} is not a known key; known are {known}"
    if item["type"] == "missing":
        return f"{key} is missing"
    must = item["msg"].replace("Input should be", "must be").replace("Value error, ", "")
    return f"{key} {must}, not {item['input']!r}" if key else must


def _join(key: str, message: str, nested: Any) -> str:
    """Prefix a key; a nested spec's message already starts with its own: ``bank.sigma must …``."""
    if not key:
        return message
    return f"{key}.{message}" if isinstance(nested, Mapping) else f"{key}: {message}"
