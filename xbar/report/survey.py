"""Data behind a program's report: figures by layer, residuals and wire losses.

Residuals and wire losses are evaluated tile by tile on a bounded sample of tiles per layer, so time
and memory are bounded for any program; the sample size is reported.

Shapes: W x B cells of a tile. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.compiler.provenance import Unreachable, unreachable
from xbar.compiler.tile import ProgrammedTile
from xbar.model.arithmetic import arithmetic
from xbar.model.share import weigh
from xbar.parallel import Progress
from xbar.report.levers import Levers
from xbar.report.metrics import LayerMetrics, layer_metrics

TILES_PER_LAYER = 32
SOLVED = 8
BINS = 41
LISTED = 20


@dataclass(frozen=True, eq=False)
class LayerSurvey:
    """One layer.

    Attributes:
        metrics: programming accuracy of its weights.
        shape: shape of its matrix, (G, outputs, inputs).
        resistors: number of resistors in the cells of its weights.
        switched_in: number of those that are switched in.
        looked_at: number of tiles in the histogram's sample.
        edges: (41 + 1,) siemens, edges of the histogram's bins.
        counts: (41,) weights per bin of achieved - target.
    """

    metrics: LayerMetrics
    shape: tuple[int, ...]
    resistors: int
    switched_in: int
    looked_at: int
    edges: Floats
    counts: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return {
            **self.metrics.to_json(),
            "shape": list(self.shape),
            "resistors": self.resistors,
            "switched_in": self.switched_in,
            "histogram": {
                "tiles": self.looked_at,
                "edges": self.edges.tolist(),
                "counts": self.counts.tolist(),
            },
        }


@dataclass(frozen=True, eq=False)
class WireLoss:
    """The tile that loses most current to its wires.

    Attributes:
        tile: index of the tile.
        layers: layers with weights on it.
        lost: fraction of the current lost when every word line has the same voltage.
        gain: (W, B) each cell's effective over its own conductance; 0 where the latter is 0.
        solved: number of tiles solved to find it, the most conductive of the sample.
        looked_at: number of tiles in the sample.
    """

    tile: int
    layers: tuple[str, ...]
    lost: float
    gain: Floats
    solved: int
    looked_at: int

    def to_json(self) -> dict[str, Any]:
        """A dictionary for ``json``; the gain is reduced to its range."""
        there = self.gain[self.gain != 0]
        return {
            "tile": self.tile,
            "layers": list(self.layers),
            "lost": self.lost,
            "lowest_gain": float(there.min()) if there.size else None,
            "highest_gain": float(there.max()) if there.size else None,
            "solved": self.solved,
            "looked_at": self.looked_at,
        }


@dataclass(frozen=True, eq=False)
class Survey:
    """Data of a report.

    Attributes:
        program: the program surveyed.
        layers: survey of each layer.
        wires: the tile with the largest wire loss; None if wires are ideal.
        unreachable: weights furthest outside their cells' range, on the sampled tiles.
    """

    program: Program
    layers: tuple[LayerSurvey, ...]
    wires: WireLoss | None
    unreachable: tuple[Unreachable, ...]

    @property
    def levers(self) -> Levers | None:
        """What was chosen against the wires; None if nothing was to be."""
        return Levers.of(self.program, [layer.metrics for layer in self.layers])

    @property
    def used(self) -> float:
        """Fraction of the tiles' cells that hold weights."""
        program = self.program
        shapes = (placed.block.shape for tile in program.tiles for placed in tile.blocks)
        weights = sum(rows * columns for rows, columns in shapes)
        cells = weights * program.mapping.bit_lines_per_column
        word_lines, bit_lines = program.hardware.cells
        return cells / max(len(program.tiles) * word_lines * bit_lines, 1)

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        program, graph = self.program, self.program.graph
        work = None if graph is None else arithmetic(graph)
        return {
            "hardware": program.hardware.model_dump(mode="json"),
            "seed": program.chip.seed,
            "options": program.options.model_dump(mode="json"),
            "tiles": len(program.tiles),
            "resistors_per_cell": program.hardware.bank.resistors,
            "resistors_per_weight": program.resistors_per_weight,
            "cells_used": self.used,
            "placement": None if program.placement is None else program.placement.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
            "levers": None if self.levers is None else self.levers.to_json(),
            "wires": None if self.wires is None else self.wires.to_json(),
            "unreachable": [weight.to_json() for weight in self.unreachable],
            "arithmetic": None if work is None else work.to_json(),
            "digital": [
                {"name": name, "reason": reason}
                for name, reason in (() if graph is None else graph.digital)
            ],
            "weights": None if graph is None else weigh(graph).to_json(),
            "notes": [] if graph is None else list(graph.notes),
            "corrections": None if program.corrections is None else program.corrections.to_json(),
        }


