"""``xbar emit``: a program as configuration words and as a table of resistors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xbar.cli.output import Force, Json, ProgramPath, progress, show


def run(
    program: ProgramPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="output folder")],
    form: Annotated[
        str, typer.Option("--format", help="readmemh (words), csv (all resistors), or both")
    ] = "both",
    tiles: Annotated[str | None, typer.Option(help="tiles such as 0,3,7; default: all")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write configuration words and a table of all devices.

    A chip loads the words; the table has the location of each resistor.
    """
    import xbar
    from xbar.cli.verify import read_tiles
    from xbar.compiler.emit import Configuration, check_format
    from xbar.files import refuse_existing
    from xbar.tables import count

    refuse_existing(output, force=force)
    kind = check_format(form)
    loaded = xbar.Program.load(program)
    chosen = read_tiles(tiles, len(loaded.tiles))
    with progress("tiles") as report:
        loaded.write_configuration(output, kind, chosen, force=force, progress=report)
    written = Configuration.open(output)
    w, b, k = written.shape
    content = {
        "path": str(output),
        "format": kind,
        "word_lines": w,
        "bit_lines": b,
        "resistors_per_cell": k,
        "tiles": sorted(written.tiles),
        "files": [name for names in written.tiles.values() for name in names.values()],
    }
    tiles = count(len(written.tiles), "tile")
    text = f"{tiles} of {w} x {b} cells, {count(k, 'resistor')} a cell"
    show(as_json, content, f"{text}\nwritten to {output}")
