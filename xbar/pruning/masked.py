"""Weights of a torch module that are chosen by scores.

    forward    weight = off + (on - off) [|score| among the largest]
    backward   d score = d weight (on - off) sign(score), as if the choice were the identity

The gradient passes through the absolute value: without its sign nothing is learned, because a
weight of negative score that ought to be kept would be driven to zero.

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

from xbar.pruning.initial import States
from xbar.pruning.select import Scope, Structure, count, group_shape, threshold, top_masks

_SAMPLE = 20_000
"""Scores whose mean probability stands for that of all."""


class _Largest(torch.autograd.Function):
    """Keep where the absolute score reaches a threshold."""

    @staticmethod
    def forward(
        ctx: Any, score: torch.Tensor, step: torch.Tensor, threshold: float
    ) -> torch.Tensor:
        ctx.save_for_backward(score, step)
        return step * (score.abs() >= threshold)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        score, step = ctx.saved_tensors
        return (gradients[0] * step).sum_to_size(score.shape) * score.sign(), None, None


class _Drawn(torch.autograd.Function):
    """Keep with a probability."""

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
    """The parametrisation of one layer's weight by its scores: the largest are kept."""

    def __init__(self, states: States) -> None:
        super().__init__()
        on = torch.from_numpy(states.on)
        self.off = None if states.off is None else torch.from_numpy(states.off)
        self.step = on if self.off is None else on - self.off
        self.threshold = 0.0

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        """The effective weight."""
        chosen = _Largest.apply(score, self.step, self.threshold)  # type: ignore[no-untyped-call]
        return self._with_residue(chosen)

    def set_states(self, states: States) -> None:
        """Other weights to choose from, such as those that the wires leave."""
        on = torch.from_numpy(states.on)
        self.off = None if states.off is None else torch.from_numpy(states.off)
        self.step = on if self.off is None else on - self.off

    def rank(self, score: torch.Tensor) -> NDArray[np.float32]:
        """What the final choice compares."""
        size: NDArray[np.float32] = np.abs(score.numpy(force=True))
        return size

    def _with_residue(self, weight: torch.Tensor) -> torch.Tensor:
        return weight if self.off is None else weight + self.off


class Drawn(Masked):
    """The same, each weight kept with probability s((score + shift) / temperature).

    s is the logistic function. The shift keeps the mean probability at the kept share, and the
    temperature falls to make up the mask's mind.
    """

    def __init__(self, states: States) -> None:
        super().__init__(states)
        self.shift = 0.0
        self.temperature = 1.0

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        """The effective weight, drawn anew in training."""
        probability = torch.sigmoid((score + self.shift) / self.temperature)
        uniform = torch.rand_like(probability) if self.training else torch.full_like(score, 0.5)
        chosen = _Drawn.apply(probability, self.step, uniform)  # type: ignore[no-untyped-call]
        return self._with_residue(chosen)

    def rank(self, score: torch.Tensor) -> NDArray[np.float32]:
        """What the final choice compares."""
        values: NDArray[np.float32] = score.numpy(force=True)
        return values


class Scores:
    """The scores of all masked layers of a model, and how many of them are kept."""

    def __init__(
        self,
        layers: Mapping[str, Any],
        states: Mapping[str, States],
        scope: Scope,
        structures: Mapping[str, Structure],
        draw: torch.Generator,
        *,
        drawn: bool = False,
    ) -> None:
        """Put scores in the place of the layers' weights, Kaiming-uniform at the start."""
        self.layers, self.scope, self.drawn = layers, scope, drawn
        self.keep, self.temperature = 1.0, 1.0
        self.masked: dict[str, Masked] = {}
        for name, module in layers.items():
            shape = tuple(module.weight.shape)
            bound = 1 / math.sqrt(math.prod(shape[1:]))
            start = torch.rand(group_shape(shape, structures[name]), generator=draw) * 2 - 1
            masked = (Drawn if drawn else Masked)(states[name])
            module.weight = nn.Parameter(start * bound)
            parametrize.register_parametrization(module, "weight", masked, unsafe=True)
            self.masked[name] = masked

    def parameters(self) -> dict[str, nn.Parameter]:
        """The scores themselves, by layer."""
        return {
            name: module.parametrizations.weight.original for name, module in self.layers.items()
        }

    def update(self) -> None:
        """Choose again, after the scores or the share have changed."""
        scores = {name: each.numpy(force=True) for name, each in self.parameters().items()}
        if self.drawn:
            self._shift(scores)
        elif self.scope == "layer":
            for name, each in scores.items():
                self.masked[name].threshold = threshold(each, count(each.size, self.keep))
        else:
            flat = np.concatenate([each.ravel() for each in scores.values()])
            common = threshold(flat, count(flat.size, self.keep))
            for masked in self.masked.values():
                masked.threshold = common

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Masks of the weights' shapes; exactly the wanted number of scores is kept."""
        ranks = {name: self.masked[name].rank(s) for name, s in self.parameters().items()}
        small = top_masks(ranks, self.keep, self.scope)
        return {
            name: np.array(np.broadcast_to(mask, self.masked[name].step.shape))
            for name, mask in small.items()
        }

    def settle(self, masks: Mapping[str, NDArray[np.bool_]], states: Mapping[str, States]) -> None:
        """Put plain weights back, as the masks choose them."""
        for name, module in self.layers.items():
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
            module.weight = nn.Parameter(torch.from_numpy(realised(states[name], masks[name])))

    def _shift(self, scores: Mapping[str, NDArray[np.float32]]) -> None:
        """Make the mean probability the kept share, of each layer or of all."""
        parts = [[name] for name in scores] if self.scope == "layer" else [list(scores)]
        for names in parts:
            flat = np.concatenate([scores[name].ravel() for name in names])
            flat = flat[:: max(1, flat.size // _SAMPLE)]
            shift = mean_shift(flat / np.float32(self.temperature), self.keep) * self.temperature
            for name in names:
                masked = self.masked[name]
                assert isinstance(masked, Drawn)
                masked.shift, masked.temperature = shift, self.temperature


def realised(states: States, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The weights under a mask."""
    off = np.float32(0) if states.off is None else states.off
    return np.where(mask, states.on, off)


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
