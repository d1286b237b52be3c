"""Sequential networks, the input of constructions, as arrays.

Shapes: per-channel arrays are (C,) for values (C,) or (C, height, width).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.arrays import Floats
from xbar.errors import ModelError, printable
from xbar.pruning.constructions.replacement import TargetLayer

if TYPE_CHECKING:
    from torch import nn

_RISING: dict[str, Callable[[Floats], Floats]] = {
    "ReLU": lambda x: np.maximum(x, 0.0),
    "ReLU6": lambda x: np.clip(x, 0.0, 6.0),
    "Tanh": np.tanh,
    "Sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
}
"""Monotonic activations with a slope of at most 1."""

_POSITIVE = {"ReLU", "ReLU6", "Sigmoid"}
_SAME = {"Identity", "Dropout", "Dropout2d"}
_POOLS = {"MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d"}
_NORMS = {"BatchNorm1d", "BatchNorm2d"}


@dataclass(frozen=True, eq=False)
class Weights:
    """A layer to be replaced by random layers; its bias stays digital."""

    target: TargetLayer
    bias: Floats
    padded: bool


@dataclass(frozen=True)
class Rising:
    """An element-wise function from `_RISING`."""

    function: Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Gain:
    """A batch norm in evaluation mode: gain times value plus shift, by channel."""

    gain: Floats
    shift: Floats


@dataclass(frozen=True)
class Pool:
    """Average or maximum pooling, `padded` with zeros or not."""

    padded: bool


@dataclass(frozen=True)
class Flat:
    """Flattening: each channel becomes `places` values."""

    places: int


Step = Weights | Rising | Gain | Pool | Flat


@dataclass(frozen=True, eq=False)
class LayerSequence:
    """A sequential network.

    Attributes:
        steps: steps in order.
        input_shape: shape of one input.
        low, high: range of the inputs.
    """

    steps: tuple[Step, ...]
    input_shape: tuple[int, ...]
    low: float
    high: float

    @property
    def targets(self) -> list[TargetLayer]:
        """The layers to be replaced."""
        return [step.target for step in self.steps if isinstance(step, Weights)]


def children(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Dotted names and modules of nested `torch.nn.Sequential`, in execution order.

    A module used several times is yielded once for each use.
    """
    from torch import nn

    for name, module in model._modules.items():
        own = f"{path}.{name}" if path else name
        if isinstance(module, nn.Sequential):
            yield from children(module, own)
        elif module is not None:
            yield own, module


def check_sequence(model: nn.Module) -> None:
    """Check that a model is nested `torch.nn.Sequential` without repeated containers.

    Raises:
        ModelError: it is not.
    """
    from torch import nn

    seen: set[int] = set()

    def check(block: nn.Module, path: str) -> None:
        if type(block) is not nn.Sequential:
            raise ModelError(
                f"{path}: a construction takes a torch.nn.Sequential, not a "
                f"{type(block).__name__}; put its layers into one"
            )
        if id(block) in seen:
            raise ModelError(f"{path}: a container must not be used twice; copy it")
        seen.add(id(block))
        for name, module in block._modules.items():
            if isinstance(module, nn.Sequential):
                check(module, f"{path}.{printable(name)}")

    check(model, "network")


def read_sequence(
    model: nn.Module, input_shape: tuple[int, ...], input_range: tuple[float, float]
) -> LayerSequence:
    """Read a `torch.nn.Sequential` in evaluation mode.

    Args:
        model: network in float64.
        input_shape: shape of one input, without the batch axis.
        input_range: lower and upper limit of input values.

    Raises:
        ModelError: it is not sequential, does not accept such inputs, has no layer to replace, or
            has a layer other than linear, 2-d convolution, ReLU, ReLU6, Tanh, Sigmoid, batch norm,
            2-d pooling, flatten and dropout.
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
                    f"{printable(name)}: does not accept values of shape {shape}, the result of "
                    f"inputs of shape {input_shape} ({reason})"
                ) from error
            positive = _positive_after(module, positive)
            if step is not None:
                steps.append(step)
    sequence = LayerSequence(tuple(steps), input_shape, *input_range)
    if not sequence.targets:
        raise ModelError("the network must have a linear layer or a convolution to build")
    return sequence


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
        f"{name}: this {type(module).__name__} is not supported; a network may contain Linear, "
        f"Conv2d, {', '.join([*_RISING, *sorted(_POOLS | _NORMS | _SAME)])} and Flatten"
    )


def _weights(name: str, module: Any, shape: tuple[int, ...], positive: bool, index: int) -> Weights:
    weight = module.weight.detach().double().numpy()
    if weight.ndim == 2 and len(shape) != 1:
        raise ModelError(
            f"{name}: a linear layer must take one vector per input, not values of shape {shape}; "
            "put a Flatten before it"
        )
    groups, padded = 1, False
    if weight.ndim == 4:
        groups, padded = module.groups, np.max(module.padding) != 0
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise ModelError(f"{name}: a convolution must have numeric zero padding")
    if not np.isfinite(weight).all():
        raise ModelError(f"{name}: its weights must be finite")
    weight = weight.reshape(*weight.shape[:2], -1)
    outputs, inputs = weight.shape[:2]
    group = np.arange(outputs) // (outputs // groups)
    channel = group[:, None] * inputs + np.arange(inputs)
    bias = np.zeros(outputs) if module.bias is None else module.bias.detach().double().numpy()
    target = TargetLayer(name, index, weight, channel, inputs * groups, positive)
    return Weights(target, bias, padded)


def _gain(module: Any) -> Gain:
    gain = 1.0 / np.sqrt(module.running_var.numpy() + module.eps)
    shift = -module.running_mean.numpy() * gain
    if module.affine:
        weight = module.weight.detach().numpy()
        gain, shift = gain * weight, shift * weight + module.bias.detach().numpy()
    return Gain(gain, shift)


def _kind(module: nn.Module) -> str:
    """Class name of a PyTorch module; "" for others, whose behaviour is unknown."""
    own = type(module).__module__.startswith("torch.nn.modules.")
    return type(module).__name__ if own else ""


def _is_unusual(pool: Any) -> bool:
    """Whether a pooling has several results, or is not a plain mean."""
    return getattr(pool, "return_indices", False) or bool(getattr(pool, "divisor_override", 0))


def _positive_after(module: nn.Module, positive: bool) -> bool:
    kind = _kind(module)
    if kind in _POSITIVE:
        return True
    return positive and kind not in ("Linear", "Conv2d") and kind not in _NORMS
