"""Parametrisation of a torch module's weights by scores.

    forward    weight = off + (on - off) [|score| among the largest]
    backward   d score = d weight (on - off) sign(score), as if the choice were the identity

The gradient includes the sign of the absolute value: without it nothing is learned, because a
weight with a negative score that should be kept would be driven to zero.

PyTorch is imported with this file: import it in functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize

from xbar.pruning.kernels import choose
from xbar.pruning.select import (
    Choice,
    Scope,
    Structure,
    count,
    group_shape,
    threshold,
    top_masks,
)
from xbar.training.layers import States

_SMALL = 1e-6
"""Distance of uniform numbers from 0 and 1, where their logarithmic odds would be infinite."""

_SAMPLE = 20_000
"""Sample size for estimating the mean probability."""

_SLACK = 0.002
"""Tolerance of the number of kept scores during training, relative."""

_DRIFT = 0.005
"""Expected drift of the threshold score per step; beyond it, all scores are sorted."""


class _Largest(torch.autograd.Function):
    """Forward: the chosen weights; backward: the gradient times the slope."""

    @staticmethod
    def forward(ctx: Any, score: torch.Tensor, weight: torch.Tensor, slope: torch.Tensor) -> Any:
        ctx.save_for_backward(slope)
        ctx.shape = score.shape
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (slope,) = ctx.saved_tensors
        return (gradients[0] * slope).sum_to_size(ctx.shape), None, None


class _Drawn(torch.autograd.Function):
    """Bernoulli mask with a straight-through gradient."""

    @staticmethod
    def forward(
        ctx: Any, probability: torch.Tensor, step: torch.Tensor, uniform: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(probability, step)
        return step * (uniform < probability)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        probability, step = ctx.saved_tensors
        return (gradients[0] * step).sum_to_size(probability.shape), None, None


class Masked(nn.Module):
    """Parametrisation of one layer's weight by scores: the largest are kept.

    ``choose`` writes the weight and its slope into preallocated arrays: allocating memory at each
    step would cost more than the computation.
    """

    def __init__(self, states: States, shape: tuple[int, ...]) -> None:
        """What there is to choose from, and the shape of the scores."""
        super().__init__()
        self.set_states(states)
        self.weight = np.zeros_like(states.on)
        self.slope = np.zeros_like(states.on)
        self.size = np.empty(math.prod(shape), np.float32)
        self.near, self.far = np.empty((2, self.size.size), np.bool_)
        self.least = 0.0

    def set_states(self, states: States) -> None:
        """Replace the weights to choose from, for example by those behind the wires."""
        self.off = states.off
        self.step = states.on if states.off is None else states.on - states.off

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        """The effective weight."""
        weight, slope = torch.from_numpy(self.weight), torch.from_numpy(self.slope)
        # torch declares no types for Function.apply
        chosen: torch.Tensor = _Largest.apply(score, weight, slope)  # type: ignore[no-untyped-call]
        return chosen

    def find_least(self, score: NDArray[np.float32], kept: int) -> float:
        """The ``kept``-th largest absolute score, searched near the previous one first."""
        np.abs(score.reshape(-1), out=self.size)
        high = np.float32(self.least * (1 + _DRIFT))
        np.greater_equal(self.size, np.float32(self.least * (1 - _DRIFT)), out=self.near)
        reach = int(np.count_nonzero(self.near))
        above = int(np.count_nonzero(np.greater_equal(self.size, high, out=self.far)))
        if not above < kept <= reach:
            return threshold(self.size, kept)
        np.not_equal(self.near, self.far, out=self.near)
        return threshold(self.size[self.near], kept - above)

    def choose(self, score: NDArray[np.float32], least: float) -> int:
        """Keep weights whose absolute score is at least ``least``; returns their number."""
        self.least = least
        every = np.ascontiguousarray(np.broadcast_to(score, self.step.shape))
        weight, slope = self.weight.reshape(-1), self.slope.reshape(-1)
        kept = choose(every.reshape(-1), self.step.reshape(-1), least, weight, slope)
        if self.off is not None:
            np.add(self.weight, self.off, out=self.weight)
        return kept

    def follow(self, score: NDArray[np.float32], kept: int) -> None:
        """Keep ``kept`` scores within ``_SLACK``, reusing the previous threshold where possible.

        A step moves few scores across the threshold, and finding it exactly takes longer than the
        rest of the step.
        """
        group = self.step.size // score.size
        got = self.choose(score, self.least) // group
        if abs(got - kept) > _SLACK * kept:
            self.choose(score, self.find_least(score, kept))

    def mask(self, score: torch.Tensor) -> torch.Tensor:
        """Which weights are kept now."""
        return (score.detach().abs() >= self.least).expand(self.step.shape)

    def rank(self, score: torch.Tensor) -> NDArray[np.float32]:
        """What the final choice compares."""
        size: NDArray[np.float32] = np.abs(score.numpy(force=True))
        return size


class Drawn(Masked):
    """Stochastic variant: weights are kept with probability s((score + shift) / temperature).

    s is the logistic function. The shift holds the mean probability at the kept fraction, and the
    falling temperature makes the mask deterministic.
    """

    def __init__(self, states: States, shape: tuple[int, ...]) -> None:
        """What there is to choose from, and the shape of the scores."""
        super().__init__(states, shape)
        self.shift = 0.0
        self.temperature = 1.0

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        """The effective weight, resampled in training."""
        probability = torch.sigmoid((score + self.shift) / self.temperature)
        uniform = torch.rand_like(probability) if self.training else torch.full_like(score, 0.5)
        step = torch.from_numpy(self.step)
        # torch declares no types for Function.apply
        chosen: torch.Tensor = _Drawn.apply(probability, step, uniform)  # type: ignore[no-untyped-call]
        return chosen if self.off is None else chosen + torch.from_numpy(self.off)

    def rank(self, score: torch.Tensor) -> NDArray[np.float32]:
        """What the final choice compares."""
        values: NDArray[np.float32] = score.numpy(force=True)
        return values

    def logits(self, score: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logarithmic odds of the scores, without the shift."""
        return score / np.float32(self.temperature)

    def set_shift(self, shift: float) -> None:
        """Add a number to all logarithmic odds."""
        self.shift = shift * self.temperature


