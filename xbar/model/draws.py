"""Refusal of operations that draw random numbers, and of layers that are still in training.

A network is a function of its input. In a network that draws, every run would give another result,
which no chip could be held against. Nearly always it was saved for training: ``model.eval()`` was
forgotten. One rule serves the readers of all formats: it is applied to the finished graph, so that
what the output does not depend on does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from xbar.errors import ModelError
from xbar.model.graph import Argument, Graph, Node

ALWAYS = frozenset(
    str.split(
        "bernoulli binomial cauchy exponential geometric log_normal miopen_rnn multinomial normal "
        " normal_functional poisson rand rand_like randint randint_like randn randn_like "
        "random randperm rrelu_with_noise rrelu_with_noise_functional uniform"
    )
)
"""ATen operations that draw whenever they run, in place or not."""

UNLESS: Mapping[str, tuple[tuple[int, str], ...]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout"),
            ((1, "p"), (2, "train")),
        ),
        "native_dropout": ((1, "p"), (2, "train")),
        "rrelu": ((3, "training"),),
        "rrelu_with_noise": ((4, "training"),),
        "rrelu_with_noise_functional": ((4, "training"),),
        **dict.fromkeys(
            ("lstm.input", "gru.input", "rnn_relu.input", "rnn_tanh.input"),
            ((5, "dropout"), (6, "train")),
        ),
        **dict.fromkeys(
            ("lstm.data", "gru.data", "rnn_relu.data", "rnn_tanh.data"),
            ((6, "dropout"), (7, "train")),
        ),
        "scaled_dot_product_attention": ((4, "dropout_p"),),
        "_scaled_dot_product_attention_math": ((4, "dropout_p"),),
        "_scaled_dot_product_flash_attention_for_cpu": ((3, "dropout_p"),),
    }
)
"""Operations that draw only where all of these arguments, (position, name), are on: a probability
above 0, a training flag. An argument that is missing is off, as in PyTorch's defaults."""

_BATCH_STATISTICS: Mapping[str, int] = MappingProxyType(
    {
        "batch_norm": 5,
        "cudnn_batch_norm": 5,
        "native_batch_norm": 5,
        "_native_batch_norm_legit.default": 5,
        "_native_batch_norm_legit.no_stats": 3,
    }
)
"""Position of the flag that takes mean and variance from the batch at hand."""

ONNX = frozenset(
    "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split()
)
"""ONNX operators that draw whenever they run."""

_ADVICE = (
    "call model.eval() before saving or exporting the model, which was probably forgotten, or "
    "leave out the layer that does so"
)


def refuse_draws(graph: Graph, where: str) -> Graph:
    """Refuse a graph whose result is random, or depends on the other inputs of the batch.

    Args:
        graph: network without unused operations.
        where: file name for messages.

    Returns:
        The graph.

    Raises:
        ModelError: an operation draws random numbers or is in training mode.
    """
    for node in graph.nodes:
        why = reason(node)
        if why:
            raise ModelError(f"{where}: {why}")
    return graph


def reason(node: Node) -> str:
    """Why an operation is refused; "" if it is not."""
    why = _why(node)
    return f"{node.name} ({node.op}) {why}; {_ADVICE}" if why else ""


def _why(node: Node) -> str:
    if not node.op.startswith("aten."):
        return ""
    full = node.op.removeprefix("aten.")
    base = full.split(".")[0]
    name = base.rstrip("_")
    place = next((UNLESS[key] for key in (full, name) if key in UNLESS), None)
    if place is not None:
        on = all(_on(_given(node, position, key), name, key) for position, key in place)
        return "draws random numbers, as in training" if on else ""
    if name in ALWAYS:
        return "draws random numbers"
    flag = next((_BATCH_STATISTICS[k] for k in (full, name) if k in _BATCH_STATISTICS), None)
    if flag is not None and _on(_given(node, flag, "training"), name, "training"):
        return "normalises by the statistics of the batch at hand, as in training"
    return ""


def _given(node: Node, position: int, name: str) -> Argument:
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name)


def _on(argument: Argument, name: str, key: str) -> bool:
    """Whether a flag or probability is on; what is computed may be."""
    if argument is None:  # off, but for one operation's flag
        return (name, key) == ("native_dropout", "train")
    return argument is not False and argument != 0


def refuse_operator(kind: str) -> None:
    """Refuse an ONNX operator that draws random numbers.

    Raises:
        ModelError: it does.
    """
    if kind in ONNX:
        raise ModelError(f"the operator {kind} draws random numbers; {_ADVICE}")
