"""What the cells of a program's tiles conduct, solved in batches.

A batch of tiles is drawn, its wires are solved together, and what is asked for is taken from it; a
tile keeps nothing. Of a small program the solutions are kept, so that its error budget and its
calibration solve no tile twice.

Shapes: W x B cells of a tile, W' x B' crossings of its array; R inputs and C outputs of a block.
Units: siemens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.transfers import transfers
from xbar.compiler.layout import array_wires, from_crossings, to_crossings
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.program import Program
from xbar.compiler.squares import tile_squares
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile, gain_of
from xbar.effects.readout import MatrixReadout
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.parallel import cpus, in_threads, writeable

KEPT = 1 << 28
"""Bytes up to which the solutions of all of a program's tiles are kept."""

_CELLS = 1 << 20  # of the tiles that are solved together


@dataclass(frozen=True, eq=False)
class TileCells:
    """The cells of a tile, from one draw of its resistors.

    Attributes:
        tile: the tile.
        conductance: (W, B) siemens of each cell.
        crossing: (W', B') siemens of each crossing of the array.
        power: (W', B') sum of the squares of a crossing's resistors, siemens²; None if not asked.
        transfer: (B', W') siemens with wires; None if not asked.
    """

    tile: ProgrammedTile
    conductance: Floats
    crossing: Floats
    power: Floats | None = None
    transfer: Floats | None = None

    @property
    def blocks(self) -> tuple[ProgrammedBlock, ...]:
        """Blocks of the tile."""
        return self.tile.blocks

    @property
    def mapping(self) -> SignedMapping:
        """Mapping of signed weights to cells."""
        return self.tile.mapping

    @property
    def chip(self) -> Chip:
        """Chip of the tile."""
        return self.tile.chip

    @property
    def wire_errors(self) -> tuple[float, ...]:
        """Errors of wire-aware programming; empty if the wires were ignored."""
        return self.tile.wire_errors

    def cells(self, readout: MatrixReadout) -> Floats:
        """(W, B) siemens of each cell as read, see ``ProgrammedTile.cells``."""
        return self.conductance if readout == "ideal" else self._wired

    @cached_property
    def _wired(self) -> Floats:
        assert self.transfer is not None
        return self._to_cells(self.transfer.T)

    def noise_parts(self, readout: MatrixReadout) -> list[tuple[Floats, Floats | None]]:
        """By block, sums of squares in siemens², see ``ProgrammedTile.noise_parts``."""
        power = self._power if readout == "ideal" else self._wired_power
        return [self.mapping.own_and_shared(power, placed.block) for placed in self.blocks]

    @cached_property
    def _power(self) -> Floats:
        assert self.power is not None
        return self._to_cells(self.power)

    @cached_property
    def _wired_power(self) -> Floats:
        assert self.power is not None
        assert self.transfer is not None
        return self._to_cells(self.power * gain_of(self.crossing, self.transfer.T) ** 2)

    def _to_cells(self, array: Floats) -> Floats:
        return from_crossings(self.chip.hardware, array)

    @property
    def sized(self) -> int:
        """Bytes of its arrays."""
        each = {id(a): a.nbytes for a in (self.conductance, self.crossing)}
        more = [a.nbytes for a in (self.power, self.transfer) if a is not None]
        return sum(each.values()) + sum(more)


