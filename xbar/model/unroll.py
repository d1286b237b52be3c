"""Unrolling of recurrent layers over time, so that their products become layers.

    x ──► W_ih (all steps at once) ──┬───────────┬───────────┐
                                     ▼           ▼           ▼
    h ──► W_hh ───────────────────►(gates)─h─►(gates)─h─►(gates)─► ...

An LSTM or GRU is a single operation in PyTorch. Unrolled, one linear layer projects the input for
all steps and another projects the hidden state at each step; the weights are shared, so they are
one layer each. The number of steps must be fixed: a sequence of another length is a run-time error.

Shapes: N inputs, T steps, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from xbar.model.graph import Argument, Graph, Node, Ref, replace_references
from xbar.model.naming import fresh

MOST_STEPS = 4096
"""Maximum number of unrolled steps per operation, over all layers and directions."""

MOST_NODES = 400_000
"""Nodes of a graph beyond which nothing more is written out: a small file may hold many."""

State = list[Ref]
"""The hidden state (N, H), and the cell state of an LSTM."""


@dataclass
class _Writer:
    """Collects the nodes that replace one operation."""

    prefix: str
    taken: set[str]
    nodes: list[Node] = field(default_factory=list)

    def add(self, op: str, *args: Argument, shape: tuple[int | None, ...] | None = None) -> Ref:
        kind = op.split(".")[0]
        name = fresh(f"{self.prefix}_{kind}_{len(self.nodes)}", self.taken)
        self.taken.add(name)
        self.nodes.append(Node(name, f"aten.{op}", args, {}, shape))
        return Ref(name)

    def parts(self, value: Ref, count: int) -> list[Ref]:
        """Split a value into equal chunks along its last axis."""
        cut = self.add("chunk.default", value, count, -1)
        return [self.item(cut, i) for i in range(count)]

    def item(self, value: Ref, index: int) -> Ref:
        made = self.add("getitem", value, index)
        self.nodes[-1] = replace(self.nodes[-1], op="operator.getitem")
        return made


Gates = Callable[[_Writer, Ref, Ref, State], State]
"""Cell function: (writer, projected input, projected hidden state, state) -> next state."""


def _lstm(w: _Writer, x: Ref, h: Ref, state: State) -> State:
    i, f, g, o = w.parts(w.add("add.Tensor", x, h), 4)
    i, f, o = (w.add("sigmoid.default", gate) for gate in (i, f, o))
    kept = w.add("mul.Tensor", f, state[1])
    new = w.add("mul.Tensor", i, w.add("tanh.default", g))
    cell = w.add("add.Tensor", kept, new)
    return [w.add("mul.Tensor", o, w.add("tanh.default", cell)), cell]


def _gru(w: _Writer, x: Ref, h: Ref, state: State) -> State:
    xs, hs = w.parts(x, 3), w.parts(h, 3)
    r, z = (
        w.add("sigmoid.default", w.add("add.Tensor", a, b))
        for a, b in zip(xs[:2], hs[:2], strict=True)
    )
    n = w.add("tanh.default", w.add("add.Tensor", xs[2], w.add("mul.Tensor", r, hs[2])))
    change = w.add("mul.Tensor", z, w.add("sub.Tensor", state[0], n))
    return [w.add("add.Tensor", n, change)]


def _plain(op: str) -> Gates:
    return lambda w, x, h, _: [w.add(op, w.add("add.Tensor", x, h))]


GATES: Mapping[str, Gates] = MappingProxyType(
    {
        "aten.lstm.input": _lstm,
        "aten.gru.input": _gru,
        "aten.rnn_tanh.input": _plain("tanh.default"),
        "aten.rnn_relu.input": _plain("relu.default"),
    }
)
"""Cell function of each recurrent operation over a sequence."""
CELLS: Mapping[str, Gates] = MappingProxyType(
    {
        "aten.lstm_cell.default": _lstm,
        "aten.gru_cell.default": _gru,
        "aten.rnn_tanh_cell.default": _plain("tanh.default"),
        "aten.rnn_relu_cell.default": _plain("relu.default"),
    }
)
"""Cell function of each single-step operation."""


def unroll(graph: Graph) -> Graph:
    """Unroll the network's recurrent operations of known length."""
    known = {node.name: node for node in graph.nodes}
    taken = set(known)
    nodes: list[Node] = []
    results: dict[str, list[Ref]] = {}
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        writer = _Writer(node.name, taken)
        made = _write(writer, node, known, graph) if len(nodes) < MOST_NODES else None
        source = node.args[0].name if node.args and isinstance(node.args[0], Ref) else ""
        if made is not None:
            nodes += [_renamed(each, renamed) for each in writer.nodes]
            results[node.name] = made
            if len(made) == 1 and node.op in CELLS:
                renamed[node.name] = made[0].name
        elif node.op == "operator.getitem" and source in results and type(node.args[1]) is int:
            renamed[node.name] = results[source][node.args[1]].name
        else:
            nodes.append(_renamed(node, renamed))
    if not results:
        return graph
    output = Ref(renamed.get(graph.output.name, graph.output.name))
    return replace(graph, nodes=tuple(nodes), output=output)


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    args = tuple(replace_references(each, names) for each in node.args)
    kwargs = {key: replace_references(each, names) for key, each in node.kwargs.items()}
    return replace(node, args=args, kwargs=kwargs)


