"""The effects active in one read-out of a design, and a layer's product through them.

    x ──► scale to the DAC's range ──► voltage ──► x @ conductance ──► current ──► digital sum ──► y
          by the vector's own                      + noise of the      by column   over tiles
          largest value, or by                     variance                        and steps
          the layer's from data

Shapes: N vectors, G groups.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from xbar import effects
from xbar.arrays import one_of
from xbar.effects.converters import ClipCount
from xbar.effects.dac import volts_per_unit
from xbar.effects.effect import Cells, Effect, Read, changes
from xbar.effects.namespace import NUMPY, Array, Arrays
from xbar.effects.readout import Readout, check_readout
from xbar.effects.stage import Draw, Stage, Stages, Whole
from xbar.errors import SpecError
from xbar.hardware.spec import Hardware

Watch: TypeAlias = Callable[[Stage, Array], None]

ROWS = 512
"""Vectors per call of a stage by default, so that its currents fit in the processor's cache."""


@dataclass(frozen=True)
class Chain:
    """Effects in signal order.

    Attributes:
        hardware: design of the chip.
        acting: active effects.
    """

    hardware: Hardware
    acting: tuple[Effect, ...]

    @classmethod
    def of(
        cls, hardware: Hardware, readout: Readout, names: Collection[str] | None = None
    ) -> Chain:
        """The effects of a design that a read-out includes.

        Args:
            hardware: design of the chip.
            readout: "ideal", "nodal" or "nonlinear".
            names: names of the effects switched on; by default all.

        Raises:
            SpecError: unknown read-out or effect, the design lacks what it needs, or two effects
                have the same name.
        """
        check_readout(hardware, readout)
        check_names([each.name for each in effects.EFFECTS])
        if names is not None:
            for name in sorted(names):
                check_effect(name, hardware, readout)
        chosen = [each for each in effects.EFFECTS if names is None or each.name in names]
        return cls(hardware, tuple(each for each in chosen if each.acts(hardware, readout)))

    @property
    def names(self) -> frozenset[str]:
        """The effects' names."""
        return frozenset(effect.name for effect in self.acting)

    @cached_property
    def changed(self) -> frozenset[str]:
        """The hooks in use: of "voltage", "drive", "conductance", "variance" and "current"."""
        hooks = ("voltage", "drive", "conductance", "variance", "current")
        return frozenset(
            hook for hook in hooks if any(changes(effect, hook) for effect in self.acting)
        )

    @cached_property
    def needs_range(self) -> bool:
        """Whether the full scale of the ADCs matters."""
        return self.hardware.adc is not None and any(each.needs_range for each in self.acting)

    @cached_property
    def needs_lines(self) -> bool:
        """Whether the conductance of each bit line matters."""
        return any(each.needs_lines for each in self.acting)

    @property
    def random(self) -> frozenset[str]:
        """Names of the effects that draw numbers at each read."""
        drawing = (each for each in self.acting if each.random or changes(each, "variance"))
        return frozenset(each.name for each in drawing)

    def conductance(self, cells: Cells) -> Array:
        """(R, C) siemens of a block's cells as read."""
        conductance = cells.target
        for effect in self.acting:
            conductance = effect.conductance(conductance, cells)
        return conductance

    def variances(self, power: Array) -> dict[str, Array]:
        """By effect, variance of conductances in siemens², given their sums of squares."""
        return {
            effect.name: effect.variance(power, self.hardware)
            for effect in self.acting
            if changes(effect, "variance")
        }

    def steps(self, volts: Array, read: Read) -> Iterator[tuple[float, Array]]:
        """Weight and volts (N, G, inputs) of each step, for volts (N, G, inputs)."""
        return _steps([e for e in self.acting if changes(e, "voltage")], volts, read)


def _steps(drivers: list[Effect], volts: Array, read: Read) -> Iterator[tuple[float, Array]]:
    if not drivers:
        yield 1.0, volts
        return
    for weight, step in drivers[0].voltage(volts, read):
        for factor, inner in _steps(drivers[1:], step, read):
            yield weight * factor, inner


