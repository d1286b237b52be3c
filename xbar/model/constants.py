"""Splits constants that are used piecewise into separate constants.

Attention with a packed projection multiplies by *slices* of one parameter: the graph chunks the
weight before the products. Slicing it once, here, makes each slice a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.model.graph import Argument, Graph, Node, Ref

Array: TypeAlias = NDArray[Any]


def cut_constants(graph: Graph) -> Graph:
    """Replace chunks, splits and selections of constants by constants.

    The slices of ``attention.in_proj_weight`` are ``attention.in_proj.0_weight`` and so on.
    """
    constants = dict(graph.constants)
    of: dict[str, str] = {}  # nodes that are constants
    parts: dict[str, list[Array]] = {}  # nodes that are lists of slices of constants
    source: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        first = node.args[0].name if node.args and isinstance(node.args[0], Ref) else ""
        made = None
        if node.op in _CUTS and first in of and not node.kwargs:
            cut = _CUTS[node.op](constants[of[first]], node.args[1:])
            if cut is not None:
                parts[node.name], source[node.name] = cut, of[first]
        elif (
            node.op == "operator.getitem"
            and first in parts
            and node.args[1] in range(len(parts[first]))
        ):
            index = int(str(node.args[1]))
            made = _part(source[first], index, constants)
            constants[made] = parts[first][index]
        if node.op == "constant":
            of[node.name] = str(node.args[0])
        elif made:
            of[node.name] = made
            node = replace(node, op="constant", args=(made,))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants) if parts else graph


def _part(name: str, index: int, taken: Mapping[str, Array]) -> str:
    for ending in (".weight", "_weight", ".bias", "_bias"):
        if name.endswith(ending):
            part = f"{name.removesuffix(ending)}.{index}{ending}"
            break
    else:
        part = f"{name}.{index}"
    while part in taken:
        part += "'"
    return part


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
