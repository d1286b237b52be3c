"""Matrices by layer, made when they are asked for: a network need not lie in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from threading import RLock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.checks import check_matrix, check_shape_of
from xbar.model.graph import Graph

Shape = tuple[int, ...]


MOST = 1 << 28
"""Bytes of matrices that stay in memory; or one matrix, if it is larger."""


def raw_of(matrices: Mapping[str, NDArray[Any]], layer: str) -> NDArray[Any]:
    """A layer's matrix in the type in which it is held, which may be smaller than float64."""
    raw = getattr(matrices, "raw", None)  # of a mapping whose matrices are read late
    found: NDArray[Any] = matrices[layer] if raw is None else raw(layer)
    return found


def shapes_of(matrices: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, int, int]]:
    """Shape (G, outputs, inputs) of each layer's matrix, in order; no weight is read."""
    known = getattr(matrices, "shape", None)
    return {name: known(name) if known else matrices[name].shape for name in matrices}


def as_held(matrices: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """Matrices by layer in the types in which they are held, see ``raw_of``."""
    return _Held(matrices) if hasattr(matrices, "raw") else matrices


class _Held(Mapping[str, NDArray[Any]]):
    """Matrices that are read late, each in its own type."""

    def __init__(self, matrices: Mapping[str, NDArray[Any]]) -> None:
        self._matrices = matrices

    def __getitem__(self, name: str) -> NDArray[Any]:
        return raw_of(self._matrices, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._matrices)

    def __len__(self) -> int:
        return len(self._matrices)


class LateMatrices(Mapping[str, Floats]):
    """Matrices (G, outputs, inputs) by layer in float64; the ones used last stay in memory.

    ``raw`` gives them in the type in which they are held.
    """

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

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Arrays (outputs, inputs) or (G, outputs, inputs), which stay in their own type.

        Raises:
            SpecError: an array has another shape.
        """
        shapes = {name: check_shape_of(name, array.shape) for name, array in arrays.items()}
        return cls({name: (shapes[name], _Array(array)) for name, array in arrays.items()})

    def _restart(self) -> None:
        self._kept = dict[tuple[str, str], NDArray[Any]]()  # the one used last is the last one
        self._checked = set[str]()
        self._lock = RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {"_layers": self._layers, "_guard": self._guard}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._restart()

    def __getitem__(self, name: str) -> Floats:
        with self._lock:
            return self._get(name, "float64", lambda: np.asarray(self._raw(name), np.float64))

    def raw(self, name: str) -> NDArray[Any]:
        """A matrix (G, outputs, inputs) in the type in which it is held, such as float32.

        Raises:
            SpecError: it has a number that is not finite, or its largest is too large or small.
        """
        with self._lock:
            return self._raw(name)

    def _raw(self, name: str) -> NDArray[Any]:
        return self._get(name, "raw", lambda: self._read(name))

    def _read(self, name: str) -> NDArray[Any]:
        shape, read = self._layers[name]
        with self._guard():
            found = read()
            if name not in self._checked:
                check_matrix(name, found)
                self._checked.add(name)
            return found.reshape(shape)

    def _get(self, name: str, form: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """A matrix in a form: made if it is not kept, and kept as long as there is room."""
        found = self._kept.pop((name, form), None)
        if found is None:
            self._make_room(8 * math.prod(self._layers[name][0]))
            found = make()
        self._kept[name, form] = found
        return found

    def _make_room(self, size: int) -> None:
        while self._kept and size + sum(each.nbytes for each in self._kept.values()) > MOST:
            del self._kept[next(iter(self._kept))]

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
        return self.graph.layers[self.number].raw


class _Array:
    """Gives an array in memory."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __call__(self) -> NDArray[Any]:
        return self.array
