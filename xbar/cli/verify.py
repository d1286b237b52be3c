"""``xbar verify``: programmed tiles against a SPICE engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from xbar.cli.output import (
    DeckReadoutName,
    DetailName,
    Json,
    ProgramPath,
    progress,
    read_data,
    refuse_unused,
    show,
)

if TYPE_CHECKING:
    from xbar.compiler.tile import DeckReadout, Detail


def run(
    program: ProgramPath,
    data: Annotated[
        Path | None,
        typer.Option(help="data whose first input drives the tiles; default: random voltages"),
    ] = None,
    tiles: Annotated[
        str | None,
        typer.Option(help="tile numbers such as 0,3,7, or all; default: the first of each layer"),
    ] = None,
    engine: Annotated[str, typer.Option(help="ngspice or pyspice")] = "ngspice",
    detail: DetailName = "cell",
    readout: DeckReadoutName = "nodal",
    tolerance: Annotated[float, typer.Option(help="current error, relative to full scale")] = 1e-9,
    seed: Annotated[int, typer.Option(help="random seed of the voltages")] = 0,
    store: Annotated[
        bool,
        typer.Option("--store", help="check file checksums instead; needs no engine"),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare tile currents, wires included, with a SPICE engine."""
    if store:
        given = {"--data": data is not None, "--tiles": tiles is not None}
        refuse_unused("the comparison with an engine, which --store replaces", given)
        _verify_store(program, as_json=as_json)
        return
    import xbar

    loaded = xbar.Program.load(program)
    inputs = None if data is None else read_data(data, loaded).inputs
    chosen = read_tiles(tiles, len(loaded.tiles))
    with progress("tiles") as report:
        verification = xbar.verify(
            loaded,
            chosen,
            engine=engine,
            inputs=inputs,
            seed=seed,
            detail=read_detail(detail),
            readout=read_deck_readout(readout),
            tolerance=tolerance,
            progress=report,
        )
    show(as_json, verification.to_json(), str(verification))
    if not verification.passed:
        raise typer.Exit(1)


def _verify_store(program: Path, *, as_json: bool) -> None:
    from xbar.compiler.store import check_store
    from xbar.tables import count

    files, faults = check_store(program)
    content = {"program": str(program), "files": files, "faults": faults, "passed": not faults}
    text = "\n".join([f"{count(files, 'file')}, {len(faults) or 'none'} damaged", *faults])
    show(as_json, content, text)
    if faults:
        raise typer.Exit(1)


def read_tiles(text: str | None, count: int) -> list[int] | None:
    """Parse tile numbers such as "0,3,7", or "all"."""
    from xbar.errors import SpecError

    if text is None:
        return None
    if text == "all":
        return list(range(count))
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise SpecError(f"--tiles must be numbers such as 0,3,7 or all, not {text!r}") from error


def read_detail(text: str) -> Detail:
    """Parse a netlist's level of detail."""
    from xbar.compiler.tile import Detail
    from xbar.errors import SpecError

    for known in get_args(Detail):
        if text == known:
            detail: Detail = known
            return detail
    raise SpecError(f"--detail must be one of {', '.join(get_args(Detail))}, not {text!r}")


def read_deck_readout(text: str) -> DeckReadout:
    """Parse a netlist's read-out."""
    from xbar.compiler.tile import DeckReadout
    from xbar.errors import SpecError

    for known in get_args(DeckReadout):
        if text == known:
            readout: DeckReadout = known
            return readout
    raise SpecError(f"--readout must be {' or '.join(get_args(DeckReadout))}, not {text!r}")
