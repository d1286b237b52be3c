"""The compiler: a network or matrices, and a chip, become a program.

once per network    read and check the matrices ─► place them on tiles
once per tile       ``job.py``: measure the banks ─► set_scales ─► choose_subsets (─► correct_wires)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.compiler.checks import (
    check_chip_size,
    check_hardware,
    check_matrices,
    check_wire_aware,
)
from xbar.compiler.job import TileJob, run_job
from xbar.compiler.mapping import get_mapping
from xbar.compiler.options import Options
from xbar.compiler.placement import Placement, place
from xbar.compiler.program import Program
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how much is done and how much there is."""


def compile(  # noqa: A001 - the public name: xbar.compile(network, chip)
    source: Graph | Mapping[str, ArrayLike],
    chip: Chip | Hardware,
    *,
    seed: int | None = None,
    wire_aware: bool = False,
    progress: Progress | None = None,
) -> Program:
    """Program a network onto a chip.

    Args:
        source: the network (``xbar.read_model``), or matrices (outputs, inputs) by layer name.
        chip: the chip; or a design, of which one chip is sampled with ``seed``.
        seed: for a design only; 0 where nothing is said.
        wire_aware: choose the subsets so that the weights are right with the tile's wires, not
            without them; takes some exact solutions of each tile and banks of at most 16.
        progress: called after each tile with tiles done and tiles in all.

    Returns:
        The program: which resistors of which tile are switched in, and what that realises.

    Raises:
        SpecError: a matrix is not finite or has no (outputs, inputs), the chip is too small, or
            a seed is given beside a chip, which has its own.

    >>> from xbar.hardware.tile import Tile
    >>> hardware = Hardware(tile=Tile(word_lines=4, bit_lines=4))
    >>> program = compile({"fc": [[0.5, -1.0], [0.25, 0.0]]}, hardware, seed=1)
    >>> program.matrices()["fc"].round(3)
    array([[ 0.5 , -1.  ],
           [ 0.25,  0.  ]])
    """
    if isinstance(chip, Hardware):
        chip = Chip.sample(chip, 0 if seed is None else seed)
    elif seed is not None:
        raise SpecError("seed must be left out where a chip is given: the chip has its own")
    matrices, graph = _matrices(source)
    options = Options(wire_aware=wire_aware)
    mapping = get_mapping(options.mapping)
    check_hardware(chip.hardware, mapping)
    if wire_aware:
        check_wire_aware(chip.hardware)
    placement = place(matrices, chip.hardware, mapping)
    return _program(Program(chip, graph, matrices, (), options), placement, progress)


def reprogram(program: Program, chip: Chip, progress: Progress | None = None) -> Program:
    """The same network on another chip of the same design, every subset chosen anew."""
    placement = tuple(tuple(part.block for part in tile.blocks) for tile in program.tiles)
    empty = Program(chip, program.graph, program.weights, (), program.options)
    return _program(empty, placement, progress)


def _matrices(
    source: Graph | Mapping[str, ArrayLike],
) -> tuple[dict[str, NDArray[np.float64]], Graph | None]:
    if isinstance(source, Graph):
        return check_matrices({layer.name: layer.matrix for layer in source.layers}), source
    if isinstance(source, Mapping):
        return check_matrices(source), None
    raise SpecError(
        f"what is compiled must be a Graph or matrices by name, not {type(source).__name__}; "
        "xbar.read_model reads a file"
    )


def _program(empty: Program, placement: Placement, progress: Progress | None) -> Program:
    check_chip_size(empty.chip, len(placement))
    tiles = []
    for job in _jobs(empty, placement):
        result = run_job(job)
        tiles.append(result.tile(empty.weights, empty.chip, empty.options))
        if progress is not None:
            progress(len(tiles), len(placement))
    return replace(empty, tiles=tuple(tiles))


def _jobs(empty: Program, placement: Placement) -> Iterator[TileJob]:
    for index, blocks in enumerate(placement):
        weights = tuple(block.of(empty.weights[block.layer]) for block in blocks)
        yield TileJob(index, blocks, weights, empty.chip, empty.options)
