"""ONNX's Resize, axis by axis, as weighted sums of gathered samples.

    out[i] = Σ over taps of weight_t[i] · in[place_t[i]]      1 tap nearest, 2 linear, 4 cubic

Sample positions and weights follow the formulas of the ONNX specification, so every combination of
modes is exact; ATen has operations for only a few.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.onnx.context import Array, Context, Convert, Known, Operator, Value

_MOST = 1 << 16
"""Sample positions along one axis of the result."""


def _resize(context: Context, operator: Operator) -> Value:
    operator.refuse("antialias", 0)
    operator.refuse("keep_aspect_ratio_policy", "stretch")
    if operator.text("mode") != "cubic":
        operator.refuse("exclude_outside", 0)
    x = context.ref(operator.need(0))
    shape = context.shape(x)
    for axis, (size, scale) in _factors(context, operator, shape).items():
        x = _along(context, operator, x, axis, size, scale)
    return x


def _factors(
    context: Context, operator: Operator, shape: tuple[int | None, ...]
) -> dict[int, tuple[int, float]]:
    """(new size, scale) of each axis that changes."""
    axes = [
        context.axis(int(a), len(shape)) for a in operator.attributes.get("axes", range(len(shape)))
    ]
    by_size = operator.get(3) is not None
    given = context.array(operator.get(3) if by_size else _scales(operator)).reshape(-1)
    if len(given) != len(axes):
        raise ModelError(f"it has {len(given)} sizes or scales for {len(axes)} axes")
    found = {}
    for axis, want in zip(axes, given.tolist(), strict=True):
        have = shape[axis]
        if isinstance(want, Ref) or have is None:
            if not by_size and want != 1:
                raise ModelError("it resizes the batch")
            continue  # a size that depends on the batch is kept
        scale = want / have if by_size else float(want)
        size = int(want) if by_size else math.floor(have * scale)
        if not (0 < scale < math.inf and 0 < size <= _MOST):
            raise ModelError(f"it resizes an axis of {have} by {scale:g}")
        if scale != 1.0:
            found[axis] = (size, scale)
    return found


def _scales(operator: Operator) -> Value | None:
    if "scales" in operator.attributes:  # Upsample before operator set 9
        return Known(np.array(operator.attributes["scales"], np.float32))
    return operator.get(1 if operator.kind == "Upsample" or operator.version < 11 else 2)


def _along(context: Context, operator: Operator, x: Ref, axis: int, size: int, scale: float) -> Ref:
    shape = context.shape(x)
    have = shape[axis] or 0
    total: Ref | None = None
    for place, weight in _taps(operator, have, size, scale):
        index = context.ref(Known(np.clip(place, 0, have - 1).astype(np.int64), "places"))
        part = context.add("index_select.default", x, axis, index)
        if weight is not None:
            lined = weight.reshape(-1, *[1] * (len(shape) - 1 - axis))
            known = Known(lined.astype(context.builder.dtype(x)), "weights")
            part = context.add("mul.Tensor", part, context.ref(known))
        total = part if total is None else context.add("add.Tensor", total, part)
    assert total is not None
    return total


def _taps(
    operator: Operator, have: int, size: int, scale: float
) -> list[tuple[Array, Array | None]]:
    """(positions, weights) of each tap; positions outside are clamped to the edge."""
    old = operator.kind == "Upsample" or operator.version < 11
    usual = "asymmetric" if old else "half_pixel"
    where = str(operator.attributes.get("coordinate_transformation_mode", usual))
    mode = str(operator.attributes.get("mode", "nearest"))
    if where not in _PLACES or mode not in ("nearest", "linear", "bilinear", "cubic"):
        raise ModelError(f"it resizes by {mode!r} with {where!r}, which is not converted")
    # in single precision, as ONNX Runtime: where a place falls between two samples, bits decide
    x = _PLACES[where](np.arange(size, dtype=np.float32), have, size, np.float32(scale))
    x = x.astype(np.float64)
    if mode == "nearest":
        usual = "floor" if old else "round_prefer_floor"
        rounding = str(operator.attributes.get("nearest_mode", usual))
        if rounding not in _ROUND:
            raise ModelError(f"its nearest_mode is {rounding[:40]!r}")
        return [(_ROUND[rounding](x), None)]
    low = np.floor(x)
    t = x - low
    if mode != "cubic":
        return [(low, 1.0 - t), (low + 1.0, t)]
    weights = _cubic(t, operator.number("cubic_coeff_a"))
    places = [low + k for k in (-1.0, 0.0, 1.0, 2.0)]
    if operator.integer("exclude_outside"):
        inside = [(place >= 0) & (place <= have - 1) for place in places]
        weights = [w * i for w, i in zip(weights, inside, strict=True)]
        total = sum(weights)
        weights = [w / total for w in weights]
    return list(zip(places, weights, strict=True))


def _cubic(t: Array, a: float) -> list[Array]:
    """Keys' cubic convolution at distances 1 + t, t, 1 - t and 2 - t."""

    def near(d: Array) -> Array:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Array) -> Array:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(1 + t), near(t), near(1 - t), far(2 - t)]


def _symmetric(i: Array, have: int, size: int, scale: np.float32) -> Array:
    offset = have / 2 * (1 - size / (scale * have))
    return offset + (i + 0.5) / scale - 0.5


# position in the input of the centre of sample i of the result
_PLACES: Mapping[str, Callable[[Array, int, int, np.float32], Array]] = MappingProxyType(
    {
        "half_pixel": lambda i, _, __, scale: (i + 0.5) / scale - 0.5,
        "half_pixel_symmetric": _symmetric,
        "pytorch_half_pixel": lambda i, _, size, scale: (
            (i + 0.5) / scale - 0.5 if size > 1 else np.zeros_like(i)
        ),
        "align_corners": lambda i, have, size, _: i * (have - 1) / max(size - 1, 1),
        "asymmetric": lambda i, _, __, scale: i / scale,
    }
)
_ROUND: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
)

RESIZE: Mapping[str, Convert] = MappingProxyType({"Resize": _resize, "Upsample": _resize})
"""Converter of each resampling operator, by name."""
