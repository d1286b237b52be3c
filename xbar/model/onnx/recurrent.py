"""ONNX's recurrent layers as ATen's where the equations are the same, else step by step.

            ONNX            ATen
LSTM gates  i, o, f, c      i, f, c, o
GRU gates   z, r, h         r, z, h

ATen has no other activations, clipping, peepholes, coupled gates, or reset before the product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.naming import plain_name
from xbar.model.onnx.activations import Activation, read_activations
from xbar.model.onnx.context import Array, Context, Convert, Known, Operator, Value
from xbar.model.onnx.integers import dynamic_steps, step_ref
from xbar.model.onnx.quantised import dequantise, quantise, read_steps
from xbar.model.onnx.steps import Cell, run_cell

_ORDERS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
)
_USUAL: Mapping[str, list[str]] = MappingProxyType(
    {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
)


@dataclass(frozen=True, eq=False)
class _Layer:
    """A recurrent operator's parts.

    Attributes:
        kind: "LSTM", "GRU" or "RNN".
        x: input (T, N, inputs).
        w, r, b: weights (directions, gates H, ...) and biases, in ONNX's order.
        state: initial states (directions, N, H).
        direction: "forward", "reverse" or "bidirectional".
        activations: of all directions.
        units: where inputs are quantised by their own range, the steps of w and r by direction.
    """

    kind: str
    x: Ref
    w: Array
    r: Array
    b: Array
    state: list[Ref]
    direction: str
    activations: list[Activation]
    name: str
    units: Sequence[tuple[Array, Array]] = ()

    @property
    def ways(self) -> int:
        return 1 + (self.direction == "bidirectional")

    @property
    def hidden(self) -> int:
        return int(self.r.shape[2])


def _name(context: Context, operator: Operator) -> str:
    """What the weights are called in the file."""
    weight = operator.need(1)
    if isinstance(weight, Ref):
        found = context.builder.origin(weight)
    else:
        found = plain_name(weight.origin) or weight.name
    return found or ("LSTM" if "LSTM" in operator.kind else operator.kind)


def _recurrent(context: Context, operator: Operator) -> Sequence[Value]:
    w, r = context.array(operator.need(1)), context.array(operator.need(2))
    name = _name(context, operator)
    return _results(context, operator, _layer(context, operator, operator.kind, w, r, name))


def _dynamic_lstm(context: Context, operator: Operator) -> Sequence[Value]:
    """DynamicQuantizeLSTM: weights (directions, inputs, gates H) as steps."""
    w, r = (_dequantised(context, operator, index, scale) for index, scale in ((1, 8), (2, 10)))
    name = _name(context, operator)
    layer = _layer(context, operator, "LSTM", w, r, name)
    units = [
        (context.array(operator.need(8))[d], context.array(operator.need(10))[d])
        for d in range(layer.ways)
    ]
    return _results(context, operator, replace(layer, units=units))


def _dequantised(context: Context, operator: Operator, index: int, scale: int) -> Array:
    array = context.array(operator.need(index))
    steps, zero = context.array(operator.need(scale)), context.array(operator.need(scale + 1))
    found = []
    for d in range(len(array)):
        each = read_steps(
            context, Known(np.atleast_1d(steps[d])), Known(np.atleast_1d(zero[d])), 2, -1
        )
        real = dequantise(context, Known(array[d]), each)
        found.append(np.ascontiguousarray(context.array(real).T))
    return np.stack(found)


def _layer(
    context: Context, operator: Operator, kind: str, w: Array, r: Array, name: str
) -> _Layer:
    hidden, gates = int(operator.attributes.get("hidden_size", r.shape[-1])), len(_ORDERS[kind])
    direction = operator.text("direction") or "forward"
    ways = {"forward": 1, "reverse": 1, "bidirectional": 2}.get(direction)
    if ways is None or len(w) != ways or w.shape[1] != gates * hidden or r.shape[2:] != (hidden,):
        raise ModelError(
            f"its direction {direction[:20]!r}, hidden_size {hidden} and weights {w.shape}, "
            f"{r.shape} do not fit"
        )
    x = context.ref(operator.need(0))
    by_batch = bool(operator.integer("layout"))
    x = context.add("transpose.int", x, 0, 1) if by_batch else x
    _check_lengths(context, operator, x)
    bias = operator.get(3)
    b = np.zeros((ways, 2 * gates * hidden), w.dtype) if bias is None else context.array(bias)
    state = [
        _state(context, operator, x, index, (ways, hidden), by_batch)
        for index in ((5, 6) if kind == "LSTM" else (5,))
    ]
    found = read_activations(operator, _USUAL[kind] * ways)
    return _Layer(kind, x, w, r, b, state, direction, found, name)


def _check_lengths(context: Context, operator: Operator, x: Ref) -> None:
    given = operator.get(4)
    steps = context.shape(x)[0]
    if given is not None and any(length != steps for length in context.ints(given)):
        raise ModelError("its sequences have different lengths, which is not converted")


def _state(
    context: Context, operator: Operator, x: Ref, index: int, size: tuple[int, int], by_batch: bool
) -> Ref:
    given = operator.get(index)
    if given is not None:
        ref = context.ref(given)
        return context.add("transpose.int", ref, 0, 1) if by_batch else ref
    zero = context.ref(Known(np.zeros((), context.builder.dtype(x)), "zero"))
    batch = context.builder.sizes(x)[1]
    return context.add("expand.default", zero, (size[0], batch, size[1]))


def _results(context: Context, operator: Operator, layer: _Layer) -> Sequence[Value]:
    """All outputs and the last states."""
    y, rest = (
        _library(context, layer)
        if _is_library(operator, layer)
        else _written(context, operator, layer)
    )
    if operator.integer("layout"):
        y = context.add("permute.default", y, (2, 0, 1, 3))
        rest = [context.add("transpose.int", each, 0, 1) for each in rest]
    return [y, *rest]


def _is_library(operator: Operator, layer: _Layer) -> bool:
    """Whether ATen's layer has the same equations."""
    names = [each.name for each in layer.activations]
    usual = [name.lower() for name in _USUAL[layer.kind] * layer.ways]
    if layer.kind == "RNN" and names[:1] == ["relu"]:
        usual = ["relu"] * layer.ways
    after = layer.kind != "GRU" or bool(operator.integer("linear_before_reset"))
    plain = not operator.attributes.get("clip") and not operator.integer("input_forget")
    return names == usual and after and plain and operator.get(7) is None and not layer.units


