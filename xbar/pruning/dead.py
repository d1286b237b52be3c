"""Weights whose input is always zero, after whole neurons or filters were removed.

An output whose weights are all pruned and that has no bias is 0 for any input. To find which later
inputs are then 0 as well, all other values are replaced by NaN: values that are still 0 depend on
removed outputs only.

PyTorch is imported with this file: import it in functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xbar.training.layers import prunable

Masks = Mapping[str, NDArray[np.bool_]]


def drop_dead(
    model: nn.Module, masks: Masks, input_shape: tuple[int, ...]
) -> dict[str, NDArray[np.bool_]]:
    """Prune weights whose input is always 0; the network's outputs are unchanged.

    Args:
        model: network in evaluation mode with pruned weights 0. Biases of removed outputs are set
            to 0.
        masks: mask of each layer, of its weight's shape.
        input_shape: shape of one input of the network.
    """
    found = {name: mask.copy() for name, mask in masks.items()}
    layers = {name: module for name, module in prunable(model).items() if name in found}
    for name, module in layers.items():
        if module.bias is not None:
            with torch.no_grad():
                module.bias.mul_(torch.from_numpy(_alive(found[name])))
    hooks = []
    for name, module in layers.items():

        def look(module: Any, arguments: Any, output: torch.Tensor, name: str = name) -> Any:
            mask, axis = found[name], _channels(module)
            zero = _all_zero(arguments[0], axis)
            size = mask.shape[
                1
            ]  # grouped convolution: each output is connected to its group's inputs
            groups = getattr(module, "groups", 1)
            rows = np.arange(len(mask)) // (len(mask) // groups)
            gone = zero.reshape(groups, size)[rows]
            mask[gone.nonzero()] = False
            # 0 for a removed output, unknown for any other
            alive = torch.from_numpy(np.where(_alive(mask), np.nan, 0.0)).to(output.dtype)
            after = 0 if axis == -1 else output.ndim - 2
            return torch.zeros_like(output) + alive.reshape(-1, *[1] * after)

        hooks.append(module.register_forward_hook(look))
    try:
        with torch.no_grad():
            model(torch.full((1, *input_shape), float("nan")))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _alive(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1), dtype=np.bool_)


def _channels(module: Any) -> int:
    """Channel axis of a batch of the layer's inputs."""
    return 1 if not isinstance(module, nn.Linear) else -1


def _all_zero(value: torch.Tensor, axis: int) -> NDArray[np.bool_]:
    zero = (value == 0).movedim(axis, 0).reshape(value.shape[axis], -1).all(dim=1)
    result: NDArray[np.bool_] = zero.numpy()
    return result
