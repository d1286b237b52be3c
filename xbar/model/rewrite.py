"""Products rewritten so that what depends on constants stands alone, to be evaluated.

einsum("bi,ir,ro->bo", x, A, B)        einsum("bi,io->bo", x, einsum("ir,ro->io", A, B))
addmm(b, x, W, beta=β, alpha=α)        addmm(β b, x, α W)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from xbar.model.evaluate import Constants
from xbar.model.graph import Argument, Graph, Node, Ref
from xbar.model.naming import fresh

_EINSUM = "aten.einsum.default"
_SCALED: Mapping[str, int] = MappingProxyType({"aten.addmm.default": 3, "aten.baddbmm.default": 3})
"""Products with scales, and their number of arguments without them."""

_GROWTH = 4
"""Numbers of factors made one, relative to those of the factors: beyond, they stay apart."""
_SMALL = 1 << 16


def part_constants(graph: Graph) -> Graph:
    """Separate the constants of products with several, and of products with scales."""
    if not any(node.op == _EINSUM or node.op in _SCALED for node in graph.nodes):
        return graph
    known = Constants(graph.nodes, graph.constants)
    taken = {node.name for node in graph.nodes}
    nodes = [new for node in graph.nodes for new in _parted(node, known, taken)]
    if len(nodes) == len(graph.nodes):
        return graph
    return replace(graph, nodes=tuple(nodes))


def _parted(node: Node, known: Constants, taken: set[str]) -> Iterator[Node]:
    """The nodes that take the place of one."""
    if node.op == _EINSUM and node.name not in known:
        yield from _factors(node, known, taken)
    elif node.op in _SCALED and node.name not in known:
        yield from _scaled(node, known, taken)
    else:
        yield node


def _factors(node: Node, known: Constants, taken: set[str]) -> Iterator[Node]:
    equation, tensors = [*node.args, None, None][:2]
    if not isinstance(equation, str) or not isinstance(tensors, tuple) or "." in equation:
        yield node
        return
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    constant = [i for i, t in enumerate(tensors) if isinstance(t, Ref) and t.name in known]
    if not arrow or len(constant) < 2 or len(tensors) - len(constant) != 1:
        yield node
        return
    (other,) = (i for i in range(len(tensors)) if i not in constant)
    inside = [terms[i] for i in constant]
    kept = "".join(dict.fromkeys(c for term in inside for c in term if c in terms[other] + out))
    factors = [each for each in tensors if isinstance(each, Ref) and each.name in known]
    if not _stays_small(inside, kept, [known.nodes[each.name].shape for each in factors]):
        yield node
        return
    merged = fresh(f"{node.name}_factors", taken)
    taken.add(merged)
    yield Node(merged, _EINSUM, (f"{','.join(inside)}->{kept}", tuple(factors)))
    args: tuple[Argument, ...] = (f"{terms[other]},{kept}->{out}", (tensors[other], Ref(merged)))
    yield replace(node, args=args, kwargs={})


def _stays_small(
    terms: Sequence[str], kept: str, shapes: Sequence[tuple[int | None, ...] | None]
) -> bool:
    """Whether several factors as one don't have many more numbers than they have."""
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if shape is None or None in shape or len(shape) != len(term):
            return False
        for label, size in zip(term, shape, strict=True):
            sizes[label] = max(size or 0, sizes.get(label, 0))
    given = sum(math.prod(sizes[label] for label in term) for term in terms)
    return math.prod(sizes[label] for label in kept) <= max(_SMALL, _GROWTH * given)


def _scaled(node: Node, known: Constants, taken: set[str]) -> Iterator[Node]:
    count = _SCALED[node.op]
    scales = {
        "beta": 1,
        "alpha": 1,
        **dict(zip(("beta", "alpha"), node.args[count:], strict=False)),
    }
    scales |= node.kwargs
    numbers = all(type(each) in (int, float) for each in scales.values())
    args = list(node.args[:count])
    weights = [i for i, a in enumerate(args) if i and isinstance(a, Ref) and a.name in known]
    if set(scales) != {"beta", "alpha"} or not numbers or not weights or len(args) < count:
        yield node
        return
    for index, scale in ((0, scales["beta"]), (weights[-1], scales["alpha"])):
        if scale == 0 and index == 0:  # PyTorch leaves the sum out, whatever it holds
            yield node
            return
        if scale != 1:
            name = fresh(f"{node.name}_scaled", taken)
            taken.add(name)
            yield Node(name, "aten.mul.Scalar", (args[index], scale))
            args[index] = Ref(name)
    yield replace(node, args=tuple(args), kwargs={})
