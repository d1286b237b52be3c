"""One fabricated instance of a design: the actual conductance of every resistor.

A sampled chip stores only its seed: the conductances of tile t are regenerated from (seed, t) on
demand, identically on every machine and in any order: a number for each resistor, another for the
threshold of each switch. A measured chip stores its measurement.
Compiler, simulator and netlist use the same chip, so simulation and export agree.

Shapes: W x B cells of a tile (see ``Bank.layout``), K resistors per cell. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware import draw, fabricate
from xbar.hardware.behind_wires import Closed
from xbar.hardware.fabricate import Deviations
from xbar.hardware.measurement import Measurement, read_measurement
from xbar.hardware.spec import Hardware
from xbar.tables import Card, Facts, count

# streams of the generator; never renumber: they define the chip
CONDUCTANCE, _STUCK, _THRESHOLD = 0, 1, 2


class Resistors(NamedTuple):
    """The resistors of one tile, in memory: for work that asks for them often.

    Attributes:
        on: (W, B, K) siemens switched in.
        off: (W, B, K) siemens switched out: leakage.
        stuck: (W, B, K), -1 where a resistor never switches in, +1 where never out, else 0.
    """

    on: Floats
    off: Floats
    stuck: NDArray[np.int8]

    def branch(self, mask: NDArray[np.bool_]) -> Floats:
        """(W, B, K) siemens that each resistor has under a switch mask (W, B, K)."""
        return np.where(_closed(mask, self.stuck), self.on, self.off)


@dataclass(frozen=True, eq=False, repr=False)
class Chip(Card):
    """One fabricated instance of a design.

    Attributes:
        hardware: the design.
        seed: random seed of a sampled chip; None for a measured one.
        measurement: measured conductances; None for a sampled chip.
    """

    hardware: Hardware
    seed: int | None
    measurement: Measurement | None = None

    @classmethod
    def sample(cls, hardware: Hardware, seed: SupportsIndex) -> Self:
        """Sample a chip from a design.

        Raises:
            SpecError: the seed is not an integer from 0 to 2^64 - 1.

        >>> chip = Chip.sample(Hardware(), seed=0)
        >>> chip.on(5).shape
        (64, 64, 8)
        """
        return cls(hardware, draw.check_seed(seed))

    @classmethod
    def from_measurement(
        cls,
        path: str | Path,
        hardware: Hardware,
        unit: str | None = None,
        behind_wires: Closed | None = None,
    ) -> Self:
        """A chip with measured conductances.

        ``chip.measurement.notes`` says what was assumed: how many resistors had no value and are
        taken as open, how many were slightly negative, which columns were not used.

        Args:
            path: .npz file with ``on`` (T, W, B, K) siemens and optionally ``off`` and ``stuck``
                (-1 open, 0, +1 closed), or a table of text (.csv, .tsv, .txt) with the columns
                tile, word_line, bit_line, resistor, on and optionally off and stuck, in the forms
                that spreadsheets write.
            hardware: design, whose tile and bank define W, B and K.
            unit: unit of numbers that have none, such as "uS" or "kohm" (then they are
                resistances); None for siemens.
            behind_wires: what was closed at a time where the values are the cells' I / V behind
                their drivers, wires and sense amplifiers (those of ``hardware.tile``), which are
                then taken out: one "branch", or one in each cell of a driven word "line". The other
                word lines must have been at 0 V. ``off`` of a cell's branches adds up to its value
                with all switches open; ``on`` is that with the branch closed, less the ``off`` of
                the others. None for values of the branches themselves.

        Raises:
            FileError: the file can't be read.
            SpecError: a value is not a conductance, or the shape does not match the design; or a
                branch conducts more than the wires let through.
        """
        return cls(hardware, None, read_measurement(Path(path), hardware, unit, behind_wires))

    def _facts(self) -> Facts:
        notes = () if self.measurement is None else self.measurement.notes
        assumed = [("assumed", note) for note in notes]
        return [("chip", self.origin), *assumed, *self.hardware.facts()]

    @property
    def origin(self) -> str:
        """Where its resistors come from, in a few words."""
        if self.tiles is not None:
            return f"measured, {count(self.tiles, 'tile')}"
        return f"sampled, seed {self.seed}"

    @property
    def may_have_faults(self) -> bool:
        """Whether resistors may be stuck or dead: on a measured chip, or by design."""
        bank = self.hardware.bank
        return self.measurement is not None or bank.stuck_open > 0 or bank.stuck_closed > 0

    @property
    def tiles(self) -> int | None:
        """Number of tiles of a measured chip; None for a sampled one (no limit)."""
        return None if self.measurement is None else len(self.measurement.on)

    def on(self, tile: int) -> Floats:
        """(W, B, K) conductances of a tile's resistors, switched in."""
        self._check(tile)
        if self.measurement is not None:
            return _one(self.measurement.on, tile)
        return fabricate.conductance(self.hardware.bank, *self._uniform(tile))

    def on_each(self, tiles: Sequence[int], out: Floats | None = None) -> Floats:
        """(T, W, B, K) conductances of several tiles' resistors, switched in: ``on`` of each.

        Written to ``out`` if it is given, which saves most of the memory.
        """
        for tile in tiles:
            self._check(tile)
        result = np.empty((len(tiles), *self._shape)) if out is None else out
        if self.measurement is not None:
            for own, tile in zip(result, tiles, strict=True):
                own[:] = _one(self.measurement.on, tile)
            return result
        u, v = self._uniform_each(tiles, result)
        found = fabricate.conductance(self.hardware.bank, u, v, result)
        if found is not result:
            result[:] = found
        return result

    def deviations(self, tile: int) -> Deviations:
        """The deviations of a tile's devices, from which ``on`` follows by the bank's law.

        The same numbers stand in a transistor netlist for each device.

        Raises:
            SpecError: the chip is measured: its branches are known as a whole only.

        >>> design = Hardware(bank={"spread": "resistance", "sigma": 0.02})
        >>> found = Chip.sample(design, 0).deviations(0)
        >>> found.resistor.shape, bool(found.threshold.any())
        ((64, 64, 8), False)
        """
        self._check(tile)
        if self.measurement is not None:
            raise SpecError(
                "deviations must be those of a sampled chip: a measurement has each branch as a "
                "whole; take chip.on(tile)"
            )
        return fabricate.deviations(self.hardware.bank, *self._uniform(tile))

    def _uniform(self, tile: int) -> tuple[Floats, Floats | None]:
        """(W, B, K) numbers from U(0, 1) for the resistors, and for the thresholds if they vary."""
        u, v = self._uniform_each([tile])
        return u[0], None if v is None else v[0]

    def _uniform_each(
        self, tiles: Sequence[int], out: Floats | None = None
    ) -> tuple[Floats, Floats | None]:
        """(T, W, B, K) the same of several tiles, those of resistors in ``out`` if it is given."""
        assert self.seed is not None
        u = draw.uniform_each(self.seed, CONDUCTANCE, tiles, self._shape, out)
        if not fabricate.thresholds_vary(self.hardware.bank):
            return u, None
        return u, draw.uniform_each(self.seed, _THRESHOLD, tiles, self._shape)

    def off(self, tile: int) -> Floats:
        """(W, B, K) conductances of a tile's resistors, switched out: the leakage."""
        if self.measurement is not None:
            self._check(tile)
            return _one(self.measurement.off, tile)
        return self.on(tile) / self.hardware.bank.on_off_ratios

    def resistors(self, tile: int, on: Floats | None = None) -> Resistors:
        """``on``, ``off`` and ``stuck`` of a tile, from one draw: ``on`` if it is at hand."""
        on = self.on(tile) if on is None else on
        if self.measurement is not None:
            return Resistors(on, self.off(tile), self.stuck(tile))
        return Resistors(on, on / self.hardware.bank.on_off_ratios, self.stuck(tile))

    def stuck(self, tile: int) -> NDArray[np.int8]:
        """(W, B, K) -1 where a resistor is stuck open, +1 where stuck closed, else 0."""
        self._check(tile)
        if self.measurement is not None:
            stuck: NDArray[np.int8] = self.measurement.stuck[tile]
            return stuck
        bank = self.hardware.bank
        if bank.stuck_open == 0 and bank.stuck_closed == 0:
            return np.zeros(self._shape, dtype=np.int8)
        assert self.seed is not None
        u = draw.uniform(self.seed, _STUCK, tile, self._shape)
        is_open = u < bank.stuck_open
        closed = u > 1.0 - bank.stuck_closed
        return closed.astype(np.int8) - is_open.astype(np.int8)

    def branch(self, tile: int, mask: NDArray[np.bool_]) -> Floats:
        """(W, B, K) conductance of each resistor under a switch mask (W, B, K)."""
        self._check_mask(mask)
        return self.resistors(tile).branch(mask)

    def closed(self, tile: int, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(W, B, K) resistors actually switched in under a switch mask (W, B, K), with faults."""
        self._check_mask(mask)
        return _closed(mask, self.stuck(tile))

    def _check_mask(self, mask: NDArray[np.bool_]) -> None:
        if mask.shape != self._shape:
            raise SpecError(f"a tile's mask must have shape {self._shape}, not {mask.shape}")

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (*self.hardware.cells, self.hardware.bank.resistors)

    def _check(self, tile: int) -> None:
        limit = self.tiles if self.tiles is not None else 2**63
        if not 0 <= tile < limit:
            raise SpecError(
                f"tile must be from 0 to {limit - 1}, not {tile}"
                + ("; measure more tiles or choose a smaller network" if self.tiles else "")
            )


def _closed(mask: NDArray[np.bool_], stuck: NDArray[np.int8]) -> NDArray[np.bool_]:
    closed: NDArray[np.bool_] = (mask & (stuck >= 0)) | (stuck > 0)
    return closed


def _one(conductance: Floats, tile: int) -> Floats:
    one: Floats = conductance[tile]
    return one
