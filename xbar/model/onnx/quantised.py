"""Quantised ONNX models with QuantizeLinear and DequantizeLinear pairs.

    real = (quantised - zero point) scale

Quantised weights are replaced by their real values, which a crossbar realises; the quantisation of
activations is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref, Tag
from xbar.model.onnx.context import Array, Context, Convert, Known, Operator, Value
from xbar.model.onnx.file import DTYPES

_RANGE: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        name: (int(np.iinfo(name).min), int(np.iinfo(name).max))
        for name in ("int8", "uint8", "int16", "uint16", "int32")
    }
)


@dataclass(frozen=True, eq=False)
class Steps:
    """A quantisation: arrays that broadcast, or values that the network computes.

    Attributes:
        scale: real numbers of one step.
        zero: the step of 0.
        real: numpy name of the real numbers' type.
        dtype: numpy name of the steps' type.
    """

    scale: Array | Ref
    zero: Array | Ref
    real: str
    dtype: str


def read_steps(
    context: Context, scale: Value, zero: Value | None, rank: int, axis: int, dtype: str = "uint8"
) -> Steps:
    """A quantisation from its scale and zero point.

    Args:
        context: the graph under construction.
        scale: one for all, or one each element of the axis.
        zero: likewise; None is 0.
        rank: number of axes of what is quantised.
        axis: the axis of several scales.
        dtype: type of the steps without a zero point.

    Raises:
        ModelError: they do not fit each other, or are of a type that is not converted.
    """
    computed = [v for v in (scale, zero) if v is not None and not context.is_constant(v)]
    if computed:
        s, z = context.ref(scale), context.known(np.zeros((), dtype)) if zero is None else zero
        sizes = [context.shape(each) for each in (s, z)]
        if any(shape not in ((), (1,)) for shape in sizes):
            raise ModelError(f"its computed scale is of shape {sizes[0]}, not one number")
        ref = context.ref(z)
        return Steps(s, ref, context.builder.dtype(s), context.builder.dtype(ref))
    steps = context.array(scale)
    places = np.zeros(steps.shape, dtype) if zero is None else context.array(zero)
    if steps.dtype.kind != "f" or places.dtype.name not in _RANGE or steps.size != places.size:
        raise ModelError(
            f"its zero point is of type {places.dtype}, shape {places.shape}; "
            f"its scale of type {steps.dtype}, shape {steps.shape}"
        )
    shape = [] if steps.size == 1 else [-1 if i == axis % rank else 1 for i in range(rank)]
    return Steps(steps.reshape(shape), places.reshape(shape), str(steps.dtype), places.dtype.name)


def dequantise(context: Context, x: Value, steps: Steps) -> Value:
    """Real numbers of quantised ones."""
    scale, zero = steps.scale, steps.zero
    if isinstance(x, Known) and not isinstance(scale, Ref) and not isinstance(zero, Ref):
        value = (x.array.astype(np.float64) - zero) * scale
        return Known(value.astype(scale.dtype), x.name)
    real = context.add("to.dtype", context.ref(x), Tag("dtype", steps.real))
    moved = context.add("sub.Tensor", real, _real_zero(context, steps))
    return context.add("mul.Tensor", moved, _scale(context, steps))


def quantise(context: Context, x: Value, steps: Steps) -> Ref:
    """Steps of real numbers: rounded to even, moved, and clipped to the type's range."""
    if steps.dtype not in _RANGE:
        raise ModelError(f"it quantises to {steps.dtype}, which is not converted")
    scaled = context.add("div.Tensor", context.ref(x), _scale(context, steps))
    rounded = context.add("round.default", scaled)
    moved = context.add("add.Tensor", rounded, _real_zero(context, steps))
    kept = context.add("clamp.default", moved, *_RANGE[steps.dtype])
    return context.add("to.dtype", kept, Tag("dtype", steps.dtype))


def _scale(context: Context, steps: Steps) -> Ref:
    return steps.scale if isinstance(steps.scale, Ref) else context.known(steps.scale, "step")


def _real_zero(context: Context, steps: Steps) -> Ref:
    if isinstance(steps.zero, Ref):
        return context.add("to.dtype", steps.zero, Tag("dtype", steps.real))
    return context.known(steps.zero.astype(steps.real), "step")


def _read(context: Context, operator: Operator, dtype: str) -> Steps:
    operator.refuse("block_size", 0)
    operator.refuse("precision", 0, 1)
    x = operator.need(0)
    rank, axis = len(context.shape(x)), operator.integer("axis")
    scale, zero = operator.need(1), operator.get(2)
    if len(context.shape(scale)) == 1 and context.shape(scale) != (1,):
        axis = context.axis(axis, rank)
    return read_steps(context, scale, zero, rank, axis, dtype)


def _dequantise(context: Context, operator: Operator) -> Value:
    x = operator.need(0)
    dtype = x.array.dtype.name if isinstance(x, Known) else context.builder.dtype(x)
    made = dequantise(context, x, _read(context, operator, dtype))
    wanted = operator.integer("output_dtype")
    if not wanted:
        return made
    return context.add("to.dtype", context.ref(made), Tag("dtype", _dtype(wanted)))


def _quantise(context: Context, operator: Operator) -> Value:
    wanted = operator.integer("output_dtype")
    dtype = _dtype(wanted) if wanted else "uint8"
    return quantise(context, operator.need(0), _read(context, operator, dtype))


def _dtype(number: int) -> str:
    if number not in DTYPES:
        raise ModelError(f"its output_dtype is {number}, which is not converted")
    return DTYPES[number]


QUANTISED: Mapping[str, Convert] = MappingProxyType(
    {"DequantizeLinear": _dequantise, "QuantizeLinear": _quantise}
)
"""Converter of each quantisation operator, by name."""
