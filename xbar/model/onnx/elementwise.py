"""Element-wise ONNX operators and reductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Argument, Ref, Tag
from xbar.model.onnx.context import Context, Convert, Known, Operator, Value
from xbar.model.onnx.file import DTYPES


def _unary(op: str, *more: Argument) -> Convert:
    return lambda context, operator: context.add(op, context.ref(operator.need(0)), *more)


def _binary(op: str) -> Convert:
    return lambda context, operator: context.add(
        op, context.ref(operator.need(0)), context.ref(operator.need(1))
    )


def _with(op: str, *attributes: str) -> Convert:
    """One operation with numeric attributes, in order."""

    def convert(context: Context, operator: Operator) -> Value:
        numbers = [operator.number(name) for name in attributes]
        return context.add(op, context.ref(operator.need(0)), *numbers)

    return convert


def _fold_left(op: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        value, *rest = (context.ref(each) for each in operator.inputs)
        for each in rest:
            value = context.add(op, value, each)
        return value

    return convert


def _mean(context: Context, operator: Operator) -> Value:
    total = context.ref(_first(_fold_left("add.Tensor")(context, operator)))
    return context.add("div.Scalar", total, len(operator.inputs))


def _first(value: object) -> Value:
    if not isinstance(value, (Ref, Known)):
        raise ModelError("it has several values")
    return value


def _divide(context: Context, operator: Operator) -> Value:
    a, b = context.ref(operator.need(0)), context.ref(operator.need(1))
    if "int" in context.builder.dtype(a):
        return context.add("div.Tensor_mode", a, b, kwargs={"rounding_mode": "trunc"})
    return context.add("div.Tensor", a, b)


def _power(context: Context, operator: Operator) -> Value:
    a, exponent = context.ref(operator.need(0)), operator.need(1)
    if isinstance(exponent, Known) and exponent.array.size == 1 and exponent.array.ndim == 0:
        made = context.add("pow.Tensor_Scalar", a, context.scalar(exponent))
    else:
        made = context.add("pow.Tensor_Tensor", a, context.ref(exponent))
    return _as_type(context, made, context.builder.dtype(a))


def _as_type(context: Context, value: Ref, dtype: str) -> Ref:
    """A value in a type; ONNX keeps an operand's type where ATen widens it."""
    if context.builder.dtype(value) == dtype:
        return value
    return context.add("to.dtype", value, Tag("dtype", dtype))


def _remainder(context: Context, operator: Operator) -> Value:
    a, b = context.ref(operator.need(0)), context.ref(operator.need(1))
    if operator.integer("fmod"):
        return context.add("fmod.Tensor", a, b)
    if "float" in context.builder.dtype(a):
        raise ModelError("its numbers are fractions, for which fmod must be 1")
    return context.add("remainder.Tensor", a, b)


def _bound(context: Context, operator: Operator, x: Ref, name: str) -> Argument:
    """A bound of operator sets before 11; the default is float32's largest number."""
    found: float | None = operator.attributes.get(name)
    if found is not None and abs(found) > 3.4e38 and context.builder.dtype(x) != "float32":
        return None
    return found


