"""Products that stay digital, and why.

Some can't run on a crossbar: attention multiplies activations by activations, an embedding is a
table look-up. Others could, but the user chose to keep them digital.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from types import MappingProxyType

from xbar.errors import SpecError
from xbar.model.graph import Graph, Node
from xbar.model.lower import LOWERINGS, find_products, find_weight

_TWO_ACTIVATIONS = "both factors are activations"
_RECURRENT = "its sequence is too long or of variable length, or this variant is not unrolled"

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "aten.bmm.default": _TWO_ACTIVATIONS,
        "aten.baddbmm.default": _TWO_ACTIVATIONS,
        "aten.scaled_dot_product_attention.default": _TWO_ACTIVATIONS,
        "aten._scaled_dot_product_flash_attention_for_cpu.default": _TWO_ACTIVATIONS,
        "aten.einsum.default": "general tensor contractions are not lowered",
        "aten.bilinear.default": "a bilinear form is not a matrix product",
        "aten.embedding.default": "it is a table look-up without products",
        "aten.embedding_bag.padding_idx": "it is a table look-up without products",
        "aten.lstm.input": _RECURRENT,
        "aten.lstm.data": _RECURRENT,
        "aten.gru.input": _RECURRENT,
        "aten.gru.data": _RECURRENT,
        "aten.rnn_tanh.input": _RECURRENT,
        "aten.rnn_relu.input": _RECURRENT,
        "aten.lstm_cell.default": _RECURRENT,
        "aten.gru_cell.default": _RECURRENT,
    }
)
"""Operations that multiply, or appear to, but never run on a crossbar."""


def find_digital(graph: Graph) -> tuple[tuple[str, str], ...]:
    """The nodes that multiply and stay digital, (name, reason), in order."""
    nodes = {node.name: node for node in graph.nodes}
    products = find_products(graph)
    found = []
    for node in graph.nodes:
        if node.op in REASONS:
            found.append((node.name, REASONS[node.op]))
        elif node.op in LOWERINGS and node.name not in products:
            found.append((node.name, _why(node, nodes, graph)))
    return tuple(found)


def _why(node: Node, nodes: Mapping[str, Node], graph: Graph) -> str:
    constant = any(find_weight(each, nodes, graph.constants) for each in node.args[:3])
    if constant:
        return "this variant is not lowered"
    return _TWO_ACTIVATIONS if node.op.startswith("aten.m") else "its weight is not a constant"


def select_layers(graph: Graph, only: tuple[str, ...], skip: tuple[str, ...]) -> Graph:
    """See :meth:`Graph.select`."""
    names = [layer.name for layer in graph.layers]
    for option, patterns in (("only", only), ("skip", skip)):
        for each in patterns:
            if not any(fnmatchcase(name, each) for name in names):
                raise SpecError(
                    f"{option} {each!r} matches no layer; the layers are {_listed(names)}"
                )
    left_out = []
    for name in names:
        if only and not _match(name, only):
            left_out.append((name, f"not selected by only {', '.join(only)}"))
        elif (pattern := _match(name, skip)) is not None:
            left_out.append((name, f"excluded by skip {pattern}"))
    if names and len(left_out) == len(names):
        raise SpecError(f"no layer is left for the crossbars; the layers are {_listed(names)}")
    return replace(graph, left_out=(*graph.left_out, *left_out))


def _match(name: str, patterns: Sequence[str]) -> str | None:
    return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return (", ".join(names[:12]) or "none") + more
