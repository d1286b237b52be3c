"""Weights that nothing comes in by, after whole neurons or filters were removed.

An output whose weights are all pruned and whose bias is off is 0 for any input. Which later inputs
are then 0 as well is found by sending NaN through the network in place of everything else: what is
still 0 there depends on removed outputs alone.

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
    """Masks without the weights from inputs that are always 0; the network gives the same.

    Args:
        model: in evaluation mode; its pruned weights are 0. Biases of removed outputs are set to 0.
        masks: by layer, of its weight's shape.
        input_shape: of one input of the network.
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
            size = mask.shape[1]  # of grouped convolutions: each output sees its group's inputs
            groups = getattr(module, "groups", 1)
            rows = np.arange(len(mask)) // (len(mask) // groups)
            gone = zero.reshape(groups, size)[rows]
            mask[gone.nonzero()] = False
            # a removed output is 0, any other is not known
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
    """The axis of a batch's inputs that the weights' inputs run along, from the front."""
    return 1 if not isinstance(module, nn.Linear) else -1


def _all_zero(value: torch.Tensor, axis: int) -> NDArray[np.bool_]:
    zero = (value == 0).movedim(axis, 0).reshape(value.shape[axis], -1).all(dim=1)
    result: NDArray[np.bool_] = zero.numpy()
    return result
