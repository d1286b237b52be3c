"""ONNX operators that multiply and normalise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.onnx.context import Context, Convert, Known, Operator, Value
from xbar.model.onnx.window import Pads, Window, each, kernel_shape, padded


def _gemm(context: Context, operator: Operator) -> Value:
    alpha, beta = operator.number("alpha"), operator.number("beta")
    x, weight = context.ref(operator.need(0)), operator.need(1)
    bias = operator.get(2)
    if operator.integer("transA"):
        x = context.add("t.default", x)
    w = context.ref(_times(context, weight, alpha, "weight"))
    if not operator.integer("transB"):
        w = context.add("t.default", w)
    if bias is not None:
        bias = _times(context, bias, beta, "bias")
    shape = (None,) if bias is None else context.shape(bias)
    if len(shape) == 1 and shape != (1,):
        return context.add("linear.default", x, w, context.optional(bias))
    return context.add("add.Tensor", context.add("linear.default", x, w), context.ref(bias))


def _times(context: Context, value: Value, number: float, name: str) -> Value:
    """A value times a number; a constant is a new constant."""
    if number == 1.0:
        return value
    if isinstance(value, Known):
        array = context.array(value)
        return Known(array * array.dtype.type(number), name)
    return context.add("mul.Scalar", value, number)


def _matmul(context: Context, operator: Operator) -> Value:
    a, b = context.ref(operator.need(0)), context.ref(operator.need(1))
    return context.add("matmul.default", a, b)


def convolution(context: Context, operator: Operator) -> Value:
    """Conv: input, weight and perhaps bias."""
    x, weight = context.ref(operator.need(0)), context.ref(operator.need(1))
    kernel = kernel_shape(operator, context.shape(weight))
    window = Window.read(context, operator, x, kernel)
    x, padding = padded(context, x, window.pads, 0.0)
    bias, groups = context.optional(operator.get(2)), operator.integer("group")
    op = f"conv{len(kernel)}d.default"
    return context.add(op, x, weight, bias, window.strides, padding, window.dilations, groups)


def _transposed(context: Context, operator: Operator) -> Value:
    """ConvTranspose; what ATen's padding can't say is cut from, or added to, the whole result."""
    x, weight = context.ref(operator.need(0)), context.ref(operator.need(1))
    kernel = kernel_shape(operator, context.shape(weight))
    dims = len(kernel)
    strides, dilations = each(operator, "strides", dims), each(operator, "dilations", dims)
    extra = each(operator, "output_padding", dims, 0)
    pads = _transposed_pads(context, operator, x, (kernel, strides, dilations, extra))
    bias, groups = context.optional(operator.get(2)), operator.integer("group")
    op = f"conv_transpose{dims}d." + ("default" if dims == 1 else "input")
    plain = all(
        before == after and 0 <= more < max(stride, dilation)
        for (before, after), more, stride, dilation in zip(
            pads, extra, strides, dilations, strict=True
        )
    )
    if plain:
        padding = tuple(before for before, _ in pads)
        return context.add(op, x, weight, bias, strides, padding, extra, groups, dilations)
    none = (0,) * dims
    whole = context.add(op, x, weight, None, strides, none, none, groups, dilations)
    ends = zip(reversed(pads), reversed(extra), strict=True)
    cut = tuple(pad for (before, after), more in ends for pad in (-before, more - after))
    made = context.add("constant_pad_nd.default", whole, cut, 0.0)
    if bias is None:
        return made
    lined = context.add("reshape.default", bias, (-1, *[1] * dims))
    return context.add("add.Tensor", made, lined)


def _transposed_pads(
    context: Context, operator: Operator, x: Ref, window: tuple[tuple[int, ...], ...]
) -> Pads:
    """What is cut from each end; given, or so that the result has the wanted size."""
    dims, mode = len(window[0]), operator.text("auto_pad")
    given = [int(pad) for pad in operator.attributes.get("pads", [0] * 2 * dims)]
    wanted = operator.attributes.get("output_shape")
    if mode not in ("NOTSET", "") and any(given):
        raise ModelError(f"it has pads and auto_pad {mode[:20]}")
    if wanted is None and mode in ("NOTSET", "", "VALID"):
        if len(given) != 2 * dims or min(given) < 0:
            raise ModelError(f"its pads are {given}")
        return (
            [(0, 0)] * dims
            if mode == "VALID"
            else list(zip(given[:dims], given[dims:], strict=True))
        )
    sizes = context.shape(x)[2:]
    found: Pads = []
    for axis, (size, k, s, d, more) in enumerate(zip(sizes, *window, strict=True)):
        if size is None:
            raise ModelError("its size depends on the batch")
        size_out = size * s if wanted is None else int(wanted[-dims:][axis])
        total = (size - 1) * s + (k - 1) * d + 1 + more - size_out
        if total < 0:
            raise ModelError(f"its output_shape {size_out} is larger than what it computes")
        less = total // 2
        found.append((less, total - less) if mode == "SAME_UPPER" else (total - less, less))
    return found


def refuse_training(operator: Operator) -> None:
    """Reject an operator of a set before 7 that is not marked as for testing."""
    if operator.version < 7 and not operator.integer("is_test"):
        raise ModelError("the model was exported for training: its is_test is 0")


def _batch_norm(context: Context, operator: Operator) -> Value:
    operator.refuse("training_mode", 0)
    operator.refuse("spatial", 1)
    refuse_training(operator)
    x, *parts = (context.ref(operator.need(i)) for i in range(5))
    epsilon = operator.number("epsilon")
    return context.add("batch_norm.default", x, *parts, False, 0.1, epsilon, False)


def _layer_norm(context: Context, operator: Operator) -> Value:
    operator.refuse("stash_type", 1)
    weight, bias = context.ref(operator.need(1)), context.optional(operator.get(2))
    x, shape = _normalised(context, operator)
    epsilon = operator.number("epsilon")
    if context.shape(weight) == shape and (bias is None or context.shape(bias) == shape):
        return context.add("layer_norm.default", x, shape, weight, bias, epsilon, False)
    made = context.add("layer_norm.default", x, shape, None, None, epsilon, False)
    made = context.add("mul.Tensor", made, weight)
    return made if bias is None else context.add("add.Tensor", made, bias)


def _normalised(context: Context, operator: Operator) -> tuple[Ref, tuple[int, ...]]:
    """The input, and the sizes of the axes that are normalised."""
    x = context.ref(operator.need(0))
    shape = context.shape(x)
    axis = context.axis(operator.integer("axis"), len(shape))
    sizes = tuple(size for size in shape[axis:] if size is not None)
    if len(sizes) < len(shape) - axis:
        raise ModelError("it normalises over the batch")
    return x, sizes


def _instance_norm(context: Context, operator: Operator) -> Value:
    x, weight, bias = (context.ref(operator.need(i)) for i in range(3))
    epsilon = operator.number("epsilon")
    given = (x, weight, bias, None, None, True, 0.1, epsilon, False)
    return context.add("instance_norm.default", *given)


def _group_norm(context: Context, operator: Operator) -> Value:
    operator.refuse("stash_type", 1)
    x, weight, bias = (context.ref(operator.need(i)) for i in range(3))
    groups, epsilon = operator.integer("num_groups"), operator.number("epsilon")
    if operator.version < 21:  # one scale for each group
        channels = context.shape(x)[1] or 0
        if groups < 1 or channels % groups:
            raise ModelError(f"it has {groups} groups of {channels} channels")
        weight, bias = (
            context.add("repeat_interleave.self_int", each, channels // groups)
            for each in (weight, bias)
        )
    return context.add("group_norm.default", x, groups, weight, bias, epsilon, False)


def _rms_norm(context: Context, operator: Operator) -> Value:
    operator.refuse("stash_type", 1)
    weight = context.ref(operator.need(1))
    x, shape = _normalised(context, operator)
    epsilon = operator.number("epsilon")
    if context.shape(weight) == shape:
        return context.add("rms_norm.default", x, shape, weight, epsilon)
    made = context.add("rms_norm.default", x, shape, None, epsilon)
    return context.add("mul.Tensor", made, weight)


def _neighbour_norm(context: Context, operator: Operator) -> Value:
    """LRN: x / (bias + alpha mean(x² of the channels around))^beta."""
    x, size = context.ref(operator.need(0)), operator.integer("size")
    sizes = context.builder.sizes(x)
    square = context.add("square.default", x)
    lined = context.add("reshape.default", square, (sizes[0], 1, sizes[1], -1))
    padded = context.add("constant_pad_nd.default", lined, (0, 0, (size - 1) // 2, size // 2), 0.0)
    mean = context.add("avg_pool2d.default", padded, (size, 1), (1, 1))
    scaled = context.add("mul.Scalar", mean, operator.number("alpha"))
    base = context.add("add.Scalar", scaled, operator.number("bias"))
    power = context.add("pow.Tensor_Scalar", base, operator.number("beta"))
    return context.add("div.Tensor", x, context.add("reshape.default", power, sizes))


def _einsum(context: Context, operator: Operator) -> Value:
    tensors = tuple(context.ref(each) for each in operator.inputs)
    return context.add("einsum.default", operator.text("equation"), tensors)


LAYERS: Mapping[str, Convert] = MappingProxyType(
    {
        "Gemm": _gemm,
        "MatMul": _matmul,
        "Conv": convolution,
        "ConvTranspose": _transposed,
        "BatchNormalization": _batch_norm,
        "LayerNormalization": _layer_norm,
        "InstanceNormalization": _instance_norm,
        "GroupNormalization": _group_norm,
        "RMSNormalization": _rms_norm,
        "LRN": _neighbour_norm,
        "Einsum": _einsum,
    }
)
"""Converter of each operator that multiplies or normalises, by name."""
