"""ONNX operators that compute with quantised numbers.

They are what they stand for: real numbers from the steps, the operation, steps of its result. The
products of whole numbers, and onnxruntime's own operators, are among them. Weights become the real
numbers that a crossbar realises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Argument, Ref, Tag
from xbar.model.onnx.context import Array, Context, Convert, Known, Operator, Value
from xbar.model.onnx.elementwise import ELEMENTWISE
from xbar.model.onnx.layers import convolution
from xbar.model.onnx.pools import average_pool
from xbar.model.onnx.quantised import QUANTISED, Steps, dequantise, quantise, read_steps

SHARED_SCALE = (
    "activations are quantised as the file says, with one scale for all inputs of a batch, so an "
    "output depends on the inputs that it is computed with"
)
"""Note on dynamic quantisation."""


def dynamic_steps(context: Context, x: Ref) -> Steps:
    """The quantisation of a value by its own range, 0 included, with 255 steps."""
    context.note(SHARED_SCALE)
    low = context.add("clamp.default", context.add("amin.default", x), None, 0.0)
    high = context.add("clamp.default", context.add("amax.default", x), 0.0)
    span = context.add("div.Scalar", context.add("sub.Tensor", high, low), 255.0)
    one = context.add("add.Scalar", context.add("mul.Scalar", span, 0.0), 1.0)
    scale = context.add("where.self", context.add("eq.Scalar", span, 0.0), one, span)
    below = context.add("div.Tensor", context.add("neg.default", low), scale)
    zero = context.add("clamp.default", context.add("round.default", below), 0, 255)
    zero = context.add("to.dtype", zero, Tag("dtype", "uint8"))
    return Steps(scale, zero, context.builder.dtype(x), "uint8")


def _dynamic(context: Context, operator: Operator) -> list[Value]:
    x = context.ref(operator.need(0))
    steps = dynamic_steps(context, x)
    return [quantise(context, x, steps), context.ref(step_ref(steps.scale)), step_ref(steps.zero)]


def step_ref(value: object) -> Ref:
    """The size or zero point of dynamic steps, which is computed."""
    if not isinstance(value, Ref):
        raise ModelError("a dynamic scale is a constant")
    return value


def whole(context: Context, x: Value, zero: Value | None, shape: tuple[int, ...] = ()) -> Value:
    """Whole numbers less their zero point, as fractions: exact up to 2^24.

    Args:
        context: the graph under construction.
        x: steps.
        zero: zero point; None is 0.
        shape: shape that several zero points take to broadcast.
    """
    if zero is not None and context.is_constant(zero):
        array = context.array(zero).astype(np.float32)
        array = array.reshape(()) if array.size == 1 else array.reshape(shape or array.shape)
        if isinstance(x, Known):
            return Known(x.array.astype(np.float32) - array, x.name)
        zero = None if not array.any() else Known(array, "step")
    if isinstance(x, Known) and zero is None:
        return Known(x.array.astype(np.float32), x.name)
    real = context.add("to.dtype", context.ref(x), Tag("dtype", "float32"))
    if zero is None:
        return real
    moved = context.add("to.dtype", context.ref(zero), Tag("dtype", "float32"))
    return context.add("sub.Tensor", real, moved)


def _integers(context: Context, value: Ref) -> Ref:
    rounded = context.add("round.default", value)
    return context.add("to.dtype", rounded, Tag("dtype", "int32"))


def _one(context: Context, value: Value | None) -> Value | None:
    """A zero point that must be one number."""
    if value is not None and context.shape(value) not in ((), (1,)):
        raise ModelError("its first zero point is not one number")
    return value


def _matmul_integer(context: Context, operator: Operator) -> Value:
    a = whole(context, operator.need(0), _one(context, operator.get(2)))
    b = whole(context, operator.need(1), operator.get(3))
    made = context.add("matmul.default", context.ref(a), context.ref(b))
    return _integers(context, made)


def _conv_integer(context: Context, operator: Operator) -> Value:
    a = whole(context, operator.need(0), _one(context, operator.get(2)))
    rank = len(context.shape(operator.need(1)))
    b = whole(context, operator.need(1), operator.get(3), (-1, *[1] * (rank - 1)))
    return _integers(context, context.ref(convolution(context, replace(operator, inputs=(a, b)))))


def _to_float(context: Context, operator: Operator) -> Value:
    """MatMulIntegerToFloat: (a - a0) (b - b0) a_scale b_scale + bias."""
    a_scale, b_scale, a_zero, b_zero = (operator.get(i) for i in (2, 3, 4, 5))
    a = _dequantised(context, (operator.need(0), a_scale, a_zero), -1)
    b = _dequantised(context, (operator.need(1), b_scale, b_zero), -1)
    return _biased(context, context.add("matmul.default", a, b), operator.get(6))


def _dynamic_matmul(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    steps = dynamic_steps(context, x)
    a = context.ref(dequantise(context, quantise(context, x, steps), steps))
    b = _dequantised(context, (operator.need(1), operator.get(2), operator.get(3)), -1)
    return _biased(context, context.add("matmul.default", a, b), operator.get(4))


def _biased(context: Context, x: Ref, bias: Value | None) -> Ref:
    return x if bias is None else context.add("add.Tensor", x, context.ref(bias))


def _dequantised(
    context: Context, given: tuple[Value | None, Value | None, Value | None], axis: int
) -> Ref:
    """Real numbers of (steps, scale, zero point)."""
    return context.ref(_real(context, given, axis))


def _real(
    context: Context, given: tuple[Value | None, Value | None, Value | None], axis: int
) -> Value:
    x, scale, zero = given
    if x is None or scale is None:
        raise ModelError("an input or its scale is missing")
    rank = len(context.shape(x))
    return dequantise(context, x, read_steps(context, scale, zero, rank, axis))


def _triple(operator: Operator, first: int) -> tuple[Value | None, Value | None, Value | None]:
    return operator.get(first), operator.get(first + 1), operator.get(first + 2)


def _result(context: Context, operator: Operator, value: Value, scale: int) -> Value:
    """Steps of a result; itself without a scale."""
    if operator.get(scale) is None:
        return value
    rank = len(context.shape(value))
    given = operator.need(scale), operator.get(scale + 1)
    return quantise(context, value, read_steps(context, *given, rank, -1))


def _q_matmul(context: Context, operator: Operator) -> Value:
    a = _dequantised(context, _triple(operator, 0), -2)
    b = _dequantised(context, _triple(operator, 3), -1)
    return _result(context, operator, context.add("matmul.default", a, b), 6)


def _bias(
    context: Context, value: Value | None, *scales: Value, factor: float = 1.0
) -> Value | None:
    """Real numbers of a bias in steps of the product of the scales."""
    if value is None:
        return None
    step: Array = np.full(1, factor)
    for scale in scales:
        step = step * context.array(scale).astype(np.float64).reshape(-1)
    real = context.array(value).reshape(-1) * step
    return Known(real.astype(np.float32), value.name if isinstance(value, Known) else "bias")


def _q_gemm(context: Context, operator: Operator) -> Value:
    a_scale, b_scale = operator.need(1), operator.need(4)
    alpha, turned = operator.number("alpha"), operator.integer("transB")
    x = _dequantised(context, _triple(operator, 0), -1)
    x = context.add("t.default", x) if operator.integer("transA") else x
    weight = _real(context, _triple(operator, 3), 0 if turned else 1)
    if alpha != 1.0:
        array = context.array(weight)
        weight = Known(array * array.dtype.type(alpha), "weight")
    w = context.ref(weight)
    w = w if turned else context.add("t.default", w)
    bias = _bias(context, operator.get(6), a_scale, b_scale, factor=alpha)
    made = context.add("linear.default", x, w, context.optional(bias))
    return _result(context, operator, made, 7)


def _q_conv(context: Context, operator: Operator) -> Value:
    operator.refuse("channels_last", 0)
    x, weight = _real(context, _triple(operator, 0), 1), _real(context, _triple(operator, 3), 0)
    bias = _bias(context, operator.get(8), operator.need(1), operator.need(4))
    made = convolution(context, replace(operator, inputs=(x, weight, bias)))
    return _result(context, operator, made, 6)


def _single(made: object) -> Value:
    if not isinstance(made, (Ref, Known)):
        raise ModelError("it gives several values")
    return made


def _q_binary(op: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        a, b = (_dequantised(context, _triple(operator, i), -1) for i in (0, 3))
        return _result(context, operator, context.add(op, a, b), 6)

    return convert


def _q_unary(convert: Callable[[Context, Operator], object]) -> Convert:
    """An operator on (x, its steps), with the result's steps behind."""

    def both(context: Context, operator: Operator) -> Value:
        operator.refuse("channels_last", 0)
        x = _real(context, _triple(operator, 0), 1)
        version = int(operator.attributes.get("opset", operator.version))
        inner = replace(operator, inputs=(context.ref(x),), version=version)
        return _result(context, operator, _single(convert(context, inner)), 3)

    return both


