"""Training settings of a network or its scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from xbar.arrays import one_integer, one_number
from xbar.errors import SpecError

MOST = 1e6
"""The largest number of a setting of ``Tuning``."""


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with momentum and a cosine learning rate that falls to zero.

    Attributes:
        rate: initial learning rate.
        batch: inputs per step.
        momentum: momentum, from 0, below 1.
        decay: weight decay.
        sharpen: whether edge-popup also learns a factor on the network's outputs, for the loss
            only. It changes no answer, but fixed weights can't make outputs large, which keeps
            narrow networks, and those with high wire resistance, from fitting their data. Wide ones
            generalise slightly better without.

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
"""Defaults for weights, tuned on the 5,000 MNIST images with a perceptron and LeNet-5."""

SCORES = Recipe(rate=1.0)
"""Defaults for scores: steps relative to a score's size, which falls with the layer's inputs."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the data.

    Attributes:
        loss: mean cross entropy of its batches.
        accuracy: fraction of correct answers during the epoch.
        kept: fraction of weights kept in it.
        validation_loss: mean loss of inputs held apart, after it; None without such inputs.
        validation_accuracy: fraction of correct answers on those.
        stale: largest relative error of what arrived of conductances in it, as found when the
            arrays were solved again; 0 if they were solved in every step.
    """

    loss: float
    accuracy: float
    kept: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    stale: float = 0.0


@dataclass(frozen=True)
class Tuning:
    """Settings of ``finetune``: Adam with a rate that rises and then falls to zero.

    Attributes:
        rate: largest step of a conductance, in usual resistors, and of a column's logarithmic gain.
        batch: inputs per step.
        largest: of a column's largest weight at the start, in usual resistors. More of them load
            the lines more, fewer have coarser subsets.
        dead: weights below so many usual resistors are 0, as one resistor alone makes none so
            small and two of them load their lines twice.
        gradient: "own" of each cell alone, or "exact" by the adjoint of the circuit, which takes
            many times as long; see ``xbar.training.arrays``.
        grain: relative error of conductances that subsets leave, drawn anew in each step.
        stale: error of what arrives, relative, of the worst tile and without grain, at which arrays
            are solved again; the last one found tells when, so it is an aim, no bound; see
            ``xbar.training.arriving``. 0: arrays are solved in every step.
        calibrate: how the ranges of DACs and ADCs are found from the training inputs, as
            ``simulate(calibrate=...)`` finds them: "max", "percentile" or "least-squares". None for
            each input's own largest value, and ranges by what the cells let through.
        sparsity: weight, in the loss, of the mean conductance in usual resistors (L1): fewer
            resistors load the lines less and have less noise.
        weight_noise: standard deviation of normal noise of each weight over its layer's largest at
            the start, drawn anew in each step; no weight grows beyond that one. The usual rival of
            training through the hardware itself.
        times: times since programming at which the network shall work, such as ("1 h", "30 d"):
            devices of the design's law are drawn at one of them, another every few steps. Empty for
            devices as programmed.
        temperatures: temperatures likewise, such as ("25 C", "85 C"), each with all times.
        compensate: whether the digital side multiplies each layer's outputs by what its weights
            have lost since, as ``simulate(compensate="gain")`` does.
        lora: rank of digital side weights of each linear layer, see ``xbar.training.side``: they,
            gains and biases are trained, and arrays stay as the weights have them. 0: none, and
            arrays are trained.

    Raises:
        SpecError: a value is out of range.
    """

    rate: float = 0.02
    batch: int = 64
    largest: float = 2.0
    dead: float = 0.8
    gradient: Literal["own", "exact"] = "own"
    grain: float = 0.05
    stale: float = 0.005
    calibrate: Literal["max", "percentile", "least-squares"] | None = None
    sparsity: float = 0.0
    weight_noise: float = 0.0
    times: tuple[str | float, ...] = ()
    temperatures: tuple[str | float, ...] = ()
    compensate: bool = False
    lora: int = 0

    def __post_init__(self) -> None:
        for name in ("rate", "largest", "dead", "grain", "stale", "sparsity", "weight_noise"):
            value = one_number(getattr(self, name), name, 0, above=name in ("rate", "largest"))
            if value > MOST:
                raise SpecError(f"{name} must be at most {MOST:g}, not {value:g}")
            object.__setattr__(self, name, value)
        for name, least in (("batch", 1), ("lora", 0)):
            object.__setattr__(self, name, one_integer(getattr(self, name), name, least))
        if self.dead >= self.largest:
            raise SpecError(
                f"dead must be below largest, {self.largest:g} resistors: all weights would be 0, "
                f"not {self.dead:g}"
            )
        if not isinstance(self.compensate, bool):
            raise SpecError(f"compensate must be true or false, not {self.compensate!r}")
        if self.compensate and not (self.times or self.temperatures):
            raise SpecError(
                "compensate is for moments at which weights have lost something; give times or "
                "temperatures with it"
            )
        if self.gradient not in ("own", "exact"):
            raise SpecError(f'gradient must be "own" or "exact", not {self.gradient!r}')
        for name in ("times", "temperatures"):
            if not isinstance(getattr(self, name), tuple):
                raise SpecError(
                    f'{name} must be a tuple such as ("1 h", "30 d"), not {getattr(self, name)!r}'
                )
        if self.calibrate not in (None, "max", "percentile", "least-squares"):
            raise SpecError(
                'calibrate must be "max", "percentile", "least-squares" or None, not '
                f"{self.calibrate!r}"
            )


TUNING = Tuning()
"""Defaults of ``finetune``."""