def _library(context: Context, layer: _Layer) -> tuple[Ref, list[Ref]]:
    back = layer.direction == "reverse"
    x = context.add("flip.default", layer.x, (0,)) if back else layer.x
    hx = tuple(layer.state) if layer.kind == "LSTM" else layer.state[0]
    both = layer.ways == 2
    given = (hx, tuple(_weights(context, layer)), True, 1, 0.0, False, both, False)
    name = f"rnn_{layer.activations[0].name}" if layer.kind == "RNN" else layer.kind.lower()
    made = context.add(f"{name}.input", x, *given)
    y = context.builder.item(made, 0)  # (T, N, directions * H) -> (T, directions, N, H)
    length, batch, _ = context.builder.sizes(y)
    y = context.add("reshape.default", y, (length, batch, layer.ways, layer.hidden))
    y = context.add("flip.default", y, (0,)) if back else y
    rest = [context.builder.item(made, i) for i in range(1, 1 + len(layer.state))]
    return context.add("transpose.int", y, 1, 2), rest


def _weights(context: Context, layer: _Layer) -> list[Ref]:
    """Weights and biases of each direction, gates in ATen's order."""
    rows = layer.w.shape[1]
    found: list[Ref] = []
    for d in range(layer.ways):
        parts = (layer.w[d], layer.r[d], layer.b[d, :rows], layer.b[d, rows:])
        for part, label in zip(parts, ("ih", "hh", "bias_ih", "bias_hh"), strict=True):
            array = _reorder(part, layer.kind, layer.hidden)
            found.append(context.ref(Known(array, f"{layer.name}.{label}_{d}")))
    return found


def _reorder(array: Array, kind: str, hidden: int) -> Array:
    blocks = array.reshape(len(_ORDERS[kind]), hidden, *array.shape[1:])
    return np.ascontiguousarray(blocks[list(_ORDERS[kind])]).reshape(array.shape)


def _written(context: Context, operator: Operator, layer: _Layer) -> tuple[Ref, list[Ref]]:
    """The layer step by step."""
    peepholes = None if operator.get(7) is None else context.array(operator.get(7))
    clip = float(operator.attributes.get("clip", 0.0))
    each = len(layer.activations) // layer.ways
    outputs: list[Ref] = []
    last: list[list[Ref]] = []
    for d in range(layer.ways):
        cell = Cell(
            kind=layer.kind,
            w=layer.w[d],
            r=layer.r[d],
            b=layer.b[d],
            peepholes=None if peepholes is None else peepholes[d],
            activations=layer.activations[d * each : (d + 1) * each],
            clip=clip,
            coupled=bool(operator.integer("input_forget")),
            after=bool(operator.integer("linear_before_reset")),
            name=f"{layer.name}.{d}",
            quantise=_by_range if layer.units else None,
            units=layer.units[d] if layer.units else None,
        )
        back = layer.direction == "reverse" or d == 1
        state = [context.add("select.int", one, 0, d) for one in layer.state]
        output, state = run_cell(context, cell, layer.x, state, back)
        outputs.append(output)
        last.append(state)
    y = context.add("stack.default", tuple(outputs), 1)
    states = [
        context.add("stack.default", tuple(one[i] for one in last), 0)
        for i in range(len(layer.state))
    ]
    return y, states


def _by_range(context: Context, x: Ref) -> tuple[Ref, Ref]:
    steps = dynamic_steps(context, x)
    rounded = dequantise(context, quantise(context, x, steps), steps)
    return context.ref(rounded), step_ref(steps.scale)


RECURRENT: Mapping[str, Convert] = MappingProxyType(dict.fromkeys(_ORDERS, _recurrent))
"""Converter of each recurrent operator, by name."""
DYNAMIC_RECURRENT: Mapping[str, Convert] = MappingProxyType({"DynamicQuantizeLSTM": _dynamic_lstm})
"""Converter of onnxruntime's quantised one."""
