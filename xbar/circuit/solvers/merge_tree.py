"""The whole transfer matrix by a merge tree: a hierarchical Poincare-Steklov (Schur) scheme.

    cells ──LANES patches at once──► patches of up to 32 x 32 ──join, join──► terminals

A patch of the crossbar, seen from its boundary nodes, is a matrix of conductances. Neighbours are
joined by eliminating their shared nodes: one per line across the joint, as patches are connected
only by word lines (or only by bit lines) there. About 38 n^3 operations for
an n x n crossbar, most of them in BLAS-3. A. Gillman, P. G. Martinsson, "A direct solver with O(N)
complexity for variable coefficient elliptic PDEs", SIAM J. Sci. Comput. 36 (2014); A. George,
"Nested dissection of a regular finite element mesh", SIAM J. Numer. Anal. 10 (1973).

Only conductances between distinct nodes are stored, all positive: elimination then adds and
multiplies positive numbers, and every entry keeps its relative accuracy. Diagonals are sums.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk, dtrsm
from scipy.linalg.lapack import dpotrf

from xbar.arrays import Floats, Ints, frozen
from xbar.blas import multiply, one_blas_thread
from xbar.circuit.solvers.cache import PatchCache
from xbar.circuit.solvers.grid import LARGEST, Grid, as_grid, as_wires
from xbar.circuit.solvers.joining import Equations, Patch, join, reduce, star_mesh
from xbar.circuit.solvers.memory import check_memory
from xbar.circuit.solvers.patches import pool_size, reduce_patches

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


_SIDE = 32  # side of a patch reduced in SIMD lanes, in cells
_FEW_CELLS = 64 * 64  # up to this many cells, patches of half that side, to fill the lanes
_SMALL = 8  # side of a patch with ideal wires, reduced separately
BYTES_PER_CELL = 300  # of workspace, measured: two levels of the tree at a time
_BYTES_PER_LEVEL = 144  # per cell and level of cached patches: h x 2h cells have 6h ports
_CANCELS = 1e3  # ratio of diagonal to pivot beyond which too many digits are lost


class MergeTreeSolver:
    """A crossbar's transfer matrix, computed once, on first use.

    Handles every crossbar, ideal wires included. The workspace is about 300 bytes per cell: two
    levels of the tree, of W B / 32^2 patches with 128 ports and half as many with 192.

    Raises:
        SolverError: the array does not fit into this machine's memory.
    """

    def __init__(self, crossbar: Crossbar) -> None:
        self.crossbar = crossbar
        self.shape = crossbar.conductance.shape
        check_memory(BYTES_PER_CELL * crossbar.conductance.size, self.shape)

    @cached_property
    def _transfer(self) -> Floats:
        with one_blas_thread():
            return frozen(transfer_matrix(as_grid(self.crossbar)))

    def transfer(self) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens."""
        return self._transfer

    def current(self, voltage: Floats) -> Floats:
        """Bit-line currents (N, B) for word-line voltages (N, W)."""
        return multiply(voltage, self._transfer.T)


def prepared_transfer(grid: Grid, cache: PatchCache) -> Floats:
    """The transfer matrix (B, W), with what a cache knows of an array with the same wires.

    All levels of the tree stay in memory, where a solution by itself has two at a time.

    Raises:
        SolverError: they do not fit into this machine's memory.
    """
    levels = max(int(np.ceil(np.log2(grid.cells.size / _SIDE**2))), 0)
    needed = BYTES_PER_CELL + levels * _BYTES_PER_LEVEL
    check_memory(needed * grid.cells.size, grid.cells.shape)
    with one_blas_thread():
        return transfer_matrix(grid, cache)


