"""Arguments of an exported archive's operations, from JSON to a graph's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from xbar.errors import ModelError
from xbar.model.graph import Argument, Ref, Tag

JSON: TypeAlias = Any

DTYPES: Mapping[int, str] = MappingProxyType(
    {
        1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
        8: "float64", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
        28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz",
        32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32", 35: "uint64",
    }
)  # fmt: skip
BFLOAT16 = 13


def computed_as(dtype: str) -> str:
    """The type that stands for a type without a numpy equivalent.

    >>> computed_as("bfloat16"), computed_as("float16")
    ('float32', 'float16')
    """
    return "float32" if dtype == "bfloat16" else dtype


_FORMATS: Mapping[int, str] = MappingProxyType(
    {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
)


def read_argument(data: JSON) -> Argument:
    """An argument; a reference is to an earlier node.

    Raises:
        ModelError: it is of a kind that xbar does not run.
    """
    ((kind, value),) = data.items()
    if kind not in _ARGUMENTS:
        raise ModelError(f"an operation takes {kind[:40]!r}, which xbar does not run")
    return _ARGUMENTS[kind](value)


def _plain(*kinds: type) -> Callable[[JSON], Argument]:
    def read(value: JSON) -> Argument:
        if type(value) not in kinds:
            raise TypeError(f"{value!r} must be one of {[kind.__name__ for kind in kinds]}")
        plain: Argument = value
        return plain

    return read


def _float(value: JSON) -> Argument:
    """A float; infinities are text in JSON."""
    if isinstance(value, str) and value not in ("Infinity", "-Infinity", "NaN"):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _symbolic(value: JSON) -> Argument:
    ((kind, inner),) = value.items()
    return Ref(str(inner)) if kind == "as_name" else read_argument({kind: inner})


def _optional(value: JSON) -> Argument:
    return Ref(str(value["as_tensor"]["name"])) if "as_tensor" in value else None


def _many(read: Callable[[JSON], Argument]) -> Callable[[JSON], Argument]:
    return lambda values: tuple(read(value) for value in values)


def _tensor(value: JSON) -> Argument:
    return Ref(str(value["name"]))


def _layout(value: JSON) -> Argument:
    if value != 7:
        raise ModelError("the model makes sparse tensors, which xbar does not run")
    return Tag("layout", "strided")


_ARGUMENTS: Mapping[str, Callable[[JSON], Argument]] = MappingProxyType(
    {
        "as_none": lambda _: None,
        "as_tensor": _tensor,
        "as_tensors": _many(_tensor),
        "as_nested_tensors": _many(_many(_tensor)),
        "as_optional_tensor": _optional,
        "as_optional_tensors": _many(_optional),
        "as_int": _plain(int),
        "as_ints": _many(_plain(int)),
        "as_int_lists": _many(_many(_plain(int))),
        "as_float": _float,
        "as_floats": _many(_float),
        "as_float_lists": _many(_many(_float)),
        "as_bool": _plain(bool),
        "as_bools": _many(_plain(bool)),
        "as_string": _plain(str),
        "as_strings": _many(_plain(str)),
        "as_sym_int": _symbolic,
        "as_sym_float": _symbolic,
        "as_sym_bool": _symbolic,
        "as_sym_ints": _many(_symbolic),
        "as_sym_floats": _many(_symbolic),
        "as_sym_bools": _many(_symbolic),
        "as_scalar_type": lambda value: Tag("dtype", computed_as(DTYPES[value])),
        "as_memory_format": lambda value: Tag("memory_format", _FORMATS[value]),
        "as_layout": _layout,
        "as_device": lambda _: Tag("device", "cpu"),
    }
)
"""Reader of each kind of argument in the archive. Every device is the CPU."""
