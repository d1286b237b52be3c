"""What is known of a chip's future when it is programmed: each device's mean and variance then.

A device's number for what time does to it (``aging.py``) is known to nobody beforehand, nor is
that of its temperature coefficient, unless it was measured at two temperatures. The means and
variances by the device law and the design are integrals over standard normal numbers, by Gauss and
Hermite's quadrature.

Shapes: W x B cells of a tile, K resistors per cell. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Later

_NODES = 7


@dataclass(frozen=True, eq=False)
class Outlook:
    """The resistors of a tile at a moment, as far as they are known.

    Attributes:
        on: (W, B, K) siemens switched in, their mean.
        off: (W, B, K) siemens switched out, their mean.
        stuck: (W, B, K) faults, as ``Chip.stuck``: of devices that die nothing is known.
        variance: (W, B, K) siemens², of what a switch adds; 0 for devices that were measured then.
    """

    on: Floats
    off: Floats
    stuck: NDArray[np.int8]
    variance: Floats


def by_devices(chip: Chip, tile: int) -> Outlook:
    """A tile's resistors at the chip's moment as if each had been measured then."""
    on, off, stuck = chip.resistors(tile)
    return Outlook(on, off, stuck, np.zeros_like(on))


def by_law(chip: Chip, tile: int) -> Outlook:
    """A tile's resistors at the chip's moment, by its law and what they were when programmed."""
    later, shape = chip.hardware.later, (*chip.hardware.cells, chip.hardware.bank.resistors)
    if later is None:
        return by_devices(chip, tile)
    on, off, power = (np.zeros(shape) for _ in range(3))
    for weight, path in _paths(later):
        there = chip.then(later.moment.model_copy(update={"path": path}))
        now, leak, _ = there.resistors(tile)
        on += weight * now
        off += weight * leak
        power += weight * (now - leak) ** 2
    stuck = chip.stuck(tile)
    return Outlook(on, off, stuck, np.maximum(power - (on - off) ** 2, 0.0))


def _paths(later: Later) -> Iterator[tuple[float, tuple[float, float]]]:
    """Weights, and numbers for time and temperature, over which a chip's devices are averaged."""
    law, heat = later.design.device, later.design.temperature
    ages = later.time is not None and law is not None and law.first is not None
    warm = later.temperature is not None and heat is not None and heat.resistors_sigma > 0
    first, second = (_nodes(_NODES if moves else 1) for moves in (ages, warm))
    for (one, time), (other, temperature) in product(first, second):
        yield one * other, (time, temperature)


def _nodes(count: int) -> list[tuple[float, float]]:
    """Weights and nodes for the mean of a function of a standard normal number."""
    places, weights = np.polynomial.hermite_e.hermegauss(count)
    return [*zip((weights / weights.sum()).tolist(), places.tolist(), strict=True)]
