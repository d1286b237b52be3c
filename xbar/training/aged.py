"""The moments of a design's life that a network is trained at, and how devices are drawn for them.

Every few steps a moment is chosen and devices are drawn, those of a new chip at that moment: each
of a cell's resistors has its own drift and temperature coefficient (``hardware/aging.py``). A cell
of n usual resistors is taken as its first n, the last one in part:

    factor = sum of the first n resistors at that moment / sum of them as programmed

Importing this module imports PyTorch: import it inside functions.

Shapes: M weights of all layers; T tiles of W x B cells with K resistors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn

from xbar.arrays import Floats
from xbar.compiler.squares import squares
from xbar.hardware.chip import Chip
from xbar.hardware.later import design_at
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.simulation.life import conditions
from xbar.training.arrays import Arrays
from xbar.training.arriving import Arriving
from xbar.training.network_read import READS, NetworkRead, chain_of
from xbar.training.recipe import Tuning

_ANEW = 8
"""Steps after which devices and their moment are drawn anew."""
_TILES = 4
"""Tiles whose devices are drawn; of more tiles every fourth has the same."""
_FEWEST = 1e-3
"""Resistors of which a cell has at least its part."""


class Then(nn.Module):
    """A design's arrays and effects at a moment, as training needs them.

    Args:
        graph: the network.
        arrays: where its weights lie, as programmed.
        hardware: the design at the moment.
        resistor: siemens of a usual resistor as programmed.
        tuning: settings.

    Attributes:
        hardware: the design at the moment.
        arriving: what arrives then.
        squares: mean square of resistors on and off then, siemens²; None without read noise.
        network: how products are read; None where no effect acts on reads.
    """

    def __init__(
        self, graph: Graph, arrays: Arrays, hardware: Hardware, resistor: float, tuning: Tuning
    ) -> None:
        super().__init__()
        chip = Chip.sample(hardware, 0)
        leak = float(chip.off(0).sum(axis=-1).mean())
        then = replace(arrays, hardware=hardware, leak=leak)
        self.hardware = hardware
        self.arriving = Arriving(then, resistor, tuning)
        self.squares = squares_of(chip) if hardware.variation.read_noise else None
        chain = chain_of(hardware, calibrated=tuning.calibrate is not None)
        reads = bool(READS & chain.changed)
        self.network = NetworkRead(graph, then.tiles, chain) if reads else None


def squares_of(chip: Chip) -> tuple[float, float]:
    """Mean square of a chip's resistors as their read noise counts, siemens².

    Returns:
        Of those that are on, by usual resistor as programmed; of one that is off.
    """
    fresh = chip.programmed
    closed = squares(chip, chip.on(0), partial(fresh.on, 0)).mean()
    leaking = squares(chip, chip.off(0), partial(fresh.off, 0)).mean()
    step = fresh.on(0) - fresh.off(0)
    return float(closed * np.median(step) / step.mean()), float(leaking)


def designs_of(hardware: Hardware, tuning: Tuning) -> list[Hardware]:
    """The design at each time and temperature of the settings.

    Raises:
        SpecError: it has no law for one of them, or that is outside its data.
    """
    if not (tuning.times or tuning.temperatures):
        return []
    every = conditions(tuning.times or None, tuning.temperatures or None)
    return [design_at(hardware, *when) for when in every]


class Ages(nn.Module):
    """Devices at the moments of a design, drawn every few steps.

    Its buffer is all that it keeps: steps to the next draw, seed of the chip, number of the moment.

    Args:
        arrays: where weights lie.
        designs: the design at each moment.
    """

    def __init__(self, arrays: Arrays, designs: Sequence[Hardware]) -> None:
        super().__init__()
        self.arrays, self.designs = arrays, designs
        self.drawn: torch.Tensor
        self.register_buffer("drawn", torch.zeros(3, dtype=torch.int64))
        self._known: tuple[tuple[int, int], Floats, Floats] | None = None

    def choose(self, draw: torch.Generator, *, keep: bool) -> tuple[int, int, bool]:
        """Number of a moment, seed of the chip, and whether they are new.

        Args:
            draw: generator.
            keep: whether they are those of some steps; else they are drawn for once.
        """
        if keep and self.drawn[0] > 0:
            self.drawn[0] -= 1
            return int(self.drawn[2]), int(self.drawn[1]), False
        seed = int(torch.randint(2**31, (1,), generator=draw))
        which = int(torch.randint(len(self.designs), (1,), generator=draw))
        if keep:
            self.drawn.copy_(torch.tensor([_ANEW - 1, seed, which]))
        return which, seed, True

    def factors(self, d: torch.Tensor, which: int, seed: int) -> torch.Tensor:
        """(M,) conductances at a moment over those as programmed, of cells of (M,) resistors."""
        before, now = self._devices(which, seed)
        number = d.detach().numpy().astype(np.float64)
        w, b = self.arrays.hardware.cells
        cell = (self.arrays.plus + (number < 0)) % (len(before) // (w * b) * (w * b))
        count = np.clip(np.abs(number), _FEWEST, before.shape[1] - 1)
        found = _first(now, cell, count) / _first(before, cell, count)
        return torch.from_numpy(found).to(d.dtype)

    def _devices(self, which: int, seed: int) -> tuple[Floats, Floats]:
        """(cells, K + 1) siemens of each cell's first resistors, as programmed and then."""
        if self._known is None or self._known[0] != (which, seed):
            chip = Chip.sample(self.designs[which], seed)
            tiles = range(min(len(self.arrays.tiles), _TILES))
            before, now = (
                np.concatenate([_sums(each.on(tile)) for tile in tiles])
                for each in (chip.programmed, chip)
            )
            self._known = (which, seed), before, now
        return self._known[1:]


def _sums(on: Floats) -> Floats:
    """(W B, K + 1) sums of the first 0 to K of (W, B, K)."""
    flat = on.reshape(-1, on.shape[-1])
    found = np.zeros((len(flat), flat.shape[1] + 1))
    np.cumsum(flat, axis=1, out=found[:, 1:])
    return found


def _first(sums: Floats, cell: np.ndarray[tuple[int], np.dtype[np.int64]], count: Floats) -> Floats:
    """(M,) siemens of the first resistors of cells, the last one in part."""
    whole = np.minimum(count.astype(np.int64), sums.shape[1] - 2)
    low, high = sums[cell, whole], sums[cell, whole + 1]
    result: Floats = low + (count - whole) * (high - low)
    return result
