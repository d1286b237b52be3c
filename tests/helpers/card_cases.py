"""Problems for the kernels of cards: of every kind that they treat differently."""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats

KINDS = ("lognormal", "uniform", "signed", "ties", "wide", "near")
ARRAYS = ("mild", "harsh", "zero", "tiny", "open")


def problems(k: int, count: int, kind: str) -> tuple[Floats, Floats]:
    """Random banks (M, K) and targets (M,)."""
    rng = np.random.default_rng(1000 * k + KINDS.index(kind))
    sign = np.where(np.arange(k) < k // 2, 1.0, -1.0)
    if kind == "lognormal":  # a differential pair's two halves
        bank = 1e-5 * np.exp(0.3 * rng.standard_normal((count, k))) * sign
        return bank, rng.uniform(-0.25e-5 * k, 0.25e-5 * k, count)
    if kind == "uniform":
        return rng.random((count, k)), rng.uniform(-0.1, 0.6, count) * k
    if kind == "signed":
        size = 10.0 ** rng.integers(-3, 6, (count, 1))
        return rng.uniform(-1, 1, (count, k)) * size, rng.uniform(-3.0, 3.0, count) * k
    if kind == "ties":  # small whole numbers, zeros, duplicates
        bank = rng.integers(-9, 10, (count, k)).astype(float)
        return bank, rng.integers(-40, 41, count) / 2.0
    if kind == "wide":
        bank = np.ldexp(rng.uniform(-2, 2, (count, k)), -rng.integers(0, 30, (count, k)))
        return bank, rng.uniform(-1, 1, count)
    near = rng.uniform(-0.02, 0.02, (count, k)) * rng.integers(0, 2, (count, 1))
    return (1e-5 + 1e-5 * near) * sign, rng.uniform(-4e-5, 4e-5, count)


def cells_and_ohms(kind: str, shape: tuple[int, int, int]) -> tuple[Floats, float]:
    """Random cells (T, W, B) in siemens and a wire resistance that suits them."""
    rng = np.random.default_rng(sum(shape) + len(kind))
    if kind == "mild":
        return 10.0 ** rng.uniform(-6, -4, shape), 1.0
    if kind == "harsh":
        return rng.choice([1e-9, 1e-3], shape), 20.0
    if kind == "zero":
        return rng.choice([0.0, 1e-3], shape), 5.0
    if kind == "tiny":
        return 10.0 ** rng.uniform(-6, -3, shape), 1e-3
    return rng.choice([0.0, 1e-3], shape, p=[0.95, 0.05]), 1e4  # open


def wires(ohms: float, lines: int, columns: int) -> dict[str, Floats]:
    """Wires, sources and loads of about so many ohms."""
    rng = np.random.default_rng(lines)
    return {
        "word_wire": ohms * rng.uniform(0.5, 1.5, (lines, columns)),
        "bit_wire": ohms * rng.uniform(0.5, 1.5, (lines, columns)),
        "source": ohms * rng.uniform(0.0, 9.0, lines),
        "load": ohms * rng.uniform(0.0, 9.0, columns),
    }
