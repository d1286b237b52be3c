"""Block: inputs and outputs of one layer's matrix, and their lines on a tile."""

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

    They need not be consecutive, in the matrix or on the tile.

    Attributes:
        layer: name of the layer.
        group: index of its matrix; 0 unless it is a grouped convolution.
        inputs: indices (R,) of inputs of the matrix.
        outputs: indices (C,) of outputs.
        word_lines: row of cells of each input (R,).
        columns: column of weights of each output (C,); the signed mapping assigns its bit lines.
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
        """(R, C): its weights of a layer's matrix (G, outputs, inputs), transposed.

        A view without memory of its own if inputs and outputs are consecutive.
        """
        whole = matrix[self.group]
        rows, columns = neighbours(self.inputs), neighbours(self.outputs)
        if rows is None or columns is None:
            return np.asarray(whole[self.outputs[:, None], self.inputs].T, dtype=np.float64)
        return np.asarray(whole[columns, rows].T, dtype=np.float64)

    def cells_of(self, values: Floats) -> Floats:
        """(R, C): its weights' values of a tile's (W, columns); a view if they are consecutive."""
        return values[self.place]

    @property
    def place(self) -> tuple[slice, slice] | tuple[Indices, Indices]:
        """Index of its weights in a tile's (W, columns): slices if they are consecutive."""
        rows, columns = neighbours(self.word_lines), neighbours(self.columns)
        if rows is None or columns is None:
            return self.word_lines[:, None], self.columns
        return rows, columns

    def add(self, matrix: NDArray[Any], values: Floats) -> None:
        """Add values (R, C) to its weights of a layer's matrix (G, outputs, inputs)."""
        rows, columns = neighbours(self.inputs), neighbours(self.outputs)
        if rows is None or columns is None:
            matrix[self.group][self.outputs[:, None], self.inputs] += values.T
        else:
            matrix[self.group][columns, rows] += values.T

    def put(self, matrix: NDArray[Any], values: Floats) -> None:
        """Write values (R, C) to its weights of a layer's matrix (G, outputs, inputs)."""
        matrix[self.group][self.outputs[:, None], self.inputs] = values.T

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``; ``from_json`` is the inverse."""
        return {
            "layer": self.layer,
            "group": self.group,
            **{name: _pack(getattr(self, name)) for name in _AXES},
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Block:
        """Read a block from the dictionary of ``to_json``."""
        axes = {name: _unpack(record[name]) for name in _AXES}
        return cls(str(record["layer"]), int(record["group"]), **axes)


_AXES = ("inputs", "outputs", "word_lines", "columns")


def span(first: int, end: int) -> Indices:
    """The indices from ``first`` up to, but not including, ``end``."""
    return np.arange(first, end, dtype=np.int64)


def neighbours(indices: Indices) -> slice | None:
    """The indices as a slice if they are consecutive, else None."""
    first = int(indices[0])
    if np.array_equal(indices, span(first, first + len(indices))):
        return slice(first, first + len(indices))
    return None


def _pack(indices: Indices) -> Any:
    """{"from": a, "to": b} for consecutive indices, else the list."""
    run = neighbours(indices)
    return indices.tolist() if run is None else {"from": run.start, "to": run.stop}


def _unpack(record: Any) -> Indices:
    if isinstance(record, dict):
        return span(int(record["from"]), int(record["to"]))
    return np.array(record, dtype=np.int64)
