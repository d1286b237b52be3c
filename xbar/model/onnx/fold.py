"""Constant folding: operators on static values, evaluated with numpy while reading the model.

Mostly shape arithmetic. A size that depends on the batch takes part as an object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.naming import parameter
from xbar.model.onnx.context import Array, Context, Known, Operator
from xbar.model.onnx.file import DTYPES

_MOST = 4096
_MOST_FLOATS = 64
_SIZES: Mapping[str, str] = MappingProxyType(
    {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "floordiv", "Mod": "mod"}
)
_NUMBERS_ONLY = ("ConstantOfShape", "Expand", "Range")
"""Operators that create a tensor if a size depends on the batch."""


class LargeError(ModelError):
    """A value is too large to be folded; the network computes it instead."""


def can_fold(operator: Operator) -> bool:
    """Whether an operator can be folded: static, small, and in the table."""
    if operator.kind not in FOLDS or any(isinstance(each, Ref) for each in operator.inputs):
        return False
    arrays = [each.array for each in operator.inputs if isinstance(each, Known)]
    if operator.kind in _NUMBERS_ONLY and any(array.dtype == object for array in arrays):
        return False
    return all(a.size <= (_MOST_FLOATS if a.dtype.kind == "f" else _MOST) for a in arrays)


def fold(context: Context, operator: Operator) -> Known:
    """Evaluate an operator.

    Raises:
        ModelError: it does not fit its inputs.
        LargeError: its result is large.
    """
    arrays = [each.array if isinstance(each, Known) else None for each in operator.inputs]
    with np.errstate(all="ignore"):  # non-finite values are rejected later if they are weights
        value = np.asarray(FOLDS[operator.kind](context, operator, *arrays))
    if value.size > _MOST:
        kind = ModelError if value.dtype == object else LargeError
        raise kind(f"it gives {value.size} numbers from sizes, which is too many")
    if value.dtype == object and not any(isinstance(each, Ref) for each in value.flat):
        value = value.astype(np.int64)
    named = [each for each in operator.inputs if isinstance(each, Known)]
    origins = {each.origin or each.name: each.array for each in named if each.array.ndim}
    return Known(value, origin=parameter(list(origins), value, origins) or "")


def _arithmetic(context: Context, operator: Operator, a: Array, b: Array) -> Any:
    kind = operator.kind
    if kind == "Mod" and operator.integer("fmod"):
        return np.fmod(a, b)
    if math.prod(np.broadcast_shapes(a.shape, b.shape)) > _MOST:
        raise ModelError("it gives too many numbers from sizes")
    if kind in ("Div", "Mod") and b.dtype.kind in "iu" and not b.all():
        raise ModelError("it divides a whole number by 0")
    if object in (a.dtype, b.dtype):
        op = f"operator.{_SIZES[kind]}"

        def each(left: Any, right: Any) -> Any:
            if isinstance(left, Ref) or isinstance(right, Ref):
                return context.builder.add(op, _plain(left), _plain(right))
            return _NUMPY[kind](np.int64(left), np.int64(right))

        return np.frompyfunc(each, 2, 1)(a, b)
    if kind == "Div" and a.dtype.kind in "iu":
        down = a // b
        return down + ((a % b != 0) & ((a < 0) != (b < 0)))
    return (np.true_divide if kind == "Div" else _NUMPY[kind])(a, b).astype(a.dtype)


def _plain(value: Any) -> Ref | int:
    return value if isinstance(value, Ref) else int(value)


# on sizes, which are positive integers
_NUMPY: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.floor_divide,
        "Mod": np.mod,
    }
)  # fmt: skip


def _cast(_: Context, operator: Operator, x: Array) -> Any:
    dtype = DTYPES.get(operator.integer("to"), "")
    if dtype in ("", "bfloat16"):
        raise ModelError("it casts to a type that is not converted")
    if x.dtype == object:
        if dtype not in ("int64", "int32"):
            raise ModelError("a size that depends on the batch becomes a fraction")
        return x
    return x.astype(dtype)


def _slice(_: Context, operator: Operator, x: Array, *given: Array | None) -> Any:
    names = ("starts", "ends", "axes", "steps")
    parts = {name: operator.attributes.get(name) for name in names}
    parts |= {name: part for name, part in zip(names, given, strict=False) if part is not None}
    starts, ends = (np.asarray(parts[name]) for name in names[:2])
    axes = np.arange(len(starts)) if parts["axes"] is None else np.asarray(parts["axes"])
    steps = np.ones(len(starts), np.int64) if parts["steps"] is None else np.asarray(parts["steps"])
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[int(axis)] = slice(int(start), int(end), int(step))
    return x[tuple(index)]


def _axes(operator: Operator, axes: Array | None) -> tuple[int, ...] | None:
    found = operator.attributes.get("axes") if axes is None else axes
    return None if found is None else tuple(int(axis) for axis in np.atleast_1d(found))


def _unsqueeze(_: Context, operator: Operator, x: Array, axes: Array | None = None) -> Any:
    return np.expand_dims(x, _axes(operator, axes) or ())


def _reshape(_: Context, operator: Operator, x: Array, shape: Array) -> Any:
    sizes = [int(size) for size in shape]
    if not operator.integer("allowzero"):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return x.reshape(sizes)


def _filled(_: Context, operator: Operator, shape: Array) -> Any:
    sizes = [int(size) for size in shape]
    if math.prod(sizes) > _MOST:
        raise LargeError(f"it makes a constant of shape {sizes}, which is too large")
    value = operator.attributes.get("value")
    return np.full(sizes, np.float32(0) if value is None else np.asarray(value).reshape(-1)[0])


def _expand(_: Context, __: Operator, x: Array, shape: Array) -> Any:
    sizes = np.broadcast_shapes(x.shape, tuple(int(size) for size in shape))
    if math.prod(sizes) > _MOST:
        raise LargeError(f"it makes a constant of shape {sizes}, which is too large")
    return np.broadcast_to(x, sizes)


def _range(_: Context, __: Operator, start: Array, limit: Array, step: Array) -> Any:
    if not abs((limit - start) / step) <= _MOST:
        raise ModelError("it makes a range that is too long")
    return np.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)


def _product(_: Context, operator: Operator, x: Array, axes: Array | None = None) -> Any:
    keep, over = bool(operator.integer("keepdims")), _axes(operator, axes) or None
    if operator.integer("noop_with_empty_axes") and over is None:
        return x
    return np.prod(x, axis=over, keepdims=keep, dtype=x.dtype)


FOLDS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **dict.fromkeys(_SIZES, _arithmetic),
        "Cast": _cast,
        "Slice": _slice,
        "Unsqueeze": _unsqueeze,
        "Reshape": _reshape,
        "ConstantOfShape": _filled,
        "Expand": _expand,
        "Range": _range,
        "ReduceProd": _product,
        "Identity": lambda _, __, x: x,
        "Squeeze": lambda _, op, x, axes=None: np.squeeze(x, _axes(op, axes)),
        "Gather": lambda _, op, x, i: np.take(x, i.astype(np.int64), op.integer("axis")),
        "Concat": lambda _, op, *parts: np.concatenate(parts, op.integer("axis")),
        "Where": lambda _, __, test, a, b: np.where(test, a, b),
        "Equal": lambda _, __, a, b: np.asarray(a == b).astype(bool),
        "Less": lambda _, __, a, b: a < b,
        "Greater": lambda _, __, a, b: a > b,
        "Not": lambda _, __, x: ~x,
        "Sqrt": lambda _, __, x: np.sqrt(x),
        "Reciprocal": lambda _, __, x: np.reciprocal(x),
        "Neg": lambda _, __, x: -x,
        "Floor": lambda _, __, x: np.floor(x),
        "Ceil": lambda _, __, x: np.ceil(x),
        "Max": lambda _, __, *xs: np.max(np.broadcast_arrays(*xs), axis=0),
        "Min": lambda _, __, *xs: np.min(np.broadcast_arrays(*xs), axis=0),
    }
)
"""Operators that can be folded, by name: (context, operator, arrays) -> array."""
