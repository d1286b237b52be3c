"""The error to be expected of what arrives, with the scales that suit it best.

A column's scale s, the siemens that stand for a weight of one, is digital: it can follow what
arrives. With effective conductances E and the power N of the resistors that make them, read with
a relative noise r, weights w are read with an expected squared error of

    Σ (E / s - w)² + r² N / s²

which is least at 1 / s = Σ E w / Σ (E² + r² N). Attempts at a tile with very different conductances
are comparable by this figure, relative to the weights of each block. The terms of the sum are
those of ``xbar.effects.expected``.

Shapes: M weights of all blocks of a tile, S scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.block import Indices
from xbar.compiler.passes.wires.array import Reading
from xbar.effects.expected import ExpectedError

FAINT = 0.05
"""Correlation of what arrives with the weights below which a scale is that of this one: what comes
from a column that nothing arrives from is kept small, not blown up."""


@dataclass(frozen=True, eq=False)
class Score:
    """Judges what arrives.

    Attributes:
        weight: (M,) what is wanted.
        scale_of: (M,) which scale each weight has.
        importance: (M,) what a squared error counts: all weights together have 1, each block as
            much as it has weights.
        first: (S,) siemens per unit weight, where nothing can be said of what arrives.
        expected: what a read-out makes of what arrives.
    """

    weight: Floats
    scale_of: Indices
    importance: Floats
    first: Floats
    expected: ExpectedError

    @classmethod
    def of(
        cls,
        weights: Sequence[Floats],
        scales: Sequence[Floats],
        expected: ExpectedError,
        *,
        alike: bool,
    ) -> Score:
        """The score of blocks of weights (R, C), with scales (C,) to begin with.

        Args:
            weights: by block.
            scales: by block.
            expected: what a read-out makes of what arrives.
            alike: all columns of a block have one scale.
        """
        groups, importance, first = [], [], []
        total, count = sum(w.size for w in weights), 0
        for weight, scale in zip(weights, scales, strict=True):
            columns = np.zeros(weight.shape[1]) if alike else np.arange(weight.shape[1])
            groups.append((count + np.broadcast_to(columns, weight.shape)).ravel())
            first.append(scale[:1] if alike else scale)
            count += len(first[-1])
            power = float((weight**2).sum())
            share = weight.size / total / power if power > 0 else 0.0
            importance.append(np.full(weight.size, share))
        return cls(
            np.concatenate([weight.ravel() for weight in weights]),
            np.concatenate(groups).astype(np.int64),
            np.concatenate(importance),
            np.concatenate(first),
            expected,
        )

    def fit(self, reading: Reading) -> Floats:
        """(S,) scales of the least expected error."""
        arrives = self._sums(
            self.expected.of(reading.difference, np.zeros_like(self.weight), reading.power)
        )
        along, wanted = self._along(reading), self._sums(self.weight**2)
        along = np.maximum(along, FAINT * np.sqrt(arrives * wanted))
        known = along > 0
        return np.where(known, arrives / np.where(known, along, 1.0), self.first)

    def slope(self, reading: Reading) -> Floats:
        """(S,) siemens that arrive for a weight of one: what the weights explain of the readings.

        Smaller than ``fit`` where much arrives that the weights don't explain.
        """
        along, wanted = self._along(reading), self._sums(self.weight**2)
        fit = self.fit(reading)
        slope = np.divide(along, wanted, out=np.zeros_like(fit), where=wanted > 0)
        return np.where(slope > fit / 5, slope, fit)

    def error(self, reading: Reading, scale: Floats) -> float:
        """Root of the expected squared error at scales (S,), relative to the weights."""
        wanted = self.target(scale)
        missed = self.expected.of(reading.difference, wanted, reading.power)
        return float(np.sqrt((self.importance * missed / scale[self.scale_of] ** 2).sum()))

    def target(self, scale: Floats) -> Floats:
        """(M,) siemens that the weights should have at scales (S,)."""
        wanted: Floats = self.weight * scale[self.scale_of]
        return wanted

    def _along(self, reading: Reading) -> Floats:
        return self._sums(self.expected.gain * reading.difference * self.weight)

    def _sums(self, value: Floats) -> Floats:
        sums = np.bincount(self.scale_of, weights=value, minlength=len(self.first))
        return sums.astype(np.float64)
