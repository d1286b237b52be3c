"""Packing by OR-Tools' CP-SAT: decides whether rectangles fit on a number of tiles.

Where lines are shared, tiles are stacked in one long strip, in which no two rectangles overlap
(``NoOverlap2D``) and none crosses a tile boundary. Otherwise only counts matter: the number of
rectangles of each shape on each tile, such that their lines fit.

One worker, a fixed seed and a limit in CP-SAT's deterministic time make results reproducible.

Shapes: n rectangles (n, 2), rows and columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.compiler.packing.rules import Packing, Rule, Shapes, Size

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

MOST_RECTANGLES = 32
"""Maximum number of rectangles of a problem where lines are shared."""

MOST_COUNTS = 1000
"""Maximum number of shapes times tiles of a problem where they are not."""


def too_large(shapes: Shapes, tiles: int, rule: Rule) -> bool:
    """Whether a problem is too large for CP-SAT."""
    if rule == "any":
        return len(shapes) > MOST_RECTANGLES
    return len(np.unique(shapes, axis=0)) * tiles > MOST_COUNTS


def fit(
    shapes: Shapes, size: Size, rule: Rule, tiles: int, limit: float
) -> tuple[Packing | None, bool]:
    """Pack rectangles on at most a number of tiles.

    Args:
        shapes: rectangles, each of which fits on an empty tile.
        size: size of a tile.
        rule: "apart", "beside" or "any".
        tiles: number of tiles.
        limit: deterministic time limit.

    Returns:
        The packing, or None; and whether infeasibility is proved.
    """
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    if rule == "any":
        places = _stacked(model, shapes, size, tiles)
        solver = _solver(limit)
        status = solver.solve(model)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            found = np.array([[solver.value(one) for one in pair] for pair in places])
            tile, row = np.divmod(found[:, 0], size[0])
            return _numbered(tile, np.stack([row, found[:, 1]], axis=1)), False
        return None, status == cp_model.INFEASIBLE
    kinds, kind = np.unique(shapes, axis=0, return_inverse=True)
    counts = _counted(model, kinds, np.bincount(kind.ravel()).tolist(), size, tiles, rule)
    solver = _solver(limit)
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        found = np.array([[solver.value(one) for one in row] for row in counts])
        return _numbered(*_dealt(shapes, kind.ravel(), found, rule)), False
    return None, status == cp_model.INFEASIBLE


def _solver(limit: float) -> cp_model.CpSolver:
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = limit
    return solver


def _stacked(
    model: cp_model.CpModel, shapes: Shapes, size: Size, tiles: int
) -> list[tuple[Any, Any]]:
    """Row in the strip of all tiles, and column, of each rectangle."""
    from ortools.sat.python import cp_model

    places, rows, columns = [], [], []
    last: dict[tuple[int, int], Any] = {}
    for number, (high, wide) in enumerate(shapes.tolist()):
        starts = [[tile * size[0], (tile + 1) * size[0] - high] for tile in range(tiles)]
        row = model.new_int_var_from_domain(cp_model.Domain.from_intervals(starts), f"r{number}")
        column = model.new_int_var(0, size[1] - wide, f"c{number}")
        rows.append(model.new_fixed_size_interval_var(row, high, f"h{number}"))
        columns.append(model.new_fixed_size_interval_var(column, wide, f"w{number}"))
        places.append((row, column))
        if (high, wide) in last:  # equal rectangles are interchangeable: fix their order
            model.add(last[high, wide] <= row)
        last[high, wide] = row
    model.add_no_overlap_2d(rows, columns)
    model.add_cumulative(rows, shapes[:, 1].tolist(), size[1])
    return places


def _counted(
    model: cp_model.CpModel,
    kinds: Shapes,
    totals: list[int],
    size: Size,
    tiles: int,
    rule: Rule,
) -> list[list[Any]]:
    """Number of rectangles of each kind on each tile."""
    counts = [
        [model.new_int_var(0, total, f"n{kind}_{tile}") for tile in range(tiles)]
        for kind, total in enumerate(totals)
    ]
    for row, total in zip(counts, totals, strict=True):
        model.add(sum(row) == total)
    loads = []
    for tile in range(tiles):
        of_tile = [row[tile] for row in counts]
        wide = sum(int(w) * n for w, n in zip(kinds[:, 1], of_tile, strict=True))
        model.add(wide <= size[1])
        if rule == "apart":
            model.add(sum(int(h) * n for h, n in zip(kinds[:, 0], of_tile, strict=True)) <= size[0])
        loads.append(wide)
    for tile in range(tiles - 1):  # tiles are interchangeable: the fullest comes first
        model.add(loads[tile] >= loads[tile + 1])
    return counts


def _dealt(shapes: Shapes, kind: Shapes, counts: Shapes, rule: Rule) -> tuple[Shapes, Shapes]:
    """Tile (n,) and corner (n, 2) of each rectangle, from the counts by kind and tile."""
    tile, corner = np.empty(len(shapes), dtype=np.int64), np.empty_like(shapes)
    used = np.zeros((counts.shape[1], 2), dtype=np.int64)
    for number, row in enumerate(counts):
        alike = np.flatnonzero(kind == number)
        for one, place in zip(alike, np.repeat(np.arange(len(row)), row), strict=True):
            tile[one], corner[one] = place, used[place]
            used[place] += shapes[one] * ((1 if rule == "apart" else 0), 1)
    return tile, corner


def _numbered(tile: Shapes, corner: Shapes) -> Packing:
    """A packing with empty tiles removed."""
    return Packing(np.unique(tile, return_inverse=True)[1].ravel(), corner)
