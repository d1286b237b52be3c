"""Side weights: low-rank corrections of linear layers that stay digital.

    y = W x  +  B (A x)        W on tiles, A (rank, inputs) and B (outputs, rank) digital

(E. Hu and others, "LoRA: low-rank adaptation of large language models", ICLR 2022). In the graph
they are products of numbers one by one and sums, which no compiler of layers takes for a matrix
on tiles, also where the network was written to a file meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError, SpecError
from xbar.model.graph import Argument, Graph, Node, Ref
from xbar.model.lower import find_products
from xbar.model.naming import fresh
from xbar.model.product import Product

_LINEAR = ("aten.linear.default", "aten.addmm.default", "aten.mm.default", "aten.matmul.default")


@dataclass(frozen=True)
class Side:
    """Names of one layer's side weights in the graph, and their usual sizes.

    Attributes:
        first: name of A.
        second: name of B, 0 at the start.
        sizes: sizes by which both are trained in steps.
    """

    first: str
    second: str
    sizes: tuple[float, float]


def with_side(graph: Graph, rank: int) -> tuple[Graph, tuple[Side, ...]]:
    """A graph with side weights of 0 beside each linear layer.

    Raises:
        ModelError: it has none.
        SpecError: no layer has that rank.
    """
    products = find_products(graph)
    layers = {node: layer for layer in graph.layers for node in layer.nodes}
    taken = {node.name for node in graph.nodes}
    constants, sides, nodes = dict(graph.constants), dict[str, Side](), list[Node]()
    shapes = dict[Side, tuple[int, int]]()
    for node in graph.nodes:
        layer, product = layers.get(node.name), products.get(node.name)
        if layer is None or product is None or not _is_linear(node, product, layer.shape):
            nodes.append(node)
            continue
        if layer.name not in sides:
            sides[layer.name] = side = _named(layer.name, layer.matrix, constants)
            _, outputs, inputs = layer.shape
            shapes[side] = outputs, inputs
            constants[side.first] = constants[side.second] = np.zeros(0, np.float32)
        nodes += _beside(node, product.value, sides[layer.name], taken)
    if not sides:
        raise ModelError(
            "side weights (Tuning.lora) are those of linear layers, of which the network has none "
            "on tiles"
        )
    most = max(map(min, shapes.values()))
    if rank > most:
        raise SpecError(
            f"lora must be at most {most}, the highest rank of a matrix of the linear layers on "
            f"tiles, not {rank}"
        )
    for side, (outputs, inputs) in shapes.items():
        constants[side.first] = np.zeros((rank, inputs), np.float32)
        constants[side.second] = np.zeros((outputs, rank), np.float32)
    return replace(graph, nodes=tuple(nodes), constants=constants), tuple(sides.values())


def _is_linear(node: Node, product: Product, shape: tuple[int, int, int]) -> bool:
    """Whether a node multiplies the last axis of its value by a matrix."""
    place = 1 if node.op == "aten.addmm.default" else 0
    plain = product.kind == "linear" and shape[0] == 1 and len(product.weight.axes) == 2
    return plain and node.op in _LINEAR and node.args[place : place + 1] == (product.value,)


def _named(layer: str, matrix: NDArray[np.float64], taken: dict[str, Any]) -> Side:
    first, second = (fresh(f"{layer}.{name}", taken) for name in ("side_in", "side_out"))
    size = float(np.sqrt((matrix**2).mean())) or 1.0
    return Side(first, second, (matrix.shape[2] ** -0.5, size * matrix.shape[2] ** 0.5))


def _beside(node: Node, value: Ref, side: Side, taken: set[str]) -> Iterator[Node]:
    """The nodes in place of a layer's: its product, the side weights, their sum."""

    def named(what: str) -> str:
        name = fresh(f"{node.name}_{what}", taken)
        taken.add(name)
        return name

    own = named("on_tiles")
    yield replace(node, name=own)
    found = value
    for what, constant in (("side_in", side.first), ("side_out", side.second)):
        weight, wide, each, total = (named(f"{what}{more}") for more in ("", "_x", "_xw", "_sum"))
        minus: tuple[Argument, ...] = (-1,)
        yield Node(weight, "constant", (constant,))
        yield Node(wide, "aten.unsqueeze.default", (found, -2))
        yield Node(each, "aten.mul.Tensor", (Ref(wide), Ref(weight)))
        yield Node(total, "aten.sum.dim_IntList", (Ref(each), minus))
        found = Ref(total)
    yield Node(node.name, "aten.add.Tensor", (Ref(own), found), shape=node.shape)


def started(sides: Sequence[Side], graph: Graph, seed: int) -> dict[str, NDArray[np.float32]]:
    """By name, side weights over their sizes to begin with: A drawn, B 0."""
    draw = np.random.default_rng(seed)
    found = {}
    for side in sides:
        shape = graph.constants[side.first].shape
        found[side.first] = draw.standard_normal(shape).astype(np.float32)
        found[side.second] = np.zeros(graph.constants[side.second].shape, np.float32)
    return found
