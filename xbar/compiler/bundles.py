"""Bundles of a program: the stored data of consecutive tiles, as an .npz archive.

    mask      (T, ceil(W B K / 8)) uint8     switches as bits, see ``bits.py``
    counts, rows, listed                     blocks, see ``block_table.py``
    scale     (C,) float64                   siemens per unit weight of every column, in block order
    residual  (N, 3) float64                 worst, power and largest of each block, see ``Reached``
    tally     (N, 2)                         switches and clipped weights of each block
    rounds    (T,)                           number of wire errors of each tile
    error     (E,) float64                   the wire errors

Arrays are uncompressed, whole numbers in the smallest unsigned type. A compilation writes a bundle
as soon as its tiles are done, and the program keeps the file: nothing is written twice. A bundle is
untrusted when it is read: ``Bundle.read`` checks it against the plan.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.bits import Bytes, close_gaps, open_gaps, row_bytes
from xbar.compiler.block_table import COLUMNS, BlockTable, small, whole
from xbar.compiler.job import TileResult
from xbar.compiler.plan import Plan
from xbar.compiler.tile import Reached
from xbar.errors import FileError
from xbar.npz import npz_arrays

BITS = 1 << 23
"""Switches of a bundle: a megabyte."""
MOST_TILES = 1024
"""Maximum number of tiles of a bundle."""

NAMES = frozenset(str.split("mask counts rows listed scale residual tally rounds error"))


def tiles_per_bundle(plan: Plan) -> int:
    """Number of tiles of each bundle but the last."""
    word_lines, bit_lines = plan.hardware.cells
    switches = word_lines * bit_lines * plan.hardware.bank.resistors
    return max(1, min(MOST_TILES, BITS // switches))


def layer_numbers(plan: Plan) -> dict[str, int]:
    """The position of each layer in the plan."""
    return {name: number for number, name in enumerate(plan.weights)}


@dataclass(frozen=True, eq=False)
class Bundle:
    """The stored data of T consecutive tiles.

    Attributes:
        first: index of its first tile.
        table: blocks.
        mask: (T, ceil(W B K / 8)) switches.
        scale: (C,) siemens per unit weight of every column.
        residual: (N, 3) worst, power and largest of each block.
        tally: (N, 2) switches and clipped weights of each block.
        rounds: (T,) number of wire errors of each tile.
        error: (E,) the wire errors.
    """

    first: int
    table: BlockTable
    mask: Bytes
    scale: Floats
    residual: Floats
    tally: NDArray[np.int64]
    rounds: NDArray[np.int64]
    error: Floats

    @classmethod
    def of(cls, results: Sequence[TileResult], plan: Plan) -> Bundle:
        """The bundle of the results of consecutive tiles."""
        reached = [each for result in results for each in result.reached]
        residual = [(each.worst, each.power, each.largest) for each in reached]
        tally = [(each.switches, each.clipped) for each in reached]
        scales = [scale for result in results for scale in result.scales]
        errors = [error for result in results for error in result.wire_errors]
        return cls(
            results[0].index,
            BlockTable.of((result.blocks for result in results), layer_numbers(plan)),
            close_gaps(
                np.stack([result.packed for result in results]), plan.hardware.bank.resistors
            ),
            np.concatenate([np.zeros(0), *scales]),
            np.array(residual, dtype=np.float64).reshape(-1, 3),
            np.array(tally, dtype=np.int64).reshape(-1, 2),
            np.array([len(result.wire_errors) for result in results], dtype=np.int64),
            np.array(errors, dtype=np.float64),
        )

    def to_bytes(self, **more: NDArray[Any]) -> bytes:
        """The archive; ``more`` are further arrays."""
        arrays = {
            "mask": self.mask,
            **self.table.to_arrays(),
            "scale": self.scale,
            "residual": self.residual,
            "tally": small(self.tally),
            "rounds": small(self.rounds),
            "error": self.error,
            **more,
        }
        return npz_bytes(arrays)

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[Any]], first: int, count: int, plan: Plan) -> Bundle:
        """A bundle of so many tiles from its arrays, checked against the plan.

        Raises:
            FileError: an array has another type or shape, an index is out of bounds, two blocks
                share a cell, a scale is not positive, or a number can't be.
        """
        table = BlockTable.read(arrays, plan)
        if len(table) != count:
            raise FileError(f"it must have {count} tiles, not {len(table)}")
        tally, rounds = whole(arrays["tally"], "tally"), whole(arrays["rounds"], "rounds")
        blocks, columns = len(table.rows), int(table.rows[:, COLUMNS].sum())
        size = row_bytes(plan.hardware.cells, plan.hardware.bank.resistors)
        errors = int(rounds.sum()) if rounds.max(initial=0) <= len(arrays["error"]) else -1
        for name, dtype, shape in (
            ("mask", np.uint8, (count, size)),
            ("scale", np.float64, (columns,)),
            ("residual", np.float64, (blocks, 3)),
            ("tally", None, (blocks, 2)),
            ("rounds", None, (count,)),
            ("error", np.float64, (errors,)),
        ):
            array = arrays[name]
            if array.shape != shape or dtype not in (None, array.dtype):
                raise FileError(f"{name} must have shape {shape}, not {array.dtype} {array.shape}")
        mask, scale, residual = (arrays[name] for name in ("mask", "scale", "residual"))
        bundle = cls(first, table, mask, scale, residual, tally, rounds, arrays["error"])
        bundle._check(plan)
        return bundle

    def _check(self, plan: Plan) -> None:
        if not (np.isfinite(self.scale) & (self.scale > 0)).all():
            raise FileError("scales must be positive")
        for name, values in (("residual", self.residual), ("error", self.error)):
            if not (np.isfinite(values) & (values >= 0)).all():
                raise FileError(f"{name} must be finite numbers from 0")
        spare = plan.hardware.cells[0] * plan.hardware.cells[1] * plan.hardware.bank.resistors % 8
        if spare and (self.mask[:, -1] >> spare).any():
            raise FileError("mask has switches beyond those of its cells")
        for tile in np.flatnonzero(self.table.counts > 1):
            self._check_cells(int(tile), plan)

    def _check_cells(self, tile: int, plan: Plan) -> None:
        word_lines, bit_lines = plan.hardware.cells
        taken = np.zeros((word_lines, plan.mapping.columns(bit_lines)), dtype=np.bool_)
        for number in range(int(self.table.ends[tile]), int(self.table.ends[tile + 1])):
            place = np.ix_(self.table.axis(number, 2), self.table.axis(number, 3))
            if taken[place].any():
                raise FileError(f"tile {self.first + tile}: two blocks share a cell")
            taken[place] = True

    def __len__(self) -> int:
        return len(self.table)

    def results(self, plan: Plan, which: Collection[int] | None = None) -> list[TileResult]:
        """The data of its tiles, or of those with these indices."""
        layers = [*plan.weights]
        tiles = range(len(self)) if which is None else [index - self.first for index in which]
        return [self._result(tile, layers, plan) for tile in tiles]

    def _result(self, tile: int, layers: Sequence[str], plan: Plan) -> TileResult:
        blocks = self.table.blocks(tile, layers)
        first = int(self.table.ends[tile])
        numbers = range(first, first + len(blocks))
        cells, resistors = plan.hardware.cells, plan.hardware.bank.resistors
        return TileResult(
            self.first + tile,
            blocks,
            tuple(self.scale[self._columns[n] : self._columns[n + 1]] for n in numbers),
            open_gaps(self.mask[tile : tile + 1], cells, resistors)[0],
            tuple(Reached(*self.residual[n].tolist(), *self.tally[n].tolist()) for n in numbers),
            tuple(self.error[self._errors[tile] : self._errors[tile + 1]].tolist()),
        )

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.table.rows[:, COLUMNS])])

    @cached_property
    def _errors(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.rounds)])


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An uncompressed .npz archive, always the same bytes for the same arrays."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            little = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
            np.lib.format.write_array(part, little, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")  # of 1980, as the format's earliest date
            info.create_system = 3
            archive.writestr(info, part.getbuffer())
    return stream.getvalue()


def read_npz_bytes(content: bytes, names: Collection[str], where: str) -> dict[str, NDArray[Any]]:
    """The arrays of an uncompressed archive, which must have these names.

    Raises:
        FileError: it is damaged, compressed, or has other arrays.
    """
    arrays = npz_arrays(content, where)
    for name in sorted(arrays.keys() ^ set(names)):
        state = "must not have" if name in arrays else "must have"
        raise FileError(f"{where} {state} an array {name[:40]!r}")
    return arrays
