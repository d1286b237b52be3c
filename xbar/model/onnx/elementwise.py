"""Element-wise ONNX operators and reductions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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


def _with(op: str, **attributes: float) -> Convert:
    """One operation with numeric attributes, in order."""

    def convert(context: Context, operator: Operator) -> Value:
        numbers = [operator.number(name, default) for name, default in attributes.items()]
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
        return context.add("pow.Tensor_Scalar", a, context.scalar(exponent))
    return context.add("pow.Tensor_Tensor", a, context.ref(exponent))


def _clip(context: Context, operator: Operator) -> Value:
    bounds: list[Argument] = []
    for i, name in ((1, "min"), (2, "max")):
        given = operator.get(i)
        known = operator.attributes.get(name) if given is None else context.scalar(given)
        bounds.append(known)
    x = context.ref(operator.need(0))
    return x if bounds == [None, None] else context.add("clamp.default", x, *bounds)


def _parametric_relu(context: Context, operator: Operator) -> Value:
    x, slope = context.ref(operator.need(0)), context.ref(operator.need(1))
    below = context.add("lt.Scalar", x, 0)
    return context.add("where.self", below, context.add("mul.Tensor", x, slope), x)


def _gelu(context: Context, operator: Operator) -> Value:
    mode = str(operator.attributes.get("approximate", "none"))
    x = context.ref(operator.need(0))
    return context.add("gelu.default", x, kwargs={"approximate": mode})


def _hard_sigmoid(context: Context, operator: Operator) -> Value:
    slope, offset = operator.number("alpha", 0.2), operator.number("beta", 0.5)
    scaled = context.add("mul.Scalar", context.ref(operator.need(0)), slope)
    return context.add("clamp.default", context.add("add.Scalar", scaled, offset), 0.0, 1.0)


def _softsign(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    below = context.add("add.Scalar", context.add("abs.default", x), 1.0)
    return context.add("div.Tensor", x, below)


def _soft(op: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        rank = len(context.shape(x))
        axis = context.axis(operator.integer("axis", -1 if operator.version >= 13 else 1), rank)
        if operator.version < 13 and axis != rank - 1:
            raise ModelError("it is of an operator set before 13 and along an axis before the last")
        return context.add(op, x, axis)

    return convert


def _cast(context: Context, operator: Operator) -> Value:
    dtype = DTYPES.get(operator.integer("to", 1))
    if dtype is None:
        raise ModelError("it casts to a type that is not converted")
    return context.add("to.dtype", context.ref(operator.need(0)), Tag("dtype", dtype))


def _reduce(op: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        axes = _axes(context, operator, len(context.shape(x)))
        return (
            x if axes is None else context.add(op, x, axes, bool(operator.integer("keepdims", 1)))
        )

    return convert


def _axes(context: Context, operator: Operator, rank: int) -> tuple[int, ...] | None:
    """The axes to reduce; None if nothing is reduced."""
    given = operator.get(1)
    found = operator.attributes.get("axes", ()) if given is None else context.ints(given)
    axes = tuple(context.axis(int(axis), rank) for axis in found)
    if not axes:
        return None if operator.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return axes


def _sum_of(before: str, after: str) -> Convert:
    """A reduction: element-wise function, sum over axes, function of the sum."""

    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        axes = _axes(context, operator, len(context.shape(x)))
        each = context.add(before, x) if before else x
        keep = bool(operator.integer("keepdims", 1))
        total = each if axes is None else context.add("sum.dim_IntList", each, axes, keep)
        return context.add(after, total) if after else total

    return convert


def _product(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    axes = _axes(context, operator, len(context.shape(x))) or ()
    for axis in sorted(axes, reverse=True):
        x = context.add("prod.dim_int", x, axis, bool(operator.integer("keepdims", 1)))
    return x


def _lp_norm(context: Context, operator: Operator) -> Value:
    x, axis, p = (
        context.ref(operator.need(0)),
        operator.integer("axis", -1),
        operator.integer("p", 2),
    )
    if p not in (1, 2):
        raise ModelError(f"its p is {p}")
    each = context.add("abs.default" if p == 1 else "square.default", x)
    total = context.add("sum.dim_IntList", each, (axis,), True)
    return context.add("div.Tensor", x, context.add("sqrt.default", total) if p == 2 else total)


def _selu(context: Context, operator: Operator) -> Value:
    alpha, gamma = operator.number("alpha", 1.6732632), operator.number("gamma", 1.0507010)
    return context.add("elu.default", context.ref(operator.need(0)), alpha, gamma)


def _swish(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    inner = context.add("mul.Scalar", x, operator.number("alpha", 1.0))
    return context.add("mul.Tensor", x, context.add("sigmoid.default", inner))


def _thresholded(context: Context, operator: Operator) -> Value:
    return context.add(
        "threshold.default", context.ref(operator.need(0)), operator.number("alpha", 1.0), 0.0
    )


def _cast_like(context: Context, operator: Operator) -> Value:
    dtype = context.builder.dtype(context.ref(operator.need(1)))
    return context.add("to.dtype", context.ref(operator.need(0)), Tag("dtype", dtype))


def _running_sum(context: Context, operator: Operator) -> Value:
    operator.refuse("exclusive", 0)
    operator.refuse("reverse", 0)
    axis = int(context.scalar(operator.need(1)))
    return context.add("cumsum.default", context.ref(operator.need(0)), axis)


def _arg(op: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        operator.refuse("select_last_index", 0)
        x, axis = context.ref(operator.need(0)), operator.integer("axis", 0)
        return context.add(op, x, axis, bool(operator.integer("keepdims", 1)))

    return convert


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
        "IsNaN": "isnan",
    }
)  # fmt: skip
_BINARY: Mapping[str, str] = MappingProxyType(
    {
        "Add": "add.Tensor", "Sub": "sub.Tensor", "Mul": "mul.Tensor", "Equal": "eq.Tensor",
        "Less": "lt.Tensor", "LessOrEqual": "le.Tensor", "Greater": "gt.Tensor",
        "GreaterOrEqual": "ge.Tensor", "And": "logical_and.default", "Or": "logical_or.default",
        "Mod": "remainder.Tensor", "Xor": "logical_xor.default",
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
        "LeakyRelu": _with("leaky_relu.default", alpha=0.01),
        "Elu": _with("elu.default", alpha=1.0),
        "Celu": _with("celu.default", alpha=1.0),
        "Gelu": _gelu,
        "HardSigmoid": _hard_sigmoid,
        "Softsign": _softsign,
        "Softmax": _soft("softmax.int"),
        "LogSoftmax": _soft("log_softmax.int"),
        "Cast": _cast,
        "Where": _where,
        "ReduceMean": _reduce("mean.dim"),
        "ReduceSum": _reduce("sum.dim_IntList"),
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
