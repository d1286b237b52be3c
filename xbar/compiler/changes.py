"""What choosing again takes and gains: switches that change, and errors of the weights.

Shapes: W x B cells of a tile, K resistors per cell; R inputs and C outputs of a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from xbar.arrays import Bools, Floats
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.effects.readout import MatrixReadout
from xbar.errors import SpecError
from xbar.parallel import Progress
from xbar.tables import percent, table


@dataclass(frozen=True)
class LayerChange:
    """A layer before and after, both on the chip of the new program.

    Attributes:
        name: name of the layer.
        switches: number of switches of its cells, those of idle resistors included.
        changed: number of switches that differ.
        cells: number of cells with such a switch: the words that are written.
        before: root mean square error of its weights with the old switches, relative to theirs.
        compensated: the same where one factor for the layer is taken out.
        after: the same with the new switches.
    """

    name: str
    switches: int
    changed: int
    cells: int
    before: float
    compensated: float
    after: float


@dataclass(frozen=True)
class Changes:
    """All that choosing again changes.

    Attributes:
        layers: by layer, in the program's order.
        switches: number of switches of the tiles' cells that hold weights or are references.
        changed: number that differ.
        cells: number of cells with such a switch, each a word of the configuration.
        word_lines: number of word lines with such a cell, over all tiles.
        tiles: number of tiles with such a cell.
    """

    layers: tuple[LayerChange, ...]
    switches: int
    changed: int
    cells: int
    word_lines: int
    tiles: int

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return asdict(self)

    def __str__(self) -> str:
        head = ["layer", "switches", "changed", "error before", "gain taken out", "after"]
        rows = [
            [
                each.name,
                f"{each.switches:,}",
                f"{each.changed:,} ({percent(each.changed / max(each.switches, 1))})",
                *map(percent, (each.before, each.compensated, each.after)),
            ]
            for each in self.layers
        ]
        share = percent(self.changed / max(self.switches, 1))
        work = (
            f"to be written: {self.cells:,} words of cells on {self.word_lines:,} word lines of "
            f"{self.tiles:,} tiles; {self.changed:,} of {self.switches:,} switches change ({share})"
        )
        return f"{table('weights on the chip as it is now', head, rows)}{work}"


@dataclass
class _Tally:
    """Sums over a layer's blocks; errors as sums of products of achieved and target weights."""

    switches: int = 0
    changed: int = 0
    cells: int = 0
    target: float = 0.0
    sums: dict[str, Floats] = field(default_factory=dict)

    def errors(self, name: str) -> tuple[float, float]:
        """Relative error of the weights, and with one factor taken out."""
        target, own = self.target, self.sums.get(name, np.zeros(3))
        if target == 0.0:
            return 0.0, 0.0
        gain = own[1] / target
        rest = own[0] / gain**2 - target if gain > 0 else own[2]
        return float(np.sqrt(own[2] / target)), float(np.sqrt(max(rest, 0.0) / target))


def changes(old: Program, new: Program, progress: Progress | None = None) -> Changes:
    """Compare two programs of the same blocks: before and after ``Program.reprogram``.

    Errors are those of the effective weights with wires for programs that were chosen for them,
    and of the cells' own conductances for others, at each program's scales; no read noise.

    Args:
        old: program before, on any chip of the shape.
        new: program after, on the chip as it is now.
        progress: called with the tiles done and their total.

    Raises:
        SpecError: the programs have other tiles or blocks.
    """
    tally = {name: _Tally() for name in new.plan.shapes}
    work = np.zeros(5, np.int64)
    here = old.on(new.chip)
    if len(here.tiles) != len(new.tiles):
        raise SpecError("changes need two programs of the same tiles; compare with xbar.simulate")
    for number, (before, after) in enumerate(zip(here.tiles, new.tiles, strict=True), 1):
        work += _of_tile(before.fresh(), after.fresh(), tally)
        if progress is not None:
            progress(number, len(new.tiles))
    layers = tuple(
        LayerChange(
            name, each.switches, each.changed, each.cells,
            *each.errors("before"), each.errors("after")[0],
        )
        for name, each in tally.items()
    )  # fmt: skip
    return Changes(layers, *work.tolist())


def _of_tile(
    before: ProgrammedTile, after: ProgrammedTile, tally: Mapping[str, _Tally]
) -> tuple[int, ...]:
    """Switches, changed ones, cells, word lines and 1 if there is any, of one tile."""
    if [each.block.layer for each in before.blocks] != [each.block.layer for each in after.blocks]:
        raise SpecError(f"changes need two programs of the same blocks, also on tile {after.index}")
    differ = before.mask != after.mask
    readout: MatrixReadout = "nodal" if before.wire_errors else "ideal"
    for name, tile in (("before", before), ("after", after)):
        gain = tile.reading_gain
        for placed, found in zip(tile.blocks, tile.difference(readout), strict=True):
            weight, reached = placed.weight, gain * found / placed.scale
            own = tally[placed.block.layer]
            sums = (reached**2).sum(), (reached * weight).sum(), ((reached - weight) ** 2).sum()
            own.sums[name] = own.sums.get(name, np.zeros(3)) + sums
            if name == "after":
                chosen = tile.mapping.choice(differ, placed.block)
                own.target += float((weight**2).sum())
                own.switches += chosen.size
                own.changed += int(chosen.sum())
                k = differ.shape[-1]
                own.cells += int(chosen.reshape(-1, k).any(axis=-1).sum())
    cells = differ.any(axis=-1)
    lines = int(cells.any(axis=-1).sum())
    switches = int(_used(after).sum()) * differ.shape[-1]
    return switches, int(differ.sum()), int(cells.sum()), lines, int(lines > 0)


def _used(tile: ProgrammedTile) -> Bools:
    """(W, B) cells of a tile that hold weights or are references."""
    used = np.zeros(tile.mask.shape[:2], dtype=np.bool_)
    for placed in tile.blocks:
        block = placed.block
        for lines in (tile.mapping.plus(block.columns), tile.mapping.minus(block.columns)):
            used[np.ix_(block.word_lines, lines)] = True
    return used
