"""One layer's product through its tiles.

    x ──► scale to the DAC's range ──► DAC ──► V ──► tile ──► I+ - I- ──► ADC ──► digital sum ──► y
          by the vector's own                  (ideal, with wires,        by column   over tiles
          largest value, or by                  or non-linear;                        and steps
          the layer's from data                 read noise)

With neither converters nor noise the chain is one matrix product with the realised matrix. A
bit-serial DAC sends the vector in steps; the ADC reads after each, and the digital side adds the
readings with each step's weight.

Shapes: N vectors, G groups, R inputs and C outputs of a stage (blocks driven alike).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.compiler.tile import Readout
from xbar.simulation.converters import ClipCount, add_codes
from xbar.simulation.drive import dac_steps, unit_of
from xbar.simulation.effects import Effect, Physics, Precision, effects_of
from xbar.simulation.nonlinear import nonlinear_currents
from xbar.simulation.ranges import CREST, Ranges, adc_range
from xbar.simulation.stage import Stage, effective, stages

__all__ = ["CREST", "AnalogProducts", "adc_range", "product"]

Reals = NDArray[np.floating[Any]]
Real = TypeVar("Real", bound=np.floating[Any])

ROWS = 512
"""Vectors that go through a stage together, so that its currents stay in the processor's cache."""


class Watch(Protocol):
    """Sees what converters are given, to find their ranges."""

    def inputs(self, layer: str, x: Floats) -> None:
        """Inputs (N, G, inputs) of a layer."""

    def currents(self, layer: str, stage: Stage, current: Reals) -> None:
        """Amperes (N, C) of a stage's columns."""


