"""The cells of a program's blocks.

Shapes: R inputs and C outputs of a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.idle import floating
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile
from xbar.effects.readout import MatrixReadout
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Moment
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
    def programmed(self) -> Floats:
        """(R, C) siemens with ideal wires, of the chip that the switches were chosen for."""
        if not self.is_aged:
            return self.achieved
        return self._at(self.tile.chip.then(self._whole.chosen), aged=False)

    @cached_property
    def aged(self) -> Floats:
        """(R, C) siemens with ideal wires now, at the temperature of then and none died since."""
        later, chosen = self.tile.chip.hardware.later, self._whole.chosen
        if not self._whole.aged or later is None or later.temperature is None:
            return self.alive
        if later.time is None:
            return self.programmed
        then = None if chosen is None else chosen.temperature
        return self._at(self._alive.at_temperature(then))

    @cached_property
    def alive(self) -> Floats:
        """(R, C) siemens with ideal wires now, had no device died since."""
        later = self.tile.chip.hardware.later
        if not self._whole.aged or later is None or not later.died:
            return self.achieved
        if later.time is None and later.temperature is None:
            return self.programmed
        return self._at(self._alive)

    @property
    def _alive(self) -> Chip:
        """The chip now with the devices that were dead when switches were chosen, only."""
        chip, chosen = self.tile.chip, self._whole.chosen or Moment()
        later = chip.hardware.later
        assert later is not None  # else nobody asks
        shares = {key: getattr(chosen, key) for key in ("stuck_open", "stuck_closed")}
        return chip.then(later.moment.model_copy(update=shares))

    def _at(self, chip: Chip, *, aged: bool = True) -> Floats:
        chosen = self._whole.chosen if aged else None
        return self._of(self._whole.on(chip, aged=aged, chosen=chosen))

    @cached_property
    def achieved(self) -> Floats:
        """(R, C) siemens with ideal wires, now."""
        return self._of(self.tile)

    @property
    def is_aged(self) -> bool:
        """Whether the devices may have moved since the switches were chosen."""
        return self._whole.aged

    @property
    def _whole(self) -> ProgrammedTile:
        return self.tile.tile if isinstance(self.tile, TileCells) else self.tile

    def _of(self, tile: ProgrammedTile | TileCells) -> Floats:
        return tile.mapping.difference(tile.cells("ideal"), self._placed.block)

    @cached_property
    def wired(self) -> Floats:
        """(R, C) siemens with wires."""
        return self.tile.mapping.difference(self.tile.cells("nodal"), self._placed.block)

    @cached_property
    def floating(self) -> Floats:
        """(R, C) siemens with wires, where lines that the read does not use float."""
        return floating(self._whole, self.number)

    @property
    def attenuation(self) -> Floats:
        """(R, C) attenuation of both lines' cells by the wires; 1 without conductance."""
        total, block = self.tile.mapping.total, self._placed.block
        own, read = (total(self.tile.cells(kind), block) for kind in ("ideal", "nodal"))
        return np.divide(read, own, out=np.ones_like(own), where=own > 0)

    def lines(self, readout: MatrixReadout) -> Floats:
        """(C,) siemens of the block's bit lines from all drivers: mean of plus and minus line.

        The sum of both cells where they share a line.
        """
        line, columns = self.tile.cells(readout).sum(axis=0), self._placed.block.columns
        plus, minus = self.tile.mapping.plus(columns), self.tile.mapping.minus(columns)
        both: Floats = line[plus] + line[minus]
        return both if self.tile.chip.hardware.tile.interleaved else both / 2

    def noise_parts(self, readout: MatrixReadout) -> tuple[Floats, Floats | None]:
        """Sums of squares of its resistors, siemens²; see ``ProgrammedTile.noise_parts``."""
        return self.tile.noise_parts(readout)[self.number]

    @property
    def wire_aware(self) -> bool:
        """Whether the tile was programmed for its wires."""
        return bool(self.tile.wire_errors)
