"""Signed weights as conductances, which are never negative.

A differential pair gives each weight two cells on neighbouring bit lines and reads the difference
of their currents. Its 2K resistors are one bank of signed elements, +g on the plus line and -g on
the minus line, so both halves are chosen together.

Shapes: W word lines, B bit lines, C columns of weights (B = 2C or 2C + 1), K resistors a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SignedBank:
    """What the switches of each weight can reach.

    Attributes:
        element: (W, C, 2K) siemens that closing a switch adds; 0 where a resistor is stuck.
        offset: (W, C) siemens with every switch open: leakage and stuck resistors.
    """

    element: Floats
    offset: Floats


class DifferentialPair:
    """Column c lies on bit lines 2c (plus) and 2c + 1 (minus)."""

    bit_lines_per_column = 2

    def columns(self, bit_lines: int) -> int:
        """How many columns of weights B bit lines hold."""
        return bit_lines // 2

    def bank(self, on: Floats, off: Floats, stuck: NDArray[np.int8]) -> SignedBank:
        """The signed bank of each weight, from a tile's resistors (W, B, K)."""
        step = np.where(stuck == 0, on - off, 0.0)
        base = np.where(stuck > 0, on, off).sum(axis=-1)
        pairs = self._pairs(step)
        pairs[:, :, 1, :] *= -1.0
        w, c, _, k = pairs.shape
        return SignedBank(pairs.reshape(w, c, 2 * k), self.difference(base))

    def mask(self, choice: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The switch mask (W, 2C, K) of a choice (W, C, 2K) of signed elements."""
        w, c, k = choice.shape
        return choice.reshape(w, 2 * c, k // 2)

    def difference(self, line: Floats) -> Floats:
        """(..., C): plus line minus minus line, of one value a bit line (..., B)."""
        c = self.columns(line.shape[-1])
        result: Floats = line[..., 0 : 2 * c : 2] - line[..., 1 : 2 * c : 2]
        return result

    def total(self, line: Floats) -> Floats:
        """(..., C): plus line and minus line added, for what adds in power."""
        c = self.columns(line.shape[-1])
        result: Floats = line[..., 0 : 2 * c : 2] + line[..., 1 : 2 * c : 2]
        return result

    def _pairs(self, cell: Floats) -> Floats:
        w, b, k = cell.shape
        c = self.columns(b)
        return cell[:, : 2 * c].reshape(w, c, 2, k).copy()