@dataclass(frozen=True, eq=False)
class AnalogProducts:
    """Every layer's product through a program's tiles: the ``multiply`` of ``Graph.run``.

    Attributes:
        program: what is read.
        readout: "ideal" wires, "nodal" solution, or "nonlinear" cells, solved input by input.
        seed: of the read noise; the same seed and calls give the same noise.
        effects: which parts of the error act; None is all that the hardware has.
        ranges: of converters, where they were found from data.
        precision: of the products; the network's own operations stay what they are.
        watch: is shown what converters are given.
        clips: by layer, what left the ADC's range so far.
        dac_clips: by layer, what left the DAC's range so far.
    """

    program: Program
    readout: Physics
    seed: int
    effects: frozenset[Effect] | None = None
    ranges: Ranges | None = None
    precision: Precision = "float64"
    watch: Watch | None = None
    clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    dac_clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    _matrices: dict[str, Reals] = field(default_factory=dict)
    _powers: dict[str, Reals] = field(default_factory=dict)
    _stages: dict[str, list[Stage]] = field(default_factory=dict)
    _noise: dict[str, np.random.Generator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.effects is None:
            object.__setattr__(self, "effects", effects_of(self.program, self.readout))

    def __call__(self, layer: str, x: Floats) -> Floats:
        """Outputs (N, G, outputs) of a layer for inputs (N, G, inputs)."""
        if self.watch is not None:
            self.watch.inputs(layer, x)
        values: Reals = x.astype(self.precision, copy=False)
        if self.watch is None and not self._acting & {"dac", "adc", "noise", "nonlinearity"}:
            return product(values, self._matrix(layer)).astype(np.float64, copy=False)
        by_parts = self._reads_parts
        hardware = self.program.chip.hardware
        unit = unit_of(hardware, layer, values, self.ranges)
        y = np.zeros((len(x), x.shape[1], self.program.weights[layer].shape[1]), values.dtype)
        for start in range(0, len(x), ROWS):
            rows = slice(start, start + ROWS)
            volts = values[rows] * (unit if np.ndim(unit) == 0 else unit[rows])
            steps = (
                dac_steps(hardware, volts, self.dac_clips[layer])
                if "dac" in self._acting
                else [(1.0, volts)]
            )
            for step, (weight, part) in enumerate(steps):
                if by_parts:
                    for stage in self._stage_list(layer):
                        self._read(layer, stage, part, (step, weight), y[rows])
                else:
                    y[rows] += weight * self._sum(layer, part)
        y /= unit
        return y.astype(np.float64, copy=False)

    @property
    def _reads_parts(self) -> bool:
        """Whether the tiles' own currents matter, not only what they add up to."""
        if self.watch is not None or self._acting & {"adc", "nonlinearity"}:
            return True
        return "noise" in self._acting and self.program.mapping.shared_bit_lines > 0

    @property
    def _acting(self) -> frozenset[Effect]:
        assert self.effects is not None
        return self.effects

    def _read(
        self, layer: str, stage: Stage, volts: Reals, step: tuple[int, float], y: Reals
    ) -> None:
        """Add to y (N, G, outputs) what one step through one stage gives."""
        number, weight = step
        x = volts[:, stage.group, stage.inputs]
        current: Reals = (
            nonlinear_currents(stage, x, self._acting)
            if "nonlinearity" in self._acting
            else x @ stage.conductance
        )
        if stage.noise_power is not None:
            current += self._noise_of(layer, (x * x) @ stage.noise_power)
        if stage.shared_noise is not None:
            shared, column = stage.shared_noise
            current -= self._noise_of(layer, (x * x) @ shared)[:, column]
        if self.watch is not None:
            self.watch.currents(layer, stage, current)
        adc, factor = self.program.chip.hardware.adc, weight / stage.scale
        if adc is None or stage.full_scale is None:
            current *= factor.astype(current.dtype)
            y[:, stage.group, stage.outputs] += current
            return
        bits = adc.bits if adc.step_bits is None else adc.step_bits[number]
        total = y[:, stage.group, stage.outputs]
        add_codes(current, stage.full_scale, bits, factor, total, self.clips[layer])
        if not isinstance(stage.outputs, slice):  # then the total is a copy
            y[:, stage.group, stage.outputs] = total

    def _sum(self, layer: str, volts: Reals) -> Reals:
        """(N, G, outputs) of one step where nothing is done to the tiles' own currents.

        The noises of partial sums add up to one of the sum of their variances.
        """
        y = product(volts, self._matrix(layer))
        if "noise" in self._acting:
            y += self._noise_of(layer, product(volts * volts, self._power(layer)))
        return y

    def _noise_of(self, layer: str, power: Reals) -> Reals:
        """Noise of the standard deviation read_noise x the root of a power, which it overwrites."""
        np.sqrt(power, out=power)
        power *= self.program.chip.hardware.variation.read_noise
        power *= self._generator(layer).standard_normal(power.shape, dtype=power.dtype.type)
        return power

    def _generator(self, layer: str) -> np.random.Generator:
        if layer not in self._noise:
            number = list(self.program.weights).index(layer)
            self._noise[layer] = np.random.Generator(
                np.random.SFC64(np.random.SeedSequence([self.seed, number]))
            )
        return self._noise[layer]

    def _matrix(self, layer: str) -> Reals:
        """The realised matrix (G, outputs, inputs), with the parts of its error that act."""
        if layer not in self._matrices:
            self._matrices[layer] = self._realised(layer).astype(self.precision, copy=False)
        return self._matrices[layer]

    def _realised(self, layer: str) -> Floats:
        weights = self.program.weights[layer]
        if not self._acting & {"selection", "wires"}:
            return weights
        matrix = np.zeros_like(weights)
        for tile, number, part in self.program.blocks_of(layer):
            block, found = part.block, effective(tile, self._acting)[number]
            matrix[block.group][block.outputs[:, None], block.inputs] += (found / part.scale).T
        return matrix

    def _power(self, layer: str) -> Reals:
        """(G, outputs, inputs) noise power of each weight, in the weights' units squared."""
        if layer not in self._powers:
            power = np.zeros_like(self.program.weights[layer])
            physics: Readout = "nodal" if "wires" in self._acting else "ideal"
            for tile, number, part in self.program.blocks_of(layer):
                found = tile.noise_power(physics)[number] / part.scale**2
                power[part.block.group][part.block.outputs[:, None], part.block.inputs] += found.T
            self._powers[layer] = power.astype(self.precision, copy=False)
        return self._powers[layer]

    def _stage_list(self, layer: str) -> list[Stage]:
        if layer not in self._stages:
            self._stages[layer] = stages(
                self.program, layer, self._acting, self.ranges, self.precision
            )
        return self._stages[layer]


def product(x: NDArray[Real], matrix: NDArray[Real]) -> NDArray[Real]:
    """(N, G, outputs): each group's vectors (N, G, inputs) times its matrix, transposed."""
    result: NDArray[Real] = np.matmul(x.transpose(1, 0, 2), matrix.transpose(0, 2, 1))
    return result.transpose(1, 0, 2)
