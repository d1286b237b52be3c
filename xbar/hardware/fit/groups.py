"""Readings by what they are of: programmed devices, and cells of repeated reads.

Shapes: N readings, C cells (a programmed device at one time and temperature), E events (a device
programmed once), D devices. Units: siemens, seconds, kelvin.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints
from xbar.hardware.fit.readings import Readings
from xbar.hardware.law_parts import Goodness, Parameter
from xbar.hardware.temperature import ROOM
from xbar.statistics import Estimate, finite_or_none

NEAR = 3.0
"""Kelvin within which temperatures count as the reference."""


@dataclass(eq=False)
class Found:
    """What is found of a law, part by part.

    Attributes:
        values: values of the law, by key.
        parameters: estimates with intervals.
        goodness: tests.
        notes: what was assumed.
        unknown: what the data can't say.
    """

    values: dict[str, Any] = field(default_factory=dict)
    parameters: list[Parameter] = field(default_factory=list)
    goodness: list[Goodness] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, name: str, found: Estimate, unit: str = "") -> None:
        """Add a parameter."""
        ends = {"low": finite_or_none(found.low), "high": finite_or_none(found.high)}
        self.parameters.append(Parameter(name=name, value=found.value, unit=unit, **ends))


@dataclass(frozen=True, eq=False)
class Cells:
    """Means of repeated reads.

    Attributes:
        event: (C,) numbers of the events.
        time: (C,) seconds; NaN for none.
        kelvin: (C,) temperatures; NaN for none.
        g: (C,) mean siemens.
        count: (C,) reads.
        variance: (C,) variance of the reads; NaN for one read.
        device: (E,) devices of the events.
        target: (E,) their targets; NaN for none.
    """

    event: Ints
    time: Floats
    kelvin: Floats
    g: Floats
    count: Ints
    variance: Floats
    device: Ints
    target: Floats

    def where(self, mask: NDArray[np.bool_]) -> Cells:
        """The cells of a mask (C,); events keep their numbers."""
        names = ("event", "time", "kelvin", "g", "count", "variance")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})

    def programmed(self) -> tuple[Ints, Ints]:
        """Events (M,) that have cells, and the first cell (M,) in time of each."""
        order = np.lexsort((np.nan_to_num(self.time, nan=-1.0), self.event))
        event, start = np.unique(self.event[order], return_index=True)
        return event, order[start]


def cells_of(given: Readings) -> Cells:
    """The cells of readings."""
    target = np.nan_to_num(given.target, nan=-1.0)
    events = np.stack([given.device, target, given.cycle], axis=1)
    unique, event = np.unique(events, axis=0, return_inverse=True)
    event = event.reshape(-1)
    keys = np.stack(
        [event, np.nan_to_num(given.time, nan=-1.0), np.nan_to_num(given.kelvin, nan=-1.0)], axis=1
    )
    kinds, cell = np.unique(keys, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    count = np.bincount(cell, minlength=len(kinds))
    mean = np.bincount(cell, given.g) / count
    squares = np.bincount(cell, (given.g - mean[cell]) ** 2)
    variance = np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)
    return Cells(
        kinds[:, 0].astype(np.int64),
        np.where(kinds[:, 1] < 0, np.nan, kinds[:, 1]),
        np.where(kinds[:, 2] < 0, np.nan, kinds[:, 2]),
        mean,
        count,
        variance,
        unique[:, 0].astype(np.int64),
        np.where(unique[:, 1] < 0, np.nan, unique[:, 1]),
    )


def reference_of(cells: Cells) -> float | None:
    """The temperature nearest to 300 K at which most devices were read; None if none is given."""
    known = cells.kelvin[np.isfinite(cells.kelvin)]
    if not len(known):
        return None
    each, counts = np.unique(known, return_counts=True)
    often = each[counts * 2 >= counts.max()]
    return float(often[np.argmin(np.abs(often - ROOM))])


def at_reference(cells: Cells, reference: float | None) -> Cells:
    """The cells at the reference temperature, or without one."""
    if reference is None:
        return cells
    return cells.where(np.isnan(cells.kelvin) | (np.abs(cells.kelvin - reference) <= NEAR))
