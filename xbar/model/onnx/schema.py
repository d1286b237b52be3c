"""What ONNX's specification says of an operator: its attributes and their defaults.

The table is onnx's own, for each version of the operator set, so that a default is never written
twice. Operators that onnxruntime's quantiser writes are not in it; theirs are listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from xbar.errors import ModelError

_LARGEST = float(np.finfo(np.float32).max)
MICROSOFT = "com.microsoft"
DOMAINS = ("", "ai.onnx")
"""Names of the common operator set."""

_CONVOLUTION: Mapping[str, Any] = MappingProxyType(
    {
        "auto_pad": "NOTSET", "group": 1, "pads": None, "strides": None, "dilations": None,
        "kernel_shape": None,
    }
)  # fmt: skip
_POOL: Mapping[str, Any] = MappingProxyType(
    {
        "auto_pad": "NOTSET", "ceil_mode": 0, "count_include_pad": 0, "kernel_shape": None,
        "pads": None, "strides": None, "channels_last": 0,
    }
)  # fmt: skip
_OTHERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "QGemm": {"alpha": 1.0, "transA": 0, "transB": 0},
        "QLinearConv": {**_CONVOLUTION, "channels_last": 0},
        "QLinearAdd": {},
        "QLinearMul": {},
        "QLinearSigmoid": {},
        "QLinearLeakyRelu": {"alpha": 0.01},
        "QLinearConcat": {"axis": None},
        "QLinearSoftmax": {"axis": -1, "opset": None},
        "QLinearAveragePool": _POOL,
        "QLinearGlobalAveragePool": {"channels_last": 0},
        "QuantizeLinear": {"axis": 1},
        "DequantizeLinear": {"axis": 1},
        "MatMulIntegerToFloat": {},
        "DynamicQuantizeMatMul": {},
        "DynamicQuantizeLSTM": {
            "activations": None, "activation_alpha": None, "activation_beta": None, "clip": None,
            "direction": "forward", "hidden_size": None, "input_forget": 0,
        },
    }
)  # fmt: skip
"""Attributes and defaults of onnxruntime's operators (its ContribOperators document)."""


@dataclass(frozen=True)
class Schema:
    """An operator's entry in the specification.

    Attributes:
        allowed: names of its attributes.
        defaults: values of those that have a default.
    """

    allowed: frozenset[str]
    defaults: Mapping[str, Any]


@cache
def schema(kind: str, version: int, domain: str) -> Schema:
    """The entry of an operator.

    Args:
        kind: operator type, such as "Conv".
        version: version of the operator set.
        domain: name of the set.

    Raises:
        ModelError: this version has no such operator.
    """
    if domain == MICROSOFT:
        found = _OTHERS[kind]
        return Schema(frozenset(found), {k: v for k, v in found.items() if v is not None})
    from onnx import defs

    try:
        entry = defs.get_schema(kind, version, "")
    except defs.SchemaError:
        raise ModelError(f"version {version} of the operator set has no such operator") from None
    defaults = {
        name: value
        for name, attribute in entry.attributes.items()
        if (value := _default(attribute.default_value)) is not None
    }
    return Schema(frozenset(entry.attributes), MappingProxyType(defaults))


def _default(attribute: Any) -> Any:
    """A default; None if there is none. A float is the decimal number that it stands for."""
    if attribute.type == 1:
        number = float(str(np.float32(attribute.f)))
        return number if abs(number) <= _LARGEST else float(attribute.f)
    if attribute.type == 2:
        return int(attribute.i)
    if attribute.type == 3:
        return attribute.s.decode()
    if attribute.type == 7:
        return list(attribute.ints)
    if attribute.type == 8:
        return [each.decode() for each in attribute.strings]
    return None
