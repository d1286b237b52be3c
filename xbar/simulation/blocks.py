"""The cells of a program's blocks.

Shapes: R inputs and C outputs of a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile
from xbar.effects.readout import MatrixReadout
from xbar.simulation.cells import TileCells


@dataclass(frozen=True, eq=False)
class BlockCells:
    """The cells of one block of a programmed tile; see ``xbar.effects.effect.Cells``.

    Attributes:
        tile: the tile, or its cells where they are solved already.
        number: index of the block on it.
    """

    tile: ProgrammedTile | TileCells
    number: int

    @property
    def _placed(self) -> ProgrammedBlock:
        return self.tile.blocks[self.number]

    @cached_property
    def target(self) -> Floats:
        """(R, C) siemens."""
        return self._placed.target

    @cached_property
    def achieved(self) -> Floats:
        """(R, C) siemens with ideal wires."""
        return self.tile.mapping.difference(self.tile.cells("ideal"), self._placed.block)

    @cached_property
    def wired(self) -> Floats:
        """(R, C) siemens with wires."""
        return self.tile.mapping.difference(self.tile.cells("nodal"), self._placed.block)

    @property
    def attenuation(self) -> Floats:
        """(R, C) attenuation of both lines' cells by the wires; 1 without conductance."""
        total, block = self.tile.mapping.total, self._placed.block
        own, read = (total(self.tile.cells(kind), block) for kind in ("ideal", "nodal"))
        return np.divide(read, own, out=np.ones_like(own), where=own > 0)

    def noise_parts(self, readout: MatrixReadout) -> tuple[Floats, Floats | None]:
        """Sums of squares of its resistors, siemens²; see ``ProgrammedTile.noise_parts``."""
        return self.tile.noise_parts(readout)[self.number]

    @property
    def wire_aware(self) -> bool:
        """Whether the tile was programmed for its wires."""
        return bool(self.tile.wire_errors)
