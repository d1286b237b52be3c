"""Lines of a block that a network comes with, as one that was trained through wires does.

What arrives through wires depends on where inputs and outputs lie. A network that was trained with
them in some order is programmed best in that order: ``Graph.lines`` tells it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from xbar.compiler.block import Indices
from xbar.compiler.placement import Tiles
from xbar.errors import ModelError
from xbar.model.graph import Lines


def laid(tiles: Tiles, lines: Mapping[str, Lines]) -> Tiles:
    """The same blocks on the same lines, inputs and outputs in the network's order.

    Args:
        tiles: blocks of each tile.
        lines: by layer, ranks of its inputs (G, inputs) and outputs (G, outputs): those of a block
            take its lines in ascending order. Layers without ranks stay as they are.

    Raises:
        ModelError: a layer has ranks for fewer inputs or outputs than it has.
    """
    found = []
    for blocks in tiles:
        moved = []
        for block in blocks:
            if block.layer in lines:
                inputs, outputs = lines[block.layer]
                word_lines = _taken(block.word_lines, inputs, block.group, block.inputs)
                columns = _taken(block.columns, outputs, block.group, block.outputs)
                if word_lines is None or columns is None:
                    raise ModelError(
                        f"{block.layer}: the network's order of lines is one of {inputs.shape[-1]} "
                        f"inputs and {outputs.shape[-1]} outputs, which the layer does not have; "
                        "leave it out with dataclasses.replace(graph, lines={})"
                    )
                block = replace(block, word_lines=word_lines, columns=columns)
            moved.append(block)
        found.append(tuple(moved))
    return tuple(found)


def _taken(places: Indices, ranks: Indices, group: int, which: Indices) -> Indices | None:
    """The places of some inputs or outputs in the order of their ranks; None if some have none."""
    if group >= len(ranks) or which.max(initial=-1) >= ranks.shape[1]:
        return None
    found = np.empty_like(places)
    found[np.argsort(ranks[group, which], kind="stable")] = np.sort(places)
    return found
