"""Weights that a network computes from its constants become constants, under their own names.

Pruning masks, norms of weights, sums of low rank, casts, signs and slices of parameters reach a
product as operations on parameters. They are evaluated here, once, so that the product is a layer.
What no product needs stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.batchnorm import NORMS, drop_unused
from xbar.model.evaluate import Constants
from xbar.model.graph import Argument, Graph, Node, Ref, references
from xbar.model.inplace import changed_constant
from xbar.model.lower import LOWERINGS, find_products, lower
from xbar.model.naming import fresh, name_values, part_name, plain_name
from xbar.model.product import Product, through_views
from xbar.model.rewrite import part_constants
from xbar.model.stored import joined, renamed
from xbar.model.unroll import CELLS, GATES

Array: TypeAlias = NDArray[Any]


def evaluate_constants(graph: Graph) -> Graph:
    """Replace weights that are computed from constants by constants.

    A weight is called after the parameter that it is computed from: ``fc.weight`` for
    ``fc.weight_orig`` times ``fc.weight_mask``; of several slices of one parameter, each has its
    number.

    Raises:
        ModelError: the network changes a constant of its own, so that each run is another network.
        ToolError: there are such weights, and PyTorch is not installed.
    """
    changed = changed_constant({node.name: node for node in graph.nodes})
    if changed is not None:
        raise ModelError(
            f"{changed[0]}: the network changes its own {changed[1]} each time it runs, so that "
            "there is no single network; save it after the change, or change a copy"
        )
    graph = part_constants(cut_constants(graph))
    for needed in (_weights, _products):
        known = Constants(graph.nodes, graph.constants)
        wanted = list(needed(graph, known))
        changes = any(node.name in known.mutators for node in known.before(wanted))
        if changes:  # made once, for all that the network reads of it, or not at all
            wanted += known.read_changed
        values = known.evaluate(wanted)
        arrays = {name: value for name, value in values.items() if not isinstance(value, str)}
        if arrays and (len(arrays) == len(values) or not changes):
            done = {name for name in known.mutators if changes}
            graph = _replaced(graph, known, arrays, done)
    return graph


def _weights(graph: Graph, known: Constants) -> Iterator[str]:
    """Values computed from constants that a product or a batch norm takes as its weights."""
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        if node.op not in _WEIGHTS and node.op not in _FACTORS:
            continue
        weights = _taken(node, *_WEIGHTS.get(node.op, _FACTORS.get(node.op, (0, 0))))
        if node.op in _FACTORS and (
            all(each.name in known for each in weights) or _sums_nothing(node, nodes)
        ):
            continue
        sources = dict.fromkeys(through_views(each, nodes)[0] for each in weights)
        computed = [name for name in sources if known.computed(Ref(name))]
        yield from computed
        if computed:
            biases = _taken(node, *_BIASES.get(node.op, (0, 0)))
            yield from (each.name for each in biases if known.computed(each))


def _sums_nothing(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether a product of matrices is one of columns and rows: positions times frequencies."""
    first = node.args[0] if node.args else None
    shape = nodes[first.name].shape if isinstance(first, Ref) else None
    return bool(shape) and shape is not None and shape[-1] == 1 and node.op in _MATRICES


def _products(graph: Graph, known: Constants) -> Iterator[str]:
    """Products of constants with constants, except of parameters with zeros: a first state."""
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        if node.name not in known or node.op not in LOWERINGS or _sums_nothing(node, nodes):
            continue
        made = all(known.sources(each) for each in references(node))
        if made or (
            node.op not in _FIRST_STATES
            and isinstance(lower(node, nodes, graph.constants), Product)
        ):
            yield node.name


def _taken(node: Node, first: int, last: int) -> list[Ref]:
    """The nodes among some arguments."""
    stack: list[Argument] = [*node.args[first:last], *node.kwargs.values()][::-1]
    found = []
    while stack:
        each = stack.pop()
        if isinstance(each, Ref):
            found.append(each)
        elif isinstance(each, tuple):
            stack += each[::-1]
    return found


_MATRICES = ("aten.matmul.default", "aten.mm.default", "aten.bmm.default")
_FACTORS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        **dict.fromkeys(
            (*_MATRICES, "aten.mv.default", "aten.inner.default", "aten.tensordot.default"), (0, 2)
        ),
        "aten.addmm.default": (1, 3),
        "aten.baddbmm.default": (1, 3),
        "aten.einsum.default": (1, 2),
    }
)
"""First and last argument of products with either factor constant."""
_WEIGHTS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        **{op: (1, 2) for op in LOWERINGS if "conv" in op or "linear" in op},
        **dict.fromkeys(NORMS, (1, 5)),
        **dict.fromkeys(GATES, (2, 3)),
        **dict.fromkeys(CELLS, (2, 6)),
    }
)
"""First and last argument of operations whose weights are these."""
_BIASES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        **{op: (2, 3) for op in LOWERINGS if "conv" in op or "linear" in op},
        "aten.addmm.default": (0, 1),
        "aten.baddbmm.default": (0, 1),
    }
)
_FIRST_STATES = ("aten.linear.default", *_MATRICES[:2], "aten.addmm.default")


