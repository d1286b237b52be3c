"""Lowering: operations with a constant matrix, unfolded into matrix-vector products.

    activations (N, C, H, W) ──unfold──► (N', G, inputs) ──W @──► (N', G, outputs) ──fold──► output

:data:`LOWERINGS` has one entry per operation: a function that returns a node's :class:`Product`, or
None if the node's weight is not constant or the variant is not supported; such a node stays
digital. A new kind of layer is one more entry. The bias stays digital: it is added after the
product.

Shapes: N inputs, C channels, G groups, N' products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import check_finite
from xbar.errors import ModelError, SpecError
from xbar.model.graph import Argument, Graph, Layer, Node, Ref
from xbar.model.unfold import Window

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Weight:
    """A constant, possibly transposed.

    Attributes:
        constant: name in the graph.
        axes: permutation of its axes.
    """

    constant: str
    axes: tuple[int, ...]


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


Nodes: TypeAlias = Mapping[str, Node]
Lowering: TypeAlias = Callable[[Node, Nodes, Mapping[str, Array]], Product | None]


def find_products(graph: Graph) -> dict[str, Product]:
    """The graph's products by node, in order."""
    nodes = {node.name: node for node in graph.nodes}
    products: dict[str, Product] = {}
    for node in graph.nodes:
        lowering = LOWERINGS.get(node.op)
        product = lowering(node, nodes, graph.constants) if lowering else None
        if product is not None:
            products[node.name] = product
    return products


def find_layers(graph: Graph) -> tuple[Layer, ...]:
    """The graph's layers; products that share a weight are one layer.

    Raises:
        ModelError: a layer has a non-finite weight or bias.
    """
    nodes = {node.name: node for node in graph.nodes}
    shared: dict[tuple[str, Weight], list[str]] = {}
    products = find_products(graph)
    for name, product in products.items():
        shared.setdefault((product.kind, product.weight), []).append(name)
    names = _layer_names([weight.constant for _, weight in shared])
    layers = []
    for layer, ((kind, weight), users) in zip(names, shared.items(), strict=True):
        array = graph.constants[weight.constant]
        _check_finite(layer, "weight", array)
        for user in users:
            _check_bias(layer, products[user].bias, nodes, graph)
        matrix = products[users[0]].matrix(array.transpose(weight.axes))
        layers.append(
            Layer(
                name=layer,
                kind=kind,
                matrix=np.ascontiguousarray(matrix, dtype=np.float64),
                positions=_positions(graph, [(nodes[user], products[user]) for user in users]),
                nodes=tuple(users),
            )
        )
    return tuple(layers)


def _layer_names(constants: Sequence[str]) -> list[str]:
    """Module paths of weights, shortened where unique.

    >>> _layer_names(["conv.weight", "attn.in_proj_weight", "attn.in_proj.weight"])
    ['conv', 'attn.in_proj', 'attn.in_proj.weight']
    """
    names: list[str] = []
    for constant in constants:
        short = constant.removesuffix(".weight").removesuffix("_weight")
        name = short if short and short not in names else constant
        while name in names:
            name += "'"
        names.append(name)
    return names


def _check_finite(layer: str, what: str, array: Array) -> None:
    try:
        check_finite(array, f"{layer}: every {what}", advice="train or save the model again")
    except SpecError as error:
        raise ModelError(str(error)) from None


def _check_bias(layer: str, bias: Argument, nodes: Nodes, graph: Graph) -> None:
    node = nodes[bias.name] if isinstance(bias, Ref) else None
    if node is not None and node.op == "constant":
        _check_finite(layer, "bias", graph.constants[str(node.args[0])])


def _positions(graph: Graph, users: Sequence[tuple[Node, Product]]) -> int | None:
    total = 0
    for node, product in users:
        if node.shape is None or None in node.shape:
            return None
        count, rest = divmod(
            product.positions([size or 0 for size in node.shape]), graph.batch or 1
        )
        if rest:
            return None
        total += count
    return total


def find_weight(argument: Argument, nodes: Nodes, constants: Mapping[str, Array]) -> Weight | None:
    """The constant behind an argument, through transpositions; None if it is not constant."""
    if not isinstance(argument, Ref):
        return None
    node = nodes[argument.name]
    if node.op == "constant":
        constant = str(node.args[0])
        array = constants[constant]
        return Weight(constant, tuple(range(array.ndim))) if array.dtype.kind == "f" else None
    view = _VIEWS.get(node.op)
    source = find_weight(node.args[0], nodes, constants) if view and node.args else None
    if view is None or source is None:
        return None
    order = view(len(source.axes), node.args[1:])
    if sorted(order) != list(range(len(source.axes))):
        return None
    return Weight(source.constant, tuple(source.axes[i] for i in order))


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


def _bind(node: Node, names: str) -> dict[str, Argument] | None:
    """The node's arguments by name; None if it has further ones."""
    known = names.split()
    if len(node.args) > len(known) or not set(node.kwargs) <= set(known):
        return None
    return {**dict(zip(known, node.args, strict=False)), **node.kwargs}


