"""Tuned cells: rivals of subsets of imprecise resistors.

Each of a cell's K devices can be written to a conductance between that of an open device and g, the
largest nominal one of the design, with an error of standard deviation ``write_error`` times g at
any value, or that of the design's device law at its target. A device with target 0 stays open,
without error, so only one half of a differential pair is written.

    write-verify   all K devices have an equal share of the target: errors average out
    bit-slice      device k holds a digit of c bits with weight 2^(-c k): exact as long as the first
                   device's error is below half of the last bit
    residual       device k is written after reading back the previous ones, and compensates their
                   error; its weight is (6 sigma)^k, so that its range covers 6 sigma of the
                   previous write error (W. Song and others, Science 383, 2024;
                   US 9,847,129)

A weight below one is simulated as a smaller conductance on the same bit line. A real array has
separate lines and converters for such devices and adds digitally: its wires carry more current than
is simulated here.

Shapes: W x B cells of a tile, R inputs and C outputs of a block, K devices per cell. Units:
siemens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.mapping import DifferentialPair, Masks
from xbar.compiler.options import Options
from xbar.hardware import draw
from xbar.hardware.chip import Chip
from xbar.hardware.device_law import DeviceLaw
from xbar.subset.scaling import ErrorCurve, Reach, reach_of

SIGMAS = 6.0
"""Range of a device in residual programming, in standard deviations of the previous write error."""

WORD_BITS = 52
"""Maximum bits of a word in bit slicing, exact in float64; further devices are idle."""

_WRITING, _SAMPLING = 8, 9  # streams of the generator: see ``xbar.hardware.chip``
_SAMPLES, _SIZES = 128, 256
_TARGETS = 257  # at which the largest error of a law is sought

WRITE_ERROR = 0.05
"""Default error of writing, over full scale, of designs whose device law has none."""
_PAIR = DifferentialPair()


@dataclass(frozen=True)
class TunedCells:
    """Model of the tuned cells of a program.

    Attributes:
        method: "write-verify", "bit-slice" or "residual".
        error: standard deviation of a written conductance over its full scale; with a ``law`` its
            largest.
        bits: bits of a device's digit, for "bit-slice".
        devices: number K of devices per cell.
        full_scale: largest conductance of a device, siemens.
        open: conductance of an open device, siemens.
        law: law whose error a written device has, by its target; None for ``error`` at any target.
    """

    method: str
    error: float
    bits: int
    devices: int
    full_scale: float
    open: float
    law: DeviceLaw | None = None

    @classmethod
    def of(cls, options: Options, chip: Chip) -> TunedCells | None:
        """The tuned cells selected by the options; None for switched resistors.

        With ``options.aged`` they are those of the chip as programmed, on which they were written.
        """
        if options.programming in ("subset", "nominal"):
            return None
        chip = chip.programmed if options.aged else chip
        bank = chip.hardware.bank
        nominal = bank.nominal_conductance
        first = int(np.argmax(nominal))
        largest = float(nominal[first])
        lowest = largest / float(bank.on_off_ratios[first])
        law, error = chip.hardware.device, options.write_error
        if error is not None or law is None or law.error is None:
            law, error = None, WRITE_ERROR if error is None else error
        else:
            every = np.linspace(lowest, largest, _TARGETS)
            error = float(law.errors(every).max()) / largest
        return cls(
            options.programming, error, options.cell_bits, bank.resistors, largest, lowest, law
        )

    @property
    def counts(self) -> Floats:
        """(K,) weight of each device."""
        place = np.arange(self.devices)
        if self.method == "bit-slice":
            return np.ldexp(1.0, -self.bits * place)
        if self.method == "residual":
            return np.float64(min(SIGMAS * self.error, 1.0)) ** place
        return np.ones(self.devices)

    @property
    def reach(self) -> float:
        """Largest target of a weight, siemens."""
        span = self.full_scale - self.open
        if self.method == "bit-slice":
            return self._step * float(
                np.ldexp(2.0 ** (self.bits * self._slices) - 1, -self.bits * (self._slices - 1))
            )
        return span * self.devices if self.method == "write-verify" else span

    def expected(self, read_noise: float) -> tuple[ErrorCurve, Reach]:
        """Error by size of the target, from simulated writes; and the reach of a weight.

        Args:
            read_noise: relative standard deviation of each device in a read, included in the error.
        """
        u = draw.uniform(0, _SAMPLING, 0, (_SAMPLES, _SIZES, 2, self.devices + 1))
        size = self.reach * (np.arange(_SIZES) + u[:, :, 0, 0]) / _SIZES
        z = draw.normal(u[..., 1:])
        wanted = self._wanted(size, z, np.zeros(z.shape, dtype=np.int8))
        own = self._stored(wanted, z) * self.counts
        halves = own.sum(axis=-1)
        power = (halves[..., 0] - halves[..., 1] - size) ** 2
        power += read_noise**2 * (own**2).sum(axis=(-2, -1))
        reach = self.reach_of(())
        floor = np.finfo(np.float64).eps ** 2
        table = np.maximum(power.mean(axis=0) / float(reach.deviation) ** 2, floor)
        return ErrorCurve(table, _SIZES * float(reach.deviation) / self.reach), reach

    def reach_of(self, shape: tuple[int, ...]) -> Reach:
        """The reach of weights (...), equal for all."""
        ends = np.array([self.reach, -self.reach])
        return reach_of(np.broadcast_to(ends, (*shape, 2)), np.zeros(shape))

    def branch(
        self,
        chip: Chip,
        tile: int,
        targets: Iterable[tuple[Block, Floats]],
        *,
        aged: bool = False,
    ) -> tuple[Floats, Masks]:
        """Weighted conductances of a tile's devices, and which are written.

        A function of the arguments only: the errors are drawn from the chip's seed (0 for a
        measured chip) and the tile.

        Args:
            chip: chip, whose stuck resistors are stuck devices here: open, or at full scale, from
                where they age as a device written to it.
            tile: index of the tile.
            targets: blocks and their targets (R, C) in siemens.
            aged: whether devices were written on ``chip.programmed`` and have moved since.

        Returns:
            Conductances (W, B, K) in siemens, and the mask (W, B, K) of written devices.
        """
        stuck = chip.stuck(tile)
        u = draw.uniform(chip.seed or 0, _WRITING, tile, stuck.shape)
        z = draw.normal(u)
        then = chip.programmed.stuck(tile) if aged else stuck
        own = np.full(stuck.shape, self.open)
        written = np.zeros(stuck.shape, dtype=np.bool_)
        for block, target in targets:
            place = block.word_lines[:, None], _PAIR.lines(block)
            pairs = (*target.shape, 2, self.devices)
            wanted = self._wanted(
                np.clip(target, -self.reach, self.reach),
                z[place].reshape(pairs),
                then[place].reshape(pairs),
            )
            lines = (len(target), -1, self.devices)
            own[place] = self._stored(wanted, z[place].reshape(pairs)).reshape(lines)
            written[place] = (wanted > 0).reshape(lines)
        own = np.where(stuck > 0, self.full_scale, own)
        leak = self.open
        if aged:
            leak = leak * chip.leakage
            own = np.where(written | (stuck > 0), chip.devices(tile, own), leak)
        own = np.where(stuck < 0, leak, own)
        return own * self.counts, written & (stuck == 0)

    def _stored(self, wanted: Floats, z: Floats) -> Floats:
        """Conductances after writing devices to ``wanted`` siemens above the open conductance."""
        if self.law is None:
            error = z * (self.error * self.full_scale)
        else:
            error = z * self.law.errors(self.open + wanted)
        stored = np.maximum(self.open + wanted + error, self.open)
        return np.where(wanted > 0, stored, self.open)

    def _wanted(self, target: Floats, z: Floats, stuck: NDArray[np.int8]) -> Floats:
        """(R, C, 2, K) targets of the devices, siemens above the open conductance."""
        if self.method == "residual":
            return self._corrections(target, z, stuck)
        halves = np.maximum(np.stack([target, -target], axis=-1), 0.0)
        if self.method == "write-verify":
            return np.repeat(halves[..., None] / self.devices, self.devices, axis=-1)
        word = np.rint(halves / self._last).astype(np.int64)
        wanted = np.zeros((*halves.shape, self.devices))
        for k in range(self._slices):
            digit = (word >> (self.bits * (self._slices - 1 - k))) & (2**self.bits - 1)
            wanted[..., k] = digit * self._step
        return wanted

    def _corrections(self, target: Floats, z: Floats, stuck: NDArray[np.int8]) -> Floats:
        wanted = np.zeros(z.shape)
        left, span = target, self.full_scale - self.open
        for k, count in enumerate(self.counts):
            if count == 0.0:
                break
            share = np.clip(left / count, -span, span)
            wanted[..., k] = np.maximum(np.stack([share, -share], axis=-1), 0.0)
            own = self._stored(wanted[..., k], z[..., k])
            own = np.where(stuck[..., k] < 0, self.open, own)
            own = np.where(stuck[..., k] > 0, self.full_scale, own)
            left = left - count * (own[..., 0] - own[..., 1])
        return wanted

    @property
    def _step(self) -> float:
        """Siemens between two digits of a device."""
        return (self.full_scale - self.open) / float(2**self.bits - 1)

    @property
    def _last(self) -> float:
        """Siemens between two words."""
        return self._step / float(2 ** (self.bits * (self._slices - 1)))

    @property
    def _slices(self) -> int:
        """Number of devices that hold digits."""
        return max(1, min(self.devices, WORD_BITS // self.bits))
