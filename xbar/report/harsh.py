"""Diagnosis of layers whose wires are too resistive for wire-aware programming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xbar.compiler.program import Program
from xbar.report.metrics import LayerMetrics

TOLERABLE = 0.05
"""Relative error of a layer's effective weights above which a warning is printed."""


@dataclass(frozen=True)
class Harsh:
    """A layer whose weights miss their targets because of wire resistance.

    Attributes:
        layer: name of the layer.
        error: relative rms error of the effective weights.
        tile: index of the tile with the largest error.
        median: median over the tile's cells of effective over own conductance.
        least: 10th percentile of the same ratio.
    """

    layer: str
    error: float
    tile: int
    median: float
    least: float

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.layer}: its weights are off by {100 * self.error:.3g} % because of wires: on "
            f"tile {self.tile} half of the cells reach their sense amplifier with less than "
            f"{100 * self.median:.2g} % of their conductance, a tenth with less than "
            f"{100 * self.least:.2g} %; take smaller tiles, larger resistances or wider wires"
        )


def harsh_layers(program: Program, metrics: Sequence[LayerMetrics]) -> list[Harsh]:
    """The layers whose effective weights are off by ``TOLERABLE`` or more after programming."""
    found = []
    for layer in metrics:
        if layer.wires_after is None or layer.wires_after < TOLERABLE:
            continue
        tile = max(program.tiles_of(layer.name), key=lambda tile: tile.wire_errors[-1:] or (0.0,))
        gain = tile.gain()
        cells = gain[gain > 0]
        shares = np.quantile(np.minimum(cells, 1.0), [0.5, 0.1]) if cells.size else (0.0, 0.0)
        found.append(Harsh(layer.name, layer.wires_after, tile.index, *map(float, shares)))
    return found
