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
from math import prod
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.effects.adc import Adc
from xbar.effects.chain import Chain, Reading
from xbar.effects.converters import ClipCount
from xbar.effects.dac import Dac
from xbar.effects.namespace import NUMPY, Array, Arrays, Precision
from xbar.effects.normals import Normals
from xbar.effects.readout import Readout
from xbar.effects.stage import Draw, Stage, Stages
from xbar.effects.swing import Swing
from xbar.simulation.cells import shape_of
from xbar.simulation.on_device import CardCells
from xbar.simulation.prepared import Prepared, Wanted
from xbar.simulation.ranges import Ranges
from xbar.simulation.scaled import VARIANCE
from xbar.simulation.stage import stages, whole
from xbar.simulation.trim import TRIMMED, Trim, trimmed

Reals = NDArray[np.floating[Any]]
Real = TypeVar("Real", bound=np.floating[Any])


_TRIMMING = 1  # stream of the noise of known currents, beside a layer's own


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
        ranges: calibrated ranges of converters; None for those of the program, if it has any.
        precision: precision of the products; the network's other operations are not affected.
        watch: receiver of the converters' inputs.
        device: the device that ``on_device.settled`` says.
        memory: bytes that the layers' arrays may take in memory, while they lie on disk; None for
            all of them, in memory only.
        clips: counter of ADC conversions by layer.
        dac_clips: counter of DAC conversions by layer.
        trims: what trimming has told of each layer's converters.
        swing_clips: counter of the reads of amplifiers with a finite swing, by layer.
    """

    program: Program
    readout: Readout
    seed: int
    effects: Collection[str] | None = None
    ranges: Ranges | None = None
    precision: Precision = "float64"
    watch: Watch | None = None
    device: str = "cpu"
    memory: int | None = None
    clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    dac_clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    swing_clips: dict[str, ClipCount] = field(default_factory=lambda: defaultdict(ClipCount))
    trims: dict[str, Trim] = field(default_factory=dict)
    _readings: dict[str, Reading] = field(default_factory=dict)
    _draws: dict[str, Draw] = field(default_factory=dict)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The products' own type: inputs of it are not converted."""
        return np.dtype(self.precision)

    def __call__(self, layer: str, x: NDArray[Real]) -> NDArray[Real]:
        """Outputs (N, G, outputs) of a layer for inputs (N, G, inputs), of the inputs' type."""
        watch = None
        if self.watch is not None:
            self.watch.inputs(layer, x.astype(np.float64, copy=False))
            watch = partial(self.watch.currents, layer)
        if self.by_layer:
            self._release(layer)
        values: Reals = x.astype(self.precision, copy=False)
        clips = {
            Adc.name: self.clips[layer],
            Dac.name: self.dac_clips[layer],
            Swing.name: self.swing_clips[layer],
        }
        y: Reals = self.reading(layer).product(values, self.draw(layer), clips, watch)
        return y.astype(x.dtype, copy=False)

    @property
    def known(self) -> Ranges | None:
        """The ranges of converters that were found from data: its own, else the program's."""
        if self.ranges is None and self.program.corrections is not None:
            return self.program.corrections.ranges
        return self.ranges

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
            groups, outputs, _ = shape_of(program, layer)
            found: Stages
            arrays = self._prepared.arrays(program, layer, self.chain, self._wanted, self._card)
            if self._by_tile:
                made = self._trimmed(layer, stages(program, layer, self.chain, self.known, arrays))
                found = [stage.on(xp) for stage in made]
            else:
                found = whole(program, layer, arrays).on(xp)
            inputs = {} if self.known is None else self.known.inputs
            correction = program.corrections
            self._readings[layer] = Reading(
                self.chain,
                (groups, outputs),
                found,
                inputs.get(layer),
                xp,
                None if correction is None else _in(xp, correction.of(layer)),
            )
        return self._readings[layer]

    def _trimmed(self, layer: str, made: list[Stage]) -> list[Stage]:
        if self.known is None or not self.known.trimmed or not TRIMMED & self.chain.names:
            return made
        draw = Normals.of([self.seed, list(self.program.weights).index(layer), _TRIMMING])
        found = [trimmed(stage, self.chain, draw) for stage in made]
        self.trims[layer] = Trim.together([told for _, told in found])
        return [stage for stage, _ in found]

    @cached_property
    def _card(self) -> CardCells | None:
        return CardCells.of(self.program, self.chain, self.device)

    @cached_property
    def _prepared(self) -> Prepared:
        return Prepared.of(self.program)

    @cached_property
    def _wanted(self) -> Wanted:
        on_disk = self.memory is not None
        return Wanted.of(
            self.chain, self.precision, self.device, by_tile=self._by_tile, on_disk=on_disk
        )

    @cached_property
    def by_layer(self) -> bool:
        """Whether a layer's arrays leave the memory after each product: all would not fit."""
        if self.memory is None:
            return False
        numbers = sum(prod(shape_of(self.program, name)) for name in self.program.weights)
        each = self.dtype.itemsize + ("variance" in self.chain.changed) * VARIANCE.itemsize
        return numbers * each > self.memory

    def _release(self, layer: str) -> None:
        """Give back the memory of all layers but one."""
        for other in [name for name in self._readings if name != layer]:
            del self._readings[other]
            self._prepared.release(self._wanted, other)

    @property
    def _by_tile(self) -> bool:
        """Whether the currents of single tiles are needed, not only their sum."""
        if self.watch is not None or {"current", "drive"} & self.chain.changed:
            return True
        return "variance" in self.chain.changed and self.program.mapping.shared_bit_lines > 0

    def draw(self, layer: str) -> Draw:
        """Generator of standard normal numbers for a layer, from the seed."""
        if layer not in self._draws:
            number = list(self.program.weights).index(layer)
            self._draws[layer] = Normals.of([self.seed, number])
        return self._draws[layer]


def _in(xp: Arrays, correction: tuple[Floats, Floats]) -> tuple[Array, Array]:
    slope, offset = correction
    return xp.asarray(slope), xp.asarray(offset)


class Around:
    """Products with something done around them, which a network runs as it does those.

    Attributes:
        products: the products.
    """

    products: AnalogProducts | Around

    @property
    def dtype(self) -> np.dtype[Any]:
        """The products' own type."""
        return self.products.dtype

    @property
    def by_layer(self) -> bool:
        """Whether all inputs should pass a layer before the next one."""
        return self.products.by_layer

    @property
    def memory(self) -> int | None:
        """Bytes that the products' layers may take."""
        return self.products.memory


def product(x: NDArray[Real], matrix: NDArray[Real]) -> NDArray[Real]:
    """(N, G, outputs): each group's vectors (N, G, inputs) times its matrix, transposed."""
    result: NDArray[Real] = NUMPY.product(x, matrix)
    return result