def _linear(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | None:
    given = _bind(node, "input weight bias")
    if given is None:
        return None
    weight = find_weight(given.get("weight"), nodes, constants)
    return _rows(weight, given.get("input"), given.get("bias"))


def _matrix_product(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | None:
    given = _bind(node, "self other")
    if node.op == "aten.mm.default":
        given = _bind(node, "self mat2")
    if given is None:
        return None
    weight = find_weight(given.get("other", given.get("mat2")), nodes, constants)
    return _rows(_transposed(weight), given.get("self"), None)


def _addmm(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | None:
    given = _bind(node, "self mat1 mat2")  # beta and alpha are scales: then the node stays digital
    if given is None:
        return None
    weight = find_weight(given.get("mat2"), nodes, constants)
    return _rows(_transposed(weight), given.get("mat1"), given.get("self"))


def _transposed(weight: Weight | None) -> Weight | None:
    return None if weight is None else Weight(weight.constant, weight.axes[::-1])


def _rows(weight: Weight | None, value: Argument, bias: Argument) -> Product | None:
    """A product of the activations' last axis with an (outputs, inputs) matrix."""
    if weight is None or len(weight.axes) != 2 or not isinstance(value, Ref):
        return None
    return Product(
        kind="linear",
        weight=weight,
        matrix=lambda array: array[None],
        value=value,
        bias=bias,
        bias_axis=-1,
        unfold=lambda x: x.reshape(-1, 1, x.shape[-1]),
        fold=lambda y, shape: y.reshape(*shape[:-1], y.shape[-1]),
        positions=lambda shape: math.prod(shape[:-1]),
    )


def _convolution(dims: int) -> Lowering:
    def lower(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | None:
        given = _bind(node, "input weight bias stride padding dilation groups")
        return None if given is None else _convolve(node, given, dims, nodes, constants)

    return lower


def _any_convolution(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | None:
    names = "input weight bias stride padding dilation transposed output_padding groups"
    given = _bind(node, names)
    weight = find_weight(given.get("weight"), nodes, constants) if given else None
    if given is None or weight is None:
        return None
    if given.pop("transposed", False):
        return _convolve_transposed(node, given, len(weight.axes) - 2, nodes, constants)
    given.pop("output_padding", None)
    return _convolve(node, given, len(weight.axes) - 2, nodes, constants)


def _transposed_convolution(dims: int) -> Lowering:
    def lower(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | None:
        names = "input weight bias stride padding output_padding groups dilation"
        given = _bind(node, names)
        return None if given is None else _convolve_transposed(node, given, dims, nodes, constants)

    return lower


def _convolve(
    node: Node,
    given: Mapping[str, Argument],
    dims: int,
    nodes: Nodes,
    constants: Mapping[str, Array],
) -> Product | None:
    weight, value = find_weight(given.get("weight"), nodes, constants), given.get("input")
    window = Window.read(given, _view_shape(weight, constants), dims)
    unbatched = node.shape is not None and len(node.shape) != dims + 2
    if weight is None or window is None or unbatched or not isinstance(value, Ref):
        return None
    return Product(
        kind=f"conv{dims}d",
        weight=weight,
        matrix=lambda array: array.reshape(window.groups, len(array) // window.groups, -1),
        value=value,
        bias=given.get("bias"),
        bias_axis=1,
        unfold=window.unfold,
        fold=window.fold,
        positions=lambda shape: shape[0] * math.prod(shape[2:]),
        growth=math.prod(window.kernel),
    )


def _convolve_transposed(
    node: Node,
    given: Mapping[str, Argument],
    dims: int,
    nodes: Nodes,
    constants: Mapping[str, Array],
) -> Product | None:
    weight, value = find_weight(given.get("weight"), nodes, constants), given.get("input")
    window = Window.read(given, _view_shape(weight, constants), dims)
    source = nodes[value.name].shape if isinstance(value, Ref) else None
    if weight is None or window is None or not isinstance(value, Ref):
        return None
    if source is None or len(source) != dims + 2 or isinstance(given.get("padding"), str):
        return None

    def matrix(array: Array) -> Array:
        groups = array.reshape(window.groups, len(array) // window.groups, -1)
        return np.swapaxes(groups, 1, 2)

    return Product(
        kind=f"conv{dims}d_transposed",
        weight=weight,
        matrix=matrix,
        value=value,
        bias=given.get("bias"),
        bias_axis=1,
        unfold=window.pixels,
        fold=window.scatter,
        positions=lambda _: (source[0] or 0) * math.prod(size or 0 for size in source[2:]),
        growth=math.prod(window.kernel),
    )


def _view_shape(weight: Weight | None, constants: Mapping[str, Array]) -> tuple[int, ...]:
    return () if weight is None else constants[weight.constant].transpose(weight.axes).shape


LOWERINGS: Mapping[str, Lowering] = MappingProxyType(
    {
        "aten.linear.default": _linear,
        "aten.matmul.default": _matrix_product,
        "aten.mm.default": _matrix_product,
        "aten.addmm.default": _addmm,
        "aten.conv1d.default": _convolution(1),
        "aten.conv1d.padding": _convolution(1),
        "aten.conv2d.default": _convolution(2),
        "aten.conv2d.padding": _convolution(2),
        "aten.conv3d.default": _convolution(3),
        "aten.conv3d.padding": _convolution(3),
        "aten.convolution.default": _any_convolution,
        "aten.conv_transpose1d.default": _transposed_convolution(1),
        "aten.conv_transpose2d.input": _transposed_convolution(2),
        "aten.conv_transpose3d.input": _transposed_convolution(3),
    }
)
"""Lowering of each operation that multiplies by a constant, by name."""
