"""Analog products of a program's layers.

The physics is the chain of ``xbar.effects``; this module provides the program's cells, the noise
generators and the converters' ranges. Without converters and noise the chain is one product with
the realised matrix.

Shapes: N vectors, G groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.effects.adc import Adc
from xbar.effects.chain import Chain, Reading
from xbar.effects.converters import ClipCount
from xbar.effects.dac import Dac
from xbar.effects.namespace import NUMPY, Arrays
from xbar.effects.readout import Readout
from xbar.effects.stage import Draw, Stage, Stages
from xbar.simulation.on_device import CardCells
from xbar.simulation.ranges import Ranges
from xbar.simulation.stage import stages, whole

Reals = NDArray[np.floating[Any]]
Real = TypeVar("Real", bound=np.floating[Any])
Precision: TypeAlias = Literal["float64", "float32"]


class Watch(Protocol):
    """Receives the inputs of converters, for calibration."""

    def inputs(self, layer: str, x: Floats) -> None:
        """Inputs (N, G, inputs) of a layer."""

    def currents(self, layer: str, stage: Stage, current: Reals) -> None:
        """Amperes (N, C) of a stage's columns."""


@dataclass(frozen=True, eq=False)
class AnalogProducts:
    """Analog products of a program's layers: the ``multiply`` of ``Graph.run``.

    Attributes:
        program: program that is read.
        readout: "ideal" wires, "nodal" solution, or "nonlinear" cells, solved input by input.
        seed: seed of the read noise; the same seed and calls give the same noise.
        effects: names of the active effects; None for all of the hardware.
        ranges: calibrated ranges of converters, if any.
        precision: precision of the products; the network's other operations are not affected.
        watch: receiver of the converters' inputs.
        device: the device that ``on_device.settled`` says.
        clips: counter of ADC conversions by layer.
        dac_clips: counter of DAC conversions by layer.
    """

    program: Program
    readout: Readout
    seed: int
    effects: Collection[str] | None = None
    ranges: Ranges | None = None
    precision: Precision = "float64"
    watch: Watch | None = None
    device: str = "cpu"
    clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    dac_clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    _readings: dict[str, Reading] = field(default_factory=dict)
    _draws: dict[str, Draw] = field(default_factory=dict)

    def __call__(self, layer: str, x: Floats) -> Floats:
        """Outputs (N, G, outputs) of a layer for inputs (N, G, inputs)."""
        watch = None
        if self.watch is not None:
            self.watch.inputs(layer, x)
            watch = partial(self.watch.currents, layer)
        values: Reals = x.astype(self.precision, copy=False)
        clips = {Adc.name: self.clips[layer], Dac.name: self.dac_clips[layer]}
        y = self.reading(layer).product(values, self.draw(layer), clips, watch)
        return np.asarray(y, dtype=np.float64)

    @cached_property
    def chain(self) -> Chain:
        """The active effects.

        Raises:
            SpecError: unknown read-out or effect, or the design lacks it.
        """
        return Chain.of(self.program.chip.hardware, self.readout, self.effects)

    def reading(self, layer: str) -> Reading:
        """A layer, prepared for reads and cached."""
        if layer not in self._readings:
            program, xp = self.program, Arrays(self.precision)
            groups, outputs, _ = program.weights[layer].shape
            found: Stages = (
                stages(program, layer, self.chain, self.ranges, xp, self._card)
                if self._by_tile
                else whole(program, layer, self.chain, xp, self._card)
            )
            inputs = {} if self.ranges is None else self.ranges.inputs
            self._readings[layer] = Reading(
                self.chain, (groups, outputs), found, inputs.get(layer), xp
            )
        return self._readings[layer]

    @cached_property
    def _card(self) -> CardCells | None:
        return CardCells.of(self.program, self.chain, self.device)

    @property
    def _by_tile(self) -> bool:
        """Whether the currents of single tiles are needed, not only their sum."""
        if self.watch is not None or "current" in self.chain.changed:
            return True
        return "variance" in self.chain.changed and self.program.mapping.shared_bit_lines > 0

    def draw(self, layer: str) -> Draw:
        """Generator of standard normal numbers for a layer, from the seed."""
        if layer not in self._draws:
            number = list(self.program.weights).index(layer)
            generator = np.random.Generator(
                np.random.SFC64(np.random.SeedSequence([self.seed, number]))
            )
            self._draws[layer] = partial(generator.standard_normal, dtype=np.dtype(self.precision))
        return self._draws[layer]


def product(x: NDArray[Real], matrix: NDArray[Real]) -> NDArray[Real]:
    """(N, G, outputs): each group's vectors (N, G, inputs) times its matrix, transposed."""
    result: NDArray[Real] = NUMPY.product(x, matrix)
    return result
