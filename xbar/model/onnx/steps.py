"""A recurrent layer written step by step, with ONNX's own equations.

RNN   h' = f(W x + R h + b)
GRU   z, r = f(...);  n = g(W x + R (r h) + b), or g(W x + r (R h + b_r) + b_w);
      h' = (1 - z) n + z h
LSTM  i, f = f(... + P c);  c' = f c + i g(...);  o = f(... + P c');  h' = o h(c')
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.onnx.activations import Activation
from xbar.model.onnx.context import Array, Context, Known

MOST_STEPS = 512
"""Steps that are written out: a dozen operations each, which take some seconds to read."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One direction of a layer.

    Attributes:
        kind: "LSTM", "GRU" or "RNN".
        w, r, b: weights (gates H, inputs), (gates H, H) and biases (2 gates H), in ONNX's order.
        peepholes: (3 H) of an LSTM, or None.
        activations: f, g, h.
        clip: bound of what enters an activation; 0 for none.
        coupled: whether an LSTM's forget gate is 1 - input gate.
        after: whether a GRU resets after the product.
        name: of its constants.
        quantise: rounding of what is multiplied, and the size of its steps; or None.
        units: with ``quantise`` the steps of w and of r, of each row or all.
    """

    kind: str
    w: Array
    r: Array
    b: Array
    peepholes: Array | None
    activations: list[Activation]
    clip: float
    coupled: bool
    after: bool
    name: str
    quantise: Callable[[Context, Ref], tuple[Ref, Ref]] | None = None
    units: tuple[Array, Array] | None = None

    def activate(self, context: Context, index: int, x: Ref) -> Ref:
        """An activation of a clipped value."""
        if self.clip:
            x = context.add("clamp.default", x, -self.clip, self.clip)
        return self.activations[index].apply(context, x)

    def product(
        self, context: Context, x: Ref, weight: Ref, bias: Ref | None, part: int = 1
    ) -> Ref:
        """A product; one of whole numbers of steps is one, however it was computed.

        Args:
            context: the graph under construction.
            x: what is multiplied.
            weight: the weight.
            bias: what is added.
            part: 0 for w, 1 for r.
        """
        if self.quantise is None or self.units is None:
            return context.add("linear.default", x, weight, bias)
        x, step = self.quantise(context, x)
        made = context.add("linear.default", x, weight, None)
        array = np.asarray(self.units[part], np.float32)
        unit = context.add("mul.Tensor", step, _constant(context, self, f"unit_{part}", array))
        whole = context.add("round.default", context.add("div.Tensor", made, unit))
        made = context.add("mul.Tensor", whole, unit)
        return made if bias is None else context.add("add.Tensor", made, bias)


def run_cell(
    context: Context, cell: Cell, x: Ref, state: list[Ref], backwards: bool
) -> tuple[Ref, list[Ref]]:
    """Outputs (T, N, H) for inputs (T, N, inputs), and the last state.

    Raises:
        ModelError: the number of steps depends on the batch, or is too large.
    """
    steps = context.shape(x)[0]
    if steps is None or not 0 < steps <= MOST_STEPS:
        raise ModelError(
            f"its number of steps is {steps or 'that of the inputs'}; "
            f"the limit is {MOST_STEPS} for equations that are written step by step"
        )
    rows = len(cell.w)
    weight, bias = _constant(context, cell, "ih", cell.w), cell.b[:rows]
    added = None if cell.units else _constant(context, cell, "bias_ih", bias)
    projected = cell.product(context, x, weight, added, 0)
    advance = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}[cell.kind](context, cell)
    outputs: dict[int, Ref] = {}
    for step in range(steps)[:: -1 if backwards else 1]:
        state = advance(context.add("select.int", projected, 0, step), state)
        outputs[step] = state[0]
    return context.add("stack.default", tuple(outputs[i] for i in range(steps)), 0), state


Advance = Callable[[Ref, list[Ref]], list[Ref]]
"""(projected input, state) -> next state."""


def _constant(context: Context, cell: Cell, label: str, array: Array) -> Ref:
    return context.ref(Known(np.ascontiguousarray(array), f"{cell.name}.{label}"))


def _rnn(context: Context, cell: Cell) -> Advance:
    r = _constant(context, cell, "hh", cell.r)
    bias = _constant(context, cell, "bias_hh", cell.b[len(cell.r) :])

    def advance(x: Ref, state: list[Ref]) -> list[Ref]:
        total = context.add("add.Tensor", x, cell.product(context, state[0], r, bias))
        return [cell.activate(context, 0, total)]

    return advance


def _gru(context: Context, cell: Cell) -> Advance:
    size = cell.r.shape[1]
    hidden_bias = cell.b[len(cell.r) :]
    gates = _constant(context, cell, "hh_gates", cell.r[: 2 * size])
    new = _constant(context, cell, "hh_new", cell.r[2 * size :])
    gate_bias = _constant(context, cell, "bias_gates", hidden_bias[: 2 * size])
    new_bias = _constant(context, cell, "bias_new", hidden_bias[2 * size :])

    def advance(x: Ref, state: list[Ref]) -> list[Ref]:
        xs = _parts(context, x, 3)
        hs = _parts(context, cell.product(context, state[0], gates, gate_bias), 2)
        z, r = (
            cell.activate(context, 0, context.add("add.Tensor", a, b))
            for a, b in zip(xs[:2], hs, strict=True)
        )
        if cell.after:
            through = cell.product(context, state[0], new, new_bias)
            inner = context.add("mul.Tensor", r, through)
        else:
            kept = context.add("mul.Tensor", r, state[0])
            inner = cell.product(context, kept, new, new_bias)
        n = cell.activate(context, 1, context.add("add.Tensor", xs[2], inner))
        change = context.add("mul.Tensor", z, context.add("sub.Tensor", state[0], n))
        return [context.add("add.Tensor", n, change)]

    return advance


def _lstm(context: Context, cell: Cell) -> Advance:
    r = _constant(context, cell, "hh", cell.r)
    bias = _constant(context, cell, "bias_hh", cell.b[len(cell.r) :])
    both = _constant(context, cell, "bias", cell.b[: len(cell.r)] + cell.b[len(cell.r) :])
    peeps: list[Ref | None] = [None, None, None]
    if cell.peepholes is not None:
        peeps = [
            _constant(context, cell, f"peephole_{i}", part)
            for i, part in enumerate(np.split(cell.peepholes, 3))
        ]

    def gate(x: Ref, peep: Ref | None, memory: Ref) -> Ref:
        if peep is not None:
            x = context.add("add.Tensor", x, context.add("mul.Tensor", peep, memory))
        return cell.activate(context, 0, x)

    def advance(x: Ref, state: list[Ref]) -> list[Ref]:
        if cell.units:  # in the order of onnxruntime, since steps depend on the last bit
            total = context.add("add.Tensor", x, cell.product(context, state[0], r, None))
            total = context.add("add.Tensor", total, both)
        else:
            total = context.add("add.Tensor", x, cell.product(context, state[0], r, bias))
        i, o, f, c = _parts(context, total, 4)
        into = gate(i, peeps[0], state[1])
        if cell.coupled:
            keep = context.add("add.Scalar", context.add("neg.default", into), 1.0)
        else:
            keep = gate(f, peeps[2], state[1])
        kept = context.add("mul.Tensor", keep, state[1])
        new = context.add("mul.Tensor", into, cell.activate(context, 1, c))
        memory = context.add("add.Tensor", kept, new)
        out = gate(o, peeps[1], memory)
        shown = cell.activations[2].apply(context, memory)
        return [context.add("mul.Tensor", out, shown), memory]

    return advance


def _parts(context: Context, value: Ref, count: int) -> list[Ref]:
    cut = context.add("chunk.default", value, count, -1)
    return [context.builder.item(cut, i) for i in range(count)]
