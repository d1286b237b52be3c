"""ONNX's recurrent layers as ATen's: the same equations with reordered gates.

            ONNX            ATen
LSTM gates  i, o, f, c      i, f, c, o
GRU gates   z, r, h         r, z, h
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.onnx.context import Array, Context, Convert, Known, Operator, Value

_ORDERS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
)
_USUAL: Mapping[str, list[str]] = MappingProxyType(
    {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
)


def _recurrent(context: Context, operator: Operator) -> Sequence[Value]:
    kind = operator.kind
    direction = str(operator.attributes.get("direction", "forward"))
    both = direction == "bidirectional"
    _check(operator, direction)
    hidden = operator.integer("hidden_size", 0)
    x = context.ref(operator.need(0))
    weights = _weights(context, operator, hidden)
    state = [_state(context, operator, x, 5, len(weights) // 4, hidden)]
    if kind == "LSTM":
        state.append(_state(context, operator, x, 6, len(weights) // 4, hidden))
    hx = tuple(state) if kind == "LSTM" else state[0]
    given = (hx, tuple(weights), True, 1, 0.0, False, both, False)
    name = f"rnn_{_activations(operator, both)[0].lower()}" if kind == "RNN" else kind.lower()
    made = context.add(f"{name}.input", x, *given)
    y = context.builder.item(made, 0)  # (T, N, directions * H) -> (T, directions, N, H)
    length, batch, _ = context.builder.sizes(y)
    y = context.add("reshape.default", y, (length, batch, 2 if both else 1, hidden))
    rest = [context.builder.item(made, i) for i in range(1, 1 + len(state))]
    return [context.add("transpose.int", y, 1, 2), *rest]


def _check(operator: Operator, direction: str) -> None:
    kind = operator.kind
    both = direction == "bidirectional"
    usual = _USUAL[kind] * (1 + both)
    if kind == "RNN" and _activations(operator, both)[0] == "Relu":
        usual = ["Relu"] * len(usual)
    if direction not in ("forward", "bidirectional"):
        raise ModelError(f"its direction is {direction!r}, which is not converted")
    if _activations(operator, both) != usual:
        raise ModelError(f"its activations must be {usual}")
    operator.refuse("layout", 0)
    operator.refuse("clip")
    operator.refuse("input_forget", 0)
    if kind == "GRU":
        operator.refuse("linear_before_reset", 1)
        if not operator.integer("linear_before_reset", 0):
            raise ModelError(
                "it applies the reset gate before the product, which ATen's GRU does not"
            )
    if operator.get(4) is not None or operator.get(7) is not None:
        raise ModelError("it has sequence lengths or peepholes, which are not converted")


def _activations(operator: Operator, both: bool) -> list[str]:
    given = operator.attributes.get("activations", _USUAL[operator.kind] * (1 + both))
    return [str(each) for each in given] or [""]


def _weights(context: Context, operator: Operator, hidden: int) -> list[Ref]:
    """Weights and biases of each direction, gates in ATen's order."""
    w, r = context.array(operator.need(1)), context.array(operator.need(2))
    gates = len(_ORDERS[operator.kind])
    bias = operator.get(3)
    given = (
        context.array(bias) if bias is not None else np.zeros((len(w), 2 * gates * hidden), w.dtype)
    )
    name = operator.inputs[1].name if isinstance(operator.inputs[1], Known) else operator.kind
    found: list[Ref] = []
    for d in range(len(w)):
        parts = (w[d], r[d], given[d, : gates * hidden], given[d, gates * hidden :])
        for part, label in zip(parts, ("ih", "hh", "bias_ih", "bias_hh"), strict=True):
            array = _reorder(part, operator.kind, hidden)
            found.append(context.ref(Known(array, f"{name}.{label}_{d}")))
    return found


def _reorder(array: Array, kind: str, hidden: int) -> Array:
    blocks = array.reshape(len(_ORDERS[kind]), hidden, *array.shape[1:])
    return np.ascontiguousarray(blocks[list(_ORDERS[kind])]).reshape(array.shape)


def _state(
    context: Context, operator: Operator, x: Ref, index: int, directions: int, hidden: int
) -> Ref:
    given = operator.get(index)
    if given is not None:
        return context.ref(given)
    zero = context.ref(Known(np.zeros((), context.builder.dtype(x)), "zero"))
    batch = context.builder.sizes(x)[1]
    return context.add("expand.default", zero, (directions, batch, hidden))


RECURRENT: Mapping[str, Convert] = MappingProxyType(dict.fromkeys(_ORDERS, _recurrent))
"""Converter of each recurrent operator, by name."""
