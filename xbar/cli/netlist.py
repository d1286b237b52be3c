"""``xbar netlist``: a programmed tile as a SPICE deck."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbar.cli.output import DeckReadoutName, DetailName, Force, Json, ProgramPath, read_data, show

if TYPE_CHECKING:
    from xbar.compiler.tile import ProgrammedTile


def run(
    program: ProgramPath,
    tile: Annotated[int, typer.Option(help="tile number")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="deck to write; default: stdout")
    ] = None,
    dialect: Annotated[str, typer.Option(help="SPICE dialect")] = "ngspice",
    detail: DetailName = "cell",
    readout: DeckReadoutName = "nodal",
    data: Annotated[
        Path | None,
        typer.Option(
            help="data whose first input drives the tile; default: 1 V on every word line"
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="layer whose word lines are driven, if several share the tile"),
    ] = None,
    block: Annotated[
        int | None, typer.Option(help="block number on the tile, instead of --layer")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write one tile's netlist, the same circuit as the simulator's."""
    import numpy as np

    import xbar
    from xbar.cli.verify import read_deck_readout, read_detail
    from xbar.compiler.idle import float_idle
    from xbar.simulation.verify import activations, real_voltage

    loaded = xbar.Program.load(program)
    chosen = loaded.tile(tile)
    number = read_block(chosen, layer, block)
    if number is None and (data is not None or float_idle(loaded.hardware)):
        number = _only_block(chosen) if data is None else 0
    voltage = None
    if data is not None:
        vectors = activations(loaded, read_data(data, loaded).inputs)
        voltage = real_voltage(chosen, vectors, number or 0)
    elif number is not None:
        voltage = chosen.voltage(np.ones((1, len(chosen.blocks[number].block.inputs))), number)[0]
    forms = read_detail(detail), read_deck_readout(readout)
    deck = chosen.netlist(dialect, voltage, *forms, number)
    if output is not None:
        deck.write(output, force=force)
    content = {
        "tile": tile,
        "layer": ", ".join(chosen.layers()),
        "block": number,
        "dialect": dialect,
        "path": None if output is None else str(output),
        "netlist": deck.text if output is None else None,
    }
    show(as_json, content, deck.text if output is None else f"written to {output}")


def _only_block(tile: ProgrammedTile) -> int:
    from xbar.errors import SpecError

    if len(tile.blocks) > 1:
        raise SpecError(
            f"tile.idle = 'float' lets the lines float that a block does not use: choose one of "
            f"tile {tile.index}'s {len(tile.blocks)} by --layer or --block"
        )
    return 0


def read_block(tile: ProgrammedTile, layer: str | None, block: int | None) -> int | None:
    """Block number selected by layer or by number; None if neither is given."""
    from xbar.errors import SpecError

    blocks = [placed.block for placed in tile.blocks]
    if layer is not None and block is not None:
        raise SpecError("--layer and --block both name a block; give one of them")
    if block is not None:
        if not 0 <= block < len(blocks):
            raise SpecError(f"--block must be from 0 to {len(blocks) - 1} here, not {block}")
        return block
    if layer is None:
        return None
    found = [number for number, there in enumerate(blocks) if there.layer == layer]
    if len(found) != 1:
        have = "several blocks" if found else "no block"
        raise SpecError(
            f"--layer must be of one block of tile {tile.index}, which holds {have} of {layer!r}; "
            f"it has {', '.join(f'{i} {there.layer}' for i, there in enumerate(blocks))}: "
            "choose one by --block"
        )
    return found[0]
