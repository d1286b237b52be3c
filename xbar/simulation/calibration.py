"""Calibration of converter ranges from data, for each chip.

The calibration set passes twice through the chip, without noise and ADCs: the first pass, without
DACs too, records the inputs of each layer and sets the DACs' ranges; the second, through those
DACs, records the currents and sets the ADCs'. Methods:

    max              nothing in the calibration set is clipped
    percentile       this share of the values lies within the range
    least-squares    the range with the least mean square of rounding and clipping errors

Offsets and gains of converters and amplifiers are then found from known currents (``trim.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, Ints, one_number, one_of
from xbar.compiler.program import Program
from xbar.effects.chain import Chain
from xbar.effects.converters import quantise
from xbar.effects.dac import Dac
from xbar.effects.ranges import Key, not_zero, pools
from xbar.effects.readout import Readout
from xbar.effects.stage import Stage
from xbar.errors import SpecError
from xbar.hardware.converter import Converter
from xbar.simulation.ranges import Ranges, columns_of
from xbar.simulation.readout import AnalogProducts, Watch
from xbar.simulation.trim import TRIMMED

PERCENTILE = 99.9
"""Default share of the magnitudes within the range, in percent."""

Method: TypeAlias = Literal["max", "percentile", "least-squares"]

KEPT = 8192
"""Sample size for a range: evenly spaced values. The largest value is always exact."""
_SPARSE = 256
_MEMORY = 1 << 24
_GRID, _ROUNDS = 64, 3


@dataclass(frozen=True)
class Calibration:
    """Calibration method.

    Attributes:
        method: "max", "percentile" or "least-squares".
        percentile: share of the magnitudes within the range, in percent.
        own_scale: whether each input vector stays scaled by its own largest value, and only ADCs
            are calibrated.
    """

    method: Method
    percentile: float = PERCENTILE
    own_scale: bool = False

    def __post_init__(self) -> None:
        one_of(self.method, "calibrate", get_args(Method))
        if not 0 < one_number(self.percentile, "percentile") <= 100:
            raise SpecError(f"percentile must be over 0 and at most 100, not {self.percentile}")


@dataclass
class Sample:
    """Sample of magnitudes: evenly spaced ones, and the largest.

    Attributes:
        room: maximum sample size.
        largest: largest magnitude so far.
    """

    room: int = KEPT
    largest: float = 0.0
    _every: int = 1
    _kept: list[Floats] = field(default_factory=list)
    _count: int = 0

    def add(self, rows: NDArray[np.floating[Any]]) -> None:
        """Add values (N, ...); whole rows of the N are sampled."""
        values = np.abs(rows.reshape(len(rows), -1))
        if not values.size:
            return
        self.largest = max(self.largest, float(values.max()))
        some = values[:: self._every].astype(np.float64)
        self._kept.append(some)
        self._count += some.size
        while self._count > 2 * self.room and any(len(each) > 1 for each in self._kept):
            self._every *= 3
            self._kept = [each[::3] for each in self._kept]
            self._count = sum(each.size for each in self._kept)

    @property
    def values(self) -> Floats:
        """(n,) magnitudes."""
        return np.concatenate([each.ravel() for each in self._kept]) if self._kept else np.zeros(0)

    def full_scale(self, calibration: Calibration, bits: int) -> float:
        """The calibrated range of a converter with this resolution; 1 if all values are zero."""
        if calibration.method == "max" or not self.largest:
            return not_zero(self.largest)
        if calibration.method == "percentile":
            return not_zero(float(np.percentile(self.values, calibration.percentile)))
        return least_squares(self.values, bits)


def least_squares(value: Floats, bits: int) -> float:
    """The full scale that minimises the mean square of ``quantise(value) - value``.

    Found on a grid refined around its best point: a local optimum, to within 1e-4 of the largest
    magnitude.
    """
    largest = float(np.abs(value).max(initial=0.0))
    if largest == 0.0:
        return 1.0

    def loss(full_scale: float) -> float:
        return float(((quantise(value, full_scale, bits) - value) ** 2).mean())

    low, high = 0.0, largest
    best = largest
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _GRID + 1)[1:]
        losses = [loss(float(point)) for point in grid]
        best = float(grid[int(np.argmin(losses))])
        step = (high - low) / _GRID
        low, high = max(best - step, 0.0), min(best + step, largest)
    return best


Run: TypeAlias = Callable[[Collection[str], Ranges | None, Watch], object]
"""Runs the calibration set with some effects and ranges, and has the converters watched."""


def calibrate(
    program: Program,
    run: Callable[[AnalogProducts], object],
    calibration: Calibration,
    readout: Readout = "ideal",
) -> Ranges:
    """Ranges of all converters that the design does not fix.

    Args:
        program: program on its chip.
        run: function that runs the calibration set through the network with given products.
        calibration: method.
        readout: "ideal", "nodal" or "nonlinear".
    """

    def products(names: Collection[str], ranges: Ranges | None, watch: Watch) -> None:
        run(AnalogProducts(program, readout, 0, names, ranges=ranges, watch=watch))

    columns = {layer: columns_of(program, layer) for layer in program.weights}
    chain = Chain.of(program.chip.hardware, readout)
    return find_ranges(chain, columns, products, calibration)


def find_ranges(
    chain: Chain,
    columns: Mapping[str, Mapping[Key, Ints]],
    run: Run,
    calibration: Calibration,
) -> Ranges:
    """Ranges of all converters that a design does not fix.

    Args:
        chain: all active effects.
        columns: (C,) columns of the tile, by block, of each layer.
        run: runs the calibration set.
        calibration: method.
    """
    hardware = chain.hardware
    before_adc = {each.name for each in chain.acting if not each.needs_range}
    driven = before_adc - chain.random
    ranges = Ranges({}, {})
    inputs: dict[str, float] = {}
    if hardware.dac is not None and not calibration.own_scale:
        seen = _Inputs()
        run(driven - {Dac.name}, ranges, seen)
        inputs = {
            name: sample.full_scale(calibration, hardware.dac.bits)
            for name, sample in seen.samples.items()
        }
    trims = bool(TRIMMED & chain.names)
    ranges = Ranges(inputs, {})
    if hardware.adc is None or hardware.adc.range is not None:
        return replace(ranges, trimmed=trims)
    watch = _Currents(columns, hardware.adc)
    run(driven, ranges, watch)
    return Ranges(inputs, watch.found(calibration, hardware.adc.bits), trims)


@dataclass
class _Inputs:
    samples: dict[str, Sample] = field(default_factory=dict)

    def inputs(self, layer: str, x: Floats) -> None:
        self.samples.setdefault(layer, Sample()).add(x)

    def currents(self, layer: str, stage: Stage, current: NDArray[np.floating[Any]]) -> None:
        del layer, stage, current


@dataclass
class _Currents:
    """Currents of each pool of columns that share a range."""

    columns: Mapping[str, Mapping[Key, Ints]]
    adc: Converter
    samples: dict[Key, list[Sample]] = field(init=False)

    def __post_init__(self) -> None:
        every = [pools(each, self.adc) for each in self.columns.values()]
        count = sum(1 + int(max(map(np.max, layer.values()), default=-1)) for layer in every)
        room = int(np.clip(_MEMORY // max(1, count), _SPARSE, KEPT))
        self.samples = {}
        for layer in every:
            shared: dict[int, Sample] = defaultdict(lambda: Sample(room))
            for key, numbers in layer.items():
                self.samples[key] = [shared[number] for number in numbers.tolist()]

    def inputs(self, layer: str, x: Floats) -> None:
        del layer, x

    def currents(self, layer: str, stage: Stage, current: NDArray[np.floating[Any]]) -> None:
        del layer
        for block in stage.blocks:
            own = current[:, block.columns]
            pooled: dict[int, list[int]] = {}
            samples = self.samples[block.key]
            for column, sample in enumerate(samples):
                pooled.setdefault(id(sample), []).append(column)
            for columns in pooled.values():
                samples[columns[0]].add(own[:, columns])

    def found(self, calibration: Calibration, bits: int) -> dict[Key, Floats]:
        known: dict[int, float] = {}
        for samples in self.samples.values():
            for sample in samples:
                if id(sample) not in known:
                    known[id(sample)] = sample.full_scale(calibration, bits)
        return {
            key: np.array([known[id(sample)] for sample in samples])
            for key, samples in self.samples.items()
        }
