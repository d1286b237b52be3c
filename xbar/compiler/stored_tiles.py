"""The tiles of a program on disk, made from its bundles when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import RLock
from typing import Any, TypeVar, overload

from xbar.compiler.block_table import LAYER, BlockTable
from xbar.compiler.bundles import Bundle, tiles_per_bundle
from xbar.compiler.plan import Plan
from xbar.compiler.tile import ProgrammedTile

BUNDLES = 8
"""Bundles that stay in memory."""
CELLS = 1 << 22
"""Cells of tiles that stay in memory, with what they have computed: 256 tiles of 128 x 128."""

_Value = TypeVar("_Value")


class _Recent(OrderedDict[int, _Value]):
    """The values used last."""

    def get_or_make(self, key: int, make: Callable[[int], _Value], most: int) -> _Value:
        if key not in self:
            self[key] = make(key)
            while len(self) > most:
                self.popitem(last=False)
        self.move_to_end(key)
        return self[key]


class Bundles:
    """A program's tiles by number, the ones used last kept in memory."""

    def __init__(self, plan: Plan, table: BlockTable, read: Callable[[int], Bundle]) -> None:
        """Take what reads a bundle, and checks it.

        Args:
            plan: network, chip and options.
            table: blocks of all tiles.
            read: gives a bundle by its number.
        """
        self.plan, self.table, self.read = plan, table, read
        self._restart()

    def _restart(self) -> None:
        word_lines, bit_lines = self.plan.hardware.cells
        self._most = max(1, CELLS // (word_lines * bit_lines))
        self._bundles, self._tiles = _Recent[Bundle](), _Recent[ProgrammedTile]()
        self._lock = RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {"plan": self.plan, "table": self.table, "read": self.read}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._restart()

    def tile(self, index: int) -> ProgrammedTile:
        """A tile.

        Raises:
            FileError: its bundle was changed, or does not fit the program.
        """
        with self._lock:
            return self._tiles.get_or_make(index, self._make, self._most)

    def _make(self, index: int) -> ProgrammedTile:
        bundle = self._bundles.get_or_make(index // tiles_per_bundle(self.plan), self.read, BUNDLES)
        return bundle.results(self.plan, [index])[0].tile(self.plan)


class StoredTiles(Sequence[ProgrammedTile]):
    """Tiles of a program on disk; a slice of them is one, too, and reads nothing."""

    def __init__(self, bundles: Bundles, indices: Sequence[int]) -> None:
        """Take the program's tiles with these indices."""
        self._source, self._indices = bundles, indices

    def on(self, plan: Plan) -> StoredTiles:
        """The same switches on the chip of another plan."""
        source = type(self._source)(plan, self._source.table, self._source.read)
        return StoredTiles(source, self._indices)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> ProgrammedTile: ...

    @overload
    def __getitem__(self, index: slice) -> StoredTiles: ...

    def __getitem__(self, index: int | slice) -> ProgrammedTile | StoredTiles:
        if isinstance(index, slice):
            return StoredTiles(self._source, self._indices[index])
        return self._source.tile(self._indices[index])

    def some(self, positions: Iterable[int]) -> StoredTiles:
        """Those at some positions."""
        return StoredTiles(self._source, [self._indices[each] for each in positions])

    def places(self) -> dict[str, list[tuple[int, int]]]:
        """By layer, position of the tile and index on it of each block; no tile is made."""
        table, layers = self._source.table, [*self._source.plan.weights]
        found: dict[str, list[tuple[int, int]]] = {}
        for position, index in enumerate(self._indices):
            rows = table.rows[table.ends[index] : table.ends[index + 1], LAYER]
            for number, layer in enumerate(rows.tolist()):
                found.setdefault(layers[layer], []).append((position, number))
        return found

    def __iter__(self) -> Iterator[ProgrammedTile]:
        return map(self._source.tile, self._indices)

    def __repr__(self) -> str:
        return f"StoredTiles({len(self)} tiles)"
