"""``xbar reprogram``: choose a program's switches again for the chip as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xbar.cli.output import (
    BehindWires,
    Force,
    Json,
    Measured,
    MeasuredUnit,
    ProgramPath,
    measurement_notes,
    progress,
    read_chip,
    refuse_unused,
    show,
)


def run(
    program: ProgramPath,
    measured: Measured = None,
    measured_unit: MeasuredUnit = None,
    behind_wires: BehindWires = None,
    time: Annotated[
        str | None,
        typer.Option(help='time since programming, such as "1 y": the chip aged by its device law'),
    ] = None,
    temperature: Annotated[
        str | None, typer.Option(help='temperature of that chip, such as "60 C"')
    ] = None,
    stuck_open: Annotated[
        float | None, typer.Option(help="fraction of its devices that have died since: stuck open")
    ] = None,
    stuck_closed: Annotated[
        float | None, typer.Option(help="fraction that is stuck closed since")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="random seed of what happens to the devices in that time; default: 0"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="program to write; without it, only tell"),
    ] = None,
    swap_lines: Annotated[
        bool,
        typer.Option(
            "--swap-lines",
            help="let inputs and outputs go to other lines of their tile, as the program's options "
            "say; by default every weight keeps its cells",
        ),
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Choose a program's switches again for its chip as it is.

    What changes is told.
    """
    from xbar.compiler.changes import changes
    from xbar.compiler.program import Program
    from xbar.errors import SpecError
    from xbar.files import refuse_existing

    if output is None:
        refuse_unused("--output", {"--force": force})
    else:
        refuse_existing(output, force=force)
    old = Program.load(program)
    aged = {"--time": time is not None, "--temperature": temperature is not None}
    aged |= {"--stuck-open": bool(stuck_open), "--stuck-closed": bool(stuck_closed)}
    if measured is not None:
        given = aged | {"--seed": seed is not None}
        refuse_unused("a simulated life, which --measured replaces", given)
    elif not any(aged.values()):
        raise SpecError(
            "reprogram needs the chip as it is now: --measured aged.npz, or a life by its device "
            "law such as --time '1 y' --temperature '60 C' --stuck-open 0.05"
        )
    if measured is not None or measured_unit is not None or behind_wires is not None:
        design = old.chip.programmed.hardware
        chip = read_chip(design, measured, measured_unit, None, behind_wires)
    else:
        chip = old.chip.at(time, temperature, seed, stuck_open, stuck_closed)
    with progress("tiles") as report:
        new = old.reprogram(chip, lines=swap_lines, progress=report)
    with progress("comparing") as report:
        found = changes(old, new, report)
    if output is not None:
        new.save(output, force=force)
    notes = measurement_notes(chip)
    content = {
        "program": None if output is None else str(output),
        "chip": chip.origin,
        **found.to_json(),
        "notes": notes,
    }
    lines = [f"chip: {chip.origin}", str(found), *(f"assumed: {note}" for note in notes)]
    lines.append("nothing written without --output" if output is None else f"written to {output}")
    show(as_json, content, "\n".join(lines))