class Gated(Drawn):
    """Relaxed variant: weights are multiplied by gates between 0 and 1, nearly always close to one.

    A gate is s((score * unit + shift + noise) / HEAT) with logistic noise: above 1/2 with the
    probability of a Bernoulli gate, and differentiable, so that no gradient passes straight
    through a choice (C. Maddison, A. Mnih, Y. W. Teh, "The concrete distribution", ICLR 2017).
    The unit, the root of an output's inputs, makes the initial scores of all layers alike.
    """

    HEAT = 2 / 3
    """Temperature of the relaxation: that of Maddison, Mnih and Teh for two choices."""

    def __init__(self, states: States, shape: tuple[int, ...]) -> None:
        """What there is to choose from, and the shape of the scores."""
        super().__init__(states, shape)
        self.unit = math.sqrt(math.prod(states.on.shape[1:]))

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        """The gated weight, with new noise in training."""
        odds = score * self.unit + self.shift
        if self.training:
            uniform = torch.rand_like(odds).clamp(_SMALL, 1 - _SMALL)
            odds = odds + torch.log(uniform) - torch.log1p(-uniform)
        gated = torch.sigmoid(odds / self.HEAT) * torch.from_numpy(self.step)
        return gated if self.off is None else gated + torch.from_numpy(self.off)

    def rank(self, score: torch.Tensor) -> NDArray[np.float32]:
        """What the final choice compares."""
        return self.logits(score.numpy(force=True))

    def logits(self, score: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logarithmic odds of the scores, without the shift."""
        return score * np.float32(self.unit)

    def set_shift(self, shift: float) -> None:
        """Add a number to all logarithmic odds."""
        self.shift = shift


KINDS: Mapping[Choice, type[Masked]] = {"largest": Masked, "drawn": Drawn, "relaxed": Gated}
"""How scores choose."""


class Scores:
    """Scores of all masked layers of a model, with the number to keep."""

    def __init__(
        self,
        layers: Mapping[str, Any],
        states: Mapping[str, States],
        scope: Scope,
        structures: Mapping[str, Structure],
        draw: torch.Generator,
        *,
        choice: Choice = "largest",
    ) -> None:
        """Parametrise the layers' weights by scores, initially Kaiming-uniform."""
        self.layers, self.scope, self.drawn = layers, scope, choice != "largest"
        self.keep, self.temperature = 1.0, 1.0
        self.masked: dict[str, Masked] = {}
        for name, module in layers.items():
            shape = tuple(module.weight.shape)
            bound = 1 / math.sqrt(math.prod(shape[1:]))
            scored = group_shape(shape, structures[name])
            start = torch.rand(scored, generator=draw) * 2 - 1
            masked = KINDS[choice](states[name], scored)
            module.weight = nn.Parameter(start * bound)
            parametrize.register_parametrization(module, "weight", masked, unsafe=True)
            self.masked[name] = masked

    def set_states(self, states: Mapping[str, States]) -> None:
        """Replace the weights to choose from, with effect from the next update."""
        for name, masked in self.masked.items():
            masked.set_states(states[name])

    def parameters(self) -> dict[str, nn.Parameter]:
        """The scores, by layer."""
        return {
            name: module.parametrizations.weight.original for name, module in self.layers.items()
        }

    def update(self) -> None:
        """Update the masks after a change of the scores or the kept fraction."""
        scores = {name: each.numpy(force=True) for name, each in self.parameters().items()}
        if self.drawn:
            self._shift(scores)
            return
        if self.scope == "layer":
            for name, score in scores.items():
                self.masked[name].follow(score, count(score.size, self.keep))
            return
        flat = np.concatenate([np.abs(score).ravel() for score in scores.values()])
        least = threshold(flat, count(flat.size, self.keep))
        for name, score in scores.items():
            self.masked[name].choose(score, least)

    def mask(self, name: str) -> torch.Tensor:
        """Current mask of a layer."""
        return self.masked[name].mask(self.parameters()[name])

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Masks of the weights' shapes; keep exactly the target number of scores."""
        ranks = {name: self.masked[name].rank(s) for name, s in self.parameters().items()}
        small = top_masks(ranks, self.keep, self.scope)
        return {
            name: np.array(np.broadcast_to(mask, self.masked[name].step.shape))
            for name, mask in small.items()
        }

    def settle(self, masks: Mapping[str, NDArray[np.bool_]], states: Mapping[str, States]) -> None:
        """Replace the parametrisation by plain weights, as chosen by the masks."""
        for name, module in self.layers.items():
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
            module.weight = nn.Parameter(torch.from_numpy(states[name].under(masks[name])))

    def _shift(self, scores: Mapping[str, NDArray[np.float32]]) -> None:
        """Set the mean probability to the kept fraction, per layer or over all."""
        parts = [[name] for name in scores] if self.scope == "layer" else [list(scores)]
        for names in parts:
            drawn = [each for name in names if isinstance(each := self.masked[name], Drawn)]
            for masked in drawn:
                masked.temperature = self.temperature
            odds = [each.logits(scores[n].ravel()) for n, each in zip(names, drawn, strict=True)]
            flat = np.concatenate(odds)
            shift = mean_shift(flat[:: max(1, flat.size // _SAMPLE)], self.keep)
            for masked in drawn:
                masked.set_shift(shift)


def mean_shift(scores: NDArray[np.floating[Any]], share: float) -> float:
    """The b for which the mean of s(scores + b) is ``share``, by bisection.

    >>> round(mean_shift(np.zeros(3), 0.75), 3)  # log(0.75 / 0.25)
    1.099
    """
    spread = float(np.abs(scores).max()) + 40.0
    low, high = -spread, spread
    for _ in range(20):
        middle = (low + high) / 2
        with np.errstate(over="ignore"):
            mean = float(np.mean(1 / (1 + np.exp(-(scores + np.float32(middle))))))
        low, high = (middle, high) if mean < share else (low, middle)
    return (low + high) / 2
