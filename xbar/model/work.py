"""Bounds on the work and memory of an operation, before it is done."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xbar.model.graph import Graph, Node, references

_ONE_BY_ONE = 16
"""Time for a number of an operation without sums, relative to a term of a product of matrices."""
_UNKNOWN = 1024
"""Numbers of a size that is not fixed."""
_PRODUCTS = frozenset(
    str.split(
        "matmul mm bmm addmm baddbmm addbmm einsum tensordot linear mv addmv inner outer ger kron "
        "cdist conv1d conv2d conv3d convolution _convolution conv_transpose1d conv_transpose2d "
        "conv_transpose3d chain_matmul linalg_multi_dot bilinear _trilinear"
    )
)
_OF_MANY = frozenset("einsum chain_matmul linalg_multi_dot bilinear _trilinear".split())
_CUBIC = frozenset("svd inverse matrix_exp cholesky qr pinverse det logdet".split())


def work_of(op: str, taken: Sequence[int], made: int) -> int:
    """Multiplications and additions of an operation, at most and roughly.

    A product of an (m, k) and a (k, n) matrix takes √(mk · kn · mn) of them.

    Args:
        op: operation, such as ``aten.mm.default``.
        taken: numbers of each argument.
        made: numbers of the result.

    >>> work_of("aten.mm.default", [2 * 3, 3 * 4], 2 * 4)
    24
    """
    name = op.split(".")[1]
    first, second, *_ = sorted([*taken, 1, 1])[::-1]
    if name in _PRODUCTS:
        return math.isqrt(first * second * max(made, 1))
    if name.startswith("linalg") or name in _CUBIC:
        return 4 * math.isqrt(first**3)
    return _ONE_BY_ONE * (made + sum(taken))


def combinations(node: Node, shapes: Sequence[Sequence[int]]) -> int:
    """Numbers that a product of more than two factors makes on its way, at most; 0 for others.

    Args:
        node: operation.
        shapes: shapes of its arguments.

    >>> node = Node("y", "aten.einsum.default", ("ab,bc,cd->ad",))
    >>> combinations(node, [(2, 3), (3, 4), (4, 5)])
    120
    """
    if len(shapes) < 3 or node.op.split(".")[1] not in _OF_MANY:
        return 0
    equation = node.args[0] if node.args else None
    if isinstance(equation, str) and "." not in equation:
        terms = equation.replace(" ", "").partition("->")[0].split(",")
        sizes: dict[str, int] = {}
        for term, shape in zip(terms, shapes, strict=False):
            for label, size in zip(term, shape, strict=False):
                sizes[label] = max(size, sizes.get(label, 1))
        return math.prod(sizes.values())
    return math.prod(math.prod(shape) for shape in shapes)


def activations(graph: Graph) -> int:
    """Bytes of a network's values that are needed at the same time for one input, at least 1.

    Roughly: 8 for each number, 1024 numbers for a size that is not fixed.
    """
    used: dict[str, str] = {}
    for node in graph.nodes:
        used |= dict.fromkeys(references(node), node.name)
    alive: dict[str, int] = {}
    most = 1
    for node in graph.nodes:
        if node.op != "constant":
            shape = node.shape or ()
            alive[node.name] = 8 * math.prod(_UNKNOWN if size is None else size for size in shape)
        most = max(most, sum(alive.values()))
        for name in references(node):
            if used[name] == node.name and name != graph.output.name:
                alive.pop(name, None)
    return -(-most // (graph.batch or 1))
