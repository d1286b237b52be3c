"""A network inferred from weights alone: linear layers, one after another.

    x ──► fc1.weight ──► activation ──► fc2.weight ──► activation ──► out.weight ──►

Weights don't determine the activations between them, so the caller supplies one; and if the file
does not preserve the order of its tensors, numbered names or matching sizes must determine it
uniquely. Assumptions are recorded in the graph's notes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError, SpecError
from xbar.model.graph import Graph, Input, Node, Ref
from xbar.model.source import Source

Array: TypeAlias = NDArray[Any]

ACTIVATIONS: Mapping[str, str | None] = MappingProxyType(
    {
        "relu": "aten.relu.default",
        "tanh": "aten.tanh.default",
        "sigmoid": "aten.sigmoid.default",
        "gelu": "aten.gelu.default",
        "silu": "aten.silu.default",
        "leaky_relu": "aten.leaky_relu.default",
        "none": None,
    }
)
"""Allowed activations; leaky_relu has slope 0.01, gelu is the exact form."""
_MOST_ORDERED = 12
"""Maximum number of layers that are ordered by their sizes."""


@dataclass(frozen=True, eq=False)
class Dense:
    """One linear layer: y = weight @ x + bias.

    Attributes:
        name: name of the module.
        key: key of the weight in the file.
        weight: weight matrix, (outputs, inputs).
        bias: bias vector (outputs,), or None.
    """

    name: str
    key: str
    weight: Array
    bias: Array | None

    def __str__(self) -> str:
        return f"{self.name} ({self.weight.shape[1]} to {self.weight.shape[0]})"


def infer_layers(state: Mapping[str, Array], ordered: bool) -> list[Dense]:
    """The linear layers of a state dict, in order.

    Args:
        state: tensors by name.
        ordered: whether the file keeps the order in which the module defines its layers.

    Raises:
        ModelError: it is not a sequence of linear layers, or its order is ambiguous.
    """
    layers = _layers(state)
    if not ordered:
        layers = _in_order(layers)
    for before, after in pairwise(layers):
        if before.weight.shape[0] != after.weight.shape[1]:
            raise ModelError(
                f"it is not a sequence of linear layers: {after.name} takes "
                f"{after.weight.shape[1]} inputs, {before.name} has "
                f"{before.weight.shape[0]} outputs"
            )
    return layers


def _layers(state: Mapping[str, Array]) -> list[Dense]:
    layers: list[Dense] = []
    used: set[str] = set()
    for key, weight in state.items():
        if weight.ndim != 2:
            continue
        name = key.removesuffix(".weight").removesuffix("_weight")
        bias_key = next((b for b in (f"{name}.bias", f"{name}_bias") if b in state), None)
        bias = state[bias_key] if bias_key and name != key else None
        used |= {key} if bias is None or bias_key is None else {key, bias_key}
        layers.append(Dense(name, key, weight, bias))
    others = sorted(state.keys() - used, key=lambda key: -state[key].ndim)
    other = others[0] if others else None
    if other is not None or not layers:
        raise ModelError(
            "it is not a sequence of linear layers: "
            f"{str(other)[:80]!r} has shape {state[other].shape}"
            if other is not None
            else "it is not a sequence of linear layers: it has no weight matrices"
        )
    for layer in layers:
        if layer.key.endswith("mask"):
            raise ModelError(f"{layer.key} is a mask, and the file does not tell what it covers")
        bad_bias = layer.bias is not None and layer.bias.shape != layer.weight.shape[:1]
        if layer.weight.dtype.kind != "f" or 0 in layer.weight.shape or bad_bias:
            raise ModelError(
                f"it is not a sequence of linear layers: {layer.key} is {layer.weight.dtype} "
                f"{layer.weight.shape}, with a bias "
                f"{None if layer.bias is None else layer.bias.shape}"
            )
    return layers


def _in_order(layers: Sequence[Dense]) -> list[Dense]:
    """Layers in the order of the numbers in their names, or else in the one that their sizes allow.

    >>> sizes = {"fc10": (5, 3), "fc9": (3, 5), "fc2": (5, 4)}
    >>> layers = [Dense(n, n, np.ones(s), None) for n, s in sizes.items()]
    >>> [layer.name for layer in _in_order(layers)]
    ['fc2', 'fc9', 'fc10']
    """
    stems = {re.sub(r"\d+", "#", layer.name) for layer in layers}
    if len(stems) == 1:
        return sorted(layers, key=lambda each: [int(n) for n in re.findall(r"\d+", each.name)])
    if len(layers) > _MOST_ORDERED:
        raise ModelError(
            "the file does not preserve order, and its layers are not numbered consistently"
        )
    found: list[list[Dense]] = []
    _extend([], list(layers), found)
    if len(found) != 1:
        raise ModelError(
            "the file does not preserve order, its layers are not numbered consistently, and "
            f"their sizes allow {'several orders' if found else 'none'}"
        )
    return found[0]


def _extend(begun: list[Dense], rest: list[Dense], found: list[list[Dense]]) -> None:
    """Append to ``found`` every order of ``rest`` that fits after ``begun``, up to two."""
    if not rest:
        found.append(begun)
    for i, layer in enumerate(rest):
        fits = not begun or begun[-1].weight.shape[0] == layer.weight.shape[1]
        if fits and len(found) < 2:
            _extend([*begun, layer], rest[:i] + rest[i + 1 :], found)


def dense_graph(layers: Sequence[Dense], source: Source) -> Graph:
    """The network of dense layers, with the activation given by the caller.

    Raises:
        SpecError: the activation is missing or unknown, or the input's shape does not fit.
    """
    activation = _activation(layers, source)
    shape = source.input_shape or (layers[0].weight.shape[1],)
    inputs = layers[0].weight.shape[1]
    flat = shape[-1:] != (inputs,)
    if flat and math.prod(shape) != inputs:
        raise SpecError(
            f"{source.where}: {layers[0].name} takes {inputs} features, not inputs of shape {shape}"
        )
    dtype = np.result_type(np.float32, *(layer.weight.dtype for layer in layers))
    constants: dict[str, Array] = {}
    nodes = [Node("x", "input", shape=(1, *shape))]
    leading = () if flat else shape[:-1]
    if flat:
        nodes.append(Node("flat", "aten.flatten.using_ints", (Ref("x"), 1), shape=(1, inputs)))
    for i, layer in enumerate(layers):
        made, arrays = _dense(i, layer, nodes[-1].name, leading)
        nodes += made
        constants |= {key: array.astype(dtype) for key, array in arrays.items()}
        op = ACTIVATIONS[activation]
        if op is not None and i < len(layers) - 1:
            before = nodes[-1]
            nodes.append(Node(f"act_{i}", op, (Ref(before.name),), shape=before.shape))
    note = (
        f"the network is {_describe(layers, activation)}, inferred from the shapes of the weights"
    )
    return Graph(
        nodes=tuple(nodes),
        constants=constants,
        inputs=(Input("x", (None, *shape), str(dtype)),),
        output=Ref(nodes[-1].name),
        notes=(note, *(("each input is flattened",) if flat else ())),
    )


def _dense(
    i: int, layer: Dense, value: str, leading: tuple[int, ...]
) -> tuple[list[Node], dict[str, Array]]:
    """Nodes and constants of one layer."""
    arrays = {layer.key: layer.weight}
    if layer.bias is not None:
        arrays[f"{layer.name}.bias"] = layer.bias
    nodes = [
        Node(f"{part}_{i}", "constant", (key,), shape=array.shape)
        for part, (key, array) in zip(("weight", "bias"), arrays.items(), strict=False)
    ]
    refs = (Ref(value), *(Ref(node.name) for node in nodes))
    shape = (1, *leading, layer.weight.shape[0])
    return [*nodes, Node(f"linear_{i}", "aten.linear.default", refs, shape=shape)], arrays


def _activation(layers: Sequence[Dense], source: Source) -> str:
    given = source.activation
    if given is None and len(layers) > 1:
        raise SpecError(
            f"{source.where}: this is a state dict, the weights of {', '.join(map(str, layers))} "
            "without their activations; add --activation relu "
            f"(or {', '.join(name for name in ACTIVATIONS if name != 'relu')}), "
            "or --arch module:callable --input-shape 1,28,28 for another network"
        )
    if given is not None and given not in ACTIVATIONS:
        raise SpecError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {given!r}")
    return given or "none"


def _describe(layers: Sequence[Dense], activation: str) -> str:
    between = ", " if activation == "none" else f", {activation}, "
    return between.join(map(str, layers))
