"""A layer in training, read through the chain of ``xbar.effects`` as the simulation reads it.

Rounding has the straight-through gradient; clipped values have gradient 0.

Shapes: G groups of a layer, R inputs and C outputs of a block. Importing this module imports
PyTorch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch

from xbar.arrays import Floats, Ints
from xbar.compiler.block import Block
from xbar.effects.chain import Chain, Reading
from xbar.effects.drawn import Lines
from xbar.effects.effect import ExactCells
from xbar.effects.ranges import Key, full_scales, reach
from xbar.effects.stage import Scaled, Solve, Stage, Variance
from xbar.effects.torch_namespace import TorchArrays
from xbar.hardware.chip import Chip
from xbar.simulation.ranges import Ranges
from xbar.simulation.stage import as_slice, piles

Pile: TypeAlias = tuple[tuple[Key, Block], ...]
"""Blocks of one stage."""

ROWS = 8192
"""Vectors per call of a stage: PyTorch keeps their currents for the gradient anyhow."""


@dataclass(frozen=True, eq=False)
class Part:
    """What is read of one block.

    Attributes:
        conductance: (R, C) differential siemens that arrive, wires included.
        scale: siemens per unit weight, one number or (C,).
        power: (R, C) sum of the squares of the resistors that conduct, siemens², wires included;
            None without read noise.
        programmed: (R, C) what arrived when the cells were programmed, for which ranges are made;
            None for what arrives now.
        lines: (C,) mean siemens of each column's two bit lines, which an amplifier's offset meets;
            None where one cell of each pair is open and lets nothing through.
    """

    conductance: torch.Tensor
    scale: torch.Tensor
    power: torch.Tensor | None = None
    programmed: torch.Tensor | None = None
    lines: Floats | None = None


@dataclass(frozen=True)
class Place:
    """One block of a stage, whose arrays are not solved in training.

    Attributes:
        columns: slice of the stage's columns.
        key: index of the tile, and of the block on it.
    """

    columns: slice
    key: Key

    def currents(self, voltage: Floats, solve: Solve) -> Floats:
        """Not there: cells in training obey Ohm's law."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class LayerRead:
    """Where a layer lies, and what reads it.

    Attributes:
        chip: chip whose converters and amplifiers read.
        chain: active effects; wires are part of what arrives.
        shape: (G, outputs, inputs) of the layer.
        piles: blocks of each stage.
        ranges: calibrated ranges; None for those of the design or the cells.
        layer: name of the layer, by which the ranges know it.
    """

    chip: Chip
    chain: Chain
    shape: tuple[int, int, int]
    piles: tuple[Pile, ...]
    ranges: Ranges | None = None
    layer: str = ""

    def reading(self, parts: Mapping[Key, Part], xp: TorchArrays) -> Reading:
        """The layer prepared for reads."""
        made = [self._stage(pile, parts, xp) for pile in self.piles]
        if self.chain.needs_range:
            full = self._full_scales(parts, xp)
            made = [
                replace(stage, full_scale=xp.asarray(np.concatenate([full[key] for key, _ in p])))
                for stage, p in zip(made, self.piles, strict=True)
            ]
        made = [self._real(*each, parts, xp) for each in zip(made, self.piles, strict=True)]
        inputs = {} if self.ranges is None else self.ranges.inputs
        return Reading(self.chain, self.shape[:2], made, inputs.get(self.layer), xp, rows=ROWS)

    def _stage(self, pile: Pile, parts: Mapping[Key, Part], xp: TorchArrays) -> Stage:
        """Blocks side by side, without their ADCs' ranges."""
        every = [parts[key] for key, _ in pile]
        read = [self.chain.conductance(ExactCells(part.conductance)) for part in every]
        counts = [part.conductance.shape[1] for part in every]
        ends = np.cumsum(counts).tolist()
        places = zip(pile, [0, *ends[:-1]], ends, strict=True)
        return Stage(
            pile[0][1].group,
            index(pile[0][1].inputs),
            index(np.concatenate([block.outputs for _, block in pile])),
            torch.cat(read, dim=1).to(xp.dtype),
            self._variance([part.power for part in every], xp),
            torch.cat([part.scale.expand(n) for part, n in zip(every, counts, strict=True)]).to(
                xp.dtype
            ),
            None,
            tuple(Place(slice(start, end), key) for (key, _), start, end in places),
        )

    def _variance(
        self, powers: Sequence[torch.Tensor | None], xp: TorchArrays
    ) -> dict[str, Variance]:
        known = [power for power in powers if power is not None]
        if len(known) < len(powers) or "variance" not in self.chain.changed:
            return {}
        squares = torch.cat(known, dim=1)
        return {
            name: Variance(Scaled(*scaled(each, xp)))
            for name, each in self.chain.variances(squares).items()
        }

    def _real(self, stage: Stage, pile: Pile, parts: Mapping[Key, Part], xp: TorchArrays) -> Stage:
        """A stage with the chip's own converters and amplifiers."""
        # one cell of each pair is taken as open
        siemens = xp.to_numpy(abs(stage.conductance.detach()).sum(0) / 2)
        known = [part.lines for key, _ in pile if (part := parts[key]).lines is not None]
        lines = Lines(
            self.chip,
            [(key[0], block.columns) for key, block in pile],
            pile[0][1].word_lines,
            None if stage.full_scale is None else xp.to_numpy(stage.full_scale),
            np.concatenate(known) if len(known) == len(pile) else siemens,
        )
        return replace(stage, drawn={k: v.on(xp) for k, v in lines.drawn(self.chain).items()})

    def _full_scales(self, parts: Mapping[Key, Part], xp: TorchArrays) -> dict[Key, Floats]:
        """By block, (C,) amperes at which each column's ADC clips."""
        hardware = self.chain.hardware
        assert hardware.adc is not None
        placed = [each for pile in self.piles for each in pile]
        if self.ranges is not None and self.ranges.currents:
            return {key: self.ranges.currents[key] for key, _ in placed}
        reaches: dict[Key, Floats] = {}
        if hardware.adc.range is None:
            volts, inputs = hardware.read_voltage, self.shape[0] * self.shape[2]
            for key, _ in placed:
                part = parts[key]
                found = part.conductance if part.programmed is None else part.programmed
                reaches[key] = xp.to_numpy(reach(found.detach(), volts, inputs, xp))
        return full_scales(reaches, {key: block.columns for key, block in placed}, hardware.adc)


