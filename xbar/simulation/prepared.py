"""The arrays of a program's layers, made once and shared by all its read-outs.

They stay in memory as long as their program, those of one chain of effects if those of several are
large; or on disk (``cache.py``), where the next run finds them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from xbar import version
from xbar.arrays import bytes_of
from xbar.compiler.program import Program
from xbar.effects.chain import Chain
from xbar.effects.effect import Effect, changes
from xbar.effects.selection import Selection
from xbar.simulation.cache import LayerCache, Mapped
from xbar.simulation.cells import KEPT, SolvedTiles, shape_of
from xbar.simulation.on_device import CardCells
from xbar.simulation.stage import LayerCells, Named, piles_of

LAYOUT = 2
"""Version of the arrays' names and meaning; files of another are not found."""


@dataclass(frozen=True)
class Wanted:
    """What a read-out needs of each layer.

    Attributes:
        effects: active effects that change conductances or their variance, or need the lines'.
        by_tile: whether tiles are read one by one.
        reach: whether the cells define the ADC's range.
        precision: "float64" or "float32".
        device: "cpu", or the card's.
        on_disk: whether the arrays lie on disk.
    """

    effects: tuple[Effect, ...]
    by_tile: bool
    reach: bool
    precision: str
    device: str
    on_disk: bool

    @classmethod
    def of(
        cls, chain: Chain, precision: str, device: str, *, by_tile: bool, on_disk: bool
    ) -> Wanted:
        """What a chain needs."""
        effects = tuple(
            each
            for each in chain.acting
            if changes(each, "conductance") or changes(each, "variance") or each.needs_lines
        )
        adc = chain.hardware.adc
        reach = by_tile and chain.needs_range and adc is not None and adc.range is None
        return cls(effects, by_tile, reach, precision, device, on_disk)


@dataclass(eq=False)
class Prepared:
    """What is known of one program."""

    solved: SolvedTiles = field(default_factory=SolvedTiles)
    cache: LayerCache = field(default_factory=LayerCache)
    _made: dict[Wanted, dict[str, Named]] = field(default_factory=dict)
    _mapped: dict[tuple[Wanted, str], Mapped] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Program) -> Prepared:
        """Of a program, the same as long as that lives."""
        return _KNOWN.setdefault(program, cls())

    @staticmethod
    def share(program: Program, other: Program) -> None:
        """Take as known of another program of the same tiles and chip what is of the first."""
        _KNOWN[other] = Prepared.of(program)

    def arrays(
        self, program: Program, layer: str, chain: Chain, wanted: Wanted, card: CardCells | None
    ) -> Named:
        """The arrays of a layer that a chain needs, see ``LayerCells``."""
        if wanted not in self._made:
            self._forget()
        made = self._made.setdefault(wanted, {})
        if layer not in made:
            cells = LayerCells(program, layer, chain, wanted.precision, self.solved, card)
            made[layer] = self._on_disk(cells, wanted) if wanted.on_disk else _make(cells, wanted)
        return made[layer]

    def _forget(self) -> None:
        """Keep no large arrays of other chains."""
        total = sum(
            array.nbytes
            for layers in self._made.values()
            for arrays in layers.values()
            for array in arrays.values()
        )
        if total > KEPT:
            self._made.clear()
            self._mapped.clear()

    def _on_disk(self, cells: LayerCells, wanted: Wanted) -> Named:
        key = key_of(cells, wanted)
        found = self.cache.load(key)
        if found is None:
            found = self.cache.keep(key, _make(cells, wanted))
        self._mapped[wanted, cells.layer] = found
        return found.arrays

    def release(self, wanted: Wanted, layer: str) -> None:
        """Give back the memory of a layer's arrays that lie on disk."""
        self._mapped[wanted, layer].release()


_KNOWN: WeakKeyDictionary[Program, Prepared] = WeakKeyDictionary()


def _make(cells: LayerCells, wanted: Wanted) -> Named:
    if not wanted.by_tile:
        return cells.whole()
    return cells.stacked(piles_of(cells.program, cells.layer, cells.chain))


def key_of(cells: LayerCells, wanted: Wanted) -> str:
    """Checksum of all that a layer's arrays follow from.

    Effects of the user's own have no checksum: their arrays get a name that no other run finds.
    """
    program, chip = cells.program, cells.program.chip
    names: Sequence[str] = [each.name for each in wanted.effects]
    digest = hashlib.sha256()
    what = (LAYOUT, version.__version__, names, wanted.by_tile, wanted.reach, wanted.precision)
    shape = shape_of(program, cells.layer)
    digest.update(repr((*what, wanted.device, shape, chip.seed, program.options.mapping)).encode())
    digest.update(chip.hardware.model_dump_json().encode())
    if any(not type(each).__module__.startswith("xbar.effects.") for each in wanted.effects):
        digest.update(secrets.token_bytes(32))
    if Selection.name not in names:
        digest.update(bytes_of(program.weights[cells.layer]).data)
    first = True
    for tile, number, placed in program.blocks_of(cells.layer):
        block = placed.block
        when = tile.aged, tile.chosen
        digest.update(
            repr((tile.index, number, block.group, bool(tile.wire_errors), *when)).encode()
        )
        for each in (block.inputs, block.outputs, block.word_lines, block.columns, placed.scale):
            digest.update(len(each).to_bytes(8, "little") + each.tobytes())
        digest.update(bytes_of(tile.packed).data)
        # a measured chip is known by its resistors only; one sampled chip from another by a tile
        if first or chip.measurement is not None or tile.tuned is not None:
            digest.update(bytes_of(tile.branch).data)
        first = False
    return digest.hexdigest()
