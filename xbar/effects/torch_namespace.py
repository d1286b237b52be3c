"""The operations that effects need, of PyTorch.

Backwards, rounding counts as nothing (straight-through), and what a converter clips has no
gradient. PyTorch is imported with this file: import it in functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from xbar.effects.converters import ROUNDING, ClipCount
from xbar.effects.namespace import Array, Arrays


@dataclass(frozen=True)
class TorchArrays(Arrays):
    """PyTorch's tensors, on the CPU; see ``Arrays``."""

    @property
    def dtype(self) -> torch.dtype:
        """The precision as PyTorch names it."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def asarray(self, values: Array) -> Array:
        """A tensor of an array of numpy's; floats in the namespace's precision."""
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor

    def to_numpy(self, values: Array) -> Array:
        """An array of numpy's, float64 and without gradients."""
        return values.detach().to(torch.float64).numpy()

    def constant(self, values: Array) -> Array:
        """The same without gradients."""
        return values.detach()

    def straight(self, value: Array, like: Array, slope: float = 1.0) -> Array:
        """A value with another tensor's gradient, times a slope."""
        return value.detach() + slope * (like - like.detach())

    def add(self, total: Array, values: Array, factor: Array) -> None:
        """Add values (N, C) times a factor (C,) to a total (N, C), in place."""
        total += values * factor

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """Zeros in the namespace's precision."""
        return torch.zeros(shape, dtype=self.dtype)

    def concatenate(self, arrays: Sequence[Array]) -> Array:
        """Tensors one after the other."""
        return torch.cat(list(arrays))

    def minimum(self, first: Array, second: Array) -> Array:
        """The smaller of two, element by element."""
        return torch.minimum(first, second)

    def peak(self, x: Array) -> Array:
        """(N, 1, 1) largest magnitude of each vector (N, G, inputs), without gradients."""
        return x.detach().abs().amax(dim=(1, 2), keepdim=True)

    def sign(self, values: Array) -> Array:
        """-1, 0 or 1."""
        return torch.sign(values)

    def integers(self, values: Array) -> Array:
        """Whole numbers as int64."""
        return values.detach().to(torch.int64)

    def ratio(self, values: Array, whole: int) -> Array:
        """Integers or truth values over a whole number, in the namespace's precision."""
        return values.to(self.dtype) / whole

    def levels(
        self, values: Array, gain: Array, top: int, step: Array, count: ClipCount | None = None
    ) -> Array:
        """The nearest whole numbers of -top ... top to values x gain, times a step."""
        level = values * gain
        outside = level.detach().abs() > top * (1 + ROUNDING)
        if count is not None:
            count.clipped += int(outside.sum())
            count.conversions += outside.numel()
        nearest = level.detach().clamp(-top, top).round()
        return self.straight(nearest, torch.where(outside, nearest, level)) * step

    def product(self, x: Array, matrix: Array) -> Array:
        """(N, G, outputs): each group's vectors (N, G, inputs) times its matrix, transposed."""
        return torch.matmul(x.transpose(0, 1), matrix.transpose(1, 2)).transpose(0, 1)
