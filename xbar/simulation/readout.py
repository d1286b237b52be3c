"""One layer's product through its tiles.

    x ──► scale to the DAC's range ──► DAC ──► V ──► tile ──► I+ - I- ──► ADC ──► digital sum ──► y
          by the vector's own                  (ideal or with wires,     by tile    over tiles
          largest value                         read noise)

With neither converters nor noise the chain is one matrix product with the realised matrix.

Shapes: N vectors, G groups, R inputs and C outputs of a row of tiles.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile, Readout
from xbar.simulation.converters import clipped_share, quantise

Floats = NDArray[np.float64]

CREST = 4.0
"""Automatic ADC range: a column's root-sum-square current at full-scale inputs, times this."""


@dataclass
class ClipCount:
    """Share of conversions of a layer that left the ADC's range."""

    clipped: float = 0.0
    conversions: int = 0

    def add(self, current: Floats, full_scale: float) -> None:
        """Count one batch."""
        self.clipped += clipped_share(current, full_scale) * current.size
        self.conversions += current.size

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.clipped / self.conversions if self.conversions else 0.0


@dataclass(frozen=True, eq=False)
class _Part:
    """One block as the read-out needs it.

    Attributes:
        block: which part of the layer's matrix.
        conductance: (R, C) siemens, plus minus minus line, wires included where they are read.
        noise_power: (R, C) siemens², see ``ProgrammedTile.noise_power``.
        scale: (C,) siemens per unit weight.
        full_scale: amperes of the ADC.
    """

    block: Block
    conductance: Floats
    noise_power: Floats
    scale: Floats
    full_scale: float


@dataclass(frozen=True, eq=False)
class AnalogProducts:
    """Every layer's product through a program's tiles: the ``multiply`` of ``Graph.run``.

    Attributes:
        program: what is read.
        readout: "ideal" wires or "nodal" solution.
        seed: of the read noise; the same seed and calls give the same noise.
        clips: by layer, what left the ADC's range so far.
    """

    program: Program
    readout: Readout
    seed: int
    clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    _matrices: dict[str, Floats] = field(default_factory=dict)
    _parts: dict[str, list[_Part]] = field(default_factory=dict)
    _noise: dict[str, np.random.Generator] = field(default_factory=dict)

    def __call__(self, layer: str, x: Floats) -> Floats:
        """Outputs (N, G, outputs) of a layer for inputs (N, G, inputs)."""
        hardware = self.program.chip.hardware
        if hardware.dac is None and hardware.adc is None and not hardware.variation.read_noise:
            return product(x, self._matrix(layer))
        peak = np.abs(x).max(axis=(1, 2), keepdims=True)
        unit = hardware.read_voltage / np.where(peak > 0, peak, 1.0)
        voltage = x * unit
        if hardware.dac is not None:
            voltage = quantise(voltage, hardware.read_voltage, hardware.dac.bits)
        outputs = self.program.weights[layer].shape[1]
        y = np.zeros((len(x), x.shape[1], outputs))
        for part in self._part_list(layer):
            block = part.block
            current = self._currents(layer, part, voltage[:, block.group, block.inputs])
            y[:, block.group, block.outputs] += current / part.scale
        return y / unit

    def _currents(self, layer: str, part: _Part, voltage: Floats) -> Floats:
        """(N, C) amperes that the digital side sees."""
        hardware = self.program.chip.hardware
        current: Floats = voltage @ part.conductance
        if hardware.variation.read_noise:
            deviation = hardware.variation.read_noise * np.sqrt(voltage**2 @ part.noise_power)
            current = current + deviation * self._generator(layer).standard_normal(current.shape)
        if hardware.adc is not None:
            self.clips[layer].add(current, part.full_scale)
            current = quantise(current, part.full_scale, hardware.adc.bits)
        return current

    def _generator(self, layer: str) -> np.random.Generator:
        if layer not in self._noise:
            number = list(self.program.weights).index(layer)
            self._noise[layer] = np.random.Generator(
                np.random.Philox(np.random.SeedSequence([self.seed, number]))
            )
        return self._noise[layer]

    def _matrix(self, layer: str) -> Floats:
        """The realised matrix (G, outputs, inputs)."""
        if not self._matrices:
            for name, matrix in self.program.matrices(self.readout).items():
                self._matrices[name] = matrix.reshape(self.program.weights[name].shape)
        return self._matrices[layer]

    def _part_list(self, layer: str) -> list[_Part]:
        if layer not in self._parts:
            self._parts[layer] = _parts(self.program, layer, self.readout)
        return self._parts[layer]


def product(x: Floats, matrix: Floats) -> Floats:
    """(N, G, outputs): each group's vectors (N, G, inputs) times its matrix, transposed."""
    result: Floats = np.matmul(x.transpose(1, 0, 2), matrix.transpose(0, 2, 1))
    return result.transpose(1, 0, 2)


def adc_range(tile: ProgrammedTile, number: int = 0) -> float:
    """Amperes at which the ADC clips that reads a block of a tile.

    The design's range; or, where it names none, V max over columns of min(Σ|G|, CREST √ΣG²) with
    the realised differences G and the read voltage V: no more than any input can give, and a
    multiple of what inputs of random sign give.
    """
    hardware = tile.chip.hardware
    if hardware.adc is not None and hardware.adc.range is not None:
        return hardware.adc.range
    difference = tile.difference("ideal")[number]
    worst = np.abs(difference).sum(axis=0)
    typical = CREST * np.sqrt((difference**2).sum(axis=0))
    largest = float(np.minimum(worst, typical).max())
    return hardware.read_voltage * largest if largest > 0 else 1.0


def _parts(program: Program, layer: str, readout: Readout) -> list[_Part]:
    return [
        _Part(
            part.block,
            tile.difference(readout)[number],
            tile.noise_power(readout)[number],
            part.scale,
            adc_range(tile, number),
        )
        for tile, number, part in program.blocks_of(layer)
    ]
