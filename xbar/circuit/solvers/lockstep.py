"""Transfer matrices of many crossbars with the same wires: the merge tree, LANES at once.

    crossbars ──a lane each──► cells ──join, join──► drivers and amplifiers

All crossbars of a batch are joined in the same order, so their numbers lie side by side and each
operation works on LANES of them. A crossbar's result does not depend on its neighbours. Nothing is
ever subtracted (see `lockstep_kernels`), so every conductance keeps its relative accuracy, whatever
the resistances are.

A. George, "Nested dissection of a regular finite element mesh", SIAM J. Numer. Anal. 10 (1973).

Shapes: T crossbars of W word lines and B bit lines. Units: SI.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Bools, Floats
from xbar.circuit.solvers.grid import LARGEST, Grid, as_wires
from xbar.circuit.solvers.lanes import LANES, aligned
from xbar.circuit.solvers.lockstep_kernels import solve_tree
from xbar.circuit.solvers.lockstep_leaf import Array
from xbar.circuit.solvers.lockstep_plan import Plan, make_plan
from xbar.circuit.solvers.memory import check_memory
from xbar.parallel import in_threads

_MOST_LINES = 256  # a thread then works with 110 MB


def obstacle(grid: Grid) -> str:
    """Why arrays with a grid's wires are not solved in lock-step; empty if they are."""
    if max(grid.cells.shape) > _MOST_LINES:
        return f"more than {_MOST_LINES} word or bit lines"
    for ohms in (grid.word, grid.bit, grid.right, grid.top):
        if ohms is not None and np.any((ohms > 0) & (ohms < 1 / LARGEST)):
            return f"wires of less than {1 / LARGEST:g} ohm that are not ideal"
    return ""


def solve_batch(grid: Grid, cells: Floats, result: Floats, wanted: Bools, threads: int) -> Bools:
    """Write the transfer matrices (T, B, W) of the wanted (T,) of cells (T, W, B).

    Args:
        grid: wires without an ``obstacle``; cells and result are in its order of lines.
        cells: siemens.
        result: output, siemens.
        wanted: flags of crossbars; the others' results are not touched.
        threads: number of threads.

    Returns:
        (T,) flags of those that were wanted and have no result, as their conductances span too wide
        a range.

    Raises:
        SolverError: the workspace does not fit into this machine's memory.
    """
    array = _Array.of(grid)
    tiles = np.flatnonzero(wanted)
    starts = list(range(0, len(tiles), LANES))
    threads = min(threads, len(starts))
    check_memory(threads * 8.0 * LANES * array.plan.pool, grid.cells.shape)
    failed = np.zeros(len(cells), np.bool_)
    pools = [aligned(array.plan.pool * LANES) for _ in range(threads)]

    def solve(start: int) -> None:
        part = tiles[start : start + LANES]
        some, pool = cells[part], pools.pop()
        result[part] = found = array.solve(some, pool)
        pools.append(pool)
        failed[part] = ~np.isfinite(found).all(axis=(1, 2)) | (some.max(axis=(1, 2)) > LARGEST)

    in_threads(solve, starts, threads)
    return failed


@dataclass(frozen=True, eq=False)
class _Array:
    """An array's wires, with a cell more on lines that are driven or read at both ends.

    Attributes:
        own: W, B of the crossbars; additional cells, all open, are above them and to their right.
        word: (W', B') siemens of the word lines' segments, each to the left of its cell.
        bit: (W', B') siemens of the bit lines' segments, each below its cell.
        plan: how the cells are joined.
    """

    own: tuple[int, int]
    word: Floats
    bit: Floats
    plan: Plan

    @classmethod
    def of(cls, grid: Grid) -> _Array:
        """The wires of a grid."""
        lines, columns = own = grid.cells.shape
        right, top = grid.right is not None, grid.top is not None
        above = top or own == (1, 1)  # a tree has two cells or more
        word, bit = np.ones((2, lines + above, columns + right))
        word[above:, :columns], bit[above:, :columns] = grid.word, grid.bit
        if grid.right is not None:
            word[above:, columns] = grid.right
        if grid.top is not None:
            bit[0, :columns] = grid.top
        plan = make_plan(*word.shape, right=right, top=top)
        return cls(own, 1 / as_wires(word), 1 / as_wires(bit), plan)

    def solve(self, cells: Floats, pool: Floats) -> Floats:
        """Transfer matrices (T, B, W) of up to LANES sets of cells (T, W, B), with scratch."""
        (lines, columns), (high, wide), plan = self.own, self.word.shape, self.plan
        whole = aligned(high * wide * LANES)
        whole[:] = 0.0
        own = whole.reshape(high, wide, LANES)[high - lines :, :columns]
        own[..., : len(cells)] = cells.transpose(1, 2, 0)
        own[..., len(cells) :] = cells[-1][..., None]
        solve_tree(plan.tree, Array(self.word, self.bit, whole), pool, plan.drivers)
        found = pool[: plan.amplifiers * plan.drivers * LANES]
        found = found.reshape(plan.amplifiers, plan.drivers, LANES)
        total = np.zeros((columns, lines, LANES))
        for j in range(plan.ends[1]):
            for i in range(plan.ends[0]):
                begin = i * high + high - lines
                total += found[j * wide : j * wide + columns, begin : begin + lines]
        return np.ascontiguousarray(total[..., : len(cells)].transpose(2, 0, 1))
