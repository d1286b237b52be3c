"""ONNX operators that rearrange elements without changing them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.build import Size
from xbar.model.graph import Ref
from xbar.model.onnx.context import Context, Convert, Known, Operator, Value

_END = 1 << 62


def _identity(_: Context, operator: Operator) -> Value:
    return operator.need(0)


def _dropout(_: Context, operator: Operator) -> Value:
    training = operator.get(2)
    if isinstance(training, Ref) or (training is not None and training.array.any()):
        raise ModelError("it drops values at random: the model was exported for training")
    return operator.need(0)


def _constant(_: Context, operator: Operator) -> Value:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in operator.attributes:
            dtype = {"value_float": np.float32, "value_floats": np.float32}.get(name)
            return Known(np.asarray(operator.attributes[name], dtype))
    raise ModelError("it has no value of plain numbers")


def _shape(context: Context, operator: Operator) -> Value:
    sizes: Sequence[Size]
    x = operator.need(0)
    sizes = x.array.shape if isinstance(x, Known) else context.builder.sizes(x)
    end = operator.attributes.get("end")
    return _sizes(sizes[operator.integer("start", 0) : None if end is None else int(end)])


def _sizes(sizes: Sequence[Size]) -> Known:
    if not any(isinstance(size, Ref) for size in sizes):
        return Known(np.array(sizes, np.int64))
    array = np.empty(len(sizes), object)
    array[:] = sizes
    return Known(array)


def _size(context: Context, operator: Operator) -> Value:
    x = operator.need(0)
    sizes = x.array.shape if isinstance(x, Known) else context.builder.sizes(x)
    array = np.empty((), object)
    array[()] = context.multiply(sizes)
    return Known(array)


def _reshape(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    shape = operator.get(1)
    wanted: Sequence[Size] = operator.attributes["shape"] if shape is None else context.sizes(shape)
    if not operator.integer("allowzero", 0):
        old = context.builder.sizes(x)
        wanted = [old[i] if size == 0 else size for i, size in enumerate(wanted)]
    return context.add("reshape.default", x, tuple(wanted))


def _flatten(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    sizes = context.builder.sizes(x)
    axis = operator.integer("axis", 1)
    lead = context.multiply(sizes[: axis if axis >= 0 else axis + len(sizes)])
    return context.add("reshape.default", x, (lead, -1))


def _transpose(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    rank = len(context.shape(x))
    order = operator.attributes.get("perm", range(rank)[::-1])
    return context.add("permute.default", x, tuple(int(axis) for axis in order))


def _axes(context: Context, operator: Operator) -> tuple[int, ...] | None:
    given = operator.get(1)
    if given is not None:
        return context.ints(given)
    axes = operator.attributes.get("axes")
    return None if axes is None else tuple(int(axis) for axis in axes)


def _squeeze(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    axes = _axes(context, operator)
    shape = context.shape(x)
    if axes is None:
        axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return context.add("squeeze.dims", x, axes)


def _unsqueeze(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    axes = _axes(context, operator) or ()
    rank = len(context.shape(x)) + len(axes)
    for axis in sorted(context.axis(each, rank) for each in axes):
        x = context.add("unsqueeze.default", x, axis)
    return x


def _concat(context: Context, operator: Operator) -> Value:
    parts = tuple(context.ref(each) for each in operator.inputs)
    return context.add("cat.default", parts, int(operator.attributes["axis"]))


def _split(context: Context, operator: Operator) -> Sequence[Value]:
    x, axis = context.ref(operator.need(0)), operator.integer("axis", 0)
    given = operator.get(1)
    sizes = operator.attributes.get("split") if given is None else context.ints(given)
    if sizes is None:
        whole = context.shape(x)[axis]
        count = operator.integer("num_outputs", operator.outputs)
        if whole is None or count < 1:
            raise ModelError("it splits the batch")
        each = -(-whole // count)
        sizes = [min(each, max(0, whole - i * each)) for i in range(count)]
    split = context.add("split_with_sizes.default", x, tuple(int(n) for n in sizes), axis)
    return [context.builder.item(split, i) for i in range(len(sizes))]


def _slice(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    if "starts" in operator.attributes:
        starts, ends = (tuple(operator.attributes[key]) for key in ("starts", "ends"))
        axes, steps = operator.attributes.get("axes"), None
    else:
        starts, ends = context.sizes(operator.need(1)), context.sizes(operator.need(2))
        axes, steps = (
            None if operator.get(i) is None else context.ints(operator.get(i)) for i in (3, 4)
        )
    axes = range(len(starts)) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 1:
            raise ModelError(f"it slices backwards, with step {step}")
        x = context.add("slice.Tensor", x, int(axis), _bound(start), _bound(end), int(step))
    return x


def _bound(size: Size) -> Size:
    """A bound on an axis; ONNX writes the largest integer for the end."""
    return size if isinstance(size, Ref) else max(-_END, min(int(size), _END))


def _expand(context: Context, operator: Operator) -> Value:
    x, wanted = context.ref(operator.need(0)), context.sizes(operator.need(1))
    have = context.builder.sizes(x)
    rank = max(len(have), len(wanted))
    have = (*[1] * (rank - len(have)), *have)
    wanted = (*[1] * (rank - len(wanted)), *wanted)
    sizes = tuple(a if b == 1 else b for a, b in zip(have, wanted, strict=True))
    return context.add("expand.default", x, sizes)


def _filled(context: Context, operator: Operator) -> Value:
    sizes = context.sizes(operator.need(0))
    value = np.asarray(operator.attributes.get("value", np.float32(0))).reshape(-1)[:1]
    scalar = context.ref(Known(value.reshape(()), "filling"))
    return context.add("expand.default", scalar, sizes)


def _tile(context: Context, operator: Operator) -> Value:
    x, repeats = context.ref(operator.need(0)), context.sizes(operator.need(1))
    return context.add("repeat.default", x, repeats)


def _pad(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    rank = len(context.shape(x))
    mode = str(operator.attributes.get("mode", "constant"))
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    given, axes = operator.get(1), operator.get(3)
    pads = operator.attributes["pads"] if given is None else context.ints(given)
    order = range(rank) if axes is None else [context.axis(a, rank) for a in context.ints(axes)]
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(order):
        pairs[axis] = (int(pads[i]), int(pads[i + len(order)]))
    first = next((axis for axis, pair in enumerate(pairs) if pair != (0, 0)), rank)
    if mode not in names or first == rank:
        return x
    flat = tuple(pad for pair in reversed(pairs[first:]) for pad in pair)
    if mode != "constant":
        return context.add("pad.default", x, flat, names[mode])
    filling = operator.attributes.get("value", 0.0)
    value = filling if operator.get(2) is None else context.scalar(operator.get(2))
    return context.add("constant_pad_nd.default", x, flat, value)


def _depth_to_space(context: Context, operator: Operator) -> Value:
    operator.refuse("mode", "CRD")
    x, block = context.ref(operator.need(0)), operator.integer("blocksize", 0)
    return context.add("pixel_shuffle.default", x, block)


def _space_to_depth(context: Context, operator: Operator) -> Value:
    """Channels in the order (row in block, column in block, channel)."""
    x, block = context.ref(operator.need(0)), operator.integer("blocksize", 0)
    channels = context.shape(x)[1]
    split = context.add("pixel_unshuffle.default", x, block)  # (channel, row, column)
    batch, _, height, width = context.builder.sizes(split)
    parts = context.add("reshape.default", split, (batch, channels, block**2, height, width))
    turned = context.add("transpose.int", parts, 1, 2)
    return context.add("reshape.default", turned, (batch, -1, height, width))


def _triangle(context: Context, operator: Operator) -> Value:
    op = "triu.default" if operator.integer("upper", 1) else "tril.default"
    diagonal = 0 if operator.get(1) is None else int(context.scalar(operator.get(1)))
    return context.add(op, context.ref(operator.need(0)), diagonal)


def _top(context: Context, operator: Operator) -> Sequence[Value]:
    x, count = context.ref(operator.need(0)), operator.attributes.get("k")
    count = int(context.scalar(operator.need(1)) if count is None else count)
    axis, largest = operator.integer("axis", -1), bool(operator.integer("largest", 1))
    found = context.add("topk.default", x, count, axis, largest, True)
    return [context.builder.item(found, i) for i in range(2)]


def _range(context: Context, operator: Operator) -> Value:
    start, limit, step = (context.scalar(operator.need(i)) for i in range(3))
    count = math.ceil((limit - start) / step) if step else 0
    if not 0 <= count <= 1 << 20:
        raise ModelError(f"it makes a range of {count} numbers")
    dtype = context.array(operator.need(0)).dtype
    return Known(np.arange(start, limit, step, dtype=dtype), "range")


SHAPES: Mapping[str, Convert] = MappingProxyType(
    {
        "Identity": _identity,
        "Dropout": _dropout,
        "Constant": _constant,
        "Shape": _shape,
        "Size": _size,
        "Reshape": _reshape,
        "Flatten": _flatten,
        "Transpose": _transpose,
        "Squeeze": _squeeze,
        "Unsqueeze": _unsqueeze,
        "Concat": _concat,
        "Split": _split,
        "Slice": _slice,
        "Expand": _expand,
        "ConstantOfShape": _filled,
        "Tile": _tile,
        "Pad": _pad,
        "DepthToSpace": _depth_to_space,
        "SpaceToDepth": _space_to_depth,
        "Trilu": _triangle,
        "TopK": _top,
        "Range": _range,
    }
)
"""Converter of each rearranging operator, by name."""
