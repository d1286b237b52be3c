"""ONNX's pools.

ATen's pools pad evenly and by half a window at most. For everything else the padding becomes an
operation of its own, just as large as the windows need, and a mean's divisors become factors:

    mean over a window's own elements = mean over all its places x places / own elements
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref, Tag
from xbar.model.onnx.context import Context, Convert, Operator, Value
from xbar.model.onnx.window import Window, padded

_TWO_WAYS = "ONNX Runtime does not compute it as the specification says; write its pads out"


def max_pool(context: Context, operator: Operator) -> Value:
    """The largest of each window; whole numbers as fractions meanwhile, as ATen has no others."""
    x = context.ref(operator.need(0))
    operator.refuse("storage_order", 0)  # of the places, which are not converted
    dtype = context.builder.dtype(x)
    if "float" not in dtype:
        x = context.add("to.dtype", x, Tag("dtype", "float32"))
    window, ceil = _read(context, operator, x)
    op = f"max_pool{len(window.kernel)}d.default"
    if _simple(window, ceil):
        x, pads = padded(context, x, window.pads, -math.inf)
        given = (window.kernel, window.strides, pads, window.dilations, ceil)
    else:
        x = _widened(context, x, window, ceil, -math.inf)
        given = (window.kernel, window.strides, (0,) * len(window.kernel), window.dilations, False)
    made = context.add(op, x, *given)
    return made if "float" in dtype else context.add("to.dtype", made, Tag("dtype", dtype))


def average_pool(context: Context, operator: Operator) -> Value:
    """The mean of each window, over its own elements or over padding too."""
    x = context.ref(operator.need(0))
    window, ceil = _read(context, operator, x)
    counted = bool(operator.integer("count_include_pad"))
    if _simple(window, ceil) and window.even and {*window.dilations} == {1}:
        pads = tuple(before for before, _ in window.pads)
        op = f"avg_pool{len(window.kernel)}d.default"
        return context.add(op, x, window.kernel, window.strides, pads, ceil, counted)
    sizes = context.shape(x)[2:]
    counts = window.counts(sizes, ceil)
    own = np.ones((), np.float64)
    for axis, size in enumerate(sizes):
        own = own[..., None] * _elements(window, axis, size or 0, counts[axis], counted)
    return _sums(context, x, window, ceil, 1 / np.maximum(own, 1))


def _lp_pool(context: Context, operator: Operator) -> Value:
    """(Σ |x|^p)^(1/p) over each window."""
    x, p = context.ref(operator.need(0)), operator.number("p")
    window, ceil = _read(context, operator, x)
    power = context.add("pow.Tensor_Scalar", context.add("abs.default", x), p)
    total = _sums(context, power, window, ceil, np.ones((1,) * len(window.kernel)))
    return context.add("pow.Tensor_Scalar", total, 1 / p)


def _read(context: Context, operator: Operator, x: Ref) -> tuple[Window, bool]:
    kernel = tuple(int(size) for size in operator.attributes["kernel_shape"])
    if len(kernel) not in (1, 2, 3):
        raise ModelError(f"it has {len(kernel)} spatial axes")
    window, ceil = Window.read(context, operator, x, kernel), bool(operator.integer("ceil_mode"))
    mode, sizes = operator.text("auto_pad"), context.shape(x)[2:]
    if mode.startswith("SAME"):
        if max(window.dilations) > 1:
            raise ModelError(f"it is dilated with auto_pad; {_TWO_WAYS}")
        return window, False
    if mode == "VALID" and ceil and window.counts(sizes, True) != window.counts(sizes, False):
        raise ModelError(f"it has ceil_mode with auto_pad; {_TWO_WAYS}")
    return window, ceil and mode != "VALID"


def _simple(window: Window, ceil: bool) -> bool:
    """Whether ATen's own pool has the same windows."""
    half = all(2 * max(pads) <= k for pads, k in zip(window.pads, window.kernel, strict=True))
    return window.even and half if ceil else not window.even or half


def _widened(context: Context, x: Ref, window: Window, ceil: bool, value: float) -> Ref:
    """The input padded, or cropped, so that the windows fit exactly."""
    sizes = context.shape(x)[2:]
    counts = window.counts(sizes, ceil)
    reach = [
        (count - 1) * stride + extent
        for count, stride, extent in zip(counts, window.strides, window.extent, strict=True)
    ]
    pads = [
        (before, total - before - (size or 0))
        for (before, _), total, size in zip(window.pads, reach, sizes, strict=True)
    ]
    flat = tuple(pad for pair in reversed(pads) for pad in pair)
    return context.add("constant_pad_nd.default", x, flat, value)


def _elements(window: Window, axis: int, size: int, count: int, counted: bool) -> np.ndarray:
    """How many places of each window along one axis count for the mean."""
    before, after = window.pads[axis]
    start = np.arange(count)[:, None] * window.strides[axis] - before
    places = start + np.arange(window.kernel[axis]) * window.dilations[axis]
    low, high = (-before, size + after) if counted else (0, size)
    return np.asarray(((places >= low) & (places < high)).sum(axis=1), np.float64)


def _sums(context: Context, x: Ref, window: Window, ceil: bool, factor: np.ndarray) -> Ref:
    """Sums over windows, times factors by position."""
    counts = window.counts(context.shape(x)[2:], ceil)
    x = _widened(context, x, window, ceil, 0.0)
    dtype = context.builder.dtype(x)
    dims = len(window.kernel)
    if {*window.dilations} == {1}:
        op = f"avg_pool{dims}d.default"
        x = context.add(op, x, window.kernel, window.strides, (0,) * dims, False, True)
        factor = factor * math.prod(window.kernel)
    else:
        for axis in range(dims):
            x = _tap_sum(context, x, window, axis, counts[axis])
    return context.add("mul.Tensor", x, context.known(factor.astype(dtype), "factors"))


def _tap_sum(context: Context, x: Ref, window: Window, axis: int, count: int) -> Ref:
    """Sum of a dilated window's elements along one axis."""
    if window.kernel[axis] > 64:
        raise ModelError(f"its dilated kernel has {window.kernel[axis]} elements along one axis")
    stride, dilation = window.strides[axis], window.dilations[axis]
    total: Ref | None = None
    for k in range(window.kernel[axis]):
        start = k * dilation
        end = start + (count - 1) * stride + 1
        part = context.add("slice.Tensor", x, axis + 2, start, end, stride)
        total = part if total is None else context.add("add.Tensor", total, part)
    assert total is not None
    return total


def _global(name: str) -> Convert:
    def convert(context: Context, operator: Operator) -> Value:
        x = context.ref(operator.need(0))
        axes = tuple(range(2, len(context.shape(x))))
        return context.add(name, x, axes, True)

    return convert


def _global_lp(context: Context, operator: Operator) -> Value:
    x, p = context.ref(operator.need(0)), operator.number("p")
    axes = tuple(range(2, len(context.shape(x))))
    power = context.add("pow.Tensor_Scalar", context.add("abs.default", x), p)
    total = context.add("sum.dim_IntList", power, axes, True)
    return context.add("pow.Tensor_Scalar", total, 1 / p)


POOLS: Mapping[str, Convert] = MappingProxyType(
    {
        "MaxPool": max_pool,
        "AveragePool": average_pool,
        "LpPool": _lp_pool,
        "GlobalAveragePool": _global("mean.dim"),
        "GlobalMaxPool": _global("amax.default"),
        "GlobalLpPool": _global_lp,
    }
)
"""Converter of each pool, by name."""
