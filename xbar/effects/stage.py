"""Blocks of a layer that are driven alike, read side by side; or a layer as one matrix.

Shapes: N vectors, G groups, R inputs, C columns of all blocks of a stage, S reference cells a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from xbar.arrays import Floats
from xbar.effects.effect import Read
from xbar.effects.namespace import Array, Arrays

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar
    from xbar.effects.chain import Chain

Draw: TypeAlias = Callable[[tuple[int, ...]], Array]
"""Standard normal numbers of a shape."""


class Columns(Protocol):
    """One block of a stage.

    Attributes:
        columns: which of the stage's columns are its own.
        key: tile, and number of the block on it.
    """

    @property
    def columns(self) -> slice: ...  # noqa: D102

    @property
    def key(self) -> tuple[int, int]: ...  # noqa: D102

    def currents(self, voltage: Floats, solve: Callable[[Crossbar, Floats], Floats]) -> Floats:
        """(N, C) differential amperes for volts (N, R), by a solver of bit-line currents."""


@dataclass(frozen=True, eq=False)
class Variance:
    """What a column's conductances vary by from read to read.

    Attributes:
        own: (R, C) siemens² of the cells that each weight has for itself.
        shared: (R, S) siemens² of reference cells; None where there are none.
        column: (C,) which of the S each column is read against.
    """

    own: Array
    shared: Array = None
    column: Array = None

    def noise(self, x: Array, draw: Draw, xp: Arrays) -> Array:
        """(N, C) amperes for volts (N, R), drawn anew."""
        power = xp.constant(x * x)
        noise = drawn(power @ self.own, draw)
        if self.shared is not None:
            noise -= drawn(power @ self.shared, draw)[:, self.column]
        return noise

    def on(self, xp: Arrays) -> Variance:
        """The same in another namespace."""
        if self.shared is None:
            return Variance(xp.asarray(self.own))
        return Variance(*(xp.asarray(each) for each in (self.own, self.shared, self.column)))


def drawn(variance: Array, draw: Draw) -> Array:
    """Normal numbers of these variances, which are overwritten."""
    variance **= 0.5
    variance *= draw(tuple(variance.shape))
    return variance


@dataclass(frozen=True, eq=False)
class Stage:
    """Blocks of one layer with the same inputs.

    Attributes:
        group: group of the layer.
        inputs: (R,) which inputs, a slice where they are neighbours.
        outputs: (C,) which outputs, likewise; no output twice.
        conductance: (R, C) siemens, what differential current a volt gives.
        variance: what the conductances vary by, by the name of the effect that varies them.
        scale: (C,) siemens per unit weight.
        full_scale: (C,) amperes of the ADC that reads each column; None without ADC.
        blocks: the blocks, where their arrays can be solved.
    """

    group: int
    inputs: Array
    outputs: Array
    conductance: Array
    variance: Mapping[str, Variance]
    scale: Array
    full_scale: Array
    blocks: tuple[Columns, ...] = ()

    def currents(self, voltage: Floats, solve: Callable[[Crossbar, Floats], Floats]) -> Floats:
        """(N, C) differential amperes for volts (N, R), by a solver of bit-line currents."""
        result = np.empty((len(voltage), self.conductance.shape[1]))
        for block in self.blocks:
            result[:, block.columns] = block.currents(voltage, solve)
        return result

    def read(self, volts: Array, chain: Chain, read: Read, draw: Draw) -> Array:
        """(N, C) what the ADCs give, in amperes, for one step's volts (N, G, inputs)."""
        x = volts[:, self.group, self.inputs]
        read = Read(read.hardware, read.xp, read.clips, self, x, read.step)
        current = x @ self.conductance
        for effect in chain.acting:
            if effect.name in self.variance:
                current += self.variance[effect.name].noise(x, draw, read.xp)
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
        )


@dataclass(frozen=True, eq=False)
class Whole:
    """A layer as one matrix, where nothing acts on the currents of its single tiles.

    The noises of partial sums add up to one of the sum of their variances.

    Attributes:
        matrix: (G, outputs, inputs) what its cells realise, in the weights' units.
        variance: (G, outputs, inputs) in their square, by the name of the effect.
    """

    matrix: Array
    variance: Mapping[str, Array]

    def read(self, volts: Array, chain: Chain, read: Read, draw: Draw) -> Array:
        """(N, G, outputs) for one step's volts (N, G, inputs)."""
        y = read.xp.product(volts, self.matrix)
        for effect in chain.acting:
            if effect.name in self.variance:
                y += drawn(self._variance(volts, effect.name, read.xp), draw)
        return y

    def _variance(self, volts: Array, name: str, xp: Arrays) -> Array:
        return xp.product(xp.constant(volts * volts), self.variance[name])

    def on(self, xp: Arrays) -> Whole:
        """The same in another namespace."""
        variance = {name: xp.asarray(each) for name, each in self.variance.items()}
        return Whole(xp.asarray(self.matrix), variance)


Stages: TypeAlias = Sequence[Stage] | Whole


def _indices(indices: Array, xp: Arrays) -> Array:
    return indices if isinstance(indices, slice) else xp.asarray(indices)
