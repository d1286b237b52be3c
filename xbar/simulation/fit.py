"""Data as people save them, fitted to a network: layouts of images, flat inputs, one output.

Whatever is changed is said in a note.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import warn
from xbar.model.graph import Graph, Node, references

_SAME_ORDER = frozenset(
    "view reshape _unsafe_view squeeze unsqueeze flatten _to_copy to clone contiguous alias detach "
    "select slice dropout".split()
)
_PROBABILITY = frozenset("sigmoid hardsigmoid special_expit".split())
_AROUND_ZERO = frozenset(
    "linear addmm mm matmul convolution conv1d conv2d conv3d batch_norm "
    "_native_batch_norm_legit_no_training native_batch_norm tanh logit".split()
)


def fit_inputs(graph: Graph, inputs: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Inputs (N, ...) in the layout and type that a network takes, and what was changed.

    Recognised by their shape: channels last, a missing or an additional channel axis, flat vectors
    for images and images for flat vectors. Inputs that fit no way are returned unchanged, for the
    network to refuse.
    """
    want = graph.inputs[0].shape
    fitted, note = _layout(inputs, want)
    notes = [note] if note else []
    dtype = np.dtype(graph.inputs[0].dtype)
    if dtype.kind in "iu" and fitted.dtype.kind == "f":
        whole = np.isfinite(fitted).all() and bool((fitted == np.floor(fitted)).all())
        if whole and bool((np.abs(fitted) < 2**53).all()):
            fitted = fitted.astype(np.int64)
            notes.append("inputs are whole numbers, taken as integers, which the network takes")
    elif dtype.kind == "f" and fitted.dtype == np.uint8 and fitted.max(initial=0) > 1:
        notes.append(f"inputs are bytes up to {fitted.max()}, and are not scaled")
    return fitted, tuple(notes)


def _layout(x: NDArray[Any], want: Sequence[int | None]) -> tuple[NDArray[Any], str]:
    if _fits(x.shape, want):
        return x, ""
    shape = f"inputs of shape (N, {', '.join(map(str, x.shape[1:]))})"
    first = np.moveaxis(x, -1, 1) if x.ndim >= 3 else x
    if _fits(first.shape, want):
        return np.ascontiguousarray(first), f"{shape} have their channels last; they are moved"
    if len(want) > 2 and want[1] == 1 and _fits((len(x), 1, *x.shape[1:]), want):
        return x[:, None], f"{shape} get an axis for their one channel"
    if x.ndim > 2 and x.shape[-1] == 1 and _fits(x.shape[:-1], want):
        return x[..., 0], f"{shape} lose the axis of their one channel"
    if x.ndim > 2 and x.shape[1] == 1 and _fits((len(x), *x.shape[2:]), want):
        return x[:, 0], f"{shape} lose the axis of their one channel"
    sizes = [size for size in want[1:] if size is not None]
    if len(sizes) == len(want) - 1 and x.ndim > 1 and math.prod(x.shape[1:]) == math.prod(sizes):
        if x.ndim == 2:
            return x.reshape(len(x), *sizes), f"{shape} are reshaped to {tuple(sizes)}"
        if len(sizes) == 1:
            _ask_for_order(x, shape)
            return x.reshape(len(x), *sizes), f"{shape} are flattened in their own order"
    return x, ""


def _ask_for_order(x: NDArray[Any], shape: str) -> None:
    if x.ndim == 4 and x.shape[-1] in (2, 3, 4):
        warn(
            f"{shape} seem to have their channels last and are flattened so; "
            "move the axes first if the network was trained on channels first"
        )


def _fits(shape: Sequence[int], want: Sequence[int | None]) -> bool:
    return len(shape) == len(want) and all(
        size in (None, got) for size, got in zip(want, shape, strict=True)
    )


def threshold_of(graph: Graph | None) -> float | None:
    """Output above which a network of one output answers 1, by its last operation.

    0.5 after a sigmoid, 0 after a linear layer; None for other operations.
    """
    if graph is None:
        return None
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
    node = nodes[graph.output.name]
    while _kind(node) in _SAME_ORDER and references(node):
        node = nodes[references(node)[0]]
    if _kind(node) in _PROBABILITY:
        return 0.5
    parts = [node]
    if _kind(node) == "add":  # a product and its bias, as some exporters write them
        parts = [nodes[name] for name in references(node)]
    return 0.0 if any(_kind(part) in _AROUND_ZERO for part in parts) else None


def _kind(node: Node) -> str:
    """Name of a node's operation: "sigmoid" of "aten.sigmoid.default"."""
    return node.op.split(".")[1] if node.op.count(".") >= 2 else node.op


def threshold_note(threshold: float) -> str:
    """What is assumed of a network with one output."""
    last = "ends in a sigmoid" if threshold else "has no sigmoid at its end"
    return f"the network has one output and {last}, so class 1 is above {threshold:g}"
