"""ONNX operators that pick elements by index, or write them there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.build import plain
from xbar.model.graph import Ref, Tag
from xbar.model.onnx.context import Context, Convert, Known, Operator, Value


def _gather(context: Context, operator: Operator) -> Value:
    """Rows of a tensor."""
    x, index = operator.need(0), operator.need(1)
    shape = context.shape(x)
    axis = context.axis(operator.integer("axis"), len(shape))
    if isinstance(index, Known) and index.array.dtype != object:
        known = _inside(index.array, shape[axis])
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


def _inside(index: np.ndarray, size: int | None) -> np.ndarray:
    """Constant indices counted from the start.

    Raises:
        ModelError: one is outside.
    """
    index = index.astype(np.int64)
    if size is None:
        return index
    if ((index < -size) | (index >= size)).any():
        raise ModelError(f"it picks element {int(np.abs(index).max())} of an axis of {size}")
    return np.asarray(index % size)


def _index(context: Context, value: Value, size: int | None) -> Ref:
    """Indices along an axis, counted from the start, as int64."""
    if isinstance(value, Known) and value.array.dtype != object:
        known = _inside(value.array, size)
        if size is None and (known < 0).any():
            raise ModelError("it counts from the end of the batch")
        return context.known(known, "index")
    index = context.add("to.dtype", context.ref(value), Tag("dtype", "int64"))
    if size is None:
        return index
    below = context.add("lt.Scalar", index, 0)
    return context.add("where.self", below, context.add("add.Scalar", index, size), index)


def _gather_elements(context: Context, operator: Operator) -> Value:
    x = context.ref(operator.need(0))
    shape = context.shape(x)
    axis = context.axis(operator.integer("axis"), len(shape))
    return context.add("gather.default", x, axis, _index(context, operator.need(1), shape[axis]))


_REDUCE: Mapping[str, str] = MappingProxyType(
    {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
)


def _scatter_elements(context: Context, operator: Operator) -> Value:
    x, updates = context.ref(operator.need(0)), context.ref(operator.need(2))
    shape = context.shape(x)
    axis = context.axis(operator.integer("axis"), len(shape))
    index = _index(context, operator.need(1), shape[axis])
    how = operator.text("reduction") or "none"
    if how == "none":
        return context.add("scatter.src", x, axis, index, updates)
    if how not in _REDUCE:
        raise ModelError(f"its reduction is {how[:40]!r}, which is not converted")
    return context.add("scatter_reduce.two", x, axis, index, updates, _REDUCE[how])


def _places(context: Context, x: Ref, value: Value, lead: int) -> tuple[Ref, ...]:
    """Indices (..., k) of k axes of x after the leading ones, as one tensor each axis.

    The leading axes of both are the same, and counted.
    """
    shape, index = context.shape(x), context.shape(value)
    count = index[-1]
    if count is None or not 0 < count <= len(shape) - lead:
        raise ModelError(f"it has indices of {count} axes for a value of {len(shape)}")
    if isinstance(value, Known) and value.array.dtype != object:
        parts = [_index(context, Known(value.array[..., i]), shape[lead + i]) for i in range(count)]
    else:
        whole = context.ref(value)
        picked = [context.add("select.int", whole, -1, i) for i in range(count)]
        parts = [_index(context, each, shape[lead + i]) for i, each in enumerate(picked)]
    rank = len(index) - 1
    found: list[Ref] = []
    for axis, size in enumerate(context.builder.sizes(x)[:lead]):
        numbers = context.add("arange.default", size, kwargs={"dtype": Tag("dtype", "int64")})
        lined = (1,) * axis + (-1,) + (1,) * (rank - 1 - axis)
        found.append(context.add("reshape.default", numbers, lined))
    return (*found, *parts)


def _gather_nd(context: Context, operator: Operator) -> Value:
    x, lead = context.ref(operator.need(0)), operator.integer("batch_dims")
    if lead < 0:
        raise ModelError(f"its batch_dims is {lead}")
    return context.add("index.Tensor", x, _places(context, x, operator.need(1), lead))


def _scatter_nd(context: Context, operator: Operator) -> Value:
    x, updates = context.ref(operator.need(0)), context.ref(operator.need(2))
    operator.refuse("reduction", "none", "add")
    places = _places(context, x, operator.need(1), 0)
    add = operator.text("reduction") == "add"
    return context.add("index_put.default", x, places, updates, add)


def _one_hot(context: Context, operator: Operator) -> Value:
    """values[1] where the new axis counts the index, else values[0]; nowhere if it is outside."""
    index, values = context.ref(operator.need(0)), context.ref(operator.need(2))
    depth = int(context.scalar(operator.need(1)))
    if not 0 < depth <= 1 << 20:
        raise ModelError(f"its depth is {depth}; from 1 to {1 << 20} is converted")
    rank = len(context.shape(index)) + 1
    axis = context.axis(operator.integer("axis"), rank)
    index = context.add("to.dtype", index, Tag("dtype", "int64"))
    below = context.add("lt.Scalar", index, 0)
    index = context.add("where.self", below, context.add("add.Scalar", index, depth), index)
    lined = [depth if i == axis else 1 for i in range(rank)]
    places = context.known(np.arange(depth).reshape(lined), "places")
    same = context.add("eq.Tensor", context.add("unsqueeze.default", index, axis), places)
    off, on = (context.add("select.int", values, 0, i) for i in (0, 1))
    return context.add("where.self", same, on, off)


def _reverse(context: Context, operator: Operator) -> Value:
    """ReverseSequence of whole sequences only."""
    x = context.ref(operator.need(0))
    shape = context.shape(x)
    operator.refuse("batch_axis", 0, 1)
    axis = context.axis(operator.integer("time_axis"), len(shape))
    if any(length != shape[axis] for length in context.ints(operator.need(1))):
        raise ModelError("its sequences have different lengths")
    return context.add("flip.default", x, (axis,))


def _grid_sample(context: Context, operator: Operator) -> Value:
    x, grid = context.ref(operator.need(0)), context.ref(operator.need(1))
    modes = {"linear": 0, "bilinear": 0, "nearest": 1, "cubic": 2, "bicubic": 2}
    mode, padding = operator.text("mode"), operator.text("padding_mode")
    kinds = {"zeros": 0, "border": 1, "reflection": 2}
    if mode not in modes or padding not in kinds:
        raise ModelError(f"it samples by {mode[:40]!r} with {padding[:40]!r}")
    align = bool(operator.integer("align_corners"))
    return context.add("grid_sampler.default", x, grid, modes[mode], kinds[padding], align)


INDEXING: Mapping[str, Convert] = MappingProxyType(
    {
        "Gather": _gather,
        "GatherElements": _gather_elements,
        "GatherND": _gather_nd,
        "Scatter": _scatter_elements,
        "ScatterElements": _scatter_elements,
        "ScatterND": _scatter_nd,
        "OneHot": _one_hot,
        "ReverseSequence": _reverse,
        "GridSample": _grid_sample,
    }
)
"""Converter of each operator that uses indices, by name."""
