"""Array operations that effects use besides operators, for numpy.

Effects consist of ``+ - * / ** []``, which arrays of every namespace support, and these
operations. The gradient of rounding is up to the namespace: ``torch_namespace.py`` uses the
straight-through estimator.

Shapes: N vectors, G groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Literal, TypeAlias

import numpy as np

from xbar.blas import multiply
from xbar.effects.converters import ROUNDING, ClipCount
from xbar.parallel import writeable

Precision: TypeAlias = Literal["float64", "float32"]
"""Precision of floats."""

Array: TypeAlias = Any
"""An array of the namespace in use."""

NORMALS = 1 << 14
"""Normal numbers drawn at a time, which stay in the processor's cache; a multiple of 1024."""


@dataclass(frozen=True)
class Arrays:
    """Arrays of numpy.

    Attributes:
        precision: precision of floats, "float64" or "float32".
    """

    precision: str = "float64"

    def asarray(self, values: Array) -> Array:
        """Convert a numpy array to this namespace; floats in its precision."""
        return values.astype(self.precision, copy=False) if values.dtype.kind == "f" else values

    def to_numpy(self, values: Array) -> Array:
        """Convert to a numpy array, float64 and without gradients."""
        return values.astype(np.float64, copy=False)

    def constant(self, values: Array) -> Array:
        """The same without gradients."""
        return values

    def straight(self, value: Array, like: Array, slope: float = 1.0) -> Array:
        """A value with another array's gradient, times a slope (straight-through estimator)."""
        del like, slope
        return value

    def add(self, total: Array, values: Array, factor: Array) -> None:
        """Add values (N, C) times a factor (C,) to a total (N, C), in place."""
        _kernels().add_scaled(total, values, factor)

    def rough(self, values: Array) -> Array:
        """Convert an array whose precision does not matter; stays float32."""
        return values

    def add_noise(
        self, total: Array, x: Array, variance: Array, unit: Array, draw: Callable[..., Array]
    ) -> Array:
        """Values (G, N, C) plus normal numbers, may overwrite them.

        Args:
            total: values.
            x: inputs (G, N, R).
            variance: variance (G, R, C) of what multiplies the inputs, over the unit's square.
            unit: unit (G, C) of the deviations.
            draw: standard normal numbers of a shape.
        """
        kernels, total = _kernels(), np.ascontiguousarray(total)
        rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
        peak, square = _peaks(rows), np.empty(x.shape, np.float32)
        kernels.squares(rows, peak, square.reshape(rows.shape))
        found = multiply(square, variance)
        peak = peak.reshape(x.shape[:2])
        size = peak.astype(total.dtype, copy=False), unit.astype(total.dtype, copy=False)
        for first in range(0, total.size, NORMALS):
            normal = draw((min(NORMALS, total.size - first),))
            kernels.add_noise(total, found, size, normal, first)
        return total

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """Zeros in the namespace's precision."""
        return np.zeros(shape, self.precision)

    def concatenate(self, arrays: Sequence[Array]) -> Array:
        """Arrays concatenated along the first axis."""
        return np.concatenate(arrays)

    def minimum(self, first: Array, second: Array) -> Array:
        """Element-wise minimum."""
        return np.minimum(first, second)

    def peak(self, x: Array) -> Array:
        """(N, 1, 1) largest magnitude of each vector (N, G, inputs), without gradients."""
        return _peaks(np.ascontiguousarray(x).reshape(len(x), -1))[:, None, None]

    def digits(self, code: Array, low: int, base: int, wrap: int = 0) -> Array:
        """Digits of whole numbers over the largest digit; those of numbers below zero are negative.

        Args:
            code: whole numbers as floats.
            low: weight of the digit, a power of two.
            base: base of the digits, a power of two.
            wrap: what is added to numbers below zero first, if not 0.
        """
        result = np.empty(code.shape, self.precision)
        code = np.ascontiguousarray(code).reshape(-1)
        _kernels().digits(code, float(low), float(base), float(wrap), result.reshape(-1))
        return result

    def flags(self, values: Array) -> Array:
        """Booleans as 0 and 1, in the namespace's precision."""
        return values.astype(self.precision)

    def levels(
        self, values: Array, gain: Array, top: int, step: Array, count: ClipCount | None = None
    ) -> Array:
        """Values x gain rounded to integers, clipped to -top ... top, and multiplied by a step.

        Args:
            values: (..., C), may be overwritten.
            gain: levels per unit of the values, one number or (C,).
            top: outermost level.
            step: size of a level, one number or (C,) as the gain.
            count: counter of values beyond the outermost level.
        """
        kernels, values = _kernels(), np.ascontiguousarray(values)
        limits = float(top), top * (1 + ROUNDING)
        if np.ndim(gain) == 0:
            clipped = kernels.quantise(values.reshape(-1), gain, limits, step)
        else:
            clipped = kernels.quantise_columns(values, gain, limits, step)
        if count is not None:
            count.clipped += clipped
            count.conversions += values.size
        return values

    def changed(self, values: Array, change: Callable[..., None], copy: bool = False) -> Array:
        """Values (N, C) after a function that changes numpy's arrays in place; its gradient is 1.

        Args:
            values: values, which may be overwritten.
            change: the function.
            copy: whether the values are kept, and others returned.
        """
        values = values.copy() if copy else np.ascontiguousarray(values)
        change(values)
        return values

    def clip(self, values: Array, most: float, count: ClipCount | None = None) -> Array:
        """Values from -most to most; beyond, their gradient is 0.

        Args:
            values: values of any shape.
            most: the largest magnitude.
            count: counter of values beyond it.
        """
        if count is not None:
            count.clipped += int((abs(values) > most).sum())
            count.conversions += int(np.prod(values.shape))
        return values.clip(-most, most)

    def like(self, values: Array, other: Array) -> Array:
        """Values in another array's precision, so that a sum keeps it."""
        return values.astype(other.dtype, copy=False)

    def multiply(self, x: Array, matrix: Array) -> Array:
        """(N, C): vectors (N, R) times a matrix (R, C)."""
        return multiply(x, matrix)

    def product(self, x: Array, matrix: Array) -> Array:
        """(N, G, outputs): each group's vectors (N, G, inputs) times its matrix, transposed."""
        return multiply(x.transpose(1, 0, 2), matrix.transpose(0, 2, 1)).transpose(1, 0, 2)


def _peaks(rows: Array) -> Array:
    """Largest magnitudes (N,) of vectors (N, L), L at least 1."""
    rows = writeable(rows)
    kind = np.int64 if rows.dtype == np.float64 else np.int32
    found = np.empty(len(rows), rows.dtype)
    _kernels().largest(rows.view(kind), kind(np.iinfo(kind).max), found.view(kind))
    return found


@cache
def _kernels() -> ModuleType:
    from xbar.effects import kernels

    return kernels


NUMPY = Arrays()
