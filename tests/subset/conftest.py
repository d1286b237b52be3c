"""Random subset problems, and what rounding allows their solutions to differ by."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

EPSILON = float(np.finfo(np.float64).eps)


def _banks(
    rng: np.random.Generator, count: int, elements: int, *, signed: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Banks with zeros and duplicates among them, and targets in reach and out of it."""
    bank = rng.uniform(-1.0 if signed else 0.0, 1.0, (count, elements))
    bank[rng.random(bank.shape) < 0.1] = 0.0
    twin = rng.integers(0, elements, bank.shape)
    bank = np.where(rng.random(bank.shape) < 0.15, np.take_along_axis(bank, twin, 1), bank)
    low, high = np.minimum(bank, 0).sum(1), np.maximum(bank, 0).sum(1)
    target = low + (high - low) * rng.uniform(-0.1, 1.1, count)
    hit = rng.random(count) < 0.1  # sums that a subset gives exactly, up to rounding
    some = (bank * (rng.random(bank.shape) < 0.5)).sum(1)
    return bank, np.where(hit, some, target)


def _rounding(bank: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """What float64 sums of a bank's elements and their residuals may err by."""
    return bank.shape[-1] * EPSILON * np.abs(bank).sum(-1) + EPSILON * np.abs(target)


@pytest.fixture(scope="session")
def banks():
    """A function (rng, count, elements, *, signed) -> (bank, target)."""
    return _banks


@pytest.fixture(scope="session")
def rounding():
    """A function (bank, target) -> float64's errors of sums and residuals."""
    return _rounding
