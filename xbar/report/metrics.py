"""Figures of a program, by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile


@dataclass(frozen=True)
class LayerMetrics:
    """Programming accuracy of a layer, ideal wires unless stated.

    Attributes:
        name: name of the layer.
        tiles: number of tiles that hold it.
        weights: number of weights.
        worst_residual: siemens, largest |achieved - target| of a differential pair; 0 (as is
            ``rms_residual``) for an all-zero layer, which takes no tile.
        rms_residual: siemens, root mean square of the same.
        bits: effective bits of the weights: those of the uniform quantiser over the layer's
            targets with the same mean-square error, log2(range / (sqrt(12) rms)), range =
            2 max|target|; None if every target is met exactly.
        wires_before: relative error of the effective weights, wires included, before wire-aware
            programming, root mean square over tiles; None if wires were ignored.
        wires_after: the same after wire-aware programming.
        clipped: number of weights whose targets are outside their banks' range.
    """

    name: str
    tiles: int
    weights: int
    worst_residual: float
    rms_residual: float
    bits: float | None
    wires_before: float | None = None
    wires_after: float | None = None
    clipped: int = 0

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return asdict(self)


def layer_metrics(program: Program) -> list[LayerMetrics]:
    """One entry per layer, in the program's order."""
    result = []
    for name, shape in program.plan.shapes.items():
        found = [
            (tile.reached[number], placed.block.shape)
            for tile, number, placed in program.blocks_of(name)
        ]
        reached = [each for each, _ in found]
        count = sum(rows * columns for _, (rows, columns) in found)
        largest = max((part.largest for part in reached), default=0.0)
        rms = float(np.sqrt(sum(part.power for part in reached) / max(count, 1)))
        bits = float(np.log2(2 * largest / (np.sqrt(12.0) * rms))) if rms > 0 < largest else None
        tiles = program.tiles_of(name)
        result.append(
            LayerMetrics(
                name,
                len(tiles),
                math.prod(shape),
                max((part.worst for part in reached), default=0.0),
                rms,
                bits,
                *_wire_errors(tiles),
                sum(part.clipped for part in reached),
            )
        )
    return result


def _wire_errors(tiles: Sequence[ProgrammedTile]) -> tuple[float | None, float | None]:
    told = [tile.wire_errors for tile in tiles if tile.wire_errors]
    if not told:
        return None, None
    before, after = (np.sqrt(np.mean([errors[i] ** 2 for errors in told])) for i in (0, -1))
    return float(before), float(after)
