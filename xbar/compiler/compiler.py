"""The compiler: a network or matrices, and a chip, become a program.

Once per network: the matrices are read and checked, and cut into blocks, one a tile.
Once per tile, each independently of all others:

    measure the banks ─► set_scales ─► choose_subsets (─► correct_wires) ─► ProgrammedTile
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from xbar.compiler.checks import (
    check_chip_size,
    check_hardware,
    check_matrices,
    check_wire_aware,
)
from xbar.compiler.mapping import DifferentialPair, Floats
from xbar.compiler.passes.choose_subsets import choose_subsets
from xbar.compiler.passes.correct_wires import correct_wires
from xbar.compiler.passes.set_scales import set_scales
from xbar.compiler.placement import Block, cut
from xbar.compiler.program import Program, ProgrammedTile
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
    graph = source if isinstance(source, Graph) else None
    if isinstance(source, Graph):
        matrices = check_matrices({layer.name: layer.matrix for layer in source.layers})
    elif isinstance(source, Mapping):
        matrices = check_matrices(source)
    else:
        raise SpecError(
            f"what is compiled must be a Graph or matrices by name, not {type(source).__name__}; "
            "xbar.read_model reads a file"
        )
    mapping = DifferentialPair()
    check_hardware(chip.hardware, mapping)
    blocks = cut(matrices, chip.hardware, mapping)
    if wire_aware:
        check_wire_aware(chip.hardware)
    return _program(Program(chip, graph, matrices, (), wire_aware), blocks, progress)


def reprogram(program: Program, chip: Chip, progress: Progress | None = None) -> Program:
    """The same network on another chip of the same design, every subset chosen anew."""
    blocks = tuple(tile.block for tile in program.tiles)
    empty = Program(chip, program.graph, program.weights, (), program.wire_aware)
    return _program(empty, blocks, progress)


def _program(empty: Program, blocks: tuple[Block, ...], progress: Progress | None) -> Program:
    check_chip_size(empty.chip, len(blocks))
    tiles = []
    for index, block in enumerate(blocks):
        weight = empty.weights[block.layer][block.group, block.columns, block.rows].T
        tiles.append(program_tile(empty.chip, index, block, weight, empty.wire_aware))
        if progress is not None:
            progress(len(tiles), len(blocks))
    return replace(empty, tiles=tuple(tiles))


def program_tile(
    chip: Chip, index: int, block: Block, weight: Floats, wire_aware: bool = False
) -> ProgrammedTile:
    """One tile with a block's weights (inputs, outputs) on it."""
    mapping = DifferentialPair()
    on, stuck = chip.on(index), chip.stuck(index)
    cells = (block.lines, block.bit_lines(mapping))
    bank = mapping.bank(on[cells], chip.off(index)[cells], stuck[cells])
    scale = set_scales(bank, weight)
    mask = np.zeros(on.shape, dtype=np.bool_)
    mask[cells] = mapping.mask(choose_subsets(bank, weight * scale))
    tile = ProgrammedTile(index, block, mask, scale, weight, chip)
    return correct_wires(tile, bank) if wire_aware else tile
