"""How the read noise of a tile's resistors counts.

Shapes: W x B cells of a tile, K resistors per cell. Units: siemens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.arrays import Floats

if TYPE_CHECKING:
    from xbar.compiler.tile import ProgrammedTile


def squares(tile: ProgrammedTile, branch: Floats) -> Floats:
    """(W, B, K) siemens²: squares of the resistors' conductances, as their read noise counts.

    On a chip whose read noise is not the same fraction of all of them (``Chip.relative_noise``)
    each counts by its own.

    Args:
        tile: the tile.
        branch: (W, B, K) siemens, its ``branch``.
    """
    chip, tuned = tile.chip, tile.tuned
    counts = 1.0 if tuned is None else tuned.counts

    def programmed() -> Floats:
        if tuned is None:
            return chip.programmed.branch(tile.index, tile.mask)
        targets = ((placed.block, placed.target) for placed in tile.blocks)
        return tuned.branch(chip, tile.index, targets)[0] / counts

    relative = chip.relative_noise(branch / counts, programmed)
    found: Floats = branch**2 if relative is None else (branch * relative) ** 2
    return found
