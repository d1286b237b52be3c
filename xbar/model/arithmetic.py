"""Multiplications and additions of one input: those on tiles, and those that stay digital.

Counted are products, each with its addition: of layers, of layers that the user keeps digital, and
of two activations, as in attention (queries by keys, and weights by values, masked or not). What
works number by number (norms, activations, softmax, positions) is not a product and is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeAlias

from xbar.model.digital import find_digital
from xbar.model.evaluate import Constants
from xbar.model.graph import Graph, Node, Ref
from xbar.model.lower import find_products
from xbar.model.product import bind
from xbar.model.stored import outline
from xbar.tables import percent

Shape: TypeAlias = tuple[int, ...]

TOKENS = 256
"""Tokens of an input whose number is open, unless the network takes fewer."""
_ATTENTION = "scaled_dot_product_attention"
_MATRICES = frozenset("mm bmm matmul addmm baddbmm mv".split())
_NO_PRODUCTS = frozenset("embedding embedding_bag".split())


@dataclass(frozen=True)
class Arithmetic:
    """Multiply-adds of one input.

    Attributes:
        on_tiles: those of layers on tiles.
        digital: those of each product that stays digital, by the name of its node or layer.
        tokens: tokens of the input, if its size is open or it is a row of tokens; None for others.
    """

    on_tiles: int
    digital: Mapping[str, int]
    tokens: int | None

    @property
    def ratio(self) -> float:
        """Digital ones relative to all."""
        digital = sum(self.digital.values())
        return digital / (digital + self.on_tiles) if digital else 0.0

    def __str__(self) -> str:
        digital = sum(self.digital.values())
        each = self.tokens or 1
        of = f"a token, for inputs of {self.tokens} tokens" if self.tokens else "an input"
        return (
            f"{percent(self.ratio)} of the multiply-adds are products that stay digital: "
            f"{digital / each:,.0f} of {(digital + self.on_tiles) / each:,.0f} {of}"
        )

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        digital = sum(self.digital.values())
        return {
            "on_tiles": self.on_tiles,
            "digital": digital,
            "ratio": self.ratio,
            "tokens": self.tokens,
        }


def arithmetic(graph: Graph, tokens: int | None = None) -> Arithmetic | None:
    """Count the multiply-adds of one input; None where they can't be counted.

    Args:
        graph: network.
        tokens: size of the input's axes that are open; None for 256, or what it takes at most.
    """
    want = graph.inputs[0]
    row = len(want.shape) == 2 and want.dtype.startswith("int")
    size = tokens or min(TOKENS, want.most or TOKENS)
    shapes = _shapes(graph, size)
    if shapes is None:
        return None
    length = (want.shape[1] or size) if row else size if None in want.shape[1:] else None
    batch = graph.batch or 1
    products = find_products(graph)
    left_out = {name for name, _ in graph.left_out}
    on_tiles, digital = 0, dict[str, int]()
    for layer in _all_layers(graph):
        count = sum(products[user].positions(shapes[user]) for user in layer.nodes)
        work = count * math.prod(layer.shape) // batch
        if layer.name in left_out:
            digital[layer.name] = work
        else:
            on_tiles += work
    nodes = {node.name: node for node in graph.nodes}
    known = Constants(graph.nodes, graph.constants)
    for name, _ in find_digital(graph):
        if name not in known:
            found = _work(nodes[name], shapes)
            if found is None:
                return None
            digital[name] = found // batch
    return Arithmetic(on_tiles, {name: work for name, work in digital.items() if work}, length)


def _all_layers(graph: Graph) -> Sequence[Any]:
    from xbar.model.lower import find_layers

    return graph.layers if not graph.left_out else find_layers(graph)


def _shapes(graph: Graph, size: int) -> Mapping[str, Shape] | None:
    """Shape of every tensor, open sizes being this one; None if PyTorch would be needed for it."""
    known = {n.name: n.shape for n in graph.nodes if n.shape is not None}
    fixed = {name: tuple(s or 0 for s in shape) for name, shape in known.items()}
    if None not in graph.inputs[0].shape[1:] and not any(None in s for s in known.values()):
        return fixed
    if find_spec("torch") is None:
        return None
    from xbar.errors import ModelError
    from xbar.model.probe import Probe, shape_of

    probe = Probe(graph.batch or 1)
    values: dict[str, Any] = {}
    found: dict[str, Shape] = {}
    for node in graph.nodes:
        try:
            if node.op == "input":
                shape = tuple(s or size for s in graph.inputs[0].shape[1:])
                values[node.name] = probe.tensor((probe.count, *shape), graph.inputs[0].dtype)
            elif node.op == "constant":
                array = outline(graph.constants, str(node.args[0]))
                values[node.name] = probe.constant(array)
            else:
                values[node.name] = probe.apply(node.op, node.args, node.kwargs, values)
        except ModelError:  # an operation whose size depends on numbers
            return None
        shape_ = shape_of(values[node.name])
        if shape_ is not None:
            found[node.name] = shape_
    return found


def _work(node: Node, shapes: Mapping[str, Shape]) -> int | None:
    """Multiply-adds of a product that stays digital; None if its kind is not known."""
    name = node.op.split(".")[1] if node.op.startswith("aten.") else ""
    used = [shapes.get(each.name) for each in node.args if isinstance(each, Ref)]
    out = shapes.get(node.name)
    if name in _NO_PRODUCTS:
        return 0
    if _ATTENTION in name and len(used) > 2 and used[1] and used[2] and used[0]:
        query, key, value = used[0], used[1], used[2]
        return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])
    if out is None:
        return None
    if name in _MATRICES:
        factors = used[1:] if name in ("addmm", "baddbmm") else used
        return math.prod(out) * factors[0][-1] if factors and factors[0] else None
    if name == "linear" and used[1]:
        return math.prod(out) * used[1][-1]
    if name == "einsum":
        return _einsum(node, shapes)
    if name.startswith("conv") and len(used) > 1 and used[1]:
        return math.prod(out) * math.prod(used[1][1:])
    return None


def _einsum(node: Node, shapes: Mapping[str, Shape]) -> int | None:
    given = bind(node, "equation tensors path") or {}
    equation, tensors = given.get("equation"), given.get("tensors")
    if not isinstance(equation, str) or not isinstance(tensors, tuple) or "." in equation:
        return None
    sizes: dict[str, int] = {}
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    for term, tensor in zip(terms, tensors, strict=False):
        shape = shapes.get(tensor.name) if isinstance(tensor, Ref) else None
        if shape is None or len(shape) != len(term):
            return None
        sizes |= dict(zip(term, shape, strict=True))
    return math.prod(sizes.values())