def transfer_matrix(grid: Grid, cache: PatchCache | None = None) -> Floats:
    """Bit-line current per volt on each word line, (B, W) siemens.

    Args:
        grid: the array.
        cache: patches of the array with the same wires that was solved before; this one's after.
    """
    patches = _leaves(grid, cache)
    alone = patches.size == 1
    while patches.size > 1:
        high, wide = patches.shape
        stacked = high > wide
        level = patches.T if stacked else patches
        pairs = np.empty((level.shape[0], (level.shape[1] + 1) // 2), dtype=object)
        for i, j in np.ndindex(pairs.shape):
            pair = level[i, 2 * j : 2 * j + 2]
            last = patches.size == 2 and grid.right is None and grid.top is None
            if len(pair) == 1:
                pairs[i, j] = pair[0]
            else:
                join_both = partial(_join, pair[0], pair[1], stacked, last)
                place = patches.shape, i, j
                pairs[i, j] = (
                    cache.joined(place, pair[0], pair[1], join_both) if cache else join_both()
                )
            level[i, 2 * j : 2 * j + 2] = None  # the memory of a patch goes with it
        patches = pairs.T if stacked else pairs
    return _between_terminals(grid, patches[0, 0], alone)


def _between_terminals(grid: Grid, root: Patch, alone: bool) -> Floats:
    """The transfer matrix of the root patch, after joining the far ends of its lines."""
    lines, columns = grid.cells.shape
    ends = [] if grid.right is None else [(grid.right, False)]
    ends += [] if grid.top is None else [(grid.top, True)]
    for k, (ohms, stacked) in enumerate(ends):
        last = k == len(ends) - 1
        end = _segments(ohms, stacked)
        root = _join(end, root, True, last) if stacked else _join(root, end, False, last)
    if alone and not ends:
        root = _reduce(root, last=True)
    siemens, ports, sides = root
    split = sides[:2].sum()
    drive, sense = ports[:split], ports[split:]
    between = siemens[: drive.max() + 1]
    current = _sum_ends(_sum_ends(between, drive, lines).T, sense, columns)
    return np.ascontiguousarray(current[grid.columns, grid.rows])


def _sum_ends(siemens: Floats, ends: Ints, count: int) -> Floats:
    """Rows of ``count`` lines, each summed over the nodes at its one or two ends."""
    total = siemens[ends[:count]]
    if len(ends) > count:
        apart = np.flatnonzero(ends[:count] != ends[count:])  # an ideal line is a single node
        total[apart] += siemens[ends[count:][apart]]
    return total


def _leaves(grid: Grid, cache: PatchCache | None) -> NDArray[np.object_]:
    """The array of patches, each at most _SIDE cells high and wide."""
    lines, columns = grid.cells.shape
    side = _SIDE if lines * columns > _FEW_CELLS else _SIDE // 2
    rows = np.linspace(0, lines, -(-lines // side) + 1).astype(np.int64)
    cuts = np.linspace(0, columns, -(-columns // side) + 1).astype(np.int64)
    leaves = np.empty((len(rows) - 1, len(cuts) - 1), dtype=object)
    ideal = (grid.word == 0) | (grid.bit == 0)
    some_ideal = bool(ideal.any())
    wires = grid.cells, as_wires(grid.word), as_wires(grid.bit)
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, j in np.ndindex(leaves.shape):
        part = slice(rows[i], rows[i + 1]), slice(cuts[j], cuts[j + 1])
        known = cache.leaf(part, grid) if cache else None
        if known is not None:
            leaves[i, j] = known
        elif some_ideal and ideal[part].any() and _extreme(grid, part):
            leaves[i, j] = patch = _by_itself(grid, *part)
            if cache:
                cache.keep(part, grid, patch)
        else:
            shape = int(rows[i + 1] - rows[i]), int(cuts[j + 1] - cuts[j])
            groups.setdefault(shape, []).append((i, j))
    for (h, w), members in groups.items():
        origin = np.array([(rows[i], cuts[j]) for i, j in members])
        patches = np.empty((len(members), 2 * (h + w), 2 * (h + w)))
        pool = np.empty(pool_size(h, w))
        reduce_patches(wires, (h, w), origin, pool, patches)
        for (i, j), siemens in zip(members, patches, strict=True):
            part = slice(rows[i], rows[i + 1]), slice(cuts[j], cuts[j + 1])
            patch = siemens, *_ports(grid, rows[i] == 0, cuts[j + 1] == columns, h, w)
            if some_ideal and len(patch[1]) < 2 * (h + w) and ideal[part].any():
                patch = _without_open_ends(patch)
            leaves[i, j] = patch
            if cache:
                cache.keep(part, grid, patch)
    return leaves


def _extreme(grid: Grid, part: tuple[slice, slice]) -> bool:
    """Whether a patch conducts next to what ideal wires are taken to conduct."""
    wires = np.concatenate([grid.word[part], grid.bit[part]])
    least = wires.min(initial=1.0, where=wires > 0)
    return bool(least < 1 / LARGEST or grid.cells[part].max() > LARGEST)


def _without_open_ends(patch: Patch) -> Patch:
    """A patch with its lines' open ends eliminated.

    Later, next to a node that an ideal wire joins them to, they would make a pivot cancel.
    """
    equations = reduce(patch)
    star_mesh(equations[0], equations[1])
    return _remainder(equations, last=False)


def _ports(grid: Grid, at_top: bool, at_right: bool, h: int, w: int) -> tuple[Ints, Ints]:
    """Ports and sides of a patch without ideal wires; an unconnected side has no ports."""
    right = 0 if at_right and grid.right is None else h
    top = 0 if at_top and grid.top is None else w
    ports = [np.arange(h), h + np.arange(right), 2 * h + np.arange(top), 2 * h + w + np.arange(w)]
    return np.concatenate(ports), np.array([h, right, top, w])


def _by_itself(grid: Grid, rows: slice, columns: slice) -> Patch:
    """A patch with ideal wires: nodes joined by them are merged from the start."""
    h, w = rows.stop - rows.start, columns.stop - columns.start
    if max(h, w) > _SMALL:
        middle = rows.start + h // 2 if h > w else columns.start + w // 2
        if h > w:
            parts = (slice(rows.start, middle), columns), (slice(middle, rows.stop), columns)
        else:
            parts = (rows, slice(columns.start, middle)), (rows, slice(middle, columns.stop))
        return _join(_by_itself(grid, *parts[0]), _by_itself(grid, *parts[1]), h > w)
    return _reduce(_small_patch(grid, rows, columns))


def _small_patch(grid: Grid, rows: slice, columns: slice) -> Patch:
    word, bit = grid.word[rows, columns], grid.bit[rows, columns]
    h, w = word.shape
    # along each line a new node begins after every segment that is not ideal
    begins = np.hstack([np.ones((h, 1)), word]) > 0
    word_node = np.cumsum(begins).reshape(h, w + 1) - 1
    begins = np.hstack([np.ones((w, 1)), bit.T]) > 0
    bit_node = np.cumsum(begins).reshape(w, h + 1).T + word_node[-1, -1]
    nodes = bit_node[-1, -1] + 1
    siemens = np.zeros((nodes, nodes))
    siemens[word_node[:, :-1][word > 0], word_node[:, 1:][word > 0]] = 1 / word[word > 0]
    siemens[bit_node[:-1][bit > 0], bit_node[1:][bit > 0]] = 1 / bit[bit > 0]
    np.add.at(siemens, (word_node[:, 1:], bit_node[:-1]), grid.cells[rows, columns])
    at_right = columns.stop == grid.cells.shape[1] and grid.right is None
    at_top = rows.start == 0 and grid.top is None
    sides = [word_node[:, 0], word_node[: 0 if at_right else h, -1]]
    sides += [bit_node[0, : 0 if at_top else w], bit_node[-1]]
    return siemens, np.concatenate(sides), np.array([len(side) for side in sides])


def _join(first: Patch, second: Patch, stacked: bool, last: bool = False) -> Patch:
    equations = join(first, second, stacked)
    if not _by_cholesky(equations[0], equations[1]):
        equations = join(first, second, stacked)
        star_mesh(equations[0], equations[1])
    return _remainder(equations, last)


def _reduce(patch: Patch, last: bool = False) -> Patch:
    equations = reduce(patch)
    if not _by_cholesky(equations[0], equations[1]):
        equations = reduce(patch)
        star_mesh(equations[0], equations[1])
    return _remainder(equations, last)


def _by_cholesky(matrix: Floats, across: Floats) -> bool:
    """Multiply ``across`` by the inverse factor of the matrix; False if digits would be lost.

    Cholesky's pivots are the only subtractions in the method. Where they cancel, as for wires of
    negligible resistance, `star_mesh` is the slower alternative without subtractions.
    """
    if not len(matrix):
        return True
    diagonal = matrix.diagonal().copy()
    factor, failed = dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if failed or np.any(factor.diagonal() ** 2 * _CANCELS < diagonal):
        return False
    dtrsm(1.0, factor, across.T, side=1, lower=1, trans_a=1, overwrite_b=1)
    return True


def _remainder(equations: Equations, last: bool) -> Patch:
    """The remaining patch; for the last one only the siemens from drivers to amplifiers."""
    _, across, among, ports, sides = equations
    if last:
        drivers = ports[: sides[:2].sum()].max() + 1
        among[:drivers, drivers:] += across[:, :drivers].T @ across[:, drivers:]
    elif len(across):
        dsyrk(1.0, across.T, beta=1.0, c=among.T, lower=1, overwrite_c=1)
    return among, ports, sides


def _segments(ohms: Floats, vertical: bool) -> Patch:
    """The segments beyond the last cells as a separate patch."""
    n = len(ohms)
    far = np.where(ohms > 0, n + np.arange(n), np.arange(n))
    siemens = np.zeros((2 * n, 2 * n))
    wired = np.flatnonzero(ohms > 0)
    siemens[wired, n + wired] = 1 / ohms[wired]
    nodes = np.unique(np.concatenate([np.arange(n), far]))
    ports = np.concatenate([np.arange(n), np.searchsorted(nodes, far)])
    sides = np.array([0, 0, n, n] if vertical else [n, n, 0, 0])
    return siemens[np.ix_(nodes, nodes)], ports, sides
