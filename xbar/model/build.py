"""Builds a graph operation by operation, for readers of foreign formats.

Each operation is applied immediately to fake tensors with batch sizes of one and three: a mismatch
is an error at the offending operation, and a size that differs between the two scales with the
batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.draws import reason
from xbar.model.evaluate import Constants
from xbar.model.graph import Argument, Graph, Input, Node, Ref
from xbar.model.naming import fresh, parameter, plain_name
from xbar.model.pytorch import require_torch

if TYPE_CHECKING:
    from xbar.model.probe import Fake, Probe

Array: TypeAlias = NDArray[Any]
Size: TypeAlias = int | Ref
"""A static size, or the node that computes it from the batch size."""

MOST_NODES = 50_000


class Builder:
    """Collects nodes and constants; :meth:`graph` finishes the graph."""

    def __init__(self, shape: tuple[int, ...], dtype: str, batch: int | None = None) -> None:
        """Start with the network's input.

        Args:
            shape: shape of one input, without the batch axis.
            dtype: numpy name of its type.
            batch: fixed batch size, or None for any.

        Raises:
            ToolError: PyTorch is not installed.
        """
        require_torch("reading this kind of model")
        from xbar.model.probe import MOST, Probe

        self._input = Input("input", (None, *shape), dtype)
        self._batch = batch
        self._nodes: list[Node] = []
        self._constants: dict[str, Array] = {}
        self._constant_nodes: dict[str, Ref] = {}
        self._stored: dict[str, str] = {}  # the constants by their nodes
        self._sizes: dict[tuple[str, int], Ref] = {}
        self._numbers: dict[str, int] = {}
        self._origins: dict[str, str] = {}
        self.scalars: dict[str, float] = {}  # constants without axes that stand for numbers
        self._known = Constants((), self._constants)
        self._evaluated: tuple[str, Array | str] = ("", "")
        counts = (1, 3) if batch is None else (batch,)
        numbers = math.prod(shape) * (batch or 1)
        if numbers > MOST:
            raise ModelError(f"its input has {numbers} numbers; the limit is {MOST}")
        self._probes: list[tuple[Probe, dict[str, Fake]]] = [(Probe(n), {}) for n in counts]
        values = [probe.tensor((probe.count, *shape), dtype) for probe, _ in self._probes]
        self.input = self._store(Node("input", "input"), values)

    def constant(self, name: str, array: Array) -> Ref:
        """Add a constant under its name in the file; equal names are the same constant."""
        if name not in self._constant_nodes:
            self._constants[name] = array
            node = Node(self._fresh(name), "constant", (name,))
            values = [probe.constant(array) for probe, _ in self._probes]
            self._constant_nodes[name] = self._store(node, values)
            self._stored[node.name] = name
        return self._constant_nodes[name]

    def anonymous(self, name: str, array: Array, origin: str = "") -> Ref:
        """Add a constant without a name in the file; the name is made unique.

        Args:
            name: its name.
            array: its numbers.
            origin: name of the constant that they are computed from; "" if there is none.
        """
        name = fresh(name, self._constants, "'")
        if origin:
            self._origins[name] = origin
        return self.constant(name, array)

    def array(self, ref: Ref) -> Array | None:
        """A value's array if it depends on constants only, else None."""
        if ref.name in self._stored:
            return self._constants[self._stored[ref.name]]
        if ref.name not in self._known:
            return None
        if self._evaluated[0] != ref.name:  # the last one, which is often asked for again
            self._evaluated = (ref.name, self._known.evaluate([ref.name])[ref.name])
        value = self._evaluated[1]
        return None if isinstance(value, str) else value

    def origin(self, ref: Ref) -> str:
        """Name of the constant that a value is computed from; "" if there is none."""
        array = self.array(ref)
        if array is None:
            return ""
        found = parameter(self._known.sources(ref.name), array, self._constants)
        return plain_name(found) if found else ""

    def add(
        self,
        op: str,
        *args: Argument,
        name: str | None = None,
        kwargs: Mapping[str, Argument] | None = None,
    ) -> Ref:
        """Add one operation on earlier values.

        Args:
            op: operation, such as ``aten.relu.default``.
            *args: positional arguments.
            name: name of the value in the file, if any.
            kwargs: keyword arguments.

        Raises:
            ModelError: it is not allowed or does not fit its arguments.
        """
        if len(self._nodes) >= MOST_NODES:
            raise ModelError(f"the network has more than {MOST_NODES} operations")
        named = kwargs or {}
        node = Node(self._fresh(name or op.split(".")[1]), op, args, named)
        try:
            values = [probe.apply(op, args, named, known) for probe, known in self._probes]
        except ModelError:
            if why := reason(node):  # the better explanation, as of a norm of a single value
                raise ModelError(why) from None
            raise
        return self._store(node, values)

    def item(self, ref: Ref, index: int) -> Ref:
        """One result of an operation with several."""
        return self.add("operator.getitem", ref, index)

    def shape(self, ref: Ref) -> tuple[int | None, ...]:
        """A value's shape; None marks a size that depends on the batch.

        Raises:
            ModelError: the value is not a tensor.
        """
        from xbar.model.probe import shape_of

        shapes = [shape_of(known[ref.name]) for _, known in self._probes]
        first = shapes[0]
        if first is None or any(each is None or len(each) != len(first) for each in shapes):
            raise ModelError(f"{ref.name} must be a tensor of known rank")
        columns = zip(*(each for each in shapes if each is not None), strict=True)
        return tuple(size[0] if len({*size}) == 1 else None for size in columns)

    def sizes(self, ref: Ref) -> tuple[Size, ...]:
        """A value's shape as arguments; sizes that depend on the batch are computed at run time."""
        return tuple(
            self._size(ref, axis) if size is None else size
            for axis, size in enumerate(self.shape(ref))
        )

    def dtype(self, ref: Ref) -> str:
        """Numpy name of a value's type; "" if it is not a tensor."""
        from xbar.model.probe import dtype_of

        return dtype_of(self._probes[0][1][ref.name])

    def count(self, ref: Ref) -> int | None:
        """Number of results that a value holds; None for a single one."""
        value = self._probes[0][1][ref.name]
        return len(value) if isinstance(value, (list, tuple)) else None

    def graph(self, output: Ref, notes: Sequence[str] = ()) -> Graph:
        """Finish the graph with this value as its output.

        Raises:
            MisfitError: the output has no batch axis; with a batch of one it is given one.
        """
        from xbar.model.constants import name_weights

        output, moved = self._batch_first(output)
        notes = [*notes, *moved]
        graph = Graph(
            nodes=tuple(self._nodes),
            constants=self._constants,
            inputs=(self._input,),
            output=output,
            batch=self._batch,
            notes=tuple(notes),
        )
        return name_weights(graph, self._origins)

    def _batch_first(self, output: Ref) -> tuple[Ref, tuple[str, ...]]:
        """The output with the batch as its first axis, and what was done for that."""
        from xbar.model.probe import MisfitError, shape_of

        shapes = [shape_of(known[output.name]) or () for _, known in self._probes]
        counts = tuple(probe.count for probe, _ in self._probes)
        columns = [*zip(*shapes, strict=False)]
        axes = [axis for axis, sizes in enumerate(columns) if sizes == counts]
        first = columns[0] if columns else counts
        added = {size - count for size, count in zip(first, counts, strict=True)}
        if axes[:1] == [0] or (columns and len(counts) > 1 and len(added) == 1):
            return output, ()  # the batch, or the batch and rows that a padding adds to it
        if counts == (1,):
            note = "the output has no batch axis: each input has the whole output"
            return self.add("aten.unsqueeze.default", output, 0), (note,)
        if len(axes) != 1:
            raise MisfitError("its output has no batch axis")
        order = (axes[0], *(axis for axis in range(len(columns)) if axis != axes[0]))
        note = f"axis {axes[0]} of the output is the batch, and comes first"
        return self.add("aten.permute.default", output, order), (note,)

    def _size(self, ref: Ref, axis: int) -> Ref:
        key = (ref.name, axis)
        if key not in self._sizes:
            self._sizes[key] = self.add("aten.sym_size.int", ref, axis)
        return self._sizes[key]

    def _store(self, node: Node, values: Sequence[Fake]) -> Ref:
        from xbar.model.probe import shape_of

        for (_, known), value in zip(self._probes, values, strict=True):
            known[node.name] = value
        shape = shape_of(values[0])
        self._nodes.append(Node(node.name, node.op, node.args, node.kwargs, shape))
        self._known.add(self._nodes[-1])
        return Ref(node.name)

    def _fresh(self, name: str) -> str:
        known = self._probes[0][1]
        if name not in known:
            return name
        number = self._numbers.get(name, 1)
        while f"{name}_{number}" in known:
            number += 1
        self._numbers[name] = number  # the smaller ones stay taken
        return f"{name}_{number}"


def for_any_batch(read: Callable[[int | None], Graph]) -> Graph:
    """A graph for any batch size, or for a batch of one if the model allows no other.

    Args:
        read: function that reads the model for a batch size; None for any.
    """
    require_torch("reading this kind of model")
    from xbar.model.probe import MisfitError

    try:
        return read(None)
    except (
        MisfitError
    ) as first:  # exported with one input, the model may have that batch size hard-coded
        try:
            return read(1)
        except ModelError:
            raise first from None


def plain(array: Array) -> Argument:
    """A small array as an argument.

    >>> plain(np.array([[1, 2]]))
    ((1, 2),)
    """
    value = np.asarray(array).tolist()
    return _tuples(value)


def _tuples(value: Any) -> Argument:
    if isinstance(value, list):
        return tuple(_tuples(each) for each in value)
    known: Argument = value
    return known
