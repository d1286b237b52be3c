"""Constructions as PyTorch modules of stock layers, which any tool can run, export and compile.

    gates, fully connected   Unflatten ─ Conv1d, one group an input ─ ReLU ─ Flatten ─ Linear
    gates, convolution       Conv2d 1x1, one group an input ─ ReLU ─ Conv2d
    kernels, connected       Linear ─ ReLU ─ Unflatten ─ Conv1d, one group an output ─ Flatten
    kernels, convolution     Conv2d ─ ReLU ─ Conv2d 1x1, one group an output

The grouped layer is the one of which the theorem prunes all but one entry a neuron; the other,
`second` of gates and `first` of kernels, holds the random weights that the mask is for.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.pruning.constructions.chain import children
from xbar.pruning.constructions.multidimensional import NeuronPair
from xbar.pruning.constructions.pairs import Pair

if TYPE_CHECKING:
    import torch
    from torch import nn

MOST_WEIGHTS = 1 << 26
"""Random weights that a module is made of; 256 MiB in float32."""

AnyFloats = NDArray[np.floating[Any]]

_BATCH = 256


def masked_name(pair: Pair) -> str:
    """The layer of the realised network that the mask is for."""
    which = "second" if pair.kind == "gates" or is_large(pair) else "first"
    return f"{pair.target.name}.{which}"


def is_large(pair: Pair) -> bool:
    """Whether the pair is realised by what its subsets sum to, as its weights are too many."""
    return pair.weights_of_module > MOST_WEIGHTS


def realise(model: nn.Module, pairs: list[Pair], pruned: bool = True) -> nn.Module:
    """A copy of a network with each layer that was built in place of the old.

    Args:
        model: the network, a chain in evaluation mode.
        pairs: what its layers were built as, in order.
        pruned: False for the random network before its mask is applied.
    """
    import copy

    module = copy.deepcopy(model)
    layers = {pair.target.name: pair for pair in pairs}
    for name, layer in list(children(module)):
        if name in layers:
            parent, _, own = name.rpartition(".")
            setattr(module.get_submodule(parent), own, _block(layer, layers[name], pruned))
    return module.eval()


def module_mask(pair: Pair, layer: Any) -> Any:
    """The mask in the shape of the weight of `masked_name`."""
    if is_large(pair):
        return _second_weight(pair.realised != 0.0, layer)
    if isinstance(pair, NeuronPair):
        return pair.neurons.reshape(-1, *(1,) * max(layer.weight.ndim - 1, 2))
    mask = pair.mask()
    return _second_weight(mask, layer) if pair.kind == "gates" else _first_weight(mask, layer)


def measure(
    model: nn.Module, realised: nn.Module, names: list[str], inputs: Floats
) -> tuple[float, list[float]]:
    """Largest errors of the network's outputs, and of each layer's with exact inputs, in float64.

    Args:
        model: the exact network, in float64.
        realised: the one built, with the same children, in any precision.
        names: of the layers that were built.
        inputs: (N, ...).
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
            answer = built(value.clone())  # as a step may work in place
            for name, module in exact.items():
                after = module(value)
                if name in own:
                    seen = (built.get_submodule(name)(value) - after).abs().max()
                    own[name] = max(own[name], float(seen))
                value = after
            worst = max(worst, float((answer - value).abs().max()))
    return worst, [own[name] for name in names]


def _block(layer: Any, pair: Pair, pruned: bool) -> nn.Module:
    """Two layers in place of one."""
    if is_large(pair):
        halves = np.array([1.0, -1.0])[: pair.target.halves]
        first = np.broadcast_to(halves, (pair.target.channels, len(halves)))
        return _gates(layer, first, pair.realised)
    if isinstance(pair, NeuronPair):
        return _gates(layer, pair.gates(pruned=pruned), pair.weights(pruned=pruned))
    weights = pair.weights(pruned=pruned)
    build = _gates if pair.kind == "gates" else _kernels
    return build(layer, pair.fixed, weights)


def _gates(layer: Any, first: Floats, second: AnyFloats) -> nn.Module:
    """Neurons of one input each, (C, H), and what they feed, (O, J, T, H)."""
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
    """What is multiplied by the outputs, (O, H), of random kernels (O, J, T, H)."""
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
    """(O, J, T, H) as the weight of a layer whose inputs are neuron h of input j."""
    outputs, inputs, _, numbers = second.shape
    taps = tuple(layer.weight.shape[2:])
    return second.transpose(0, 1, 3, 2).reshape(outputs, inputs * numbers, *taps)


def _first_weight(first: Any, layer: Any) -> Any:
    """(O, J, T, H) as the weight of a layer whose outputs are kernel h of output o."""
    outputs, inputs, _, numbers = first.shape
    taps = tuple(layer.weight.shape[2:])
    return first.transpose(0, 3, 1, 2).reshape(outputs * numbers, inputs, *taps)


def _convolution(layer: Any, inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    """The layer's convolution with other numbers of channels."""
    from torch import nn

    own = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
    return nn.Conv2d(inputs, outputs, layer.kernel_size, bias=bias, device="meta", **own)


def _filled(
    module: Any, weight: AnyFloats, like: Any, bias: torch.Tensor | None = None
) -> nn.Module:
    """A module without memory, given its numbers; nothing random of PyTorch is drawn."""
    import torch
    from torch import nn

    dtype = like.weight.dtype
    tensor = torch.from_numpy(np.ascontiguousarray(weight)).to(dtype)
    module.weight = nn.Parameter(tensor, requires_grad=False)
    if bias is not None:
        module.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    filled: nn.Module = module
    return filled