@dataclass(frozen=True, eq=False)
class Reading:
    """One layer, prepared for reads.

    Attributes:
        chain: active effects.
        shape: shape (G, outputs) of the layer.
        stages: its blocks, or the layer as one matrix.
        full_input: input value at the DAC's full scale; None for each vector's largest value.
        correction: slope and offset (G, outputs) of its digital correction, which makes outputs
            (y - offset) / slope; None without.
        xp: namespace of the arrays.
        rows: vectors per call of a stage.
    """

    chain: Chain
    shape: tuple[int, int]
    stages: Stages
    full_input: float | None = None
    xp: Arrays = NUMPY
    correction: tuple[Array, Array] | None = None
    rows: int = ROWS

    def product(
        self,
        x: Array,
        draw: Draw,
        clips: Mapping[str, ClipCount] | None = None,
        watch: Watch | None = None,
    ) -> Array:
        """Outputs (N, G, outputs) for inputs (N, G, inputs).

        Args:
            x: inputs, in the namespace's precision.
            draw: standard normal numbers.
            clips: counters of clipped conversions, by name of the converting effect.
            watch: called with each stage and its currents (N, C) after all effects.
        """
        y = self._product(x, draw, clips, watch)
        if self.correction is None:
            return y
        slope, offset = self.correction
        return (y - offset) / slope

    def _product(
        self,
        x: Array,
        draw: Draw,
        clips: Mapping[str, ClipCount] | None,
        watch: Watch | None,
    ) -> Array:
        if isinstance(self.stages, Whole) and self.chain.changed <= {"conductance"}:
            return self.xp.product(x, self.stages.matrix)
        hardware = self.chain.hardware
        unit = volts_per_unit(hardware, x, self.full_input, self.xp)
        read = Read(hardware, self.xp, clips or {})
        found = [self.xp.zeros((0, *self.shape))]
        for start in range(0, len(x), self.rows):
            rows = slice(start, start + self.rows)
            each = unit if self.full_input is not None else unit[rows]
            found.append(self._rows(x[rows] * each, read, draw, watch) / each)
        return found[1] if len(found) == 2 else self.xp.concatenate(found)

    def _rows(self, volts: Array, read: Read, draw: Draw, watch: Watch | None) -> Array:
        """(N, G, outputs) in volts times weights, for volts (N, G, inputs)."""
        y = self.xp.zeros((len(volts), *self.shape))
        for number, (weight, step) in enumerate(self.chain.steps(volts, read)):
            if isinstance(self.stages, Whole):
                y += weight * self.stages.read(step, self.chain, read, draw)
                continue
            here = Read(read.hardware, read.xp, read.clips, step=number)
            for stage in self.stages:
                current = stage.read(step, self.chain, here, draw)
                if watch is not None:
                    watch(stage, current)
                self._add(y, stage, current, weight)
        return y

    def _add(self, y: Array, stage: Stage, current: Array, weight: float) -> None:
        if stage.shift is not None:
            current = current - stage.shift
        total = y[:, stage.group, stage.outputs]
        self.xp.add(total, current, weight / stage.scale)
        if not isinstance(stage.outputs, slice):  # then the total is a copy
            y[:, stage.group, stage.outputs] = total

    def on(self, xp: Arrays) -> Reading:
        """The same in another namespace."""
        stages: Stages = (
            self.stages.on(xp)
            if isinstance(self.stages, Whole)
            else [stage.on(xp) for stage in self.stages]
        )
        found = None
        if self.correction is not None:
            slope, offset = self.correction
            found = xp.asarray(slope), xp.asarray(offset)
        return Reading(self.chain, self.shape, stages, self.full_input, xp, found, self.rows)


def check_names(names: Sequence[str]) -> None:
    """Check that effects have names of their own, by which their variances are kept.

    Raises:
        SpecError: two have the same.
    """
    for name in names:
        if names.count(name) > 1:
            raise SpecError(
                f"effects in EFFECTS must have different names, but {names.count(name)} are "
                f"{name!r}; rename or remove one"
            )


def check_effect(name: str, hardware: Hardware, readout: Readout) -> None:
    """Check that an effect exists and is active in a read-out of a design.

    Raises:
        SpecError: it is unknown, the read-out does not include it, or the design lacks it.
    """
    known = {effect.name: effect for effect in effects.EFFECTS}
    effect = known[one_of(name, "effect", known)]
    if readout not in effect.readouts:
        seen = " or ".join(map(repr, effect.readouts))
        raise SpecError(
            f"effect {name!r} must be read with readout {seen}, not {readout!r}; change the "
            "readout or leave the effect out"
        )
    if not effect.acts(hardware, readout):
        raise SpecError(
            f"effect {name!r} needs {effect.key} in the design, which has none; set it or leave "
            "the effect out"
        )
