"""ONNX operators that rearrange elements without changing them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.build import Size
from xbar.model.graph import Argument, Ref
from xbar.model.onnx.context import Context, Convert, Known, Operator, Value
from xbar.model.onnx.layers import refuse_training

_END = 1 << 62
_MOST_PADS = 1 << 16


def _identity(_: Context, operator: Operator) -> Value:
    return operator.need(0)


def _dropout(_: Context, operator: Operator) -> Value:
    refuse_training(operator)
    training = operator.get(2)
    if training is not None and (isinstance(training, Ref) or training.array.any()):
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
    return _sizes(sizes[operator.integer("start") : None if end is None else int(end)])


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
    return Known(array if isinstance(array[()], Ref) else array.astype(np.int64))


def _reshape(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    shape = operator.get(1)
    wanted: Sequence[Size] = operator.attributes["shape"] if shape is None else context.sizes(shape)
    if not operator.integer("allowzero"):
        old = context.builder.sizes(x)
        wanted = [old[i] if size == 0 else size for i, size in enumerate(wanted)]
    return context.add("reshape.default", x, context.axes_of(wanted))


def _flatten(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    sizes = context.builder.sizes(x)
    axis = operator.integer("axis")
    lead = context.multiply(sizes[: axis if axis >= 0 else axis + len(sizes)])
    return context.add("reshape.default", x, (lead, -1))


def _transpose(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    rank = len(context.shape(x))
    order = operator.attributes.get("perm", range(rank)[::-1])
    context.axes_of(order)
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
    rank = len(context.axes_of((1,) * (len(context.shape(x)) + len(axes))))
    for axis in sorted(context.axis(each, rank) for each in axes):
        x = context.add("unsqueeze.default", x, axis)
    return x


def _concat(context: Context, operator: Operator) -> Value:
    parts = tuple(context.ref(each) for each in operator.inputs)
    return context.add("cat.default", parts, int(operator.attributes["axis"]))


def _split(context: Context, operator: Operator) -> Sequence[Value]:
    x, axis = context.ref(operator.need(0)), operator.integer("axis")
    given = operator.get(1)
    sizes = operator.attributes.get("split") if given is None else context.ints(given)
    count = int(operator.attributes.get("num_outputs", operator.outputs))
    if sizes is None:
        whole = context.shape(x)[axis]
        if whole is None or count != operator.outputs:
            raise ModelError(f"it splits {whole or 'the batch'} into {count} parts")
        each = -(-whole // count)
        if operator.version < 18 and whole % count:
            raise ModelError(f"it splits {whole} into {count} equal parts")
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
            x = _backwards(context, x, int(axis), (start, end, int(step)))
        else:
            x = context.add("slice.Tensor", x, int(axis), _bound(start), _bound(end), int(step))
    return x


def _backwards(context: Context, x: Ref, axis: int, bounds: tuple[Size, Size, int]) -> Ref:
    """A slice with a negative step, as a slice of the reversed axis."""
    start, end, step = bounds
    size = context.shape(x)[axis]
    if isinstance(start, Ref) or isinstance(end, Ref) or not step:
        raise ModelError(f"it slices with step {step} between sizes that depend on the batch")
    turned = context.add("flip.default", x, (axis,))
    if size is None:
        if (start >= 0 and start < _END) or end >= 0 or (end > -_END and end < -_END):
            raise ModelError("it slices the batch backwards from a place that depends on it")
        first = 0 if start >= _END else -start - 1
        last = -end - 1
    else:
        first, last, _ = slice(start, end, step).indices(size)
        first, last = size - 1 - first, size - 1 - last
    return context.add("slice.Tensor", turned, axis, first, min(last, _END), -step)


def _bound(size: Size) -> Size:
    """A bound on an axis; ONNX writes the largest integer for the end."""
    return size if isinstance(size, Ref) else max(-_END, min(int(size), _END))


def _expand(context: Context, operator: Operator) -> Value:
    x, wanted = context.ref(operator.need(0)), context.axes_of(context.sizes(operator.need(1)))
    have = context.builder.sizes(x)
    rank = max(len(have), len(wanted))
    have = (*[1] * (rank - len(have)), *have)
    wanted = (*[1] * (rank - len(wanted)), *wanted)
    sizes = tuple(a if b == 1 else b for a, b in zip(have, wanted, strict=True))
    return context.add("expand.default", x, sizes)


def _filled(context: Context, operator: Operator) -> Value:
    sizes = context.axes_of(context.sizes(operator.need(0)))
    value = np.asarray(operator.attributes.get("value", np.float32(0))).reshape(-1)[:1]
    scalar = context.ref(Known(value.reshape(()), "filling"))
    return context.add("expand.default", scalar, sizes)


def _tile(context: Context, operator: Operator) -> Value:
    x, repeats = context.ref(operator.need(0)), context.axes_of(context.sizes(operator.need(1)))
    return context.add("repeat.default", x, repeats)


def _pad(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    rank, mode = len(context.shape(x)), operator.text("mode")
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in names:
        raise ModelError(f"its mode is {mode[:40]!r}, which is not converted")
    given, axes = operator.get(1), operator.get(3)
    pads = operator.attributes["pads"] if given is None else context.ints(given)
    order = range(rank) if axes is None else [context.axis(a, rank) for a in context.ints(axes)]
    if len(pads) != 2 * len(order):
        raise ModelError(f"it has {len(pads)} pads for {len(order)} axes")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(order):
        pairs[axis] = (int(pads[i]), int(pads[i + len(order)]))
    first = next((axis for axis, pair in enumerate(pairs) if pair != (0, 0)), rank)
    filling = operator.attributes.get("value", 0.0)
    if first == rank:
        return x
    flat = tuple(pad for pair in reversed(pairs[first:]) for pad in pair)
    if mode == "constant":
        value = filling if operator.get(2) is None else context.scalar(operator.get(2))
        return context.add("constant_pad_nd.default", x, flat, value)
    if mode != "wrap" and first >= 2 and 3 <= rank <= 5 and min(flat) >= 0:
        return context.add("pad.default", x, flat, names[mode])
    for axis, pair in enumerate(pairs):
        x = _mirrored(context, x, axis, pair, mode)
    return x


def _mirrored(context: Context, x: Ref, axis: int, pair: tuple[int, int], mode: str) -> Ref:
    """One axis padded with its own elements, or cut."""
    if pair == (0, 0):
        return x
    size = context.shape(x)[axis]
    if size is None or max(map(abs, pair)) > _MOST_PADS or sum(pair) + size < 1:
        raise ModelError(f"it pads an axis of {size or 'the batch'} by {pair}")
    places = np.arange(-pair[0], size + pair[1])
    if mode == "edge":
        places = np.clip(places, 0, size - 1)
    elif mode == "wrap":
        places %= size
    else:
        places = np.abs(places) % max(2 * (size - 1), 1)
        places = np.minimum(places, 2 * (size - 1) - places)
    return context.add("index_select.default", x, axis, context.known(places, "places"))


def _depth_to_space(context: Context, operator: Operator) -> Value:
    x, block = context.ref(operator.need(0)), operator.integer("blocksize")
    mode = operator.text("mode") or "DCR"  # before operator set 11 there is no other
    if mode == "CRD":
        return context.add("pixel_shuffle.default", x, block)
    if mode != "DCR":
        raise ModelError(f"its mode is {mode[:40]!r}, which is not converted")
    batch, _, height, width = context.builder.sizes(x)
    parts = (batch, block, block, -1, height, width)
    turned = context.add(
        "permute.default", context.add("reshape.default", x, parts), (0, 3, 4, 1, 5, 2)
    )
    size = (batch, -1, *(context.multiply((each, block)) for each in (height, width)))
    return context.add("reshape.default", turned, size)


def _space_to_depth(context: Context, operator: Operator) -> Value:
    """Channels in the order (row in block, column in block, channel), or CRD: channel first."""
    x, block = context.ref(operator.need(0)), operator.integer("blocksize")
    channels = context.shape(x)[1]
    split = context.add("pixel_unshuffle.default", x, block)  # (channel, row, column)
    mode = operator.text("mode") or "DCR"
    if mode == "CRD":
        return split
    if mode != "DCR":
        raise ModelError(f"its mode is {mode[:40]!r}, which is not converted")
    batch, _, height, width = context.builder.sizes(split)
    parts = context.add("reshape.default", split, (batch, channels, block**2, height, width))
    turned = context.add("transpose.int", parts, 1, 2)
    return context.add("reshape.default", turned, (batch, -1, height, width))


def _triangle(context: Context, operator: Operator) -> Value:
    op = "triu.default" if operator.integer("upper") else "tril.default"
    diagonal = 0 if operator.get(1) is None else int(context.scalar(operator.get(1)))
    return context.add(op, context.ref(operator.need(0)), diagonal)


def _top(context: Context, operator: Operator) -> Sequence[Value]:
    """The largest or smallest, equal ones in their order."""
    x, count = context.ref(operator.need(0)), operator.attributes.get("k")
    count = int(context.scalar(operator.need(1)) if count is None else count)
    largest = bool(operator.attributes.get("largest", 1))
    operator.pass_over("sorted")  # any order is allowed where it is 0
    shape = context.shape(x)
    axis = context.axis(operator.integer("axis"), len(shape))
    size = shape[axis]
    if count < 1 or (size is not None and count > size):
        raise ModelError(f"it takes {count} of {size}")
    how: dict[str, Argument] = {"stable": True, "dim": axis, "descending": largest}
    found = context.add("sort.stable", x, kwargs=how)
    whole = [context.builder.item(found, i) for i in range(2)]
    return [context.add("slice.Tensor", each, axis, 0, count, 1) for each in whole]


def _non_zero(context: Context, operator: Operator) -> Value:
    return Known(np.array(np.nonzero(context.array(operator.need(0))), np.int64), "places")


def _range(context: Context, operator: Operator) -> Value:
    operator.refuse("stash_type", 1)
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
        "NonZero": _non_zero,
    }
)
"""Converter of each rearranging operator, by name."""
