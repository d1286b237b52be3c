"""Training of a torch module on labelled inputs, common to all methods.

Importing this module imports PyTorch: import it inside functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from xbar.arrays import check_finite, real
from xbar.blas import one_blas_thread
from xbar.errors import ModelError, SpecError
from xbar.model.threads import one_torch_thread
from xbar.training.recipe import Epoch, Recipe

_FACTOR_RATE = 0.05


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs (N, ...) float32 and class numbers (N,)."""

    inputs: torch.Tensor
    labels: torch.Tensor

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.inputs.shape[1:])


def check_data(data: tuple[ArrayLike, ArrayLike]) -> Data:
    """A pair (inputs (N, ...), labels (N,)) as tensors.

    Raises:
        SpecError: it is not such a pair, is empty, or holds values that are not allowed.
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise SpecError("the data must be a pair (inputs (N, ...), labels (N,))")
    inputs, labels = real(data[0], "inputs"), real(data[1], "labels")
    if inputs.ndim < 2 or 0 in inputs.shape:
        raise SpecError(f"inputs must have the shape (N, ...), none of it 0, not {inputs.shape}")
    check_finite(inputs, "inputs")
    if labels.shape != inputs.shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise SpecError(
            f"labels must be {len(inputs)} class numbers from 0, one an input, not "
            f"{labels.dtype} of shape {labels.shape}"
        )
    return Data(
        torch.from_numpy(inputs.astype(np.float32)), torch.from_numpy(labels.astype(np.int64))
    )


@contextmanager
def reproducible(seed: int) -> Iterator[torch.Generator]:
    """One thread, and random numbers that depend on the seed only; both are restored on exit.

    With one thread the order of sums is the same everywhere; small batches gain little from more.
    """
    with one_blas_thread(), one_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


def fit(
    model: nn.Module,
    data: Data,
    epochs: int,
    recipe: Recipe,
    draw: torch.Generator,
    *,
    before_epoch: Callable[[int], float] = lambda _: 1.0,
    after_step: Callable[[], None] = lambda: None,
) -> tuple[Epoch, ...]:
    """Train all parameters that require a gradient: SGD with momentum, cosine learning rate.

    Args:
        model: model, trained in place and left in evaluation mode.
        data: training data.
        epochs: number of passes over the data.
        recipe: batch, rate, momentum, decay, sharpening.
        draw: generator that shuffles the data.
        before_epoch: called with the epoch's number; returns the fraction of weights kept in it.
        after_step: called after each step.

    Raises:
        ModelError: the network does not take the inputs or has too few outputs.
    """
    _check_fits(model, data)
    learned = [p for p in model.parameters() if p.requires_grad]
    history = []
    if learned and epochs:
        factor = nn.Parameter(torch.zeros(()), requires_grad=recipe.sharpen)  # its logarithm
        groups: list[dict[str, Any]] = [{"params": learned}]
        if recipe.sharpen:
            groups.append({"params": [factor], "lr": _FACTOR_RATE, "weight_decay": 0.0})
        optimiser = torch.optim.SGD(
            groups, recipe.rate, momentum=recipe.momentum, weight_decay=recipe.decay
        )
        steps = math.ceil(len(data.inputs) / recipe.batch) * epochs
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for epoch in range(epochs):
            kept = before_epoch(epoch)
            model.train()
            order = torch.randperm(len(data.inputs), generator=draw)
            batches = _batches(data, order, recipe.batch)
            loss, right = _epoch(model, factor, batches, optimiser, schedule, after_step)
            history.append(Epoch(loss / len(order), right / len(order), kept))
    model.eval()
    return tuple(history)


def _batches(
    data: Data, order: torch.Tensor, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for chosen in order.split(size):
        if len(chosen) == 1 < len(order):
            continue  # batch norm has no statistics of one input
        yield data.inputs[chosen], data.labels[chosen]


def _epoch(
    model: nn.Module,
    factor: torch.Tensor,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    after_step: Callable[[], None],
) -> tuple[float, int]:
    """Total loss and number of correct answers of one pass."""
    total, right = 0.0, 0
    for inputs, labels in batches:
        scores = model(inputs)
        loss = nn.functional.cross_entropy(scores * factor.exp(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        after_step()
        total += float(loss.detach()) * len(labels)
        right += int((scores.detach().argmax(1) == labels).sum())
    return total, right


def _check_fits(model: nn.Module, data: Data) -> None:
    model.eval()
    name = type(model).__name__
    try:
        with torch.no_grad():
            scores = model(data.inputs[:1])
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ModelError(
            f"{name}: it does not take inputs of shape {data.input_shape}: "
            f"{' '.join(str(error).split())[:200]}"
        ) from None
    classes = int(data.labels.max()) + 1
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2 or scores.shape[1] < classes:
        got = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise ModelError(
            f"{name}: it must give one score for each of {classes} classes, (N, {classes}), "
            f"not {got} for one input"
        )


def measure_norms(model: nn.Module, data: Data) -> None:
    """Measure the running statistics of all batch norms on the data."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    norms = [module for module in model.modules() if isinstance(module, kinds)]
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch then takes the mean over all batches
        norm.train()
    with torch.no_grad():
        for inputs, _ in _batches(data, torch.arange(len(data.inputs)), 256) if norms else ():
            model(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def accuracy(model: nn.Module, inputs: ArrayLike, labels: ArrayLike) -> float:
    """Fraction of correct answers, the model in evaluation mode."""
    data = check_data((inputs, labels))
    model.eval()
    with torch.no_grad():
        right = sum(
            int((model(x).argmax(1) == y).sum())
            for x, y in zip(data.inputs.split(256), data.labels.split(256), strict=True)
        )
    return right / len(data.inputs)