class SolvedTiles:
    """The cells of a program's tiles, by index; kept if all together take little memory."""

    def __init__(self) -> None:
        self._known: dict[int, TileCells] = {}

    def each(
        self, program: Program, layer: str, *, wires: bool, power: bool
    ) -> Iterator[tuple[TileCells, int]]:
        """A layer's blocks: cells of the tile, and number of the block on it, in order of tiles.

        Args:
            program: the program, always the same.
            layer: name of the layer.
            wires: whether the tiles are solved with their wires.
            power: whether sums of squares are asked for.
        """
        size = max(_CELLS // int(np.prod(program.hardware.cells)), 1)
        blocks = groupby(program.blocks_of(layer), key=lambda found: found[0].index)
        batch: list[tuple[ProgrammedTile, list[int]]] = []
        for _, members in blocks:
            tiles, numbers, _ = zip(*members, strict=True)
            batch.append((tiles[0], list(numbers)))
            if len(batch) == size:
                yield from self._batch(program, batch, wires, power)
                batch = []
        yield from self._batch(program, batch, wires, power)

    def _batch(
        self,
        program: Program,
        batch: Sequence[tuple[ProgrammedTile, list[int]]],
        wires: bool,
        power: bool,
    ) -> Iterator[tuple[TileCells, int]]:
        found = {}
        for tile, _ in batch:
            known = self._known.get(tile.index)
            enough = known is not None and not (
                (wires and known.transfer is None) or (power and known.power is None)
            )
            if known is not None and enough:
                found[tile.index] = known
        missing = [tile for tile, _ in batch if tile.index not in found]
        solved = solve(program.hardware, missing, wires=wires, power=power)
        found |= {cells.tile.index: cells for cells in solved}
        if solved and solved[0].sized * len(program.tiles) <= KEPT:
            self._known |= {cells.tile.index: cells for cells in solved}
        for tile, numbers in batch:
            for number in numbers:
                yield found[tile.index], number


def shape_of(program: Program, layer: str) -> tuple[int, int, int]:
    """(G, outputs, inputs) of a layer's matrix, which is not read for it."""
    late = getattr(program.weights, "shape", None)  # of a mapping whose matrices are read late
    groups, outputs, inputs = late(layer) if late else program.weights[layer].shape
    return groups, outputs, inputs


def solve(
    hardware: Hardware, tiles: Sequence[ProgrammedTile], *, wires: bool, power: bool
) -> list[TileCells]:
    """The cells of tiles of one design, with their wires if asked for."""
    drawn: list[TileCells | None] = [None] * len(tiles)

    def draw(place: int) -> None:
        drawn[place] = _draw(tiles[place], power)

    in_threads(draw, range(len(tiles)), cpus())
    found = [each for each in drawn if each is not None]
    if not (wires and found):
        return found
    matrices = _transfers(hardware, [each.crossing for each in found])
    return [
        TileCells(each.tile, each.conductance, each.crossing, each.power, transfer)
        for each, transfer in zip(found, matrices, strict=True)
    ]


def _draw(tile: ProgrammedTile, power: bool) -> TileCells:
    hardware = tile.chip.hardware
    bank = hardware.bank
    plain = bank.layout == "cell" and not hardware.tile.interleaved
    leaks = tile.tuned or tile.chip.may_have_faults or np.isfinite(bank.on_off_ratios).any()
    if plain and not (power or leaks):
        return _sound(tile)
    branch = tile.branch
    conductance: Floats = branch.sum(axis=-1)
    crossing = conductance if plain else to_crossings(hardware, branch)
    squares = to_crossings(hardware, tile_squares(tile, branch)) if power else None
    return TileCells(tile, conductance, crossing, squares)


def _sound(tile: ProgrammedTile) -> TileCells:
    """The cells of a tile without faults and leakage, each with its resistors at one crossing."""
    from xbar.compiler.kernels.conduct import conduct

    on = tile.chip.on(tile.index)
    flat = on.reshape(-1, on.shape[-1])
    packed = writeable(np.ascontiguousarray(tile.packed).reshape(len(flat), -1))
    cells = np.empty(on.shape[:-1])
    conduct(flat, packed, cells.reshape(-1))
    return TileCells(tile, cells, cells)


def _transfers(hardware: Hardware, crossings: Sequence[Floats]) -> Iterable[Floats]:
    """(B', W') transfer matrices of arrays of one design."""
    wires = array_wires(hardware)
    if (wires["drive"], wires["sense"]) != ("left", "bottom"):
        return [Crossbar(each, **wires).transfer for each in crossings]
    return transfers(
        np.stack(crossings),
        word_wire=wires["word_wire"],
        bit_wire=wires["bit_wire"],
        source=wires["source"],
        load=wires["load"],
    )
