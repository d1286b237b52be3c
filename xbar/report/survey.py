"""What a report shows of a program: numbers by layer, residuals, and what wires take.

Residuals and wires are looked at tile by tile, on at most so many tiles a layer that any program
takes bounded time and memory; what was looked at is told.

Shapes: W x B cells of a tile. Units: siemens.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.compiler.provenance import Unreachable, unreachable
from xbar.compiler.tile import ProgrammedTile
from xbar.parallel import Progress
from xbar.report.metrics import LayerMetrics, layer_metrics

TILES_PER_LAYER = 32
SOLVED = 8
BINS = 41
LISTED = 20


@dataclass(frozen=True, eq=False)
class LayerSurvey:
    """One layer.

    Attributes:
        metrics: how well its weights were reached.
        shape: (G, outputs, inputs) of its matrix.
        resistors: of the cells that are its weights' own.
        switched_in: how many of them are.
        looked_at: tiles whose residuals the histogram counts.
        edges: (41 + 1,) siemens, of the histogram's bins.
        counts: (41,) weights by achieved - target.
    """

    metrics: LayerMetrics
    shape: tuple[int, ...]
    resistors: int
    switched_in: int
    looked_at: int
    edges: Floats
    counts: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
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
        tile: its index.
        layers: whose weights lie on it.
        lost: share of the current that is lost when every word line has the same voltage.
        gain: (W, B) each cell's effective over its own conductance; 0 where that is 0.
        solved: tiles that were solved to find it, those that conduct most.
        looked_at: tiles among which these were chosen.
    """

    tile: int
    layers: tuple[str, ...]
    lost: float
    gain: Floats
    solved: int
    looked_at: int

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write; of the gain its range."""
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
    """What a report shows.

    Attributes:
        program: of which.
        layers: by layer.
        wires: what they take; None where all are ideal.
        unreachable: weights whose targets their cells miss most, on the tiles looked at.
    """

    program: Program
    layers: tuple[LayerSurvey, ...]
    wires: WireLoss | None
    unreachable: tuple[Unreachable, ...]

    @property
    def used(self) -> float:
        """Share of the tiles' cells that are weights' own."""
        program = self.program
        weights = sum(part.weight.size for tile in program.tiles for part in tile.blocks)
        cells = weights * program.mapping.bit_lines_per_column
        word_lines, bit_lines = program.hardware.cells
        return cells / max(len(program.tiles) * word_lines * bit_lines, 1)

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        program, graph = self.program, self.program.graph
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
            "wires": None if self.wires is None else self.wires.to_json(),
            "unreachable": [weight.to_json() for weight in self.unreachable],
            "digital": [
                {"name": name, "reason": reason}
                for name, reason in (() if graph is None else graph.digital)
            ],
            "notes": [] if graph is None else list(graph.notes),
        }


def survey(program: Program, progress: Progress | None = None) -> Survey:
    """Look at a program.

    Args:
        program: the program.
        progress: called with tiles done and tiles in all.
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
        for part, residual in zip(tile.blocks, tile.residual(), strict=True):
            name = part.block.layer
            if index in chosen[name]:
                inside = np.clip(residual, edges[name][0], edges[name][-1])
                counts[name] += np.histogram(inside, edges[name])[0]
        if progress is not None:
            progress(done, len(indices))
    layers = tuple(
        _layer(program, layer, len(chosen[layer.name]), edges[layer.name], counts[layer.name])
        for layer in metrics
    )
    missed = unreachable(program, [program.tiles[index] for index in indices])
    worst = nlargest(LISTED, missed, key=lambda weight: abs(weight.achieved - weight.target))
    return Survey(program, layers, _wires(program, conducts), tuple(worst))


def _layer(
    program: Program,
    metrics: LayerMetrics,
    looked_at: int,
    edges: Floats,
    counts: NDArray[np.int64],
) -> LayerSurvey:
    blocks = list(program.blocks_of(metrics.name))
    return LayerSurvey(
        metrics,
        program.weights[metrics.name].shape,
        sum(part.weight.size for _, _, part in blocks) * program.resistors_per_weight,
        sum(tile.reached[number].switches for tile, number, _ in blocks),
        looked_at,
        edges,
        counts,
    )


def _edges(worst: float) -> Floats:
    """Bins of equal width with 0 in the middle of the middle one, the last ending at the worst."""
    reach = worst if worst > 0 else 1e-15
    return np.linspace(-reach, reach, BINS + 1)


def _sample(tiles: tuple[ProgrammedTile, ...]) -> set[int]:
    """At most so many tiles, evenly spaced, the first and the last among them."""
    places = np.linspace(0, len(tiles) - 1, min(len(tiles), TILES_PER_LAYER))
    return {tiles[int(place)].index for place in places}


def _wires(program: Program, conducts: dict[int, float]) -> WireLoss | None:
    tile = program.hardware.tile
    if tile.word_wire == tile.bit_wire == tile.source == tile.load == 0 or not conducts:
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
