"""Lowering: operations with a constant matrix, unfolded into matrix-vector products.

    activations (N, C, H, W) ──unfold──► (N', G, inputs) ──W @──► (N', G, outputs) ──fold──► output

:data:`LOWERINGS` has one entry per operation: a function that returns a node's :class:`Product`, or
the reason why there is none, such as a weight that is not constant; such a node stays digital. A
new kind of layer is one more entry. The bias stays digital: it is added after the product.

Shapes: N inputs, C channels, G groups, N' products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import check_finite
from xbar.errors import ModelError, SpecError
from xbar.model.contract import CONTRACTIONS, SCALED, UNKNOWN, linear, multiply
from xbar.model.graph import Argument, Graph, Layer, Node, Ref
from xbar.model.naming import fresh
from xbar.model.product import (
    Lowering,
    Nodes,
    Product,
    Weight,
    bind,
    find_weight,
    no_weight,
)
from xbar.model.stored import is_stored, outline, shape_of
from xbar.model.unfold import Window

Array: TypeAlias = NDArray[Any]

UNBATCHED = "its input has no batch axis, or a rank that is not known"
WINDOW = "its kernel, stride, padding or dilation is not of numbers known in advance"


def find_products(graph: Graph) -> dict[str, Product]:
    """The graph's products by node, in order."""
    nodes = {node.name: node for node in graph.nodes}
    products: dict[str, Product] = {}
    for node in graph.nodes:
        product = lower(node, nodes, graph.constants)
        if isinstance(product, Product):
            products[node.name] = product
    return products