def _replaced(graph: Graph, known: Constants, arrays: Mapping[str, Array], done: set[str]) -> Graph:
    """The graph with values as constants, without what only they needed, and what is done."""
    marks = {name: f"\0{name}" for name in arrays}
    nodes = []
    for node in graph.nodes:
        if node.name in arrays:
            shape = arrays[node.name].shape
            nodes.append(Node(node.name, "constant", (marks[node.name],), shape=shape))
        elif node.name not in done and not _holds(node, known):
            nodes.append(node)
    held = joined(graph.constants, {marks[name]: array for name, array in arrays.items()})
    graph = drop_unused(replace(graph, nodes=tuple(nodes), constants=held))
    used = [name for name in arrays if marks[name] in graph.constants]
    names = name_values(
        {name: arrays[name] for name in used},
        {name: known.sources(name) for name in used},
        held,
        set(graph.constants) - set(marks.values()),
    )
    return _renamed(graph, {marks[name]: final for name, final in names.items()})


def name_weights(graph: Graph, origins: Mapping[str, str]) -> Graph:
    """Rename constants without a name of their own that are weights after where they come from.

    Args:
        graph: network.
        origins: by constant, name of the constant that it is computed from.
    """
    if not origins:
        return graph
    known = Constants(graph.nodes, graph.constants)
    weights = {product.weight.constant for product in find_products(graph).values()}
    weights.update(each for name in _weights(graph, known) for each in known.sources(name))
    new: dict[str, str] = {}
    taken = set(graph.constants)
    for name in (each for each in origins if each in weights):
        new[name] = fresh(plain_name(origins[name]), taken, "'")
        taken.add(new[name])
    return _renamed(graph, new)


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with other names of constants."""
    nodes = [
        replace(node, args=(names.get(str(node.args[0]), node.args[0]),))
        if node.op == "constant"
        else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes), constants=renamed(graph.constants, names))


def _holds(node: Node, known: Constants) -> bool:
    """Whether a node checks constants only."""
    return "assert" in node.op and all(name in known for name in references(node))


def cut_constants(graph: Graph) -> Graph:
    """Replace chunks, splits and selections of constants by constants.

    The slices of ``attention.in_proj_weight`` are ``attention.in_proj.0_weight`` and so on.
    """
    cuts: dict[str, Array] = {}
    taken = {*graph.constants}
    of: dict[str, str] = {}  # nodes that are constants
    parts: dict[str, list[Array]] = {}  # nodes that are lists of slices of constants
    source: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        first = node.args[0].name if node.args and isinstance(node.args[0], Ref) else ""
        made = None
        if node.op in _CUTS and first in of and not node.kwargs:
            held = cuts if of[first] in cuts else graph.constants
            cut = _CUTS[node.op](held[of[first]], node.args[1:])
            if cut is not None:
                parts[node.name], source[node.name] = cut, of[first]
        elif (
            node.op == "operator.getitem"
            and first in parts
            and node.args[1] in range(len(parts[first]))
        ):
            index = int(str(node.args[1]))
            made = fresh(part_name(source[first], index), taken, "'")
            taken.add(made)
            cuts[made] = parts[first][index]
        if node.op == "constant":
            of[node.name] = str(node.args[0])
        elif made:
            of[node.name] = made
            node = replace(node, op="constant", args=(made,))
        nodes.append(node)
    whole = joined(graph.constants, cuts)
    return replace(graph, nodes=tuple(nodes), constants=whole) if parts else graph


def _chunk(array: Array, arguments: Sequence[Argument]) -> list[Array] | None:
    count, axis = [*arguments, 0][:2] if arguments else (0, 0)
    if type(count) is not int or type(axis) is not int or count < 1 or axis >= array.ndim:
        return None
    return _split(array, (-(-array.shape[axis] // count), axis))


def _split(array: Array, arguments: Sequence[Argument]) -> list[Array] | None:
    size, axis = [*arguments, 0][:2] if arguments else (0, 0)
    if type(axis) is not int or not -array.ndim <= axis < array.ndim:
        return None
    if type(size) is int and size > 0:
        marks = list(range(size, array.shape[axis], size))
    elif isinstance(size, tuple) and all(type(each) is int for each in size):
        marks = [int(mark) for mark in np.cumsum(np.array(size))[:-1]]
    else:
        return None
    return [np.ascontiguousarray(part) for part in np.split(array, marks, axis)]


_CUTS: Mapping[str, Callable[[Array, Sequence[Argument]], list[Array] | None]] = MappingProxyType(
    {
        "aten.chunk.default": _chunk,
        "aten.split.Tensor": _split,
        "aten.split.sizes": _split,
        "aten.split_with_sizes.default": _split,
    }
)
