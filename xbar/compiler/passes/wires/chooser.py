"""Chooses the subsets of a tile's weights, with a wish for how much they load their lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Bools, Floats
from xbar.compiler.mapping import SignedBank
from xbar.compiler.passes.choose_subsets import choose_subsets
from xbar.effects.expected import ExpectedError
from xbar.subset.variants.pair import PreparedPairs, prepare_pairs


@dataclass(frozen=True, eq=False)
class Chooser:
    """Chooses subsets with a wish for the total conductance of each weight's cells.

    Attributes:
        bank: (M,) of the weights of all blocks.
        pairs: the sums of both halves of each bank; None where a weight has one cell, whose total
            follows from its target.
        error: what a read-out makes of a choice.
    """

    bank: SignedBank
    pairs: PreparedPairs | None
    error: ExpectedError

    @classmethod
    def of(cls, bank: SignedBank, error: ExpectedError, *, pairs: bool) -> Chooser:
        """The chooser for a tile's banks."""
        if not pairs:
            return cls(bank, None, error)
        k = bank.element.shape[-1] // 2
        halves = prepare_pairs(bank.element[..., :k], -bank.element[..., k:], error.noise)
        return cls(bank, halves, error)

    @property
    def half(self) -> Floats:
        """(M,) siemens of total where most subsets are: half of all that there is."""
        full = float(np.median(np.abs(self.bank.element).sum(axis=-1)))
        return np.full(self.bank.offset.shape, full / 2)

    @property
    def resistor(self) -> float:
        """Siemens of a usual resistor."""
        return float(np.median(np.abs(self.bank.element).mean(axis=-1)))

    def choose(self, target: Floats, total: Floats, weight: float) -> Bools:
        """(M, E) of the least (|miss| + weight |total - wish|)² + noise² Σ g²; see ``solve_pair``.

        Args:
            target: (M,) siemens of difference.
            total: (M,) siemens that both cells are wished to have together.
            weight: what a siemens of the total's distance costs.
        """
        if self.pairs is None:
            return choose_subsets(self.bank, target, self.error)
        solution = self.pairs.solve(target - self.bank.offset, total, weight)
        choice: Bools = np.concatenate([solution.plus, solution.minus], axis=-1)
        choice &= self.bank.element != 0.0
        return choice

    def total(self, choice: Bools) -> Floats:
        """(M,) siemens of all chosen elements."""
        chosen: Floats = (np.abs(self.bank.element) * choice).sum(axis=-1)
        return chosen

    def achieved(self, choice: Bools) -> Floats:
        """(M,) siemens of difference, wires aside."""
        chosen: Floats = (self.bank.element * choice).sum(axis=-1)
        return self.bank.offset + chosen
