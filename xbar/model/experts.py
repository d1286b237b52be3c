"""Products of experts, written out: one layer for each expert.

    rows (S, inputs), sorted by expert      offsets (E,): where each expert's rows end
    ├─ rows of expert 0 ── W_0 ─┐
    ├─ rows of expert 1 ── W_1 ─┼─ joined (S, outputs)
    └─ ...                      ┘

A mixture of experts multiplies each token by the matrices of the few experts that its router chose.
Exporters write this as one operation on a stack of matrices (E, inputs, outputs), whose rows each
have their own matrix. Written out, each matrix is a layer, read for its own rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xbar.model.graph import Argument, Node, Ref
from xbar.model.naming import fresh
from xbar.model.unroll import MOST_NODES

GROUPED = frozenset(["aten._grouped_mm.default", "transformers.grouped_mm_fallback.default"])
"""Products of rows, sorted by group, with a stack of matrices."""

_MOST = 1024
"""Maximum number of experts of a layer."""

Shapes = Callable[[str], tuple[int | None, ...] | None]


def write_out_experts(nodes: Sequence[Node], shape: Shapes) -> list[Node]:
    """Replace each product of experts by products with one matrix each.

    Args:
        nodes: all nodes, in order.
        shape: function from a node's name to its shape.
    """
    taken = {node.name for node in nodes}
    found: list[Node] = []
    for node in nodes:
        grouped = node.op in GROUPED and len(found) < MOST_NODES
        made = _written_out(node, shape, taken) if grouped else None
        found += [node] if made is None else made
    return found


def _written_out(node: Node, shape: Shapes, taken: set[str]) -> list[Node] | None:
    """Nodes of a product of experts; None for a form of it that is not one."""
    rows, matrices, ends = _operands(node)
    if not isinstance(rows, Ref) or not isinstance(matrices, Ref) or not isinstance(ends, Ref):
        return None
    sizes, inputs = shape(matrices.name), shape(rows.name)
    if sizes is None or inputs is None or len(sizes) != 3 or len(inputs) != 2:
        return None
    count = sizes[0]
    if count is None or not 1 <= count <= _MOST:
        return None
    made: list[Node] = []

    def add(what: str, op: str, *args: Argument) -> Ref:
        name = fresh(f"{node.name}_{what}", taken)
        taken.add(name)
        made.append(Node(name, op, args))
        return Ref(name)

    start: Argument = 0
    parts = []
    for i in range(count):
        matrix = add(f"matrix_{i}", "aten.select.int", matrices, 0, i)
        end = add(f"end_{i}", "aten.select.int", ends, 0, i)
        stop = add(f"stop_{i}", "aten._local_scalar_dense.default", end)
        own = add(f"rows_{i}", "aten.slice.Tensor", rows, 0, start, stop)
        parts.append(add(f"expert_{i}", "aten.mm.default", own, matrix))
        start = stop
    return [*made, Node(node.name, "aten.cat.default", (tuple(parts), 0), {}, node.shape)]


def _operands(node: Node) -> tuple[Argument, Argument, Argument]:
    """Rows, matrices and offsets; offsets are None where another option is given."""
    given = dict(enumerate(node.args)) | {
        position: node.kwargs[name]
        for position, name in enumerate(("self", "mat2", "offs", "bias", "out_dtype"))
        if name in node.kwargs
    }
    plain = given.get(3) is None and given.get(4) is None
    return given.get(0), given.get(1), given.get(2) if plain else None
