"""One fabricated instance of a design: the actual conductance of every resistor.

A sampled chip stores only its seed: the conductances of tile t are regenerated from (seed, t) on
demand, identically on every machine and in any order: a number for each resistor, another for the
threshold of each switch. A measured chip stores its measurement.
Compiler, simulator and netlist use the same chip, so simulation and export agree.

Shapes: W x B cells of a tile (see ``Bank.layout``), K resistors per cell. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware import aging, draw, fabricate
from xbar.hardware.behind_wires import Closed
from xbar.hardware.fabricate import Deviations, Resistors, switched_in
from xbar.hardware.measurement import Measurement, read_measurement
from xbar.hardware.spec import Hardware, Moment
from xbar.tables import Card, Facts, count

# streams of the generator; never renumber: they define the chip (more in aging.py, tuned.py)
CONDUCTANCE, _STUCK, _THRESHOLD, _DEATH = 0, 1, 2, 18


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
            path: .npz file with ``on`` (T, W, B, K) siemens and optionally ``off``, ``stuck``
                (-1 open, 0, +1 closed) and ``c2`` (1/V, see ``Measurement``), or a table of text
                (.csv, .tsv, .txt) with the columns tile, word_line, bit_line, resistor, on and
                optionally off, stuck and c2, in the forms that spreadsheets write.
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

    def at(
        self,
        time: str | float | None = None,
        temperature: str | float | None = None,
        seed: SupportsIndex | None = None,
        stuck_open: float | None = None,
        stuck_closed: float | None = None,
    ) -> Self:
        """The same chip later, or at another temperature: the same resistors, aged.

        Time counts from programming (or fabrication), also where this chip is one of later already:
        it is not added. The chip has been at that temperature all the time; how much faster it
        ages then is told by ``device.activation`` of the design. Its ``hardware`` has the wires,
        switches, leakage and read noise of that time and temperature.

        Args:
            time: seconds since programming, or a text such as "30 d"; None for as programmed.
            temperature: kelvin, or a text such as "85 C"; None for the design's reference.
            seed: seed of what happens to the devices: another gives the same chip another life.
                None for that of this chip, or 0.
            stuck_open: fraction of the sound devices that have died since programming: stuck open.
                None for those that are dead on this chip. With larger fractions others die as
                well as these.
            stuck_closed: fraction that is stuck closed since, likewise.

        Raises:
            SpecError: the design has no law for it (``device``, ``temperature``), or the time is
                before the law's first or after its last, or the temperature outside the data, or
                a fraction is none.

        >>> chip = Chip.sample(Hardware.from_catalog("pcm"), seed=0)
        >>> later = chip.at(time="1 y")
        >>> float((later.on(0) / chip.on(0)).mean().round(2))
        0.5
        """
        from xbar.hardware.later import design_at

        own = self.hardware.later or Moment()
        number = own.seed if seed is None else draw.check_seed(seed)
        shares = (
            own.stuck_open if stuck_open is None else stuck_open,
            own.stuck_closed if stuck_closed is None else stuck_closed,
        )
        return replace(self, hardware=design_at(self.hardware, time, temperature, number, shares))

    @property
    def programmed(self) -> Self:
        """The chip as programmed, at the reference temperature; itself if it is that."""
        later = self.hardware.later
        return self if later is None else replace(self, hardware=later.design)

    def is_same(self, other: Chip) -> bool:
        """Whether the other is this chip, now or later: same devices, same design."""
        mine, theirs = self.programmed, other.programmed
        known = mine.seed is not None or mine.measurement is theirs.measurement
        return known and mine.seed == theirs.seed and mine.hardware == theirs.hardware

    def then(self, moment: Moment | None) -> Self:
        """The same chip at a moment of its life; None for as programmed."""
        from xbar.hardware.later import design_then

        return replace(self, hardware=design_then(self.programmed.hardware, moment))

    def at_temperature(self, kelvin: float | None) -> Self:
        """The chip at this time with its devices as aged, but at another temperature now.

        Args:
            kelvin: temperature; None for the design's reference.
        """
        from xbar.hardware.later import at_temperature

        return replace(self, hardware=at_temperature(self.hardware, kelvin))

    def _facts(self) -> Facts:
        notes = () if self.measurement is None else self.measurement.notes
        assumed = [("assumed", note) for note in notes]
        return [("chip", self.origin), *assumed, *self.hardware.facts()]

    @property
    def origin(self) -> str:
        """Where its resistors come from, in a few words."""
        now = "" if self.hardware.later is None else f", {self.hardware.later}"
        if self.tiles is not None:
            return f"measured, {count(self.tiles, 'tile')}{now}"
        return f"sampled, seed {self.seed}{now}"

    @property
    def may_have_faults(self) -> bool:
        """Whether resistors may be stuck or dead: on a measured chip, or by design."""
        bank, later = self.hardware.bank, self.hardware.later
        if self.measurement is not None or (later is not None and later.died):
            return True
        return bank.stuck_open > 0 or bank.stuck_closed > 0

    @property
    def tiles(self) -> int | None:
        """Number of tiles of a measured chip; None for a sampled one (no limit)."""
        return None if self.measurement is None else len(self.measurement.on)

    def on(self, tile: int) -> Floats:
        """(W, B, K) conductances of a tile's resistors, switched in."""
        self._check(tile)
        if self.measurement is not None:
            on = _one(self.measurement.on, tile)
            later = self.hardware.later
            return on if later is None else aging.measured(later, tile, on)
        if self.hardware.later is None:
            return fabricate.conductance(self.hardware.bank, *self._uniform(tile))
        bank, (u, v) = self.hardware.bank, self._uniform(tile)
        now = self._aged(tile, u)
        if bank.series == 0 and bank.switch is None:
            return now
        return fabricate.branches(bank, 1.0 / now, v)

    def _aged(self, tile: int, u: Floats) -> Floats:
        """(W, B, K) siemens now of the resistors alone of a sampled chip, by their numbers."""
        later, bank = self.hardware.later, self.hardware.bank
        assert later is not None
        assert self.seed is not None
        if bank.series == 0 and bank.switch is None:
            fresh = fabricate.conductance(bank, u)
        else:
            fresh = 1.0 / fabricate.resistance(bank, u)
        return aging.aged(later, self.seed, tile, fresh)

    def devices(self, tile: int, conductance: Floats) -> Floats:
        """(W, B, K) siemens now of devices of a tile that were programmed to (W, B, K) siemens."""
        later = self.hardware.later
        if later is None:
            return conductance
        return aging.aged(later, self.seed or 0, tile, conductance)

    @property
    def leakage(self) -> float:
        """Conductance of open devices at its temperature over that at the reference."""
        return aging.open_factor(self.hardware.later)

    def relative_noise(self, now: Floats, programmed: Callable[[], Floats]) -> Floats | None:
        """Read noise of resistors over the design's ``variation.read_noise``.

        None where all have that of the design.

        Args:
            now: (...) siemens of the resistors.
            programmed: gives their (...) siemens when they were programmed.
        """
        noise = self.hardware.variation.read_noise
        return aging.relative_noise(self.hardware.later, now, programmed, noise)

    def on_each(self, tiles: Sequence[int], out: Floats | None = None) -> Floats:
        """(T, W, B, K) conductances of several tiles' resistors, switched in: ``on`` of each.

        Written to ``out`` if it is given, which saves most of the memory.
        """
        for tile in tiles:
            self._check(tile)
        result = np.empty((len(tiles), *self._shape)) if out is None else out
        if self.measurement is not None or self.hardware.later is not None:
            for own, tile in zip(result, tiles, strict=True):
                own[:] = self.on(tile)
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
        found = fabricate.deviations(self.hardware.bank, *self._uniform(tile))
        if self.hardware.later is None:
            return found
        now = self._aged(tile, self._uniform(tile)[0])
        return found._replace(resistor=1.0 / (now * self.hardware.bank.ohms) - 1.0)

    def thresholds(self, tile: int) -> Floats | None:
        """(W, B, K) volts by which the thresholds of a tile's switches deviate, where known.

        A sampled chip's are its own; those of a measured one follow from its ``c2``.

        Raises:
            SpecError: a measured ``c2`` is that of no switch.
        """
        if self.measurement is None:
            return self.deviations(tile).threshold
        law, c2 = self.hardware.bank.nonlinearity, self.measurement.c2
        if c2 is None or law is None or law.c2_slope is None or not np.any(law.c2 or 0.0):
            return None
        self._check(tile)
        return self.hardware.bank.thresholds(_one(self.measurement.on, tile), _one(c2, tile))

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
            off, later = _one(self.measurement.off, tile), self.hardware.later
            if later is None:
                return off
            return aging.leakage(later, off, _one(self.measurement.on, tile), self.on(tile))
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
        later = self.hardware.later
        found = self._stuck_at_first(tile)
        if later is None or not later.died:
            return found
        u = draw.uniform(self.seed or 0, _DEATH + (later.seed << 8), tile, self._shape)
        died = (u > 1.0 - later.stuck_closed).astype(np.int8) - (u < later.stuck_open)
        return np.where(found == 0, died, found)

    def _stuck_at_first(self, tile: int) -> NDArray[np.int8]:
        """``stuck`` of the chip as programmed."""
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
        return switched_in(mask, self.stuck(tile))

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


def _one(conductance: Floats, tile: int) -> Floats:
    one: Floats = conductance[tile]
    return one
