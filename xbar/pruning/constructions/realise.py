"""Constructions as PyTorch modules of standard layers, which any tool can run and export.

    gates, fully connected   Unflatten ─ Conv1d, one group an input ─ ReLU ─ Flatten ─ Linear
    gates, convolution       Conv2d 1x1, one group an input ─ ReLU ─ Conv2d
    kernels, connected       Linear ─ ReLU ─ Unflatten ─ Conv1d, one group an output ─ Flatten
    kernels, convolution     Conv2d ─ ReLU ─ Conv2d 1x1, one group an output

The grouped layer is the one in which the theorem keeps one entry per neuron; the other, `second` of
gates and `first` of kernels, has the random weights and the mask.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.pruning.constructions.multidimensional import NeuronReplacement
from xbar.pruning.constructions.replacement import Replacement
from xbar.pruning.constructions.sequence import children

if TYPE_CHECKING:
    import torch
    from torch import nn

MOST_WEIGHTS = 1 << 26
"""Maximum number of random weights of a module; 256 MiB in float32."""

AnyFloats = NDArray[np.floating[Any]]

_BATCH = 256


def masked_name(replacement: Replacement) -> str:
    """Name of the masked layer in the realised network."""
    which = "second" if replacement.kind == "gates" or is_large(replacement) else "first"
    return f"{replacement.target.name}.{which}"


def is_large(replacement: Replacement) -> bool:
    """Whether a layer has too many random weights and is realised by the sums of its subsets."""
    return replacement.weights_of_module > MOST_WEIGHTS


def realise(model: nn.Module, replacements: list[Replacement], pruned: bool = True) -> nn.Module:
    """Copy a network with its layers replaced by random ones.

    Args:
        model: sequential network in evaluation mode.
        replacements: the two random layers of each layer, in order.
        pruned: False for the random network before the mask is applied.
    """
    import copy

    module = copy.deepcopy(model)
    layers = {replacement.target.name: replacement for replacement in replacements}
    for name, layer in list(children(module)):
        if name in layers:
            parent, _, own = name.rpartition(".")
            setattr(module.get_submodule(parent), own, _block(layer, layers[name], pruned))
    return module.eval()


def module_mask(replacement: Replacement, layer: Any) -> Any:
    """The mask, reshaped to the masked layer's weight."""
    if is_large(replacement):
        return _second_weight(replacement.realised != 0.0, layer)
    if isinstance(replacement, NeuronReplacement):
        return replacement.neurons.reshape(-1, *(1,) * max(layer.weight.ndim - 1, 2))
    mask = replacement.mask()
    return (
        _second_weight(mask, layer) if replacement.kind == "gates" else _first_weight(mask, layer)
    )


def measure(
    model: nn.Module, realised: nn.Module, names: list[str], inputs: Floats
) -> tuple[float, list[float]]:
    """Largest output errors in float64 of the network, and of each layer for exact inputs.

    Args:
        model: exact network, in float64.
        realised: constructed network with the same children, in any precision.
        names: names of the replaced layers.
        inputs: inputs (N, ...).
    """
    import copy

    import torch

    exact = dict(children(model))
    built = copy.deepcopy(realised).double()
    own = dict.fromkeys(names, 0.0)
    worst = 0.0
    with torch.no_grad():
        for start in range(0, len(inputs), _BATCH):
            value = torch.tensor(inputs[start : start + _BATCH])
            answer = built(value.clone())  # in case a step works in place
            for name, module in exact.items():
                after = module(value)
                if name in own:
                    seen = (built.get_submodule(name)(value) - after).abs().max()
                    own[name] = max(own[name], float(seen))
                value = after
            worst = max(worst, float((answer - value).abs().max()))
    return worst, [own[name] for name in names]


def _block(layer: Any, replacement: Replacement, pruned: bool) -> nn.Module:
    """The two layers that replace one."""
    if is_large(replacement):
        halves = np.array([1.0, -1.0])[: replacement.target.halves]
        first = np.broadcast_to(halves, (replacement.target.channels, len(halves)))
        return _gates(layer, first, replacement.realised)
    if isinstance(replacement, NeuronReplacement):
        return _gates(layer, replacement.gates(pruned=pruned), replacement.weights(pruned=pruned))
    weights = replacement.weights(pruned=pruned)
    build = _gates if replacement.kind == "gates" else _kernels
    return build(layer, replacement.fixed, weights)