def _global_mean(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    axes: Argument = tuple(range(2, len(context.shape(x))))
    return context.add("mean.dim", x, axes, True)


def _q_concat(context: Context, operator: Operator) -> Value:
    places = range(2, len(operator.inputs), 3)
    parts = tuple(_dequantised(context, _triple(operator, i), -1) for i in places)
    made = context.add("cat.default", parts, operator.integer("axis"))
    return _result(context, operator, made, 0)


INTEGERS: Mapping[str, Convert] = MappingProxyType(
    {
        "DynamicQuantizeLinear": _dynamic,
        "MatMulInteger": _matmul_integer,
        "ConvInteger": _conv_integer,
        "QLinearMatMul": _q_matmul,
        "QLinearConv": _q_conv,
    }
)
"""Converter of each operator of the common set on quantised numbers, by name."""
CONTRIBUTED: Mapping[str, Convert] = MappingProxyType(
    {
        **QUANTISED,
        "MatMulIntegerToFloat": _to_float,
        "DynamicQuantizeMatMul": _dynamic_matmul,
        "QGemm": _q_gemm,
        "QLinearConv": _q_conv,
        "QLinearAdd": _q_binary("add.Tensor"),
        "QLinearMul": _q_binary("mul.Tensor"),
        "QLinearSigmoid": _q_unary(ELEMENTWISE["Sigmoid"]),
        "QLinearLeakyRelu": _q_unary(ELEMENTWISE["LeakyRelu"]),
        "QLinearSoftmax": _q_unary(ELEMENTWISE["Softmax"]),
        "QLinearAveragePool": _q_unary(average_pool),
        "QLinearGlobalAveragePool": _q_unary(_global_mean),
        "QLinearConcat": _q_concat,
    }
)
"""Converter of each operator of onnxruntime's quantiser, by name."""
