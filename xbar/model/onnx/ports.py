"""Inputs and outputs of an ONNX model: the one that is taken, the one that is returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xbar.errors import ModelError, SpecError
from xbar.model.onnx.context import Known
from xbar.model.onnx.file import DTYPES
from xbar.model.onnx.order import names_used
from xbar.model.signature import note_rows
from xbar.model.source import Source


@dataclass(frozen=True, eq=False)
class Ports:
    """What is taken, given once and returned.

    Attributes:
        where: file name for messages.
        taken: name of the input.
        shape: shape of one input, without the batch axis.
        dtype: numpy name of its type.
        batch: batch size, if it is fixed.
        bound: inputs that are given once.
        returned: name of the output.
        nodes: nodes that the output depends on, in the file's order.
        notes: what was assumed.
    """

    where: str
    taken: str
    shape: tuple[int, ...]
    dtype: str
    batch: int | None
    bound: Mapping[str, Known]
    returned: str
    nodes: tuple[Any, ...]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, graph: Any, constants: Mapping[str, Known], source: Source) -> Ports:
        """Choose the input and output of a model.

        Args:
            graph: the model's graph.
            constants: its initializers.
            source: file and the caller's options.

        Raises:
            ModelError: of several inputs and outputs none is chosen, or the input's type is not
                supported.
            SpecError: a name is unknown, or a shape is missing or does not fit.
        """
        names = [(each.name,) for each in graph.output]
        index, notes = source.wanted.output_of(names, source.where)
        returned = graph.output[index].name
        nodes = _needed(graph, returned)
        inputs = {each.name: each for each in graph.input if each.name not in constants}
        used = {name for node in nodes for name in names_used(node)} | {*source.wanted.bind}
        asked = [name for name in inputs if name in used or len(inputs) == 1] or [*inputs]
        taken = source.wanted.input_of(asked, source.where)
        shape, dtype, batch = _input(inputs[taken], source)
        bound = {
            name: _bound(each, source, batch)
            for name, each in inputs.items()
            if name in source.wanted.bind
        }
        told = [
            note for name, known in bound.items() for note in note_rows(name, known.array, batch)
        ]
        notes = (*notes, *told)
        return cls(source.where, taken, shape, dtype, batch, bound, returned, tuple(nodes), notes)


def _input(value: Any, source: Source) -> tuple[tuple[int, ...], str, int | None]:
    """Shape of one input, type, and fixed batch size."""
    kind, dtype = _type(value, source.where)
    sizes = [each.dim_value if each.dim_value > 0 else None for each in kind.shape.dim]
    if not kind.HasField("shape"):
        return source.needed_shape("this ONNX model"), dtype, None
    if not sizes:
        raise ModelError(f"{source.where}: the input must have a batch axis")
    known = tuple(size for size in sizes[1:] if size is not None)
    if len(known) == len(sizes) - 1:
        return known, dtype, sizes[0]
    given = source.needed_shape("an ONNX model with dynamic input sizes")
    if len(given) != len(sizes) - 1 or any(
        want not in (None, got) for want, got in zip(sizes[1:], given, strict=True)
    ):
        raise SpecError(f"{source.where}: the model takes inputs of shape {sizes[1:]}, not {given}")
    return given, dtype, sizes[0]


def _type(value: Any, where: str) -> tuple[Any, str]:
    """Type of a tensor, and its numpy name."""
    kind = value.type.tensor_type
    dtype = DTYPES.get(kind.elem_type, "unknown")
    if dtype in ("unknown", "bfloat16"):
        raise ModelError(f"{where}: inputs of type {dtype} are not supported; use float32")
    return kind, dtype


def _bound(value: Any, source: Source, batch: int | None) -> Known:
    """An input that is given once."""
    kind, dtype = _type(value, source.where)
    sizes = [size.dim_value if size.dim_value > 0 else None for size in kind.shape.dim]
    if sizes and sizes[0] is None:
        sizes[0] = 1  # the batch
    shape = tuple(sizes) if kind.HasField("shape") else None
    return Known(source.wanted.value(value.name, shape, dtype, source.where, batch), value.name)


def _needed(graph: Any, output: str) -> list[Any]:
    """The nodes that an output depends on, in the file's order."""
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    found: set[int] = set()
    stack = [output]
    while stack:
        made = makers.get(stack.pop())
        if made is not None and made not in found:
            found.add(made)
            stack += names_used(graph.node[made])
    return [node for i, node in enumerate(graph.node) if i in found]
