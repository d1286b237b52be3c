"""Quantised ONNX models with QuantizeLinear and DequantizeLinear pairs.

Quantised weights are replaced by their real values, which a crossbar realises; the quantisation of
activations is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref, Tag
from xbar.model.onnx.context import Array, Context, Convert, Known, Operator, Value

_RANGE: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        name: (int(np.iinfo(name).min), int(np.iinfo(name).max))
        for name in ("int8", "uint8", "int16", "uint16", "int32")
    }
)


def _steps(context: Context, operator: Operator, rank: int) -> tuple[Array, Array, str]:
    """Scale and zero point, broadcast along their axis, and the quantised type."""
    operator.refuse("block_size", 0)
    operator.refuse("output_dtype", 0)
    scale = context.array(operator.need(1))
    given = operator.get(2)
    zero = np.zeros(scale.shape, np.uint8) if given is None else context.array(given)
    if scale.dtype == object or zero.dtype.name not in _RANGE or scale.shape != zero.shape:
        raise ModelError(f"its zero point is of type {zero.dtype}, shape {zero.shape}")
    if scale.size == 1:
        return scale.reshape(()), zero.reshape(()), zero.dtype.name
    axis = context.axis(operator.integer("axis", 1), rank)
    shape = [-1 if i == axis else 1 for i in range(rank)]
    return scale.reshape(shape), zero.reshape(shape), zero.dtype.name


def _dequantise(context: Context, operator: Operator) -> Value:
    x = operator.need(0)
    scale, zero, _ = _steps(context, operator, len(context.shape(x)))
    if isinstance(x, Known) and x.array.dtype != object:
        value = (x.array.astype(np.float64) - zero) * scale
        return Known(value.astype(scale.dtype), x.name)
    real = context.add("to.dtype", context.ref(x), Tag("dtype", str(scale.dtype)))
    moved = context.add("sub.Tensor", real, _constant(context, zero.astype(scale.dtype)))
    return context.add("mul.Tensor", moved, _constant(context, scale))


def _quantise(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    scale, zero, dtype = _steps(context, operator, len(context.shape(x)))
    steps = context.add("round.default", context.add("div.Tensor", x, _constant(context, scale)))
    moved = context.add("add.Tensor", steps, _constant(context, zero.astype(scale.dtype)))
    kept = context.add("clamp.default", moved, *_RANGE[dtype])
    return context.add("to.dtype", kept, Tag("dtype", dtype))


def _constant(context: Context, array: Array) -> Ref:
    return context.ref(Known(np.ascontiguousarray(array), "step"))


QUANTISED: Mapping[str, Convert] = MappingProxyType(
    {"DequantizeLinear": _dequantise, "QuantizeLinear": _quantise}
)
"""Converter of each quantisation operator, by name."""