def scaled(variance: torch.Tensor, xp: TorchArrays) -> tuple[torch.Tensor, torch.Tensor]:
    """Variances (..., R, C) over the square of a unit, and the unit (..., C): as float32 has it."""
    unit = variance.amax(dim=-2) ** 0.5
    unit = torch.where(unit > 0, unit, 1.0)
    return (variance / unit[..., None, :] ** 2).to(xp.dtype), unit.to(xp.dtype)


def piles_of(blocks: Sequence[tuple[Key, Block]], chain: Chain) -> tuple[Pile, ...]:
    """The blocks of each stage of a layer; drivers that deviate are read one block at a time."""
    found = piles([block for _, block in blocks])
    if "drive" in chain.changed:  # drivers deviate by word line
        found = [[place] for pile in found for place in pile]
    return tuple(tuple(blocks[number] for number in pile) for pile in found)


def block_of(matrix: torch.Tensor, block: Block) -> torch.Tensor:
    """(R, C): the weights of a block of a matrix (G, outputs, inputs), transposed."""
    own: torch.Tensor = matrix[block.group][index(block.outputs)][:, index(block.inputs)].T
    return own


def index(indices: Ints) -> Any:
    """An index of tensors: a slice if consecutive."""
    found = as_slice(indices)
    return found if isinstance(found, slice) else torch.from_numpy(found)
