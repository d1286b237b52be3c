"""The networks that constructions take: layers one after the other, read into numbers.

Shapes: an array for each channel of a value: (C,) where a value is (C,) or (C, height, width).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.arrays import Floats
from xbar.errors import ModelError, printable
from xbar.pruning.constructions.pairs import Target

if TYPE_CHECKING:
    from torch import nn

_RISING: dict[str, Callable[[Floats], Floats]] = {
    "ReLU": lambda x: np.maximum(x, 0.0),
    "ReLU6": lambda x: np.clip(x, 0.0, 6.0),
    "Tanh": np.tanh,
    "Sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
}
"""Activations that never fall and whose slope is at most 1."""

_POSITIVE = {"ReLU", "ReLU6", "Sigmoid"}
_SAME = {"Identity", "Dropout", "Dropout2d"}
_POOLS = {"MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d"}
_NORMS = {"BatchNorm1d", "BatchNorm2d"}


@dataclass(frozen=True, eq=False)
class Weights:
    """A layer that is built from random weights; its bias stays digital."""

    target: Target
    bias: Floats
    padded: bool


@dataclass(frozen=True)
class Rising:
    """A function of each value by itself, from `_RISING`."""

    function: Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Gain:
    """A batch norm in evaluation: gain times the value plus shift, by channel."""

    gain: Floats
    shift: Floats


@dataclass(frozen=True)
class Pool:
    """A mean or maximum of values; `padded` with zeros or not."""

    padded: bool


@dataclass(frozen=True)
class Flat:
    """Each channel becomes `places` values."""

    places: int


Step = Weights | Rising | Gain | Pool | Flat


@dataclass(frozen=True, eq=False)
class Chain:
    """A network as numbers.

    Attributes:
        steps: what it does, in order.
        input_shape: of one input.
        low, high: what its inputs lie between.
    """

    steps: tuple[Step, ...]
    input_shape: tuple[int, ...]
    low: float
    high: float

    @property
    def targets(self) -> list[Target]:
        """The layers to be built."""
        return [step.target for step in self.steps if isinstance(step, Weights)]


def children(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Dotted names and modules of a chain of `torch.nn.Sequential`, in the order they run.

    A module that stands in several places comes once for each.
    """
    from torch import nn

    for name, module in model._modules.items():
        own = f"{path}.{name}" if path else name
        if isinstance(module, nn.Sequential):
            yield from children(module, own)
        elif module is not None:
            yield own, module


def check_chain(model: nn.Module) -> None:
    """It must be a plain chain, in which no block of several layers stands twice.

    Raises:
        ModelError: it is not.
    """
    from torch import nn

    seen: set[int] = set()

    def check(block: nn.Module, path: str) -> None:
        if type(block) is not nn.Sequential:
            raise ModelError(
                f"{path}: a construction takes a torch.nn.Sequential, layer after layer, not a "
                f"{type(block).__name__}; put its layers into one"
            )
        if id(block) in seen:
            raise ModelError(f"{path}: a block must not stand in two places; make two of it")
        seen.add(id(block))
        for name, module in block._modules.items():
            if isinstance(module, nn.Sequential):
                check(module, f"{path}.{printable(name)}")

    check(model, "network")


def read_chain(
    model: nn.Module, input_shape: tuple[int, ...], input_range: tuple[float, float]
) -> Chain:
    """A `torch.nn.Sequential` in evaluation mode as numbers.

    Args:
        model: the network, in float64.
        input_shape: of one input, without the batch axis.
        input_range: what every value of an input lies between.

    Raises:
        ModelError: it is no chain, does not take such inputs, has no layer to build, or a layer
            that is none of linear, 2-d convolution, ReLU, ReLU6, Tanh, Sigmoid, batch norm, 2-d
            pooling, flatten and dropout.
    """
    import torch

    value = torch.zeros(1, *input_shape, dtype=torch.float64)
    positive = input_range[0] >= 0.0
    steps: list[Step] = []
    with torch.no_grad():
        for name, module in children(model):
            shape = tuple(value.shape[1:])
            count = sum(isinstance(step, Weights) for step in steps)
            step = _step(printable(name), module, shape, positive, count)
            try:
                value = module(value)
            except (RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise ModelError(
                    f"{printable(name)}: takes no value of shape {shape}, which inputs of shape "
                    f"{input_shape} lead to ({reason})"
                ) from error
            positive = _positive_after(module, positive)
            if step is not None:
                steps.append(step)
    chain = Chain(tuple(steps), input_shape, *input_range)
    if not chain.targets:
        raise ModelError("the network must have a linear layer or a convolution to build")
    return chain


def _step(
    name: str, module: Any, shape: tuple[int, ...], positive: bool, index: int
) -> Step | None:
    kind = _kind(module)
    if kind in ("Linear", "Conv2d"):
        return _weights(name, module, shape, positive, index)
    if kind in _RISING:
        return Rising(_RISING[kind])
    if kind in _POOLS and not _is_unusual(module):
        return Pool(padded=kind == "AvgPool2d" and np.max(module.padding) > 0)
    if kind in _NORMS and module.running_var is not None:
        return _gain(module)
    if kind == "Flatten" and module.start_dim == 1 and module.end_dim == -1:
        return Flat(math.prod(shape[1:]))
    if kind in _SAME:
        return None
    raise ModelError(
        f"{name}: {type(module).__name__} as it is can't be approximated; a chain may hold Linear, "
        f"Conv2d, {', '.join([*_RISING, *sorted(_POOLS | _NORMS | _SAME)])} and Flatten"
    )


def _weights(name: str, module: Any, shape: tuple[int, ...], positive: bool, index: int) -> Weights:
    weight = module.weight.detach().double().numpy()
    if weight.ndim == 2 and len(shape) != 1:
        raise ModelError(
            f"{name}: a linear layer must take one vector an input, not values of shape {shape}; "
            "put a Flatten before it"
        )
    groups, padded = 1, False
    if weight.ndim == 4:
        groups, padded = module.groups, np.max(module.padding) != 0
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise ModelError(f"{name}: a convolution must be padded with numbers of zeros")
    if not np.isfinite(weight).all():
        raise ModelError(f"{name}: its weights must be finite")
    weight = weight.reshape(*weight.shape[:2], -1)
    outputs, inputs = weight.shape[:2]
    group = np.arange(outputs) // (outputs // groups)
    channel = group[:, None] * inputs + np.arange(inputs)
    bias = np.zeros(outputs) if module.bias is None else module.bias.detach().double().numpy()
    target = Target(name, index, weight, channel, inputs * groups, positive)
    return Weights(target, bias, padded)


def _gain(module: Any) -> Gain:
    gain = 1.0 / np.sqrt(module.running_var.numpy() + module.eps)
    shift = -module.running_mean.numpy() * gain
    if module.affine:
        weight = module.weight.detach().numpy()
        gain, shift = gain * weight, shift * weight + module.bias.detach().numpy()
    return Gain(gain, shift)


def _kind(module: nn.Module) -> str:
    """The name of a module of PyTorch's own; others may do anything."""
    own = type(module).__module__.startswith("torch.nn.modules.")
    return type(module).__name__ if own else ""


def _is_unusual(pool: Any) -> bool:
    """Whether a pooling gives more than one value, or no mean."""
    return getattr(pool, "return_indices", False) or bool(getattr(pool, "divisor_override", 0))


def _positive_after(module: nn.Module, positive: bool) -> bool:
    kind = _kind(module)
    if kind in _POSITIVE:
        return True
    return positive and kind not in ("Linear", "Conv2d") and kind not in _NORMS
