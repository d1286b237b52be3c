"""Stages: blocks of a layer with common inputs, stacked for one read; or a layer as one matrix.

Shapes: N vectors, G groups, R inputs, C columns of all blocks of a stage, S reference
cells per row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from xbar.arrays import Floats
from xbar.effects.drawn import Drawn
from xbar.effects.effect import Read
from xbar.effects.namespace import Array, Arrays

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar
    from xbar.circuit.nonlinear import CellLaw
    from xbar.circuit.source_lines import SourceLines
    from xbar.effects.chain import Chain

Solve: TypeAlias = Callable[["Crossbar | SourceLines", "CellLaw", Floats], Floats]
"""Solver of bit-line currents (N, B'): of an array, its devices' law, and volts (N, W')."""

Draw: TypeAlias = Callable[[tuple[int, ...]], Array]
"""Generator of standard normal numbers of a shape."""


class Columns(Protocol):
    """One block of a stage.

    Attributes:
        columns: slice of the stage's columns.
        key: index of the tile, and of the block on it.
    """

    @property
    def columns(self) -> slice:
        """Its columns among those of the stage."""
        ...

    @property
    def key(self) -> tuple[int, int]:
        """Tile, and number of the block on it."""
        ...

    def currents(self, voltage: Floats, solve: Solve) -> Floats:
        """(N, C) differential amperes for volts (N, R), by a solver of bit-line currents."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """Variances as ``value * unit**2``: float32 suffices for the values, which are not far from 1.

    Attributes:
        value: (R, C) of a stage, (G, outputs, inputs) of a layer.
        unit: unit of the deviations, (C,) siemens of a stage, (G, outputs) weights of a layer.
    """

    value: Array
    unit: Array

    def on(self, xp: Arrays) -> Scaled:
        """The same in another namespace."""
        return Scaled(xp.rough(self.value), xp.asarray(self.unit))


@dataclass(frozen=True, eq=False)
class Variance:
    """Read-to-read variance of the conductances of a stage.

    Attributes:
        own: variance (R, C) of each weight's own cells.
        shared: variance (R, S) of reference cells; None without reference cells.
        column: index (C,) of each column's reference among the S.
    """

    own: Scaled
    shared: Scaled | None = None
    column: Array = None

    def add(self, current: Array, x: Array, draw: Draw, xp: Arrays) -> Array:
        """Amperes (N, C) with noise drawn at each call, for volts (N, R); may overwrite them."""
        current = _noisy(current, x, self.own, draw, xp)
        if self.shared is not None:
            none = xp.zeros((len(x), self.shared.value.shape[1]))
            current -= _noisy(none, x, self.shared, draw, xp)[:, self.column]
        return current

    def on(self, xp: Arrays) -> Variance:
        """The same in another namespace."""
        if self.shared is None:
            return Variance(self.own.on(xp))
        return Variance(self.own.on(xp), self.shared.on(xp), xp.asarray(self.column))


def _noisy(current: Array, x: Array, variance: Scaled, draw: Draw, xp: Arrays) -> Array:
    value, unit = variance.value[None], variance.unit[None]
    return xp.add_noise(current[None], x[None], value, unit, draw)[0]


@dataclass(frozen=True, eq=False)
class Stage:
    """Blocks of one layer with the same inputs.

    Attributes:
        group: group of the layer.
        inputs: indices (R,) of inputs; a slice if consecutive.
        outputs: distinct indices (C,) of outputs; a slice if consecutive.
        conductance: differential current per volt (R, C), siemens.
        variance: variance of the conductances, by name of the effect.
        scale: siemens per unit weight (C,).
        full_scale: full scale of each column's ADC (C,), amperes; None without ADC.
        blocks: blocks of the stage, if their arrays can be solved.
        drawn: what its converters and amplifiers are, by name of the effect.
        shift: amperes (C,) that are taken off each reading; None for nothing.
    """

    group: int
    inputs: Array
    outputs: Array
    conductance: Array
    variance: Mapping[str, Variance]
    scale: Array
    full_scale: Array
    blocks: tuple[Columns, ...] = ()
    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    shift: Array = None

    def currents(self, voltage: Floats, solve: Solve) -> Floats:
        """(N, C) differential amperes for volts (N, R), by a solver of bit-line currents."""
        result = np.empty((len(voltage), self.conductance.shape[1]))
        for block in self.blocks:
            result[:, block.columns] = block.currents(voltage, solve)
        return result

    def read(self, volts: Array, chain: Chain, read: Read, draw: Draw) -> Array:
        """(N, C) readings of the ADCs in amperes, for one step's volts (N, G, inputs)."""
        x = volts[:, self.group, self.inputs]
        read = Read(read.hardware, read.xp, read.clips, self, x, read.step, draw)
        for effect in chain.acting:
            x = read.voltage = effect.drive(x, read)
        current = read.xp.multiply(x, self.conductance)
        for effect in chain.acting:
            if effect.name in self.variance:
                current = self.variance[effect.name].add(current, x, draw, read.xp)
            current = effect.current(current, read)
        return current

    def convert(self, current: Array, chain: Chain, read: Read, draw: Draw) -> Array:
        """(N, C) readings of known currents (N, C), which may be overwritten; drivers at 0 V."""
        read = Read(read.hardware, read.xp, read.clips, self, None, read.step, draw)
        for effect in chain.acting:
            if "ideal" in effect.readouts:  # others are of the cells
                current = effect.current(current, read)
        return current

    def on(self, xp: Arrays) -> Stage:
        """The same in another namespace."""
        return replace(
            self,
            inputs=_indices(self.inputs, xp),
            outputs=_indices(self.outputs, xp),
            conductance=xp.asarray(self.conductance),
            variance={name: each.on(xp) for name, each in self.variance.items()},
            scale=xp.asarray(self.scale),
            full_scale=None if self.full_scale is None else xp.asarray(self.full_scale),
            drawn={name: each.on(xp) for name, each in self.drawn.items()},
            shift=None if self.shift is None else xp.asarray(self.shift),
        )


@dataclass(frozen=True, eq=False)
class Whole:
    """A layer as one matrix, if no effect acts on the currents of individual tiles.

    The variances of partial sums add up.

    Attributes:
        matrix: realised matrix (G, outputs, inputs), in the weights' units.
        variance: its variance (G, outputs, inputs), by name of the effect.
    """

    matrix: Array
    variance: Mapping[str, Scaled]

    def read(self, volts: Array, chain: Chain, read: Read, draw: Draw) -> Array:
        """(N, G, outputs) for one step's volts (N, G, inputs)."""
        y = read.xp.product(volts, self.matrix)
        for effect in chain.acting:
            if effect.name in self.variance:
                found = self.variance[effect.name]
                value, x = found.value.swapaxes(1, 2), volts.swapaxes(0, 1)
                y = read.xp.add_noise(y.swapaxes(0, 1), x, value, found.unit, draw).swapaxes(0, 1)
        return y

    def on(self, xp: Arrays) -> Whole:
        """The same in another namespace."""
        variance = {name: each.on(xp) for name, each in self.variance.items()}
        return Whole(xp.asarray(self.matrix), variance)


Stages: TypeAlias = Sequence[Stage] | Whole


def _indices(indices: Array, xp: Arrays) -> Array:
    return indices if isinstance(indices, slice) else xp.asarray(indices)
