"""Neural networks as plain data.

    input ──► aten.conv2d ──► aten.relu ──► aten.linear ──► output
                  ▲                             ▲
              constants                     constants

A :class:`Graph` is the result of ``torch.export``: a list of nodes, each of which applies one ATen
operation to earlier nodes, and the constants (weights) by name. It needs numpy only; PyTorch is
imported on running it. Its layers are the products with a constant matrix: these are mapped to
crossbars, all other operations run unchanged.

Shapes: N inputs, G groups of a layer, N' matrix-vector products of N inputs in a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import check_finite, real
from xbar.errors import ModelError, SpecError
from xbar.model.operations import check_operation
from xbar.model.stored import size_of
from xbar.tables import Card, Facts, Outline, count, few

Multiply: TypeAlias = Callable[[str, NDArray[np.float64]], NDArray[np.float64]]
"""(layer name, inputs (N', G, inputs)) -> outputs (N', G, outputs)."""


Lines: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ranks of a layer's inputs (G, inputs) and outputs (G, outputs)."""


@dataclass(frozen=True)
class Ref:
    """The value of an earlier node, as an argument."""

    name: str


@dataclass(frozen=True)
class Tag:
    """An argument that names a PyTorch constant.

    Attributes:
        kind: "dtype", "layout", "memory_format" or "device".
        value: PyTorch name, such as "float32".
    """

    kind: str
    value: str


Argument: TypeAlias = Ref | Tag | bool | int | float | str | tuple["Argument", ...] | None


@dataclass(frozen=True)
class Node:
    """One operation of the network.

    Attributes:
        name: name, unique in the graph.
        op: "input", "constant" (its one argument is the constant's name), or an operation.
        args: positional arguments.
        kwargs: keyword arguments.
        shape: shape of the value for one network input (for the exported batch if that is fixed).
            None for a number, and for a size that depends on more than the batch.
    """

    name: str
    op: str
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)
    shape: tuple[int | None, ...] | None = None


