"""``xbar silicon verify``: sampled cells of a program as transistors, against xbar's prediction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import Json, ProgramPath, progress, read_data, refuse_unused, show
from xbar.cli.silicon.processes import Pdk

if TYPE_CHECKING:
    from xbar.compiler.program import Program


def run(
    program: ProgramPath,
    tile: Annotated[int, typer.Option(help="number of the tile")] = 0,
    cells: Annotated[
        str, typer.Option(help="word lines x bit lines that are transistors, such as 8x8")
    ] = "8x8",
    corner: Annotated[str | None, typer.Option(help="corner of the process [default: tt]")] = None,
    temperature: Annotated[float | None, typer.Option(help="degrees Celsius [default: 27]")] = None,
    supply: Annotated[
        str | None, typer.Option(help="volts at closed switches' gates; default: the process's")
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="a table over corners, temperatures and supplies instead"),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="data whose first inputs drive the tile; default: random voltages"),
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="largest error of a weight [default: 2e-5]")
    ] = None,
    current_tolerance: Annotated[
        float | None, typer.Option(help="largest error of a current [default: 2e-5]")
    ] = None,
    mismatch: Annotated[
        int | None,
        typer.Option(help="seed of the process's own mismatch, instead of the chip's deviations"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="seed of a random choice of cells; default: the first ones")
    ] = None,
    pdk: Pdk = None,
    as_json: Json = False,
) -> None:
    """Compare a program with its transistors in ngspice."""
    import xbar
    from xbar.silicon.verification import CURRENT_TOLERANCE, TOLERANCE

    loaded = xbar.Program.load(program)
    options: dict[str, Any] = {
        "inputs": None if data is None else read_data(data, loaded).inputs,
        "tolerance": TOLERANCE if tolerance is None else tolerance,
        "current_tolerance": CURRENT_TOLERANCE if current_tolerance is None else current_tolerance,
        "mismatch": mismatch,
        "seed": seed,
        "pdk": pdk,
    }
    place = loaded, tile, read_cells(cells)
    at = {"corner": corner, "temperature": temperature, "supply": supply}
    passed = _sweep(place, at, options, as_json) if sweep else _one(place, at, options, as_json)
    if not passed:
        raise typer.Exit(1)


_Place = tuple["Program", int, tuple[int, int]]


def _one(place: _Place, at: dict[str, Any], options: dict[str, Any], as_json: bool) -> bool:
    from xbar.silicon.verification import verify
    from xbar.units import parse_quantity

    if at["supply"] is not None:
        at["supply"] = parse_quantity(at["supply"], "V")
    given = {name: value for name, value in at.items() if value is not None}
    program, tile, cells = place
    found = verify(program, tile, cells, **{**given, **options})
    show(as_json, found.to_json(), str(found))
    return found.passed


def _sweep(place: _Place, at: dict[str, Any], options: dict[str, Any], as_json: bool) -> bool:
    from xbar.silicon.verification import sweep

    given = {f"--{name}": value is not None for name, value in at.items()}
    refuse_unused("one condition; --sweep takes the usual ones", given)
    with progress("conditions") as report:
        program, tile, cells = place
        found = sweep(program, tile, cells, **{**options, "progress": report})
    show(as_json, found.to_json(), str(found))
    return found.passed


def read_cells(text: str) -> tuple[int, int]:
    """Parse numbers of word lines and bit lines such as "8x8"."""
    from xbar.errors import SpecError

    found = re.fullmatch(r"\s*(\d{1,6})\s*[xX×,]\s*(\d{1,6})\s*", text)
    if found is None:
        raise SpecError(f"--cells must be word lines x bit lines such as 8x8, not {text!r}")
    return int(found[1]), int(found[2])
