"""Convolution as matrix-vector products (im2col and its inverse).

    (N, C, H, W) ──unfold──► (N·H'·W', G, C/G·kh·kw)      one row per position of the window
    (N·H'·W', G, O/G) ──fold──► (N, O, H', W')

A transposed convolution is the mirror image: each pixel makes one product, whose outputs are
scattered (added) through the window. Both are exact rearrangements, for any number of spatial
axes, with stride, padding, dilation and groups.

Shapes: N inputs, C and O channels, G groups, P positions of the window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.model.graph import Argument

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Window:
    """Geometry of a convolution.

    Attributes:
        kernel: kernel size along each spatial axis.
        stride: stride along each axis.
        padding: zeros before and after each axis.
        dilation: distance between the kernel's taps.
        groups: number of groups G.
        extra: output padding of a transposed convolution, at the end of each axis.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    extra: tuple[int, ...]

    @classmethod
    def read(
        cls, given: Mapping[str, Argument], weight: tuple[int, ...], dims: int
    ) -> Window | None:
        """Window of an ATen convolution; None if its arguments are not plain numbers.

        Args:
            given: arguments by name.
            weight: shape of the weight, (O, C/G, *kernel) or (C, O/G, *kernel) if transposed.
            dims: number of spatial axes.
        """
        kernel = weight[2:]
        stride = _sizes(given.get("stride", 1), dims)
        dilation = _sizes(given.get("dilation", 1), dims)
        extra = _sizes(given.get("output_padding", 0), dims)
        groups = given.get("groups", 1)
        if (
            len(kernel) != dims
            or 0 in weight
            or stride is None
            or dilation is None
            or extra is None
        ):
            return None
        padding = _padding(given.get("padding", 0), kernel, dilation)
        if padding is None or type(groups) is not int or groups < 1 or weight[0] % groups:
            return None
        return cls(kernel, stride, padding, dilation, groups, extra)

    def unfold(self, x: Array) -> Array:
        """Activations (N, C, ...) as rows (N·P, G, C/G·kernel).

        >>> window = Window((2,), (1,), ((0, 0),), (1,), 1, (0,))
        >>> window.unfold(np.array([[[1, 2, 3]]])).tolist()
        [[[1, 2]], [[2, 3]]]
        """
        dims = len(self.kernel)
        padded = np.pad(x, [(0, 0), (0, 0), *self.padding])
        reach = tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        axes = tuple(range(2, 2 + dims))
        views = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
        steps = tuple(slice(None, None, s) for s in self.stride)
        taps = tuple(slice(None, None, d) for d in self.dilation)
        views = views[(slice(None), slice(None), *steps, *taps)]
        # (N, C, positions..., kernel...) -> (N, positions..., C, kernel...)
        rows = np.moveaxis(views, 1, 1 + dims)
        return rows.reshape(len(x) * math.prod(rows.shape[1 : 1 + dims]), self.groups, -1)

    def fold(self, y: Array, shape: tuple[int, ...]) -> Array:
        """Rows (N·P, G, O/G) as the output (N, O, ...) for activations of this shape."""
        spatial = [
            (size + sum(pad) - (k - 1) * d - 1) // s + 1
            for size, pad, k, d, s in zip(
                shape[2:], self.padding, self.kernel, self.dilation, self.stride, strict=True
            )
        ]
        return np.moveaxis(y.reshape(shape[0], *spatial, -1), -1, 1)

    def pixels(self, x: Array) -> Array:
        """Activations (N, C, ...) as rows (N·pixels, G, C/G), for a transposed convolution."""
        rows = np.moveaxis(x, 1, -1)
        return rows.reshape(x.size // x.shape[1], self.groups, -1)

    def scatter(self, y: Array, shape: tuple[int, ...]) -> Array:
        """Rows (N·pixels, G, O/G·kernel) added through the window to the output (N, O, ...)."""
        spatial, dims = shape[2:], len(self.kernel)
        channels = y.shape[1] * y.shape[2] // math.prod(self.kernel)
        taps = np.moveaxis(y.reshape(shape[0], *spatial, channels, *self.kernel), 1 + dims, 1)
        full = [
            (n - 1) * s + (k - 1) * d + 1 + e
            for n, s, k, d, e in zip(
                spatial, self.stride, self.kernel, self.dilation, self.extra, strict=True
            )
        ]
        out = np.zeros((shape[0], channels, *full), dtype=y.dtype)
        tap_of = np.moveaxis(taps, range(2 + dims, 2 + 2 * dims), range(dims))
        for tap in product(*(range(k) for k in self.kernel)):
            target = tuple(
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, n, s in zip(tap, self.dilation, spatial, self.stride, strict=True)
            )
            out[(slice(None), slice(None), *target)] += tap_of[tap]
        cut = tuple(
            slice(before, size - after)
            for size, (before, after) in zip(full, self.padding, strict=True)
        )
        return out[(slice(None), slice(None), *cut)]


def _sizes(argument: Argument, dims: int) -> tuple[int, ...] | None:
    values = argument if isinstance(argument, tuple) else (argument,)
    sizes = tuple(value for value in values if type(value) is int)
    if len(sizes) != len(values) or len(sizes) not in (1, dims):
        return None
    return sizes * dims if len(sizes) == 1 else sizes


def _padding(
    argument: Argument, kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...] | None:
    if argument == "valid":
        return ((0, 0),) * len(kernel)
    if argument == "same":
        total = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    sizes = _sizes(argument, len(kernel))
    return None if sizes is None else tuple((size, size) for size in sizes)
