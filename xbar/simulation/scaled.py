"""Variances as float32 numbers near 1, with a unit a column that is a power of two.

Shapes: R inputs and C columns of a block.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block

VARIANCE = np.dtype(np.float32)
"""Type of the variances: their error is far below that of what they are drawn for."""

_NONE = -(1 << 20)  # the exponent of a column without variance
_LEAST = -1000  # an exponent whose reciprocal is a number
_ROOM = 20  # a column's unit is kept while its numbers are below two to this


def scaled(variance: Floats) -> tuple[NDArray[np.float32], Floats]:
    """Variances (R, C) over the square of a unit (C,), and the unit."""
    power = _exponents(variance)
    found = (variance * np.ldexp(1.0, -power)).astype(VARIANCE)
    return found, np.ldexp(1.0, power // 2)


def _exponents(variance: Floats) -> NDArray[np.int32]:
    """(C,) even exponents: over that power of two each column's largest is a quarter to 1."""
    power: NDArray[np.int32] = np.frexp(variance.max(axis=0))[1]
    power += power & 1
    np.maximum(power, _LEAST, out=power)
    return power


@dataclass(eq=False)
class Sums:
    """Variances of a layer's weights, added up block by block.

    Attributes:
        shape: shape (G, outputs, inputs) of the layer.
        value: variances (G, outputs, inputs) over the units' squares.
    """

    shape: tuple[int, int, int]
    value: NDArray[np.float32] = field(init=False)
    _power: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        self.value = np.zeros(self.shape, VARIANCE)
        self._power = np.full(self.shape[:2], _NONE, np.int32)

    @property
    def unit(self) -> Floats:
        """(G, outputs) unit of the deviations, a power of two."""
        known = np.where(self._power == _NONE, 0, self._power)
        unit: Floats = np.ldexp(1.0, known // 2)
        return unit

    def add(self, block: Block, variance: Floats) -> None:
        """Add variances (R, C) of a block's weights."""
        power = np.where(variance.max(axis=0) > 0, _exponents(variance), _NONE)
        known = self._power[block.group, block.outputs]
        raised = power > known + _ROOM
        for output, old, new in zip(
            block.outputs[raised], known[raised], power[raised], strict=True
        ):
            row = self.value[block.group, output]
            if old != _NONE:
                row[:] = np.ldexp(row, old - new)
        known = np.where(raised, power, known)
        self._power[block.group, block.outputs] = known
        block.add(self.value, variance * np.ldexp(1.0, -np.where(known == _NONE, 0, known)))
