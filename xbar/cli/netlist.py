"""``xbar netlist``: a programmed tile as a SPICE deck."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    program: Annotated[Path, typer.Argument(help="the program")],
    tile: Annotated[int, typer.Option(help="which tile")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="the deck to write; else to stdout")
    ] = None,
    dialect: Annotated[str, typer.Option(help="whose input it is")] = "ngspice",
    detail: Annotated[str, typer.Option(help="one element a cell, a resistor, or a bank")] = "cell",
    data: Annotated[
        Path | None, typer.Option(help=".npz whose first input drives the tile; else 1 V")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace the deck if it exists")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Write one tile's netlist: what is simulated is what is exported."""
    import xbar
    from xbar.cli.output import show
    from xbar.cli.verify import read_detail
    from xbar.errors import SpecError
    from xbar.simulation.dataset import read_dataset
    from xbar.simulation.verify import activations, tile_voltage

    loaded = xbar.Program.load(program)
    if not 0 <= tile < len(loaded.tiles):
        raise SpecError(f"--tile must be from 0 to {len(loaded.tiles) - 1}, not {tile}")
    chosen = loaded.tiles[tile]
    voltage = None
    if data is not None:
        vectors = activations(loaded, read_dataset(data).inputs)
        voltage = tile_voltage(chosen, vectors[chosen.blocks[0].block.layer])
    deck = chosen.netlist(dialect, voltage, read_detail(detail))
    if output is not None:
        deck.write(output, force=force)
    content = {
        "tile": tile,
        "layer": ", ".join(chosen.layers()),
        "dialect": dialect,
        "path": None if output is None else str(output),
        "netlist": deck.text if output is None else None,
    }
    show(as_json, content, deck.text if output is None else f"written to {output}")
