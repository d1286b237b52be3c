"""ONNX operators that multiply, pool and normalise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from xbar.errors import ModelError
from xbar.model.build import plain
from xbar.model.graph import Ref
from xbar.model.onnx.context import Context, Convert, Known, Operator, Value

_Pads = list[tuple[int, int]]


def _gemm(context: Context, operator: Operator) -> Value:
    alpha, beta = operator.number("alpha", 1.0), operator.number("beta", 1.0)
    x, weight = context.ref(operator.need(0)), operator.need(1)
    bias = operator.get(2)
    if operator.integer("transA", 0):
        x = context.add("t.default", x)
    if alpha != 1.0:
        weight = Known(context.array(weight) * _like(context, weight, alpha), "weight")
    w = context.ref(weight)
    if not operator.integer("transB", 0):
        w = context.add("t.default", w)
    if bias is not None and beta != 1.0:
        bias = Known(context.array(bias) * _like(context, bias, beta), "bias")
    shape = (None,) if bias is None else context.shape(bias)
    if len(shape) == 1 and shape != (1,):
        return context.add("linear.default", x, w, context.optional(bias))
    return context.add("add.Tensor", context.add("linear.default", x, w), context.ref(bias))


def _like(context: Context, value: Value, number: float) -> object:
    return context.array(value).dtype.type(number)


def _matmul(context: Context, operator: Operator) -> Value:
    a, b = context.ref(operator.need(0)), context.ref(operator.need(1))
    return context.add("matmul.default", a, b)


def _window(context: Context, operator: Operator, x: Value, kernel: tuple[int, ...]) -> _Pads:
    """Padding before and after each spatial axis."""
    dims = len(kernel)
    mode = operator.attributes.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = [int(pad) for pad in operator.attributes.get("pads", [0] * 2 * dims)]
        if len(pads) != 2 * dims or min(pads) < 0:
            raise ModelError(f"its pads are {pads}")
        return list(zip(pads[:dims], pads[dims:], strict=True))
    if mode == "VALID":
        return [(0, 0)] * dims
    strides, dilations = _each(operator, "strides", dims), _each(operator, "dilations", dims)
    found: _Pads = []
    for size, k, s, d in zip(context.shape(x)[2:], kernel, strides, dilations, strict=True):
        if size is None or mode not in ("SAME_UPPER", "SAME_LOWER"):
            raise ModelError(f"its auto_pad {mode} can't be resolved")
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        less, more = total // 2, total - total // 2
        found.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return found


def _each(operator: Operator, name: str, dims: int, default: int = 1) -> tuple[int, ...]:
    values = tuple(int(each) for each in operator.attributes.get(name, [default] * dims))
    if len(values) != dims:
        raise ModelError(f"its {name} are {values} for {dims} axes")
    return values


def _padded(context: Context, x: Ref, pads: _Pads, value: float) -> tuple[Ref, tuple[int, ...]]:
    """Activations and remaining padding: uneven padding becomes a separate operation."""
    if all(before == after for before, after in pads):
        return x, tuple(before for before, _ in pads)
    flat = tuple(pad for pair in reversed(pads) for pad in pair)
    return context.add("constant_pad_nd.default", x, flat, value), (0,) * len(pads)


def _convolution(context: Context, operator: Operator) -> Value:
    x, weight = context.ref(operator.need(0)), context.ref(operator.need(1))
    kernel = tuple(size or 0 for size in context.shape(weight)[2:])
    dims = len(kernel)
    if dims not in (1, 2, 3):
        raise ModelError(f"it has {dims} spatial axes")
    x, padding = _padded(context, x, _window(context, operator, x, kernel), 0.0)
    strides, dilations = _each(operator, "strides", dims), _each(operator, "dilations", dims)
    bias, groups = context.optional(operator.get(2)), operator.integer("group", 1)
    op = f"conv{dims}d.default"
    return context.add(op, x, weight, bias, strides, padding, dilations, groups)


def _transposed(context: Context, operator: Operator) -> Value:
    x, weight = context.ref(operator.need(0)), context.ref(operator.need(1))
    kernel = tuple(size or 0 for size in context.shape(weight)[2:])
    dims = len(kernel)
    operator.refuse("auto_pad", "NOTSET", "VALID")
    operator.refuse("output_shape")
    pads = _window(context, operator, x, kernel)
    if dims not in (1, 2, 3) or any(before != after for before, after in pads):
        raise ModelError(f"it has {dims} spatial axes with pads {pads}")
    strides, dilations = _each(operator, "strides", dims), _each(operator, "dilations", dims)
    extra = _each(operator, "output_padding", dims, 0)
    bias, groups = context.optional(operator.get(2)), operator.integer("group", 1)
    padding = tuple(before for before, _ in pads)
    op = f"conv_transpose{dims}d." + ("default" if dims == 1 else "input")
    return context.add(op, x, weight, bias, strides, padding, extra, groups, dilations)


def _max_pool(context: Context, operator: Operator) -> Value:
    kernel = tuple(int(size) for size in operator.attributes["kernel_shape"])
    dims, x = len(kernel), context.ref(operator.need(0))
    operator.refuse("storage_order", 0)
    x, padding = _padded(context, x, _window(context, operator, x, kernel), -float("inf"))
    strides, dilations = _each(operator, "strides", dims), _each(operator, "dilations", dims)
    ceil = bool(operator.integer("ceil_mode", 0))
    return context.add(f"max_pool{dims}d.default", x, kernel, strides, padding, dilations, ceil)


def _average_pool(context: Context, operator: Operator) -> Value:
    kernel = tuple(int(size) for size in operator.attributes["kernel_shape"])
    dims, x = len(kernel), context.ref(operator.need(0))
    operator.refuse("dilations", [1] * dims)
    pads = _window(context, operator, x, kernel)
    count = bool(operator.integer("count_include_pad", 0))
    if not count and any(before != after for before, after in pads):
        raise ModelError(f"its pads are uneven and not counted: {pads}")
    x, padding = _padded(context, x, pads, 0.0)
    ceil = bool(operator.integer("ceil_mode", 0))
    strides = _each(operator, "strides", dims)
    op = f"avg_pool{dims}d.default"
    return context.add(op, x, kernel, strides, padding, ceil, count)


def _global(name: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        axes = tuple(range(2, len(context.shape(x))))
        return context.add(name, x, axes, True)

    return convert


def _batch_norm(context: Context, operator: Operator) -> Value:
    operator.refuse("training_mode", 0)
    operator.refuse("spatial", 1)
    x, *parts = (context.ref(operator.need(i)) for i in range(5))
    epsilon = operator.number("epsilon", 1e-5)
    return context.add("batch_norm.default", x, *parts, False, 0.1, epsilon, False)


def _layer_norm(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    shape = context.shape(x)
    axis = context.axis(operator.integer("axis", -1), len(shape))
    if None in shape[axis:]:
        raise ModelError("it normalises over the batch")
    weight, bias = context.ref(operator.need(1)), context.optional(operator.get(2))
    epsilon = operator.number("epsilon", 1e-5)
    return context.add("layer_norm.default", x, shape[axis:], weight, bias, epsilon, False)


def _instance_norm(context: Context, operator: Operator) -> Value:
    x, weight, bias = (context.ref(operator.need(i)) for i in range(3))
    epsilon = operator.number("epsilon", 1e-5)
    given = (x, weight, bias, None, None, True, 0.1, epsilon, False)
    return context.add("instance_norm.default", *given)


def _group_norm(context: Context, operator: Operator) -> Value:
    if operator.version < 21:
        raise ModelError("it is of an operator set before 21, which scales groups, not channels")
    x, weight, bias = (context.ref(operator.need(i)) for i in range(3))
    groups, epsilon = operator.integer("num_groups", 1), operator.number("epsilon", 1e-5)
    return context.add("group_norm.default", x, groups, weight, bias, epsilon, False)


def _rms_norm(context: Context, operator: Operator) -> Value:
    operator.refuse("stash_type", 1)
    x, weight = context.ref(operator.need(0)), context.ref(operator.need(1))
    shape = context.shape(x)
    axis = context.axis(operator.integer("axis", -1), len(shape))
    if None in shape[axis:]:
        raise ModelError("it normalises over the batch")
    return context.add(
        "rms_norm.default", x, shape[axis:], weight, operator.number("epsilon", 1e-5)
    )


def _neighbour_norm(context: Context, operator: Operator) -> Value:
    """LRN: x / (bias + alpha mean(x² of the channels around))^beta."""
    x, size = context.ref(operator.need(0)), operator.integer("size", 1)
    sizes = context.builder.sizes(x)
    square = context.add("square.default", x)
    lined = context.add("reshape.default", square, (sizes[0], 1, sizes[1], -1))
    padded = context.add("constant_pad_nd.default", lined, (0, 0, (size - 1) // 2, size // 2), 0.0)
    mean = context.add("avg_pool2d.default", padded, (size, 1), (1, 1))
    scaled = context.add("mul.Scalar", mean, operator.number("alpha", 1e-4))
    base = context.add("add.Scalar", scaled, operator.number("bias", 1.0))
    power = context.add("pow.Tensor_Scalar", base, operator.number("beta", 0.75))
    return context.add("div.Tensor", x, context.add("reshape.default", power, sizes))


def _einsum(context: Context, operator: Operator) -> Value:
    tensors = tuple(context.ref(each) for each in operator.inputs)
    return context.add("einsum.default", str(operator.attributes["equation"]), tensors)


def _embedding_like(context: Context, operator: Operator) -> Value:
    """Gather rows of a tensor."""
    x, index, axis = operator.need(0), operator.need(1), operator.integer("axis", 0)
    shape = context.shape(x)
    axis = context.axis(axis, len(shape))
    size = shape[axis]
    if isinstance(index, Known) and index.array.dtype != object:
        known = index.array.astype("int64")
        known = known if size is None else known % size
        if known.ndim == 0:
            return context.add("select.int", context.ref(x), axis, plain(known))
        index = Known(known, "index")
    rows = context.ref(index)
    if axis == 0 and len(shape) == 2 and isinstance(x, Known):
        return context.add("embedding.default", context.ref(x), rows)
    data, inner = context.ref(x), context.builder.sizes(rows)
    flat = context.add("reshape.default", rows, (-1,))
    picked = context.add("index_select.default", data, axis, flat)
    outer = context.builder.sizes(data)
    return context.add("reshape.default", picked, (*outer[:axis], *inner, *outer[axis + 1 :]))


LAYERS: Mapping[str, Convert] = MappingProxyType(
    {
        "Gemm": _gemm,
        "MatMul": _matmul,
        "Conv": _convolution,
        "ConvTranspose": _transposed,
        "MaxPool": _max_pool,
        "AveragePool": _average_pool,
        "GlobalAveragePool": _global("mean.dim"),
        "GlobalMaxPool": _global("amax.default"),
        "BatchNormalization": _batch_norm,
        "LayerNormalization": _layer_norm,
        "InstanceNormalization": _instance_norm,
        "GroupNormalization": _group_norm,
        "RMSNormalization": _rms_norm,
        "LRN": _neighbour_norm,
        "Einsum": _einsum,
        "Gather": _embedding_like,
    }
)
"""Converter of each operator that multiplies, pools, normalises or gathers, by name."""
