"""Products that stay digital, and why.

Some can't run on a crossbar: attention multiplies activations by activations, an embedding is a
table look-up. Others could, but the user chose to keep them digital.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib.util import find_spec
from types import MappingProxyType

from xbar.errors import SpecError
from xbar.model.evaluate import Constants
from xbar.model.graph import Graph, Ref, references
from xbar.model.lower import lower
from xbar.model.product import NOT_CONSTANT, TWO_ACTIVATIONS

_FUSED = "its products are fused into one operation; export the model with torch.export"
_RECURRENT = "its sequence is too long or of variable length, or this variant is not unrolled"

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "aten.scaled_dot_product_attention.default": TWO_ACTIVATIONS,
        "aten._scaled_dot_product_flash_attention_for_cpu.default": TWO_ACTIVATIONS,
        "aten.bilinear.default": "a bilinear form is not a matrix product",
        "aten._trilinear.default": "a bilinear form is not a matrix product",
        "aten._native_multi_head_attention.default": _FUSED,
        "aten._transformer_encoder_layer_fwd.default": _FUSED,
        "aten.linalg_multi_dot.default": "it multiplies more than two factors at once",
        "aten.chain_matmul.default": "it multiplies more than two factors at once",
        "aten.addbmm.default": "it sums a batch of products",
        "aten.conv_tbc.default": "its batch is on the second axis",
        "aten._convolution.default": "this form of convolution is not lowered",
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
    known = Constants(graph.nodes, graph.constants)
    reasons: dict[str, str] = {}
    computed: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.op in REASONS:
            reasons[node.name] = REASONS[node.op]
        elif isinstance(reason := lower(node, nodes, graph.constants), str):
            reasons[node.name] = reason
            if node.name in known:
                reasons[node.name] = "it multiplies constants, once for all inputs"
            elif reason == TWO_ACTIVATIONS or reason.startswith(NOT_CONSTANT):
                computed[node.name] = [n for n in references(node) if known.computed(Ref(n))]
    return tuple((reasons | _not_evaluated(known, computed)).items())


def _not_evaluated(known: Constants, computed: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """By product, why a factor that is computed from constants is not evaluated."""
    factors = [factor for each in computed.values() for factor in each]
    if not factors or find_spec("torch") is None:
        return {}
    refused = known.refusals(factors)
    found = {}
    for name, each in computed.items():
        why = next((refused[factor] for factor in each if factor in refused), None)
        if why is not None:
            found[name] = f"its weight is computed from constants, but {why}"
        elif each:
            found[name] = "its constant factor sums nothing, or is too large with the others"
    return found


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