def lower(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str | None:
    """A node's product, or the reason why it has none; None if it does not multiply."""
    lowering = LOWERINGS.get(node.op)
    return None if lowering is None else lowering(node, nodes, constants)


def find_layers(graph: Graph) -> tuple[Layer, ...]:
    """The graph's layers; products that share a weight are one layer.

    Raises:
        ModelError: a layer has a non-finite weight or bias; one whose weight stays in its file is
            checked when it is read.
    """
    nodes = {node.name: node for node in graph.nodes}
    shared: dict[tuple[str, Weight], list[str]] = {}
    products = find_products(graph)
    for name, product in products.items():
        shared.setdefault((product.kind, product.weight), []).append(name)
    names = _layer_names([weight.constant for _, weight in shared])
    layers = []
    for layer, ((kind, weight), users) in zip(names, shared.items(), strict=True):
        first = products[users[0]]
        for user in users:
            _check_bias(layer, products[user].bias, nodes, graph)
        outlined = outline(graph.constants, weight.constant).transpose(weight.axes)
        groups, outputs, inputs = first.matrix(outlined).shape
        read = _StoredMatrix(graph, users[0], layer)
        layers.append(
            Layer(
                name=layer,
                kind=kind,
                shape=(groups, outputs, inputs),
                positions=_positions(graph, [(nodes[user], products[user]) for user in users]),
                nodes=tuple(users),
                source=read if is_stored(graph.constants, weight.constant) else read(),
            )
        )
    return tuple(layers)


@dataclass(frozen=True, eq=False)
class _StoredMatrix:
    """The matrix of a layer: read, and checked, at each call.

    In the constant's own type, a view where its axes allow it.
    """

    graph: Graph
    node: str
    layer: str

    def __call__(self) -> Array:
        nodes = {node.name: node for node in self.graph.nodes}
        product = lower(nodes[self.node], nodes, self.graph.constants)
        assert isinstance(product, Product)
        array = self.graph.constants[product.weight.constant]
        _check_finite(self.layer, "weight", array)
        return product.matrix(array.transpose(product.weight.axes))


def _layer_names(constants: Sequence[str]) -> list[str]:
    """Module paths of weights, shortened where unique.

    >>> _layer_names(["conv.weight", "attn.in_proj_weight", "attn.in_proj.weight"])
    ['conv', 'attn.in_proj', 'attn.in_proj.weight']
    """
    names: dict[str, None] = {}
    for constant in constants:
        short = constant.removesuffix(".weight").removesuffix("_weight")
        names[fresh(short if short and short not in names else constant, names, "'")] = None
    return list(names)


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


def _linear(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "input weight bias")
    if given is None:
        return UNKNOWN
    weight = find_weight(given.get("weight"), nodes, constants)
    if weight is None or len(weight.axes) != 2:
        value, bias = given.get("input"), given.get("bias")
        return linear((value, given.get("weight"), bias), nodes, constants)
    return _rows(weight, given.get("input"), given.get("bias"))


def _matrix_product(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "self mat2" if node.op == "aten.mm.default" else "self other")
    if given is None:
        return UNKNOWN
    left, right = given.get("self"), given.get("other", given.get("mat2"))
    weight = find_weight(right, nodes, constants)
    if weight is None or len(weight.axes) != 2:
        return multiply(left, right, nodes, constants)
    return _rows(_transposed(weight), left, None)


def _addmm(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "self mat1 mat2")
    if given is None:
        return SCALED
    left, right = given.get("mat1"), given.get("mat2")
    weight = find_weight(right, nodes, constants)
    if weight is None or len(weight.axes) != 2:
        return multiply(left, right, nodes, constants, given.get("self"))
    return _rows(_transposed(weight), left, given.get("self"))


def _transposed(weight: Weight) -> Weight:
    return Weight(weight.constant, weight.axes[::-1])


def _rows(weight: Weight, value: Argument, bias: Argument) -> Product | str:
    """A product of the activations' last axis with an (outputs, inputs) matrix."""
    if not isinstance(value, Ref):
        return UNKNOWN
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
    def lower(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
        given = bind(node, "input weight bias stride padding dilation groups")
        return UNKNOWN if given is None else _convolve(node, given, dims, nodes, constants)

    return lower


def _any_convolution(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    names = "input weight bias stride padding dilation transposed output_padding groups"
    given = bind(node, names)
    weight = find_weight(given.get("weight"), nodes, constants) if given else None
    if given is None:
        return UNKNOWN
    if weight is None:
        return no_weight({"weight": given.get("weight")}, nodes, constants)
    if given.pop("transposed", False):
        return _convolve_transposed(node, given, len(weight.axes) - 2, nodes, constants)
    given.pop("output_padding", None)
    return _convolve(node, given, len(weight.axes) - 2, nodes, constants)


def _transposed_convolution(dims: int) -> Lowering:
    def lower(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
        names = "input weight bias stride padding output_padding groups dilation"
        given = bind(node, names)
        return (
            UNKNOWN if given is None else _convolve_transposed(node, given, dims, nodes, constants)
        )

    return lower


def _convolve(
    node: Node,
    given: Mapping[str, Argument],
    dims: int,
    nodes: Nodes,
    constants: Mapping[str, Array],
) -> Product | str:
    weight, value = find_weight(given.get("weight"), nodes, constants), given.get("input")
    if weight is None:
        return no_weight({"weight": given.get("weight")}, nodes, constants)
    window = Window.read(given, _view_shape(weight, constants), dims)
    if node.shape is not None and len(node.shape) != dims + 2:
        return UNBATCHED
    if window is None or not isinstance(value, Ref):
        return WINDOW
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
        window=window,
    )


def _convolve_transposed(
    node: Node,
    given: Mapping[str, Argument],
    dims: int,
    nodes: Nodes,
    constants: Mapping[str, Array],
) -> Product | str:
    weight, value = find_weight(given.get("weight"), nodes, constants), given.get("input")
    if weight is None:
        return no_weight({"weight": given.get("weight")}, nodes, constants)
    window = Window.read(given, _view_shape(weight, constants), dims)
    source = nodes[value.name].shape if isinstance(value, Ref) else None
    if window is None or not isinstance(value, Ref) or isinstance(given.get("padding"), str):
        return WINDOW
    if source is None or len(source) != dims + 2:
        return UNBATCHED

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
        window=window,
    )


def _view_shape(weight: Weight, constants: Mapping[str, Array]) -> tuple[int, ...]:
    shape = shape_of(constants, weight.constant)
    return tuple(shape[axis] for axis in weight.axes)


LOWERINGS: Mapping[str, Lowering] = MappingProxyType(
    {
        "aten.linear.default": _linear,
        "aten.matmul.default": _matrix_product,
        "aten.mm.default": _matrix_product,
        "aten.addmm.default": _addmm,
        **CONTRACTIONS,
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