def _clip(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    names = {1: "min", 2: "max"}
    if all(each is None or isinstance(each, Known) for each in operator.inputs[1:]):
        bounds: list[Argument] = [
            _bound(context, operator, x, name)
            if operator.get(i) is None
            else context.scalar(operator.get(i))
            for i, name in names.items()
        ]
        return x if bounds == [None, None] else context.add("clamp.default", x, *bounds)
    return context.add("clamp.Tensor", x, *(context.optional(operator.get(i)) for i in names))


def _parametric_relu(context: Context, operator: Operator) -> Value:
    x, slope = context.ref(operator.need(0)), context.ref(operator.need(1))
    below = context.add("lt.Scalar", x, 0)
    return context.add("where.self", below, context.add("mul.Tensor", x, slope), x)


def _gelu(context: Context, operator: Operator) -> Value:
    mode = operator.text("approximate")
    x = context.ref(operator.need(0))
    return context.add("gelu.default", x, kwargs={"approximate": mode})


def _hard_sigmoid(context: Context, operator: Operator) -> Value:
    slope, offset = operator.number("alpha"), operator.number("beta")
    scaled = context.add("mul.Scalar", context.ref(operator.need(0)), slope)
    return context.add("clamp.default", context.add("add.Scalar", scaled, offset), 0.0, 1.0)


def _softsign(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    below = context.add("add.Scalar", context.add("abs.default", x), 1.0)
    return context.add("div.Tensor", x, below)


def _soft(function: Callable[[Context, Ref, int], Ref]) -> Convert:
    """A function along one axis; before operator set 13, along all from there on."""

    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        shape = context.shape(x)
        axis = operator.integer("axis")
        if operator.version < 13 and axis == len(shape):
            return function(context, context.add("unsqueeze.default", x, -1), -1)
        axis = context.axis(axis, len(shape))
        if operator.version >= 13 or all(size == 1 for size in shape[axis + 1 :]):
            return function(context, x, axis)
        sizes = context.builder.sizes(x)
        rows = context.multiply(sizes[:axis])
        made = function(context, context.add("reshape.default", x, (rows, -1)), 1)
        return context.add("reshape.default", made, sizes)

    return convert


def _hard_max(context: Context, x: Ref, axis: int) -> Ref:
    count = context.shape(x)[axis]
    if count is None:
        raise ModelError("it compares over the batch")
    first = context.add("argmax.default", x, axis, True)
    shape = [
        count if i == axis % len(context.shape(x)) else 1 for i in range(len(context.shape(x)))
    ]
    places = context.known(np.arange(count).reshape(shape), "places")
    return _as_type(context, context.add("eq.Tensor", first, places), context.builder.dtype(x))


def _cast(context: Context, operator: Operator) -> Value:
    dtype = DTYPES.get(operator.integer("to"))
    if dtype is None:
        raise ModelError("it casts to a type that is not converted")
    return context.add("to.dtype", context.ref(operator.need(0)), Tag("dtype", dtype))


def _reduce(op: str, typed: bool = False) -> Convert:
    """A reduction; typed if ATen must be told to keep the type of integers."""

    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        axes = _axes(context, operator, len(context.shape(x)))
        if axes is None:
            return x
        made = context.add(op, x, axes, bool(operator.integer("keepdims")))
        return _as_type(context, made, context.builder.dtype(x)) if typed else made

    return convert


def _axes(context: Context, operator: Operator, rank: int) -> tuple[int, ...] | None:
    """The axes to reduce; None if nothing is reduced."""
    given = operator.get(1)
    noop = operator.integer("noop_with_empty_axes")
    operator.pass_over("keepdims")  # where nothing is reduced
    found = operator.attributes.get("axes", ()) if given is None else context.ints(given)
    axes = tuple(context.axis(int(axis), rank) for axis in found)
    if not axes:
        return None if noop else tuple(range(rank))
    return axes


def _sum_of(before: str, after: str) -> Convert:
    """A reduction: element-wise function, sum over axes, function of the sum."""

    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        axes = _axes(context, operator, len(context.shape(x)))
        each = context.add(before, x) if before else x
        keep = bool(operator.integer("keepdims"))
        total = each if axes is None else context.add("sum.dim_IntList", each, axes, keep)
        total = _as_type(context, total, context.builder.dtype(x))
        return context.add(after, total) if after else total

    return convert


def _product(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    dtype = context.builder.dtype(x)
    axes = _axes(context, operator, len(context.shape(x))) or ()
    for axis in sorted(axes, reverse=True):
        x = context.add("prod.dim_int", x, axis, bool(operator.integer("keepdims")))
    return _as_type(context, x, dtype)


def _lp_norm(context: Context, operator: Operator) -> Value:
    """Along one axis; onnxruntime leaves zeros as they are."""
    x, axis, p = context.ref(operator.need(0)), operator.integer("axis"), operator.integer("p")
    if p not in (1, 2):
        raise ModelError(f"its p is {p}")
    each = context.add("abs.default" if p == 1 else "square.default", x)
    total = context.add("sum.dim_IntList", each, (axis,), True)
    norm = context.add("sqrt.default", total) if p == 2 else total
    scaled = context.add("div.Tensor", x, norm)
    return context.add("where.self", context.add("eq.Scalar", norm, 0), x, scaled)


def _selu(context: Context, operator: Operator) -> Value:
    alpha, gamma = operator.number("alpha"), operator.number("gamma")
    return context.add("elu.default", context.ref(operator.need(0)), alpha, gamma)


def _swish(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    inner = context.add("mul.Scalar", x, operator.number("alpha"))
    return context.add("mul.Tensor", x, context.add("sigmoid.default", inner))


def _shrink(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    bias, edge = operator.number("bias"), operator.number("lambd")
    low = context.add(
        "where.self",
        context.add("lt.Scalar", x, -edge),
        context.add("add.Scalar", x, bias),
        context.add("mul.Scalar", x, 0.0),
    )
    return context.add(
        "where.self", context.add("gt.Scalar", x, edge), context.add("sub.Scalar", x, bias), low
    )


def _thresholded(context: Context, operator: Operator) -> Value:
    return context.add(
        "threshold.default", context.ref(operator.need(0)), operator.number("alpha"), 0.0
    )


def _cast_like(context: Context, operator: Operator) -> Value:
    dtype = context.builder.dtype(context.ref(operator.need(1)))
    return context.add("to.dtype", context.ref(operator.need(0)), Tag("dtype", dtype))


def _running_sum(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    shape, dtype = context.shape(x), context.builder.dtype(x)
    axis = context.axis(int(context.scalar(operator.need(1))), len(shape))
    back = operator.integer("reverse")
    x = context.add("flip.default", x, (axis,)) if back else x
    x = _as_type(context, context.add("cumsum.default", x, axis), dtype)
    if operator.integer("exclusive"):
        flat = (0, 0) * (len(shape) - 1 - axis) + (1, -1)
        x = context.add("constant_pad_nd.default", x, flat, 0)
    return context.add("flip.default", x, (axis,)) if back else x


def _arg(op: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        axis, keep = operator.integer("axis"), bool(operator.integer("keepdims"))
        if not operator.integer("select_last_index"):
            return context.add(op, x, axis, keep)
        size = context.shape(x)[axis]
        if size is None:
            raise ModelError("it compares over the batch")
        turned = context.add(op, context.add("flip.default", x, (axis,)), axis, keep)
        return context.add("add.Scalar", context.add("neg.default", turned), size - 1)

    return convert


def _infinite(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    found = context.add("isinf.default", x)
    for name, test in (("detect_negative", "ge.Scalar"), ("detect_positive", "le.Scalar")):
        if not operator.integer(name):
            found = context.add("logical_and.default", found, context.add(test, x, 0))
    return found


def _where(context: Context, operator: Operator) -> Value:
    return context.add("where.self", *(context.ref(operator.need(i)) for i in range(3)))


_UNARY: Mapping[str, str] = MappingProxyType(
    {
        "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus",
        "Erf": "erf", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal",
        "Abs": "abs", "Neg": "neg", "Floor": "floor", "Ceil": "ceil", "Round": "round",
        "Sign": "sign", "Sin": "sin", "Cos": "cos", "HardSwish": "hardswish", "Mish": "mish",
        "Not": "logical_not", "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan",
        "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh",
        "IsNaN": "isnan", "BitwiseNot": "bitwise_not",
    }
)  # fmt: skip
_BINARY: Mapping[str, str] = MappingProxyType(
    {
        "Add": "add.Tensor", "Sub": "sub.Tensor", "Mul": "mul.Tensor", "Equal": "eq.Tensor",
        "Less": "lt.Tensor", "LessOrEqual": "le.Tensor", "Greater": "gt.Tensor",
        "GreaterOrEqual": "ge.Tensor", "And": "logical_and.default", "Or": "logical_or.default",
        "Xor": "logical_xor.default", "BitwiseAnd": "bitwise_and.Tensor",
        "BitwiseOr": "bitwise_or.Tensor", "BitwiseXor": "bitwise_xor.Tensor",
    }
)  # fmt: skip

ELEMENTWISE: Mapping[str, Convert] = MappingProxyType(
    {
        **{name: _unary(f"{op}.default") for name, op in _UNARY.items()},
        **{name: _binary(op) for name, op in _BINARY.items()},
        "Div": _divide,
        "Pow": _power,
        "Sum": _fold_left("add.Tensor"),
        "Min": _fold_left("minimum.default"),
        "Max": _fold_left("maximum.default"),
        "Mean": _mean,
        "Clip": _clip,
        "PRelu": _parametric_relu,
        "LeakyRelu": _with("leaky_relu.default", "alpha"),
        "Elu": _with("elu.default", "alpha"),
        "Celu": _with("celu.default", "alpha"),
        "Gelu": _gelu,
        "HardSigmoid": _hard_sigmoid,
        "Softsign": _softsign,
        "Softmax": _soft(lambda context, x, axis: context.add("softmax.int", x, axis)),
        "LogSoftmax": _soft(lambda context, x, axis: context.add("log_softmax.int", x, axis)),
        "Hardmax": _soft(_hard_max),
        "Shrink": _shrink,
        "IsInf": _infinite,
        "Mod": _remainder,
        "Cast": _cast,
        "Where": _where,
        "ReduceMean": _reduce("mean.dim"),
        "ReduceSum": _reduce("sum.dim_IntList", typed=True),
        "ReduceMax": _reduce("amax.default"),
        "ReduceMin": _reduce("amin.default"),
        "ReduceL1": _sum_of("abs.default", ""),
        "ReduceL2": _sum_of("square.default", "sqrt.default"),
        "ReduceSumSquare": _sum_of("square.default", ""),
        "ReduceLogSum": _sum_of("", "log.default"),
        "ReduceLogSumExp": _reduce("logsumexp.default"),
        "ReduceProd": _product,
        "LpNormalization": _lp_norm,
        "CumSum": _running_sum,
        "Selu": _selu,
        "Swish": _swish,
        "ThresholdedRelu": _thresholded,
        "CastLike": _cast_like,
        "ArgMax": _arg("argmax.default"),
        "ArgMin": _arg("argmin.default"),
    }
)
"""Converter of each element-wise operator and reduction, by name."""
