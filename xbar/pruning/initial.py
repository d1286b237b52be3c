"""Initial weights of edge-popup.

    "kaiming"    normal, of variance 2 / (inputs of a weight's output x kept share)
    "constant"   constant magnitude, the square root of that variance, with random signs
    "given"      the network's own weights
    a chip       its conductance differences, scaled by layer to the same mean square

The variance preserves the magnitude of ReLU activations when a fraction of the weights is kept
(Ramanujan et al. 2020).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.training.chip_weights import Cells, cells_of, layer_shapes
from xbar.training.layers import States

if TYPE_CHECKING:
    import torch
    from torch import nn

Source: TypeAlias = Literal["kaiming", "constant", "given"]


def random_states(
    model: nn.Module,
    layers: Mapping[str, Any],
    source: Source | Chip,
    keep: float,
    input_shape: tuple[int, ...],
    draw: torch.Generator,
) -> dict[str, States]:
    """Weights of each layer, when kept and when pruned.

    Raises:
        SpecError: ``source`` is unknown, or a chip that is too small.
        ModelError: the network can't be exported, or a chip can't hold one of its layers.
    """
    if isinstance(source, Chip):
        return chip_states(model, layers, source, keep, input_shape)
    if source not in ("kaiming", "constant", "given"):
        raise SpecError(f"weights must be 'kaiming', 'constant', 'given' or a Chip, not {source!r}")
    found = {}
    for name, module in layers.items():
        shape = tuple(module.weight.shape)
        if source == "given":
            found[name] = States(module.weight.numpy(force=True).astype(np.float32))
            continue
        import torch

        normal = torch.randn(shape, generator=draw).numpy()
        size = deviation(shape, keep)
        values = normal * size if source == "kaiming" else np.copysign(size, normal)
        found[name] = States(values.astype(np.float32))
    return found


def deviation(shape: tuple[int, ...], keep: float) -> float:
    """Root mean square of a layer's weights (outputs, inputs, ...)."""
    return math.sqrt(2 / (math.prod(shape[1:]) * keep))


def chip_states(
    model: nn.Module,
    layers: Mapping[str, Any],
    chip: Chip,
    keep: float,
    input_shape: tuple[int, ...],
) -> dict[str, States]:
    """Weights of each layer on a chip, when kept and when pruned."""
    shapes = shapes_of(model, layers, input_shape)
    cells = cells_of(chip, shapes)
    scales = {}
    for name in layers:
        size = float(np.sqrt(np.mean(cells[name].on ** 2)))
        if size == 0:
            raise SpecError(
                f"{name}: all its differential pairs are balanced on this chip; no weights"
            )
        scales[name] = deviation(tuple(layers[name].weight.shape), keep) / size
    return scaled(cells, scales, layers)


def shapes_of(
    model: nn.Module, layers: Mapping[str, Any], input_shape: tuple[int, ...]
) -> dict[str, tuple[int, int, int]]:
    """Shape (G, outputs, inputs) of each layer, in the compiler's placement order."""
    from xbar.model.read import from_module

    return layer_shapes(from_module(model, input_shape), list(layers))


def scaled(
    cells: Mapping[str, Cells], scales: Mapping[str, float], layers: Mapping[str, Any]
) -> dict[str, States]:
    """Conductances scaled to weights, in the order of the layers."""
    found = {}
    for name, module in layers.items():
        shape, scale = tuple(module.weight.shape), scales[name]
        on = (scale * cells[name].on).reshape(shape).astype(np.float32)
        off = (scale * cells[name].off).reshape(shape).astype(np.float32)
        found[name] = States(on, off if off.any() else None, scale)
    return found
