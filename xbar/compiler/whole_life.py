"""One mask for the whole life of a chip: its banks at several times and temperatures.

At point j the elements of a bank are those of the chip then, as far as they are known when it is
programmed (``hardware/outlook.py``), and the reading may be compensated by one factor: the mean of
what the chip's elements are then over what they are when programmed.

Shapes: D points; R inputs and C outputs of a block, E elements of a weight's bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.block import Block, span
from xbar.compiler.mapping import Masks, SignedBank, SignedMapping, get_mapping
from xbar.compiler.options import Options, WholeLife
from xbar.effects.expected import expected_error
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.hardware.outlook import Outlook, by_devices, by_law


@dataclass(frozen=True, eq=False)
class LifeBank:
    """The bank of each weight at several points, as its reading is compensated there.

    Attributes:
        element: (D, ..., E) siemens that a switch adds.
        variance: (D, ..., E) siemens² of it: what is not known of the device, and read noise.
        offset: (D, ...) siemens with all switches open.
    """

    element: Floats
    variance: Floats
    offset: Floats

    def mean(self) -> SignedBank:
        """The mean bank: where its sums reach all points are about reached."""
        return SignedBank(self.element.mean(axis=0), self.offset.mean(axis=0))

    def flat(self) -> LifeBank:
        """(D, M, E): the weights in one axis."""
        points, elements = len(self.element), self.element.shape[-1]
        shape = (points, -1, elements)
        return LifeBank(
            self.element.reshape(shape),
            self.variance.reshape(shape),
            self.offset.reshape(shape[:2]),
        )


@dataclass(frozen=True, eq=False)
class Ahead:
    """The points of a chip's life that a mask is chosen for.

    Attributes:
        chips: the chip at each point.
        life: what the points are and how they count.
        gains: (D,) factor by which a reading at each point is divided.
    """

    chips: tuple[Chip, ...]
    life: WholeLife
    gains: Floats

    @classmethod
    def of(cls, chip: Chip, options: Options) -> Ahead:
        """The points of the options' life of a chip.

        Raises:
            SpecError: the chip is one of later, or has no law for a time or temperature.
        """
        life = options.whole_life
        assert life is not None  # else nobody asks
        if chip.hardware.later is not None:
            raise SpecError(
                "corners and life must be those of a chip as programmed, not of one of later; "
                "compile for chip.programmed"
            )
        chips = tuple(chip.at(*when) for when in life.points)
        plain = cls(chips, life, np.ones(len(chips)))
        return plain if life.compensate == "none" else plain._compensated(chip, options)

    def _compensated(self, chip: Chip, options: Options) -> Ahead:
        mapping, block = get_mapping(options.mapping), whole_tile(chip, options)
        fresh = mapping.bank(*chip.resistors(0), block).element
        then = self.banks(0, mapping, [block])[0].element
        gains = (then * fresh).sum(axis=(1, 2, 3)) / (fresh * fresh).sum()
        return Ahead(self.chips, self.life, gains)

    def banks(
        self,
        tile: int,
        mapping: SignedMapping,
        blocks: Sequence[Block],
        mask: Masks | None = None,
        outlook: str | None = None,
    ) -> tuple[LifeBank, ...]:
        """The banks of a tile's blocks.

        Args:
            tile: number of the tile.
            mapping: mapping of signed weights.
            blocks: blocks on the tile.
            mask: switches (W, B, K) of shared cells, if they are chosen.
            outlook: what is known of devices, as in ``WholeLife``; that of the life by default.
        """
        know = by_law if (outlook or self.life.outlook) == "law" else by_devices
        seen = [know(chip, tile) for chip in self.chips]
        return tuple(self._bank(seen, mapping, block, mask) for block in blocks)

    def _bank(
        self, seen: Sequence[Outlook], mapping: SignedMapping, block: Block, mask: Masks | None
    ) -> LifeBank:
        elements, variances, offsets = [], [], []
        for chip, gain, found in zip(self.chips, self.gains, seen, strict=True):
            noise = expected_error(chip.hardware).noise
            bank = mapping.bank(found.on, found.off, found.stuck, block, mask)
            nothing = np.zeros_like(found.off)
            unknown = np.abs(mapping.bank(found.variance, nothing, found.stuck, block).element)
            spread = unknown + noise**2 * (bank.element**2 + unknown)
            elements.append(bank.element / gain)
            variances.append(spread / gain**2)
            offsets.append(bank.offset / gain)
        return LifeBank(np.stack(elements), np.stack(variances), np.stack(offsets))


def whole_tile(chip: Chip, options: Options) -> Block:
    """A block on all cells of a tile."""
    rows, lines = chip.hardware.cells
    columns = get_mapping(options.mapping).columns(lines)
    return Block("", 0, span(0, rows), span(0, columns), span(0, rows), span(0, columns))
