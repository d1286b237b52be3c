"""The random weights that masks choose from.

    "kaiming"    normal, of variance 2 / (inputs of a weight's output x kept share)
    "constant"   the same size everywhere, its square root, with a random sign
    "given"      the network's own weights
    a chip       its conductance differences, scaled to the same mean square by layer

The variance keeps the size of activations with ReLU when a share of the weights is kept
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
    """Each layer's weights, kept and pruned.

    Raises:
        SpecError: ``source`` is another word, or a chip that is too small.
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
    """Each layer's weights on a chip, kept and pruned."""
    shapes = shapes_of(model, layers, input_shape)
    cells = cells_of(chip, shapes)
    scales = {}
    for name in layers:
        size = float(np.sqrt(np.mean(cells[name].on ** 2)))
        if size == 0:
            raise SpecError(f"{name}: all its pairs of cells are equal on this chip; no weights")
        scales[name] = deviation(tuple(layers[name].weight.shape), keep) / size
    return scaled(cells, scales, layers)


def shapes_of(
    model: nn.Module, layers: Mapping[str, Any], input_shape: tuple[int, ...]
) -> dict[str, tuple[int, int, int]]:
    """(G, outputs, inputs) of each layer, in the order in which the compiler places them."""
    from xbar.model.read import from_module

    return layer_shapes(from_module(model, input_shape), list(layers))


def scaled(
    cells: Mapping[str, Cells], scales: Mapping[str, float], layers: Mapping[str, Any]
) -> dict[str, States]:
    """Conductances as weights, by layer in the order of the layers."""
    found = {}
    for name, module in layers.items():
        shape, scale = tuple(module.weight.shape), scales[name]
        on = (scale * cells[name].on).reshape(shape).astype(np.float32)
        off = (scale * cells[name].off).reshape(shape).astype(np.float32)
        found[name] = States(on, off if off.any() else None, scale)
    return found
