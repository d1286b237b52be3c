"""Transfer matrices of many crossbars with the same wires.

Shapes: T crossbars of W word lines and B bit lines. Units: SI.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Bools, Floats, as_floats, check_range
from xbar.circuit.crossbar import CELL_ADVICE, CELL_AXES, Crossbar
from xbar.device import DeviceMemoryError, find
from xbar.errors import SpecError, warn
from xbar.parallel import cpus, in_threads

if TYPE_CHECKING:
    from xbar.circuit.solvers.grid import Grid


def transfers(
    conductance: ArrayLike,
    *,
    word_wire: ArrayLike = 0.0,
    bit_wire: ArrayLike = 0.0,
    source: ArrayLike = 0.0,
    load: ArrayLike = 0.0,
    device: str = "cpu",
) -> Floats:
    """Bit-line currents per volt on each word line, (T, B, W) siemens, of many crossbars.

    The ``transfer`` of a ``Crossbar`` of each, up to rounding: of up to 256 lines several are
    solved side by side, each in a SIMD lane of its own. Their bits depend neither on each other nor
    on the number of threads.

    Args:
        conductance: (T, W, B) siemens of each crossbar's cells.
        word_wire: ohms of word-line segments, as of ``Crossbar``, the same for all.
        bit_wire: ohms of bit-line segments.
        source: ohms between drivers and word lines.
        load: ohms between bit lines and sense amplifiers.
        device: "cpu", "cuda" for a card or "auto" for one if it works. A card adds up in another
            order: its results agree with the CPU's within 1e-12 of a crossbar's largest entry. It
            takes up to 512 lines and wires above 0 ohm; the rest is solved on the CPU, with a
            warning for "cuda".

    Raises:
        SpecError: a value is negative, not finite or of the wrong shape.
        SolverError: an array does not fit into memory.
        ToolError: "cuda" without a card.

    >>> transfers([[[1e-3]], [[3e-3]]], source=1e3)
    array([[[0.0005 ]],
           [[0.00075]]])
    """
    cells = as_floats(conductance, "conductance")
    if cells.ndim != 3 or 0 in cells.shape[1:]:
        raise SpecError(
            "conductance must have the shape (T, W, B) with at least one word line and one bit "
            f"line, not {cells.shape}"
        )
    check_range(cells, "conductance", "S", ("crossbar", *CELL_AXES), CELL_ADVICE)
    wires = Crossbar(np.zeros(cells.shape[1:]), word_wire, bit_wire, source, load)
    result = np.empty((len(cells), cells.shape[2], cells.shape[1]))
    left = _on_card(wires, cells, result, device)
    if wires.ideal:
        result[left] = cells[left].swapaxes(1, 2)
        return result
    _on_cpu(wires, cells, result, left)
    return result


def _on_cpu(wires: Crossbar, cells: Floats, result: Floats, left: Bools) -> None:
    """Write the matrices of the flagged crossbars (T,)."""
    from xbar.circuit.solvers.floating import only_connected
    from xbar.circuit.solvers.grid import as_grid
    from xbar.circuit.solvers.lockstep import obstacle, solve_batch

    grid, threads = as_grid(wires), cpus()
    again = left if obstacle(grid) else solve_batch(grid, cells, result, left, threads)
    if again.any():
        _one_by_one(grid, cells, result, again, threads)
    for tile in np.flatnonzero(left):
        result[tile] = only_connected(wires, result[tile])


def _one_by_one(grid: Grid, cells: Floats, result: Floats, left: Bools, threads: int) -> None:
    """The same, each crossbar by itself."""
    from xbar.blas import one_blas_thread
    from xbar.circuit.solvers.memory import check_memory
    from xbar.circuit.solvers.merge_tree import BYTES_PER_CELL, transfer_matrix

    check_memory(threads * BYTES_PER_CELL * float(grid.cells.size), grid.cells.shape)

    def solve(tile: int) -> None:
        one = replace(grid, cells=np.ascontiguousarray(cells[tile]))
        result[tile] = transfer_matrix(one)

    with one_blas_thread():
        in_threads(solve, np.flatnonzero(left).tolist(), threads)


def _on_card(wires: Crossbar, cells: Floats, result: Floats, device: str) -> Bools:
    """Write the matrices that a card solves; flags (T,) of the others."""
    every = np.ones(len(cells), np.bool_)
    card = find(device)
    if card is None or not len(cells):
        return every
    from xbar.circuit.solvers.grid import as_grid
    from xbar.circuit.solvers.on_device import obstacle, transfers_on

    grid = as_grid(wires)
    why = obstacle(grid, card)
    if not why:
        try:
            left = transfers_on(card, grid, cells, result)
        except DeviceMemoryError as error:
            why, left = str(error), every
        if not why and left.any():
            why = f"{np.count_nonzero(left)} of {len(cells)} lost too many digits on the card"
    else:
        left = every
    if why and device == "cuda":
        warn(f"transfer matrices are computed on the CPU: {why}")
    return left
