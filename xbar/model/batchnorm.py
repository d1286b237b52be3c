"""Folding of batch normalisation into the preceding layer.

    conv(x) = W x + b,   bn(y) = s (y − μ) + β,  s = γ / √(σ² + ε)
    bn(conv(x)) = (s W) x + s (b − μ) + β

At inference the statistics are constants, so both are one convolution or linear layer with
modified weights: one product on the crossbar and no digital operation after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.model.graph import Argument, Graph, Node, Ref, references, replace_references
from xbar.model.naming import fresh
from xbar.model.operations import has_effect
from xbar.model.stored import joined, picked

NORMS: Mapping[str, int] = MappingProxyType(
    {  # position of epsilon among the arguments
        "aten.batch_norm.default": 7,
        "aten._native_batch_norm_legit_no_training.default": 6,
    }
)
"""Batch norms, by name."""
_FOLDS_INTO: Mapping[str, int | None] = MappingProxyType(
    {  # rank of the value normalised along axis 1; None for any
        "aten.linear.default": 2,
        "aten.conv1d.default": None,
        "aten.conv1d.padding": None,
        "aten.conv2d.default": None,
        "aten.conv2d.padding": None,
        "aten.conv3d.default": None,
        "aten.conv3d.padding": None,
    }
)


def fold_batch_norms(graph: Graph) -> Graph:
    """Fold every batch norm into the layer before it, where possible.

    A batch norm is kept where the layer's value, weight or bias has another use.
    """
    while True:
        folded = next(
            (new for node in graph.nodes if node.op in NORMS and (new := _fold(graph, node))),
            None,
        )
        if folded is None:
            return graph
        graph = folded


def _fold(graph: Graph, norm: Node) -> Graph | None:
    nodes = {node.name: node for node in graph.nodes}
    uses = Counter(name for node in graph.nodes for name in references(node))
    uses[graph.output.name] += 1
    source = norm.args[0] if norm.args else None
    layer = nodes[source.name] if isinstance(source, Ref) else None
    constants = _constants_of(graph, nodes, norm.args[1:5])
    replaced = _replaced(graph, norm)
    if layer is None or layer.op not in _FOLDS_INTO or uses[layer.name] != 1 or layer.kwargs:
        return None
    if constants is None or replaced is None or len(norm.args) <= NORMS[norm.op]:
        return None
    rank = _FOLDS_INTO[layer.op]
    if rank is not None and (layer.shape is None or len(layer.shape) != rank):
        return None
    epsilon = norm.args[NORMS[norm.op]]
    gamma, beta, mean, variance = constants
    if mean is None or variance is None or not isinstance(epsilon, float):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):  # non-finite weights are rejected later
        scale = 1 / np.sqrt(np.asarray(variance, np.float64) + epsilon)
    scale = scale if gamma is None else scale * gamma
    shift = -mean * scale if beta is None else beta - mean * scale
    return _rewrite(graph, layer, uses, (scale, shift), replaced)


def _constants_of(
    graph: Graph, nodes: Mapping[str, Node], arguments: tuple[Argument, ...]
) -> list[NDArray[Any] | None] | None:
    found: list[NDArray[Any] | None] = []
    for argument in arguments:
        if argument is None:
            found.append(None)
        elif isinstance(argument, Ref) and nodes[argument.name].op == "constant":
            found.append(graph.constants[str(nodes[argument.name].args[0])])
        else:
            return None
    return found if len(found) == 4 else None


def _replaced(graph: Graph, norm: Node) -> set[str] | None:
    """The nodes that hold the norm's value: itself, or its first result."""
    if norm.op == "aten.batch_norm.default":
        return {norm.name}
    users = [node for node in graph.nodes if norm.name in references(node)]
    first = {node.name for node in users if node.op == "operator.getitem" and node.args[1] == 0}
    used = {name for node in graph.nodes for name in references(node)} | {graph.output.name}
    others = [node for node in users if node.name not in first]
    if any(node.op != "operator.getitem" or node.name in used for node in others):
        return None
    return first


def _rewrite(
    graph: Graph,
    layer: Node,
    uses: Mapping[str, int],
    norm: tuple[NDArray[Any], NDArray[Any]],
    replaced: set[str],
) -> Graph | None:
    nodes = {node.name: node for node in graph.nodes}
    if len(layer.args) < 2:
        return None
    bias_ref = layer.args[2] if len(layer.args) > 2 else None
    weight = _own_constant(nodes, layer.args[1], uses)
    bias = _own_constant(nodes, bias_ref, uses)
    if weight is None or (bias_ref is not None and bias is None):
        return None
    scale, shift = norm
    old = graph.constants[weight]
    if old.ndim < 2 or not scale.shape == shift.shape == old.shape[:1]:
        return None
    new_weight = old * scale.reshape(-1, *[1] * (old.ndim - 1))
    new_bias = shift if bias is None else shift + scale * graph.constants[bias]
    bias = bias or fresh(weight.removesuffix("weight") + "bias", graph.constants)
    new = {weight: new_weight.astype(old.dtype), bias: new_bias.astype(old.dtype)}
    constants = joined(graph.constants, new)
    added: list[Node] = []
    if bias_ref is None:
        name = fresh(f"{layer.name}_bias", nodes)
        added = [Node(name, "constant", (bias,), shape=new_bias.shape)]
        layer = replace(layer, args=(*layer.args[:2], Ref(name), *layer.args[3:]))
    return _without(replace(graph, constants=constants), layer, added, replaced)


def _own_constant(
    nodes: Mapping[str, Node], argument: Argument, uses: Mapping[str, int]
) -> str | None:
    """Name of a constant used once, by a single node."""
    if not isinstance(argument, Ref) or nodes[argument.name].op != "constant":
        return None
    name = nodes[argument.name].args[0]
    twins = [node for node in nodes.values() if node.op == "constant" and node.args[0] == name]
    return str(name) if uses[argument.name] == 1 and len(twins) == 1 else None


def _without(graph: Graph, layer: Node, added: list[Node], replaced: set[str]) -> Graph:
    """The graph with the rewritten layer, without nodes that only the norm needed."""
    new = dict.fromkeys(replaced, layer.name)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name == layer.name:
            nodes += [*added, layer]
        elif node.name not in replaced:
            arguments = tuple(replace_references(each, new) for each in node.args)
            named = {key: replace_references(each, new) for key, each in node.kwargs.items()}
            nodes.append(replace(node, args=arguments, kwargs=named))
    output = Ref(new.get(graph.output.name, graph.output.name))
    return drop_unused(replace(graph, nodes=tuple(nodes), output=output))


def drop_unused(graph: Graph) -> Graph:
    """Remove operations and constants that the output does not depend on.

    In-place operations and assertions are kept.
    """
    needed = {graph.output.name}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.name in needed or has_effect(node.op) or node.op == "input":
            kept.append(node)
            needed.update(references(node))
    nodes = tuple(reversed(kept))
    names = {str(node.args[0]) for node in nodes if node.op == "constant"}
    constants = picked(graph.constants, [name for name in graph.constants if name in names])
    return replace(graph, nodes=nodes, constants=constants)