def _gates(layer: Any, first: Floats, second: AnyFloats) -> nn.Module:
    """Layers from neurons with one input each, (C, H), and their output weights, (O, J, T, H)."""
    from torch import nn

    channels, numbers = first.shape
    hidden = channels * numbers
    weight = _second_weight(second, layer)
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    if isinstance(layer, nn.Linear):
        steps["spread"] = nn.Unflatten(1, (channels, 1))
        steps["first"] = _filled(
            nn.Conv1d(channels, hidden, 1, groups=channels, bias=False, device="meta"),
            first.reshape(hidden, 1, 1),
            layer,
        )
        steps["relu"], steps["join"] = nn.ReLU(), nn.Flatten()
        after: Any = nn.Linear(hidden, len(weight), bias=layer.bias is not None, device="meta")
    else:
        steps["first"] = _filled(
            nn.Conv2d(channels, hidden, 1, groups=channels, bias=False, device="meta"),
            first.reshape(hidden, 1, 1, 1),
            layer,
        )
        steps["relu"] = nn.ReLU()
        after = _convolution(layer, hidden, len(weight), bias=layer.bias is not None)
    steps["second"] = _filled(after, weight, layer, layer.bias)
    return nn.Sequential(steps)


def _kernels(layer: Any, second: Floats, first: AnyFloats) -> nn.Module:
    """Layers from random kernels (O, J, T, H) and the weights of their outputs, (O, H)."""
    from torch import nn

    outputs, numbers = second.shape
    hidden, bias = outputs * numbers, layer.bias is not None
    weight = _first_weight(first, layer)
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    if isinstance(layer, nn.Linear):
        plain: Any = nn.Linear(weight.shape[1], hidden, bias=False, device="meta")
        grouped: Any = nn.Conv1d(hidden, outputs, 1, groups=outputs, bias=bias, device="meta")
    else:
        plain = _convolution(layer, layer.in_channels, hidden, bias=False)
        grouped = nn.Conv2d(hidden, outputs, 1, groups=outputs, bias=bias, device="meta")
    steps["first"] = _filled(plain, weight, layer)
    steps["relu"] = nn.ReLU()
    if isinstance(layer, nn.Linear):
        steps["spread"] = nn.Unflatten(1, (hidden, 1))
    shape = (outputs, numbers, *(1,) * (weight.ndim - 2 or 1))
    steps["second"] = _filled(grouped, second.reshape(shape), layer, layer.bias)
    if isinstance(layer, nn.Linear):
        steps["join"] = nn.Flatten()
    return nn.Sequential(steps)


def _second_weight(second: Any, layer: Any) -> Any:
    """Reshape (O, J, T, H) to the weight of a layer whose inputs are neuron h of input j."""
    outputs, inputs, _, numbers = second.shape
    taps = tuple(layer.weight.shape[2:])
    return second.transpose(0, 1, 3, 2).reshape(outputs, inputs * numbers, *taps)


def _first_weight(first: Any, layer: Any) -> Any:
    """Reshape (O, J, T, H) to the weight of a layer whose outputs are kernel h of output o."""
    outputs, inputs, _, numbers = first.shape
    taps = tuple(layer.weight.shape[2:])
    return first.transpose(0, 3, 1, 2).reshape(outputs * numbers, inputs, *taps)


def _convolution(layer: Any, inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    """The layer's convolution with different numbers of channels."""
    from torch import nn

    own = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
    return nn.Conv2d(inputs, outputs, layer.kernel_size, bias=bias, device="meta", **own)


def _filled(
    module: Any, weight: AnyFloats, like: Any, bias: torch.Tensor | None = None
) -> nn.Module:
    """A meta module with its weights assigned, without using PyTorch's random generator."""
    import torch
    from torch import nn

    dtype = like.weight.dtype
    tensor = torch.from_numpy(np.ascontiguousarray(weight)).to(dtype)
    module.weight = nn.Parameter(tensor, requires_grad=False)
    if bias is not None:
        module.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    filled: nn.Module = module
    return filled
