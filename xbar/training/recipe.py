"""How a network or its scores are trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xbar.errors import SpecError


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with momentum; the rate falls to zero as half a cosine.

    Attributes:
        rate: the learning rate at the start.
        batch: inputs a step.
        momentum: from 0, below 1.
        decay: weight decay.
        sharpen: of edge-popup: learn, for the loss alone, a factor of the network's outputs too. No
            answer depends on it, but weights that never change can't make outputs large, which
            keeps narrow networks, and those with much wire, from fitting their data. Wide ones
            generalise a little better without.

    Raises:
        SpecError: a value is out of range.
    """

    rate: float = 0.05
    batch: int = 64
    momentum: float = 0.9
    decay: float = 1e-4
    sharpen: bool = False

    def __post_init__(self) -> None:
        if not (self.rate > 0 and math.isfinite(self.rate)):
            raise SpecError(f"rate must be a positive number, not {self.rate!r}")
        if isinstance(self.batch, bool) or not isinstance(self.batch, int) or self.batch < 1:
            raise SpecError(f"batch must be a whole number of at least 1, not {self.batch!r}")
        if not 0 <= self.momentum < 1:
            raise SpecError(f"momentum must be from 0, below 1, not {self.momentum!r}")
        if not (self.decay >= 0 and math.isfinite(self.decay)):
            raise SpecError(f"decay must be a number of at least 0, not {self.decay!r}")


WEIGHTS = Recipe()
"""For weights: found on the 5,000 MNIST images with a perceptron and LeNet-5."""

SCORES = Recipe(rate=1.0)
"""For scores: a step is a share of a score's size, which falls with the layer's inputs."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the data.

    Attributes:
        loss: mean cross entropy of its batches.
        accuracy: share of right answers while it ran.
        kept: share of weights that were kept in it.
    """

    loss: float
    accuracy: float
    kept: float