def survey(program: Program, progress: Progress | None = None) -> Survey:
    """Survey a program.

    Args:
        program: the program.
        progress: callback, called with tiles done and tiles in total.
    """
    metrics = layer_metrics(program)
    edges = {layer.name: _edges(layer.worst_residual) for layer in metrics}
    counts = {layer.name: np.zeros(BINS, dtype=np.int64) for layer in metrics}
    chosen = {layer.name: _sample(program.tiles_of(layer.name)) for layer in metrics}
    indices = sorted({index for tiles in chosen.values() for index in tiles})
    conducts = {}
    for done, index in enumerate(indices, start=1):
        tile = program.tiles[index].fresh()
        conducts[index] = float(tile.conductance.sum())
        for placed, residual in zip(tile.blocks, tile.residual(), strict=True):
            name = placed.block.layer
            if index in chosen[name]:
                inside = np.clip(residual, edges[name][0], edges[name][-1])
                counts[name] += np.histogram(inside, edges[name])[0]
        if progress is not None:
            progress(done, len(indices))
    layers = tuple(
        _layer(program, layer, len(chosen[layer.name]), edges[layer.name], counts[layer.name])
        for layer in metrics
    )
    missed = unreachable(program, (program.tiles[index] for index in indices))
    worst = nlargest(LISTED, missed, key=lambda weight: abs(weight.achieved - weight.target))
    return Survey(program, layers, _wires(program, conducts), tuple(worst))


def _layer(
    program: Program,
    metrics: LayerMetrics,
    looked_at: int,
    edges: Floats,
    counts: NDArray[np.int64],
) -> LayerSurvey:
    shapes = [
        (*placed.block.shape, tile.reached[number].switches)
        for tile, number, placed in program.blocks_of(metrics.name)
    ]
    return LayerSurvey(
        metrics,
        program.plan.shapes[metrics.name],
        sum(rows * columns for rows, columns, _ in shapes) * program.resistors_per_weight,
        sum(switches for _, _, switches in shapes),
        looked_at,
        edges,
        counts,
    )


def _edges(worst: float) -> Floats:
    """Edges of equal bins from -worst to worst; 0 is the centre of the middle bin."""
    reach = worst if worst > 0 else 1e-15
    return np.linspace(-reach, reach, BINS + 1)


def _sample(tiles: Sequence[ProgrammedTile]) -> set[int]:
    """At most ``TILES_PER_LAYER`` tile indices, evenly spaced, including first and last."""
    places = np.linspace(0, len(tiles) - 1, min(len(tiles), TILES_PER_LAYER))
    return {tiles[int(place)].index for place in places}


def _wires(program: Program, conducts: dict[int, float]) -> WireLoss | None:
    tile = program.hardware.tile
    if not program.hardware.wired or tile.separate or not conducts:
        return None
    heaviest = sorted(conducts, key=lambda index: (-conducts[index], index))[:SOLVED]
    found = None
    for index in heaviest:
        solved = program.tiles[index].fresh()
        own = solved.conductance.sum()
        lost = 1.0 - float(solved.cells("nodal").sum() / own) if own > 0 else 0.0
        if found is None or lost > found.lost:
            layers = tuple(solved.layers())
            found = WireLoss(index, layers, lost, solved.gain(), len(heaviest), len(conducts))
    return found
