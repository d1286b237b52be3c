"""A graph that PyTorch runs with gradients, and as a module that ``torch.export`` takes.

Weights and biases are given at each run, so that they may be functions of what is trained.
Importing this module imports PyTorch: import it inside functions.

Shapes: G groups of a layer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xbar.errors import ModelError
from xbar.model.graph import Graph, Ref
from xbar.model.inplace import mutates
from xbar.model.interpret import TORCH_ERRORS, first_line, resolve, torch_argument
from xbar.model.lower import find_products


@dataclass(frozen=True, eq=False)
class Learned:
    """A layer's constants in the graph.

    Attributes:
        weight: name of its weight.
        place: (G, outputs, inputs) of the matrix's elements in the flat weight.
        bias: name of its bias, if that is a constant of its own.
    """

    weight: str
    place: NDArray[np.int64]
    bias: str | None


def learned_of(graph: Graph) -> dict[str, Learned]:
    """The constants of each layer.

    Raises:
        ModelError: a layer's matrix has not each element of its weight once.
    """
    products, nodes = find_products(graph), {node.name: node for node in graph.nodes}
    found = {}
    for layer in graph.layers:
        product = products[layer.nodes[0]]
        name = product.weight.constant
        weight = graph.constants[name]
        place = np.arange(weight.size).reshape(weight.shape).transpose(product.weight.axes)
        matrix = np.asarray(product.matrix(place))
        if not np.array_equal(np.sort(matrix, axis=None), np.arange(weight.size)):
            raise ModelError(
                f"{layer.name}: training takes layers that use each number of their weight once; "
                "leave it digital with graph.select(skip=...)"
            )
        bias = product.bias
        node = nodes[bias.name] if isinstance(bias, Ref) else None
        own = str(node.args[0]) if node is not None and node.op == "constant" else None
        if own is not None and graph.constants[own].dtype.kind != "f":
            own = None
        found[layer.name] = Learned(name, matrix.astype(np.int64), own)
    taken = [each.weight for each in found.values()]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        raise ModelError(
            f"{twice}: two layers multiply by this constant in different ways; leave one digital "
            "with graph.select(skip=...)"
        )
    return found


class Multiply(Protocol):
    """Makes the values of the nodes that are products of layers."""

    @property
    def nodes(self) -> Collection[str]:
        """Names of the nodes."""
        ...

    def __call__(self, node: str, values: Mapping[str, Any]) -> torch.Tensor:
        """A node's value, for the values of those before."""
        ...


class LiveGraph(nn.Module):
    """A graph as a module.

    Args:
        graph: the network.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._graph = graph
        self._calls = {
            node.name: resolve(node.op, node.name)
            for node in graph.nodes
            if node.op not in ("input", "constant")
        }
        self._paths: dict[str, tuple[nn.Module, str]] = {}
        used = {str(node.args[0]) for node in graph.nodes if node.op == "constant"}
        for name in sorted(used):
            self._store(name, torch.from_numpy(np.array(graph.constants[name])))

    def _store(self, name: str, value: torch.Tensor) -> None:
        """Keep a constant under its dotted name, which the file of an export then has."""
        module: nn.Module = self
        *folders, last = name.split(".")
        for folder in folders:
            if not hasattr(module, folder):
                module.add_module(folder, nn.Module())
            module = getattr(module, folder)
        if not isinstance(module, nn.Module) or hasattr(module, last):
            raise ModelError(f"{name}: a constant can't have the name of a module's own attribute")
        module.register_buffer(last, value)
        self._paths[name] = module, last

    def trainable(self) -> AbstractContextManager[Any]:
        """In which gradients exist although operations change values in place.

        They are those of the values before, which are copied where the gradient needs them.
        """
        if any(mutates(node) for node in self._graph.nodes):
            return torch.autograd.graph.allow_mutation_on_saved_tensors()
        return nullcontext()

    def forward(
        self,
        x: torch.Tensor,
        given: Mapping[str, torch.Tensor] | None = None,
        multiply: Multiply | None = None,
    ) -> Any:
        """The network's output for inputs (N, ...), with other values of some constants.

        Args:
            x: the inputs.
            given: constants by name.
            multiply: makes the values of some nodes.
        """
        return self.values(x, given or {}, multiply)[self._graph.output.name]

    def values(
        self,
        x: torch.Tensor,
        given: Mapping[str, torch.Tensor],
        multiply: Multiply | None = None,
    ) -> dict[str, Any]:
        """What each node gives, by its name; arguments as those of a call."""
        values = dict[str, Any]()
        read = () if multiply is None else multiply.nodes
        for node in self._graph.nodes:
            if node.op == "input":
                values[node.name] = x
            elif node.op == "constant":
                name = str(node.args[0])
                module, last = self._paths[name]
                # a copy, which operations in place may change
                values[node.name] = (given[name] if name in given else getattr(module, last)) * 1
            elif multiply is not None and node.name in read:
                values[node.name] = multiply(node.name, values)
            else:
                args = [torch_argument(each, values) for each in node.args]
                kwargs = {key: torch_argument(each, values) for key, each in node.kwargs.items()}
                try:
                    values[node.name] = self._calls[node.name](*args, **kwargs)
                except TORCH_ERRORS as error:
                    raise ModelError(
                        f"{node.name}: {node.op} failed: {first_line(error)}"
                    ) from None
        return values
