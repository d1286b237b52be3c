"""Array operations that effects use besides operators, for PyTorch.

Rounding has the straight-through gradient; clipped values have gradient 0. Importing this module
imports PyTorch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from xbar.effects.converters import ROUNDING, ClipCount
from xbar.effects.namespace import Array, Arrays


@dataclass(frozen=True)
class TorchArrays(Arrays):
    """Tensors of PyTorch on the CPU; see ``Arrays``."""

    @property
    def dtype(self) -> torch.dtype:
        """The precision as a PyTorch type."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def asarray(self, values: Array) -> Array:
        """Convert a numpy array to a tensor; floats in the namespace's precision."""
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor

    def to_numpy(self, values: Array) -> Array:
        """Convert to a numpy array, float64 and without gradients."""
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

    def rough(self, values: Array) -> Array:
        """Convert an array whose precision does not matter."""
        return self.asarray(values)

    def add_noise(
        self, total: Array, x: Array, variance: Array, unit: Array, draw: Callable[..., Array]
    ) -> Array:
        """Values (G, N, C) plus normal numbers, without gradients of their own."""
        deviation = torch.matmul(x.detach() ** 2, variance) ** 0.5 * unit[:, None]
        return total + deviation * draw(tuple(deviation.shape))

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """Zeros in the namespace's precision."""
        return torch.zeros(shape, dtype=self.dtype)

    def concatenate(self, arrays: Sequence[Array]) -> Array:
        """Tensors concatenated along the first axis."""
        return torch.cat(list(arrays))

    def minimum(self, first: Array, second: Array) -> Array:
        """Element-wise minimum."""
        return torch.minimum(first, second)

    def peak(self, x: Array) -> Array:
        """(N, 1, 1) largest magnitude of each vector (N, G, inputs), without gradients."""
        return x.detach().abs().amax(dim=(1, 2), keepdim=True)

    def digits(self, code: Array, low: int, base: int, wrap: int = 0) -> Array:
        """Digits of whole numbers over the largest digit, with the sign of the number."""
        whole = code.detach().to(torch.int64)
        size = torch.where(whole < 0, whole + wrap, whole)
        digit = (size.abs() // low % base).to(self.dtype) / (base - 1)
        return digit * torch.sign(size)

    def flags(self, values: Array) -> Array:
        """Booleans as 0 and 1, in the namespace's precision."""
        return values.to(self.dtype)

    def levels(
        self, values: Array, gain: Array, top: int, step: Array, count: ClipCount | None = None
    ) -> Array:
        """Values x gain rounded to integers, clipped to -top ... top, and multiplied by a step."""
        level = values * gain
        outside = level.detach().abs() > top * (1 + ROUNDING)
        if count is not None:
            count.clipped += int(outside.sum())
            count.conversions += outside.numel()
        nearest = level.detach().clamp(-top, top).round()
        return self.straight(nearest, torch.where(outside, nearest, level)) * step

    def changed(self, values: Array, change: Callable[..., None], copy: bool = False) -> Array:
        """Values after a function that changes numpy's arrays in place; its gradient is 1."""
        del copy
        found = values.detach().contiguous().clone()
        change(found.numpy())
        return self.straight(found, values)

    def like(self, values: Array, other: Array) -> Array:
        """Values in another tensor's precision."""
        return values.to(other.dtype)

    def multiply(self, x: Array, matrix: Array) -> Array:
        """(N, C): vectors (N, R) times a matrix (R, C)."""
        return torch.matmul(x, matrix)

    def product(self, x: Array, matrix: Array) -> Array:
        """(N, G, outputs): each group's vectors (N, G, inputs) times its matrix, transposed."""
        return torch.matmul(x.transpose(0, 1), matrix.transpose(1, 2)).transpose(0, 1)
