"""The layers of a torch module that can be pruned: linear ones and convolutions."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError, SpecError

if TYPE_CHECKING:
    from torch import nn

Masks = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class States:
    """Values of each weight of one layer, kept and pruned; arrays of the weight's shape.

    Attributes:
        on: values of kept weights.
        off: values of pruned weights; None for 0.
        scale: weight per siemens; None without a chip.
    """

    on: NDArray[np.float32]
    off: NDArray[np.float32] | None = None
    scale: float | None = None

    def under(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The weights under a mask."""
        return np.where(mask, self.on, np.float32(0) if self.off is None else self.off)


def prunable(model: nn.Module) -> dict[str, Any]:
    """The linear and convolution modules by layer name, in the order of their registration.

    Raises:
        SpecError: the model is not a torch module.
        ModelError: it has no such layer, or two of them share one weight.
    """
    from torch import nn

    if not isinstance(model, nn.Module):
        raise SpecError(f"the model must be a torch module, not {type(model).__name__}")
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    found = {
        name or "weight": module
        for name, module in model.named_modules()
        if isinstance(module, kinds)
    }
    if not found:
        raise ModelError(
            f"{type(model).__name__}: a network to prune must have a linear layer or a "
            "convolution, but this one has none"
        )
    owner: dict[int, str] = {}
    for name, module in found.items():
        first = owner.setdefault(id(module.weight), name)
        if first != name:
            raise ModelError(
                f"{name}: it shares its weight with {first}; use one module in both places, or "
                "give each a weight of its own"
            )
    return found


def own_copy(model: nn.Module) -> nn.Module:
    """A copy that can be changed without changing the caller's network."""
    prunable(model)
    return copy.deepcopy(model)


def without_learned_offsets(model: nn.Module) -> nn.Module:
    """Remove the layers' biases and the batch norms' learned scale and shift.

    Only the mask is left to learn. The batch norms keep their running statistics.
    """
    from torch import nn

    for module in prunable(model).values():
        module.bias = None
    for norm in model.modules():
        if isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            norm.affine = False
            norm.register_parameter("weight", None)
            norm.register_parameter("bias", None)
    return model


def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set the pruned weights of a model to zero."""
    import torch

    layers = prunable(model)
    with torch.no_grad():
        for name, mask in masks.items():
            layers[name].weight.mul_(torch.from_numpy(mask))


def set_weights(model: nn.Module, masks: Masks, states: Mapping[str, States]) -> None:
    """Set each layer's weights as its mask selects."""
    import torch

    layers = prunable(model)
    with torch.no_grad():
        for name, mask in masks.items():
            layers[name].weight.copy_(torch.from_numpy(states[name].under(mask)))


def weights_of(model: nn.Module) -> dict[str, NDArray[np.float32]]:
    """A copy of each layer's weight."""
    return {
        name: module.weight.numpy(force=True).copy() for name, module in prunable(model).items()
    }