def _write(
    writer: _Writer, node: Node, known: Mapping[str, Node], graph: Graph
) -> list[Ref] | None:
    """Results of an unrolled recurrent operation; None if the node is not one."""
    if node.kwargs:
        return None
    if node.op in CELLS:
        return _cell(writer, node, known)
    if node.op in GATES and len(node.args) == 9:
        sequence = _Sequence.read(node, known, graph)
        return None if sequence is None else sequence.write(writer, GATES[node.op])
    return None


def _refs(argument: Argument) -> list[Ref]:
    values = argument if isinstance(argument, tuple) else (argument,)
    return [value for value in values if isinstance(value, Ref)]


def _cell(writer: _Writer, node: Node, known: Mapping[str, Node]) -> list[Ref] | None:
    x, hx, *weights = [*node.args, None, None][:6]
    state = _refs(hx)
    shape = known[x.name].shape if isinstance(x, Ref) else None
    if not isinstance(x, Ref) or not isinstance(weights[0], Ref) or not state or shape is None:
        return None
    rows = (known[weights[0].name].shape or (None,))[0]
    sizes = (*shape[:-1], rows)
    projected = writer.add("linear.default", x, weights[0], weights[2], shape=sizes)
    hidden = writer.add("linear.default", state[0], weights[1], weights[3], shape=sizes)
    return CELLS[node.op](writer, projected, hidden, state)


@dataclass(frozen=True)
class _Sequence:
    """A recurrent operation over a sequence.

    Attributes:
        x: input, (N, T, inputs) or (T, N, inputs).
        shape: shape of x for one network input.
        state: hidden state (layers * directions, N, H), and an LSTM's cell state.
        weights: input and hidden weights and their biases, for each layer and direction.
        directions: number of directions, 1 or 2.
        axis: time axis.
    """

    x: Ref
    shape: tuple[int | None, ...]
    state: list[Ref]
    weights: list[list[Ref]]
    rows: int
    directions: int
    axis: int

    @classmethod
    def read(cls, node: Node, known: Mapping[str, Node], graph: Graph) -> _Sequence | None:
        """Parse a node; None if it can't be unrolled."""
        x, hx, params, biases, layers, _, _, both, batch_first = node.args
        shape = known[x.name].shape if isinstance(x, Ref) else None
        each, directions = 4 if biases else 2, 2 if both else 1
        weights = _refs(params)
        if not isinstance(x, Ref) or shape is None or len(shape) != 3:
            return None
        if type(layers) is not int or len(weights) != layers * directions * each:
            return None  # an LSTM with projections has more weights
        axis = 1 if batch_first else 0
        steps = shape[axis]
        # a single step may in fact be a size that depends on the batch
        if steps is None or steps < 1 or (steps == 1 and graph.batch is None):
            return None
        rows = (known[weights[0].name].shape or (None,))[0]
        if rows is None or steps * layers * directions > MOST_STEPS:
            return None
        groups = [weights[i : i + each] for i in range(0, len(weights), each)]
        return cls(x, shape, _refs(hx), groups, rows, directions, axis)

    def write(self, writer: _Writer, gates: Gates) -> list[Ref]:
        """Output and final states."""
        value = self.x
        last: list[State] = []
        for layer in range(0, len(self.weights), self.directions):
            found = [
                self._direction(writer, gates, value, layer + d, backwards=d == 1)
                for d in range(self.directions)
            ]
            last += [state for _, state in found]
            outputs = tuple(output for output, _ in found)
            value = outputs[0] if len(outputs) == 1 else writer.add("cat.default", outputs, -1)
        states = (tuple(each[i] for each in last) for i in range(len(self.state)))
        return [value, *(writer.add("stack.default", each, 0) for each in states)]

    def _direction(
        self, writer: _Writer, gates: Gates, value: Ref, index: int, backwards: bool
    ) -> tuple[Ref, State]:
        """Outputs (N, T, H) of one direction of one layer, and its final state."""
        inputs, hidden, *biases = self.weights[index]
        into, out = biases or (None, None)
        steps = self.shape[self.axis] or 0
        shape = (*self.shape[:2], self.rows)
        projected = writer.add("linear.default", value, inputs, into, shape=shape)
        # sizes that must add up, so that a sequence of another length fails instead of being wrong
        cut = writer.add("split_with_sizes.default", projected, (1,) * steps, self.axis)
        state = [writer.add("select.int", each, 0, index) for each in self.state]
        outputs: dict[int, Ref] = {}
        for step in range(steps)[:: -1 if backwards else 1]:
            x = writer.add("squeeze.dim", writer.item(cut, step), self.axis)
            sizes = (self.shape[1 - self.axis], self.rows)
            h = writer.add("linear.default", state[0], hidden, out, shape=sizes)
            state = gates(writer, x, h, state)
            outputs[step] = state[0]
        ordered: Sequence[Ref] = [outputs[step] for step in range(steps)]
        return writer.add("stack.default", tuple(ordered), self.axis), state
