"""How the read noise of a chip's resistors counts.

Shapes: W x B cells of a tile, K resistors per cell. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from xbar.arrays import Floats
from xbar.hardware.chip import Chip

if TYPE_CHECKING:
    from xbar.compiler.tile import ProgrammedTile


def squares(
    chip: Chip, branch: Floats, programmed: Callable[[], Floats], counts: Floats | float = 1.0
) -> Floats:
    """(..., K) siemens²: squares of resistors' conductances (..., K), as their read noise counts.

    On a chip whose read noise is not the same fraction of all of them (``Chip.relative_noise``)
    each counts by its own.

    Args:
        chip: the chip.
        branch: (..., K) siemens of the resistors, in their switch states.
        programmed: gives the same when they were programmed.
        counts: (K,) weights by which ``branch`` is larger than the devices' conductances.
    """
    relative = chip.relative_noise(branch / counts, lambda: programmed() / counts)
    found: Floats = branch**2 if relative is None else (branch * relative) ** 2
    return found


def tile_squares(tile: ProgrammedTile, branch: Floats) -> Floats:
    """(W, B, K) siemens²: ``squares`` of a tile's ``branch`` (W, B, K)."""
    chip, tuned = tile.chip, tile.tuned
    if tuned is None:
        return squares(chip, branch, lambda: chip.programmed.branch(tile.index, tile.mask))

    def written() -> Floats:
        targets = ((placed.block, placed.target) for placed in tile.blocks)
        return tuned.branch(chip, tile.index, targets)[0]

    return squares(chip, branch, written, tuned.counts)
