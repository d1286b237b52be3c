"""The blocks of many tiles as arrays, as they are stored.

    counts (T,)     blocks of each tile
    rows   (N, 8)   of each block: layer, group, R inputs, C outputs, then one number for each of
                    ``inputs``, ``outputs``, ``word_lines`` and ``columns``: 1 + the first index
                    if they are consecutive, else 0
    listed (I,)     the indices of all axes that are not consecutive, block after block, axis after
                    axis

A table from a file is checked as a whole: every index within its matrix or tile, and every weight
but zeros in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block, Indices, neighbours, span
from xbar.compiler.plan import Plan
from xbar.errors import FileError, printable

AXES = ("inputs", "outputs", "word_lines", "columns")
LAYER, GROUP, ROWS, COLUMNS, FIRST = range(5)
_WIDTH = FIRST + len(AXES)
_LENGTH = (ROWS, COLUMNS, ROWS, COLUMNS)  # the length of each axis is that of inputs or outputs


@dataclass(frozen=True, eq=False)
class BlockTable:
    """The blocks of T tiles, N in all; layers are named by their position in the plan.

    Attributes:
        counts: (T,) blocks of each tile.
        rows: (N, 8) layer, group, lengths and first indices of each block.
        listed: (I,) indices of axes that are not consecutive.
    """

    counts: Indices
    rows: Indices
    listed: Indices

    @classmethod
    def of(cls, tiles: Iterable[Sequence[Block]], layers: Mapping[str, int]) -> BlockTable:
        """The table of tiles' blocks; ``layers`` gives each layer's position."""
        counts: list[int] = []
        rows: list[tuple[int, ...]] = []
        listed: list[Indices] = []
        for blocks in tiles:
            counts.append(len(blocks))
            for block in blocks:
                firsts = []
                for name in AXES:
                    axis = getattr(block, name)
                    run = neighbours(axis)
                    firsts.append(0 if run is None else run.start + 1)
                    if run is None:
                        listed.append(axis)
                rows.append((layers[block.layer], block.group, *block.shape, *firsts))
        return cls(
            np.array(counts, dtype=np.int64),
            np.array(rows, dtype=np.int64).reshape(-1, _WIDTH),
            np.concatenate([np.zeros(0, dtype=np.int64), *listed]),
        )

    @classmethod
    def joined(cls, tables: Sequence[BlockTable]) -> BlockTable:
        """One table of the tiles of several."""
        if not tables:
            return cls.of([], {})
        return cls(
            np.concatenate([each.counts for each in tables]),
            np.concatenate([each.rows for each in tables]),
            np.concatenate([each.listed for each in tables]),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The three arrays, in the smallest types that hold them."""
        return {
            "counts": small(self.counts),
            "rows": small(self.rows),
            "listed": small(self.listed),
        }

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[Any]], plan: Plan) -> BlockTable:
        """A table from its arrays, every index within its matrix and tile.

        Raises:
            FileError: the arrays have other shapes or types, contradict each other, or an index is
                out of bounds or stands twice in a block.
        """
        counts, rows, listed = (whole(arrays[name], name) for name in ("counts", "rows", "listed"))
        if counts.ndim != 1 or listed.ndim != 1 or rows.ndim != 2 or rows.shape[1] != _WIDTH:
            raise FileError(f"counts, rows and listed must be (T,), (N, {_WIDTH}) and (I,)")
        if counts.max(initial=0) > len(rows) or counts.sum() != len(rows):
            raise FileError(f"counts must add up to the {len(rows)} blocks that rows has")
        table = cls(counts, rows, listed)
        table._check(plan)
        return table

    def __len__(self) -> int:
        return len(self.counts)

    def same(self, other: BlockTable) -> bool:
        """Whether it has the same blocks."""
        mine, others = (
            (self.counts, self.rows, self.listed),
            (other.counts, other.rows, other.listed),
        )
        return all(np.array_equal(a, b) for a, b in zip(mine, others, strict=True))

    @cached_property
    def ends(self) -> Indices:
        """(T + 1,) first block of each tile, and the number of all."""
        return _running(self.counts)

    @property
    def columns(self) -> dict[tuple[int, int], int]:
        """Number of columns of each block, by (tile, index of the block on it), in order."""
        wide = iter(self.rows[:, COLUMNS].tolist())
        return {
            (tile, number): next(wide)
            for tile, blocks in enumerate(self.counts.tolist())
            for number in range(blocks)
        }

    @cached_property
    def _places(self) -> Indices:
        """(4 N + 1,) where the indices of each axis begin in ``listed``."""
        lengths = np.where(self.rows[:, FIRST:] == 0, self.rows[:, _LENGTH], 0)
        return _running(lengths.ravel())

    def part(self, tiles: slice) -> BlockTable:
        """The table of some tiles."""
        first, end = int(self.ends[tiles.start]), int(self.ends[tiles.stop])
        indices = self._places[[4 * first, 4 * end]]
        return BlockTable(self.counts[tiles], self.rows[first:end], self.listed[slice(*indices)])

    def axis(self, number: int, axis: int) -> Indices:
        """The indices of one axis of a block, by its position in ``AXES``."""
        first = int(self.rows[number, FIRST + axis])
        if first:
            return span(first - 1, first - 1 + int(self.rows[number, _LENGTH[axis]]))
        start, end = self._places[4 * number + axis], self._places[4 * number + axis + 1]
        return self.listed[start:end]

    def blocks(self, tile: int, layers: Sequence[str]) -> tuple[Block, ...]:
        """The blocks of a tile."""
        return tuple(
            Block(
                layers[self.rows[number, LAYER]],
                int(self.rows[number, GROUP]),
                *(self.axis(number, axis) for axis in range(len(AXES))),
            )
            for number in range(int(self.ends[tile]), int(self.ends[tile + 1]))
        )

    def _check(self, plan: Plan) -> None:
        """Check every index; see ``read``."""
        names, shapes = [*plan.weights], plan.shapes
        layer = self.rows[:, LAYER]
        if (layer >= len(names)).any():
            raise FileError(f"a block's layer must be under {len(names)}, not {layer.max()}")
        word_lines, bit_lines = plan.hardware.cells
        groups, outputs, inputs = (
            np.array([shapes[name] for name in names], dtype=np.int64).reshape(-1, 3)[layer].T
        )
        columns = np.full(len(layer), plan.mapping.columns(bit_lines))
        self._refuse(self.rows[:, GROUP] >= groups, names, "a block's group is not of its layer")
        rows = np.full(len(layer), word_lines)
        for axis, limit in enumerate((inputs, outputs, rows, columns)):
            length, first = self.rows[:, _LENGTH[axis]], self.rows[:, FIRST + axis]
            wrong = (length < 1) | (length > limit) | ((first > 0) & (first - 1 + length > limit))
            what = f"a block's {AXES[axis]} must be numbers under {{limit}}, at least one"
            self._refuse(wrong, names, what, limit)
        if self._places[-1] != len(self.listed):
            raise FileError(
                f"blocks: {self._places[-1]} indices must be listed, not {len(self.listed)}"
            )
        for number, axis in np.argwhere(self.rows[:, FIRST:] == 0):
            indices = self.axis(int(number), int(axis))
            limit = (inputs, outputs, rows, columns)[axis][number]
            name = printable(names[layer[number]])
            if indices.max() >= limit:
                raise FileError(f"{name}: a block's {AXES[axis]} must be numbers under {limit}")
            if len(np.unique(indices)) != len(indices):
                raise FileError(f"{name}: an index stands twice in a block's {AXES[axis]}")

    def _refuse(
        self, wrong: NDArray[np.bool_], names: Sequence[str], what: str, limit: Any = None
    ) -> None:
        for number in np.flatnonzero(wrong)[:1]:
            told = what if limit is None else what.format(limit=limit[number])
            raise FileError(f"{printable(names[self.rows[number, LAYER]])}: {told}")


