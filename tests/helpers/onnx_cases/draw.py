"""What the generators of random ONNX cases share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Case:
    """One node on x (N, *shape).

    Attributes:
        shape: of one input.
        constants: further inputs; None for one that is left out.
        attributes: of the node.
        low, high: of the random inputs.
        kind: type of the inputs.
        outputs, take: how many results the node has, and which one is compared.
        batch: number of inputs.
        tolerance: of the result, relative to its largest value.
        fixed: whether the model has that batch size only.
        static: whether the node is not applied to x, which it ignores.
        rows: whether the result has no batch axis; one is added.
        ties: whether the inputs are small whole numbers, many of them equal.
        times: factor of the inputs on their way to the node.
    """

    shape: tuple[int, ...]
    constants: list[Any] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    low: float = -3.0
    high: float = 3.0
    kind: Any = np.float32
    outputs: int = 1
    take: int = 0
    batch: int = 2
    tolerance: float = 2e-5
    fixed: bool = False
    static: bool = False
    rows: bool = False
    ties: bool = False
    times: float = 1.0


def floats(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def some_shape(rng, low=1, high=4):
    return tuple(int(n) for n in rng.integers(1, 6, rng.integers(low, high)))


def maybe(rng, **attributes):
    """Each attribute with a probability of a half."""
    return {name: value for name, value in attributes.items() if rng.random() < 0.5}


def uniform(low, high):
    return lambda rng: rng.uniform(low, high)


def some_axis(rng, shape, version=13):
    rank = len(shape) + 1
    axis = int(rng.integers(1, rank))
    return axis - rank if version >= 11 and rng.random() < 0.4 else axis


def same(*constants, shape=None, **more):
    """A generator of cases without attributes."""

    def generate(rng, version):
        made = [each(rng) if callable(each) else each for each in constants]
        return Case(shape or some_shape(rng), made, **more)

    return generate