@dataclass(frozen=True)
class Input:
    """The network's input.

    Attributes:
        name: name of its node.
        shape: shape, None for a size that is not fixed; the first axis is the batch, always None.
        dtype: numpy name of the type, such as "float32".
        most: largest size that an axis which is not fixed may have, the batch aside; None for any.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    most: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Layer(Outline):
    """A constant matrix that the network multiplies by; layers are mapped to crossbars.

    Attributes:
        name: dotted path of the module, such as "features.0".
        kind: "linear", "conv1d", "conv2d", "conv3d" or the same "_transposed".
        shape: shape (G, outputs, inputs) of its matrix; G is 1 except for grouped convolution.
        positions: matrix-vector products per network input; None if that varies.
        nodes: names of the nodes that multiply by it.
        source: its matrix in the constant's own type, or the function that reads it from a file.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    positions: int | None
    nodes: tuple[str, ...]
    source: NDArray[Any] | Callable[[], NDArray[Any]]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Matrix W of y = W @ x, (G, outputs, inputs), in float64; see ``raw``."""
        return np.ascontiguousarray(self.raw, dtype=np.float64)

    @property
    def raw(self) -> NDArray[Any]:
        """The matrix in the type of its constant; read at each access if it lies in a file.

        Raises:
            ModelError: it lies in a file and has a number that is not finite.
            FileError: that file is gone, or changed since the network was read.
        """
        return self.source() if callable(self.source) else self.source


@dataclass(frozen=True, eq=False, repr=False)
class Graph(Card):
    """A neural network with one input and one output tensor.

    Attributes:
        nodes: nodes in execution order.
        constants: parameters, buffers and constant tensors by name, in memory or read from their
            files at each access (``stored.StoredArrays``).
        inputs: network inputs.
        output: the node whose value is returned; its first axis is the batch.
        batch: fixed batch size of the export; None for any.
        notes: assumptions made where the file leaves something open, one sentence each.
        left_out: layers that the user keeps digital, each with the reason.
        lines: by layer, the order in which its inputs and outputs lie on a tile's lines; empty
            where the compiler is free.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[Input, ...]
    output: Ref
    batch: int | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    lines: Mapping[str, Lines] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known: set[str] = set()
        for node in self.nodes:
            self._check_node(node, known)
            known.add(node.name)
        taken = tuple(node.name for node in self.nodes if node.op == "input")
        if len(self.inputs) != 1 or taken != (self.inputs[0].name,):
            raise ModelError(
                f"a network must take one tensor, not {len(taken)}; "
                "wrap the model in a module that takes one"
            )
        if not self.inputs[0].shape:
            raise ModelError(
                "the network's input must have a batch axis, but it is a single number"
            )
        if self.output.name not in known:
            raise ModelError(f"the graph returns {self.output.name!r}, which no node computes")

    def _check_node(self, node: Node, known: set[str]) -> None:
        if node.name in known:
            raise ModelError(f"two nodes of the graph are called {node.name!r}")
        if node.op == "constant":
            if len(node.args) != 1 or node.args[0] not in self.constants:
                raise ModelError(f"{node.name}: the constant {node.args!r} is missing")
        elif node.op != "input":
            check_operation(node.op, node.name)
        for ref in references(node):
            if ref not in known:
                raise ModelError(f"{node.name}: it uses {ref!r}, which no earlier node computes")

    def _facts(self) -> Facts:
        names = [layer.name for layer in self.layers]
        numbers = sum(size_of(self.constants, name) for name in self.constants)
        return [
            ("input", _show(self.inputs[0].shape)),
            (count(len(names), "layer"), few(names)),
            ("digital", few([name for name, _ in self.digital])),
            ("nodes", str(len(self.nodes))),
            ("constants", count(numbers, "number")),
            ("notes", str(len(self.notes) or "")),
        ]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order of first use.

        Raises:
            ModelError: a layer has a non-finite weight or bias.
        """
        from xbar.model.lower import find_layers

        left_out = {name for name, _ in self.left_out}
        return tuple(layer for layer in find_layers(self) if layer.name not in left_out)

    @cached_property
    def digital(self) -> tuple[tuple[str, str], ...]:
        """Products that stay digital, (name, reason): excluded layers, then unsupported nodes."""
        from xbar.model.digital import find_digital

        return self.left_out + find_digital(self)

    def select(self, only: Iterable[str] = (), skip: Iterable[str] = ()) -> Graph:
        """Select the layers to map to crossbars; the others stay digital.

        Args:
            only: patterns of layer names such as "features.*"; empty selects all layers.
            skip: patterns of layers to exclude from those.

        Raises:
            SpecError: a pattern matches no layer, or no layer is left.
        """
        from xbar.model.digital import select_layers

        return select_layers(self, tuple(only), tuple(skip))

    def run(self, inputs: ArrayLike, multiply: Multiply | None = None) -> NDArray[Any]:
        """Run the network; returns outputs (N, ...) for inputs (N, ...), any N.

        Args:
            inputs: inputs (N, ...), as described by ``self.inputs[0]``.
            multiply: replacement of each layer's digital product, called as
                ``multiply(layer, x)`` with x (N', G, inputs); returns (N', G, outputs). It may be
                called several times per layer, with slices of the batch. None: all digital. If it
                has a ``dtype``, x has that type instead of float64; if its ``by_layer`` is true,
                all slices pass a layer before the next one is called.

        Raises:
            SpecError: the inputs don't fit, or ``multiply`` returned another shape.
            ModelError: an operation fails.
            ToolError: PyTorch is not installed.
        """
        checked = self.check_inputs(inputs)
        from xbar.model.pytorch import require_torch

        require_torch("running a network")
        from xbar.model.interpret import run_graph

        return run_graph(self, checked, multiply)

    def check_inputs(self, inputs: ArrayLike) -> NDArray[Any]:
        """The inputs (N, ...) in the network's own type.

        Raises:
            SpecError: they don't fit.
        """
        want = self.inputs[0]
        x = real(inputs, "inputs")
        fits = x.ndim == len(want.shape) and all(
            size in (None, got) for size, got in zip(want.shape, x.shape, strict=True)
        )
        if not fits or 0 in x.shape:
            raise SpecError(
                f"the network takes inputs {_show(want.shape)} (N is any number from 1), "
                f"not {_show(x.shape)}"
            )
        longest = max(x.shape[1:], default=0)
        if want.most is not None and None in want.shape[1:] and longest > want.most:
            raise SpecError(
                f"the network takes at most {want.most} of what it was made for, such as tokens, "
                f"not {longest}"
            )
        dtype = np.dtype(want.dtype)
        if x.dtype.kind == "f" and dtype.kind != "f":
            raise SpecError(f"the network takes inputs of type {dtype}, not {x.dtype}")
        if dtype.kind in "iu" and x.dtype.kind in "iu":
            limit = np.iinfo(dtype)
            for end in (int(x.min()), int(x.max())):
                if not limit.min <= end <= limit.max:
                    raise SpecError(f"the network takes inputs of type {dtype}, which {end} is not")
        cast = x.astype(dtype, copy=False)
        check_finite(x, "inputs")
        check_finite(cast, f"inputs as {dtype}", advice="scale them down")
        return cast

    def to_json(self) -> dict[str, Any]:
        """Everything but the constants' values, for ``json``; :meth:`from_json` is the inverse."""
        from xbar.model.record import graph_to_json

        return graph_to_json(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any], constants: Mapping[str, ArrayLike]) -> Graph:
        """Restore a graph from :meth:`to_json`.

        ``record`` is untrusted: only allow-listed operations are accepted.

        Raises:
            FileError: the record is damaged, or the constants don't match it.
            UntrustedFileError: it names an operation that accesses files or raw memory.
            ModelError: it names an operation that is not part of ATen.
        """
        from xbar.model.record import graph_from_json

        return graph_from_json(record, constants)


def references(node: Node) -> tuple[str, ...]:
    """Names of the nodes that a node depends on.

    >>> references(Node("y", "aten.add.Tensor", (Ref("a"), (Ref("b"), 1))))
    ('a', 'b')
    """
    found: list[str] = []
    stack: list[Argument] = [*reversed([*node.args, *node.kwargs.values()])]
    while stack:
        argument = stack.pop()
        if isinstance(argument, Ref):
            found.append(argument.name)
        elif isinstance(argument, tuple):
            stack.extend(reversed(argument))
    return tuple(found)


def replace_references(argument: Argument, new: Mapping[str, str]) -> Argument:
    """Rename the references in an argument.

    >>> replace_references((Ref("a"), Ref("b")), {"a": "c"})
    (Ref(name='c'), Ref(name='b'))
    """
    if isinstance(argument, Ref):
        return Ref(new.get(argument.name, argument.name))
    if isinstance(argument, tuple):
        return tuple(replace_references(item, new) for item in argument)
    return argument


def _show(shape: tuple[int | None, ...]) -> str:
    sizes = [
        "N" if size is None and i == 0 else "?" if size is None else str(size)
        for i, size in enumerate(shape)
    ]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