def check_places(table: BlockTable, plan: Plan) -> None:
    """Check that every weight except zeros has one place, and no weight has two.

    Weights are read only of layers that leave some out.

    Raises:
        FileError: one has none, or more than one.
    """
    order = np.lexsort((table.rows[:, GROUP], table.rows[:, LAYER]))
    keys = table.rows[order][:, [LAYER, GROUP]]
    for position, (name, (groups, outputs, inputs)) in enumerate(plan.shapes.items()):
        lacking: dict[int, NDArray[np.bool_]] = {}
        first, end = np.searchsorted(keys[:, 0], [position, position + 1])
        of_group = np.searchsorted(keys[first:end, 1], np.arange(groups + 1)) + first
        for group in range(groups):
            numbers = order[of_group[group] : of_group[group + 1]]
            found = _lacking(table, numbers, (inputs, outputs), name)
            if found is not None:
                lacking[group] = found
        if lacking:
            matrix = plan.weights[name]
            for group, where in lacking.items():
                if (matrix[group].T[where] != 0).any():
                    raise FileError(f"{printable(name)}: a weight has no place on a tile")


def _lacking(
    table: BlockTable, numbers: Indices, shape: tuple[int, int], name: str
) -> NDArray[np.bool_] | None:
    """(inputs, outputs): the weights of a matrix without a place; None if all have one."""
    rows = table.rows[numbers]
    starts, sizes = rows[:, [FIRST, FIRST + 1]] - 1, rows[:, [ROWS, COLUMNS]]
    edges = [np.unique([0, shape[i], *starts[:, i], *(starts + sizes)[:, i]]) for i in (0, 1)]
    if (starts < 0).any() or len(edges[0]) * len(edges[1]) > shape[0] * shape[1]:
        taken = np.zeros(shape, dtype=np.int32)
        for number in numbers:
            place = np.ix_(table.axis(number, 0), table.axis(number, 1))
            taken[place] += 1
        widths = None
    else:  # rectangles: what lies between two edges is taken as a whole
        corners = np.zeros((len(edges[0]), len(edges[1])), dtype=np.int32)
        low, high = (
            [np.searchsorted(edges[i], (starts + step)[:, i]) for i in (0, 1)]
            for step in (0, sizes)
        )
        np.add.at(corners, (low[0], low[1]), 1)
        np.add.at(corners, (high[0], high[1]), 1)
        np.add.at(corners, (low[0], high[1]), -1)
        np.add.at(corners, (high[0], low[1]), -1)
        taken = corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
        widths = [np.diff(each) for each in edges]
    if (taken > 1).any():
        raise FileError(f"{printable(name)}: a weight has two places")
    if taken.all():
        return None
    lacking: NDArray[np.bool_] = taken == 0
    if widths is None:
        return lacking
    return lacking.repeat(widths[0], axis=0).repeat(widths[1], axis=1)


def small(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers from 0 in the smallest unsigned type that holds them."""
    largest = int(values.max(initial=0))
    return values.astype(np.min_scalar_type(largest).newbyteorder("<"))


def whole(array: NDArray[Any], name: str) -> Indices:
    """Numbers from 0 from a file.

    Raises:
        FileError: they are of another type, or too large.
    """
    if array.dtype.kind != "u" or int(array.max(initial=0)) >= 2**62:
        raise FileError(f"{name} must be whole numbers from 0, not {array.dtype}")
    return array.astype(np.int64)


def _running(counts: Indices) -> Indices:
    return np.concatenate([[0], np.cumsum(counts)])
