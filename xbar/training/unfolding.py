"""Products of a network as rows, in PyTorch: what ``Product.unfold`` and ``fold`` do in numpy.

    activations ──unfold──► (N', G, inputs) ──a layer's read──► (N', G, outputs) ──fold──► value

Both only move numbers, or add zeros or each other. Importing this module imports PyTorch: import it
inside functions.

Shapes: N inputs, G groups, N' products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from xbar.errors import ModelError
from xbar.model.product import Product
from xbar.model.unfold import Window

_SHAPES = 8
"""Shapes of which the places of rows are kept."""

_SPREAD: Any = {
    1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Unfolding:
    """The rows of one product.

    Attributes:
        layer: name of its layer, for messages.
        product: the product.
    """

    layer: str
    product: Product
    _places: dict[tuple[int, ...], torch.Tensor] = field(default_factory=dict)

    def unfold(self, x: torch.Tensor) -> torch.Tensor:
        """Activations as rows (N', G, inputs).

        Raises:
            ModelError: they do not fit, or rows are sums of activations.
        """
        window = self.product.window
        if window is not None and not self._scatters and len(window.kernel) <= 2:
            return _patches(x, window)
        shape = tuple(x.shape)
        if shape not in self._places:
            if len(self._places) >= _SHAPES:
                self._places.clear()
            self._places[shape] = self._find(shape)
        places = self._places[shape]
        flat = functional.pad(x.reshape(-1), (1, 0))  # a zero in front, for padding
        rows: torch.Tensor = flat[places]
        return rows

    def fold(self, y: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Rows (N', G, outputs) as the node's value for activations of a shape."""
        window = self.product.window
        if window is not None and self._scatters:
            return _scattered(y, shape, window)
        numbers = np.arange(y.numel()).reshape(y.shape)
        places = torch.from_numpy(np.ascontiguousarray(self.product.fold(numbers, shape)))
        value: torch.Tensor = y.reshape(-1)[places]
        return value

    @property
    def _scatters(self) -> bool:
        return self.product.kind.endswith("_transposed")

    def _find(self, shape: tuple[int, ...]) -> torch.Tensor:
        """(N', G, inputs) places in the flat activations, from 1; 0 for a zero."""
        probe = np.random.default_rng(0).standard_normal(shape)
        try:
            places = self.product.unfold(np.arange(1, probe.size + 1).reshape(shape))
            found = self.product.unfold(probe)
        except (ValueError, IndexError) as error:
            raise ModelError(f"{self.layer}: inputs {shape} do not fit: {error}") from None
        inside = places.max(initial=0) <= probe.size
        if not inside or not np.array_equal(np.append(0.0, probe.ravel())[places], found):
            raise ModelError(
                f"{self.layer}: it sums its inputs before it multiplies them, which training "
                "through converters does not; leave it digital with graph.select(skip=...)"
            )
        return torch.from_numpy(np.ascontiguousarray(places))


def _patches(x: torch.Tensor, window: Window) -> torch.Tensor:
    """Rows (N·P, G, C/G·kernel) of a convolution over one or two axes."""
    pads = [size for pair in reversed(window.padding) for size in pair]
    padded, flat = functional.pad(x, pads), len(window.kernel) == 1
    kernel, stride, dilation = window.kernel, window.stride, window.dilation
    if flat:
        padded = padded[:, :, None]
        kernel, stride, dilation = (1, *kernel), (1, *stride), (1, *dilation)
    rows = functional.unfold(padded, kernel, dilation, 0, stride)  # (N, C·kernel, P)
    return rows.transpose(1, 2).reshape(-1, window.groups, rows.shape[1] // window.groups)


def _scattered(y: torch.Tensor, shape: tuple[int, ...], window: Window) -> torch.Tensor:
    """Rows (N·pixels, G, O/G·kernel) added through the window: one kernel of one 1 a tap."""
    taps = math.prod(window.kernel)
    channels = y.shape[1] * y.shape[2] // taps
    image = y.reshape(shape[0], *shape[2:], channels * taps).movedim(-1, 1)
    kernel = torch.eye(taps, dtype=y.dtype).reshape(taps, 1, *window.kernel)
    value: torch.Tensor = _SPREAD[len(window.kernel)](
        image,
        kernel.repeat(channels, *[1] * (1 + len(window.kernel))),
        stride=window.stride,
        padding=tuple(before for before, _ in window.padding),
        output_padding=window.extra,
        groups=channels,
        dilation=window.dilation,
    )
    return value
