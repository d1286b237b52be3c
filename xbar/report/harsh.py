"""Why wire-aware programming leaves an error: how little of a cell's current comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xbar.compiler.program import Program
from xbar.report.metrics import LayerMetrics

TOLERABLE = 0.05
"""Relative error of a layer's effective weights from which the report says why."""


@dataclass(frozen=True)
class Harsh:
    """A layer whose weights wires keep off their targets.

    Attributes:
        layer: its name.
        error: relative error of its effective weights, root mean square.
        tile: the tile with the largest error.
        median: share of its conductance that half of the tile's cells do not reach their sense
            amplifier with.
        least: the same share of the weakest tenth.
    """

    layer: str
    error: float
    tile: int
    median: float
    least: float

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.layer}: wires leave an error of {100 * self.error:.3g} % in its weights: on "
            f"tile {self.tile} half of the cells reach their sense amplifier with less than "
            f"{100 * self.median:.2g} % of their conductance, a tenth with less than "
            f"{100 * self.least:.2g} %; take smaller tiles, larger resistances or wider wires"
        )


def harsh_layers(program: Program, metrics: Sequence[LayerMetrics]) -> list[Harsh]:
    """The layers that wire-aware programming could not bring near their targets."""
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
