"""A node of the graph as a product with a constant matrix.

Shapes: N inputs, G groups, N' products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.model.graph import Argument, Node, Ref
from xbar.model.stored import dtype_of, shape_of
from xbar.model.unfold import Window

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Weight:
    """A constant, possibly transposed.

    Attributes:
        constant: name in the graph.
        axes: permutation of its axes.
        split: number of leading axes that count groups, and of those after them that count outputs.
    """

    constant: str
    axes: tuple[int, ...]
    split: tuple[int, int] = (0, 1)


@dataclass(frozen=True, eq=False)
class Product:
    """A node as a product with a constant matrix.

    Attributes:
        kind: kind of layer.
        weight: source of the matrix.
        matrix: function from the transposed constant to the matrix (G, outputs, inputs).
        value: the activations to multiply.
        bias: bias added after the product, or None.
        bias_axis: output axis of the bias.
        unfold: function from activations to rows (N', G, inputs).
        fold: function from rows (N', G, outputs) and the activations' shape to the node's value.
        positions: function from the node's shape to the products, both per network input.
        growth: size of the unfolded activations relative to the activations.
        whole: whether the activations must be unfolded at once, because their first axis is not
            that of the node's value.
        window: geometry of a convolution; None of another product.
    """

    kind: str
    weight: Weight
    matrix: Callable[[Array], Array]
    value: Ref
    bias: Argument
    bias_axis: int
    unfold: Callable[[Array], Array]
    fold: Callable[[Array, tuple[int, ...]], Array]
    positions: Callable[[Sequence[int]], int]
    growth: int = 1
    whole: bool = False
    window: Window | None = None


Nodes: TypeAlias = Mapping[str, Node]
Lowering: TypeAlias = Callable[[Node, Nodes, Mapping[str, Array]], Product | str]
"""(node, nodes by name, constants) -> the product, or the reason why there is none."""

TWO_ACTIVATIONS = "both factors are activations"
NOT_CONSTANT = "its weight is not a constant"


def find_weight(argument: Argument, nodes: Nodes, constants: Mapping[str, Array]) -> Weight | None:
    """The constant behind an argument, through transpositions; None if it is not constant."""
    source, order = through_views(argument, nodes)
    node = nodes[source] if source else None
    if node is None or node.op != "constant":
        return None
    constant = str(node.args[0])
    axes = order(len(shape_of(constants, constant)))
    floats = dtype_of(constants, constant).kind == "f"
    return Weight(constant, axes) if floats and axes is not None else None


def through_views(
    argument: Argument, nodes: Nodes
) -> tuple[str, Callable[[int], tuple[int, ...] | None]]:
    """The node behind transpositions ("" if it is no node), and their permutation for a rank."""
    orders: list[tuple[Callable[[int, Sequence[Argument]], Sequence[int]], Sequence[Argument]]] = []
    while isinstance(argument, Ref) and nodes[argument.name].op in _VIEWS:
        node = nodes[argument.name]
        if not node.args:
            break
        orders.append((_VIEWS[node.op], node.args[1:]))
        argument = node.args[0]

    def permutation(rank: int) -> tuple[int, ...] | None:
        axes = tuple(range(rank))
        for view, arguments in reversed(orders):
            order = view(rank, arguments)
            if sorted(order) != list(range(rank)):
                return None
            axes = tuple(axes[i] for i in order)
        return axes

    return (argument.name if isinstance(argument, Ref) else ""), permutation


def _swap(rank: int, arguments: Sequence[Argument]) -> list[int]:
    axes = [i for i in arguments if isinstance(i, int) and -rank <= i < rank]
    if len(axes) != 2:
        return []
    order = list(range(rank))
    a, b = axes
    order[a], order[b] = order[b], order[a]
    return order


def _permute(rank: int, arguments: Sequence[Argument]) -> list[int]:
    order = arguments[0] if arguments and isinstance(arguments[0], tuple) else ()
    return [i % rank for i in order if isinstance(i, int)]


_VIEWS: Mapping[str, Callable[[int, Sequence[Argument]], Sequence[int]]] = MappingProxyType(
    {
        "aten.t.default": lambda rank, _: range(rank)[::-1],
        "aten.numpy_T.default": lambda rank, _: range(rank)[::-1],
        "aten.transpose.int": _swap,
        "aten.permute.default": _permute,
        "aten.detach.default": lambda rank, _: range(rank),
        "aten.alias.default": lambda rank, _: range(rank),
        "aten.contiguous.default": lambda rank, _: range(rank),
    }
)
"""Operations that only reorder axes: (rank, further arguments) -> permutation."""


def bind(node: Node, names: str) -> dict[str, Argument] | None:
    """The node's arguments by name; None if it has further ones."""
    known = names.split()
    if len(node.args) > len(known) or not set(node.kwargs) <= set(known):
        return None
    return {**dict(zip(known, node.args, strict=False)), **node.kwargs}


def no_weight(factors: Mapping[str, Argument], nodes: Nodes, constants: Mapping[str, Array]) -> str:
    """Why none of a product's factors is a constant matrix.

    Args:
        factors: arguments that may be the weight, by what they are called in the message.
        nodes: nodes by name.
        constants: constants by name.
    """
    for what, factor in factors.items():
        source = through_views(factor, nodes)[0]
        node = nodes[source] if source else None
        if node is not None and node.op == "constant":
            dtype = dtype_of(constants, str(node.args[0]))
            if dtype.kind != "f":
                return f"its {what}, {node.args[0]}, has numbers of type {dtype}"
    if len(factors) > 1:
        return TWO_ACTIVATIONS
    ((what, factor),) = factors.items()
    source = through_views(factor, nodes)[0]
    if not source:
        return f"its {what} is not a tensor"
    node = nodes[source]
    made = "is the network's input" if node.op == "input" else f"({node.op}) depends on the input"
    return f"{NOT_CONSTANT}: {source} {made}"
