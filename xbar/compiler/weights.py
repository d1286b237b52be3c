"""Matrices by layer, made when they are asked for: a network need not lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any, Self

from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.checks import check_matrices
from xbar.model.graph import Graph

Shape = tuple[int, ...]


class LateMatrices(Mapping[str, Floats]):
    """Matrices (G, outputs, inputs) by layer; only the last one asked for stays in memory."""

    def __init__(
        self,
        layers: Mapping[str, tuple[Shape, Callable[[], NDArray[Any]]]],
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Take what reads the matrices; none is read.

        Args:
            layers: by layer, its shape and the function that reads its matrix.
            guard: what each is read in, for errors that say where.
        """
        self._layers, self._guard = dict(layers), guard
        self._restart()

    @classmethod
    def of_graph(
        cls, graph: Graph, guard: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Self:
        """The matrices of a graph's layers."""
        layers = enumerate(graph.layers)
        return cls({layer.name: (layer.shape, _Matrix(graph, n)) for n, layer in layers}, guard)

    def _restart(self) -> None:
        self._last: tuple[str, Floats] | None = None
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"_layers": self._layers, "_guard": self._guard}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._restart()

    def __getitem__(self, name: str) -> Floats:
        read = self._layers[name][1]
        with self._lock, self._guard():
            if self._last is None or self._last[0] != name:
                self._last = None  # never two at a time
                self._last = name, check_matrices({name: read()})[name]
            return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, name: object) -> bool:
        return name in self._layers

    def shape(self, name: str) -> Shape:
        """A matrix's shape (G, outputs, inputs); it is not read."""
        return self._layers[name][0]


class _Matrix:
    """Reads the matrix of a graph's layer."""

    def __init__(self, graph: Graph, number: int) -> None:
        self.graph, self.number = graph, number

    def __call__(self) -> NDArray[Any]:
        return self.graph.layers[self.number].matrix
