"""``xbar cost``: energy, time, area and throughput of a program, or of a design at its peak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xbar.cli.output import Json, read_data, refuse_unused, show


def run(
    what: Annotated[Path, typer.Argument(help="program, or a design (.toml)")],
    data: Annotated[
        Path | None,
        typer.Option(help="inputs of the network, for its read energy: .npz, .npy, .csv or .bin"),
    ] = None,
    tiles: Annotated[
        int | None, typer.Option(help="of a design: number of tiles of a chip; default: 1")
    ] = None,
    hardware: Annotated[
        Path | None,
        typer.Option(help="of a program: design (.toml) whose [cost] is used instead of its own"),
    ] = None,
    reprogram: Annotated[
        str | None,
        typer.Option(help='program the chip again so often, such as "30 d": power and time'),
    ] = None,
    seed: Annotated[int, typer.Option(help="without --data, seed of the voltages")] = 0,
    as_json: Json = False,
) -> None:
    """Tell a program's energy, time and area, or a design's peak.

    By the constants of the design's [cost]. Of a program: per network input, by layer, with TOPS,
    TOPS/W and TOPS/mm², and programming. Of a design: every cell in use. What is left out is told.
    """
    if what.suffix.lower() == ".toml":
        given = {"--data": data is not None, "--hardware": hardware is not None}
        given |= {"--reprogram": reprogram is not None}
        refuse_unused("a program, not a design", given)
        show(as_json, *_design(what, 1 if tiles is None else tiles))
    else:
        refuse_unused("a design (.toml), not a program", {"--tiles": tiles is not None})
        show(as_json, *_program(what, data, hardware, reprogram, seed))


def _design(path: Path, tiles: int) -> tuple[dict[str, Any], str]:
    from xbar.hardware.spec import Hardware
    from xbar.simulation.peak import design_peak

    found = design_peak(Hardware.load(path), tiles)
    return found.to_json(), str(found)


def _program(
    path: Path, data: Path | None, hardware: Path | None, reprogram: str | None, seed: int
) -> tuple[dict[str, Any], str]:
    import xbar
    from xbar.hardware.spec import Hardware
    from xbar.simulation.cost import cost

    program = xbar.Program.load(path)
    constants = program.hardware.cost if hardware is None else Hardware.load(hardware).cost
    if reprogram is not None:
        constants = constants.model_copy(update={"reprogram": reprogram})
    inputs = None if data is None else read_data(data, program).inputs
    found = cost(program, inputs, seed=seed, constants=constants)
    return found.to_json(), str(found)
