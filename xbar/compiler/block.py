"""A block: a part of one layer's matrix, and the cells of a tile that it lies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats

Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Block:
    """R inputs and C outputs of one layer's matrix W (outputs, inputs), on one tile.

    Neither need be neighbours, in the matrix or on the tile.

    Attributes:
        layer: the layer's name.
        group: which of its matrices; 0 unless it is a grouped convolution.
        inputs: (R,) which inputs of the matrix.
        outputs: (C,) which outputs.
        word_lines: (R,) row of cells on which each input lies.
        columns: (C,) column of weights on which each output lies; the signed mapping says which
            bit lines a column is.
    """

    layer: str
    group: int
    inputs: Indices
    outputs: Indices
    word_lines: Indices
    columns: Indices

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Block) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.layer, self.group, self.inputs.tobytes(), self.outputs.tobytes()))

    @property
    def shape(self) -> tuple[int, int]:
        """(R, C)."""
        return len(self.inputs), len(self.outputs)

    def of(self, matrix: NDArray[Any]) -> Floats:
        """(R, C): its part of a layer's matrix (G, outputs, inputs), transposed.

        A view where the inputs and the outputs are neighbours, so that it takes no memory.
        """
        whole = matrix[self.group]
        rows, columns = _neighbours(self.inputs), _neighbours(self.outputs)
        if rows is None or columns is None:
            return np.asarray(whole[self.outputs[:, None], self.inputs].T, dtype=np.float64)
        return np.asarray(whole[columns, rows].T, dtype=np.float64)

    def put(self, matrix: NDArray[Any], values: Floats) -> None:
        """Write values (R, C) at its place in a layer's matrix (G, outputs, inputs)."""
        matrix[self.group][self.outputs[:, None], self.inputs] = values.T

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write; ``from_json`` is the inverse."""
        return {
            "layer": self.layer,
            "group": self.group,
            **{name: _pack(getattr(self, name)) for name in _AXES},
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Block:
        """The block that ``to_json`` wrote."""
        axes = {name: _unpack(record[name]) for name in _AXES}
        return cls(str(record["layer"]), int(record["group"]), **axes)


_AXES = ("inputs", "outputs", "word_lines", "columns")


def span(first: int, end: int) -> Indices:
    """The indices from ``first`` up to, but not including, ``end``."""
    return np.arange(first, end, dtype=np.int64)


def _neighbours(indices: Indices) -> slice | None:
    """The indices as a slice, if each is one more than the one before."""
    first = int(indices[0])
    if np.array_equal(indices, span(first, first + len(indices))):
        return slice(first, first + len(indices))
    return None


def _pack(indices: Indices) -> Any:
    """{"from": a, "to": b} for neighbours in order, else the list."""
    part = _neighbours(indices)
    return indices.tolist() if part is None else {"from": part.start, "to": part.stop}


def _unpack(record: Any) -> Indices:
    if isinstance(record, dict):
        return span(int(record["from"]), int(record["to"]))
    return np.array(record, dtype=np.int64)
