"""Serialisation of a design as TOML, for ``Hardware.load``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from xbar.hardware.base import Spec
from xbar.hardware.device_law import DeviceLaw


def to_toml(spec: Spec, remarks: Sequence[str] = ()) -> str:
    """A design as TOML text; values of None are omitted.

    Args:
        spec: design.
        remarks: comment lines at the top.

    >>> from xbar.hardware.converter import Converter
    >>> to_toml(Converter(bits=8), ["an ADC"]).splitlines()[:2]
    ['# an ADC', 'bits = 8']
    """
    lines = [f"# {' '.join(remark.split())}" for remark in remarks]
    return "\n".join([*lines, *_table(spec, "")]) + "\n"


def _table(spec: Spec, path: str) -> list[str]:
    given = spec.own() if isinstance(spec, DeviceLaw) else dict(spec)
    values = {key: value for key, value in given.items() if value is not None}
    lines = [
        f"{key} = {_value(value)}"
        for key, value in values.items()
        if not isinstance(value, Spec) and value != ()
    ]
    if path:
        lines = ["", f"[{path}]", *lines]
    for key, value in values.items():
        if isinstance(value, Spec):
            lines += _table(value, f"{path}.{key}" if path else key)
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, str):
        return json.dumps(value)  # a JSON string is a TOML basic string
    if isinstance(value, Spec):  # one in a list
        fields = type(value).model_fields
        told = [(key, one) for key, one in dict(value).items() if one != fields[key].default]
        return "{" + ", ".join(f"{key} = {_value(one)}" for key, one in told) + "}"
    raise TypeError(f"a design has no value of type {type(value).__name__}")
