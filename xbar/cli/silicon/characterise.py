"""``xbar silicon characterise``: a process's branch in ngspice, as a hardware design."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import Force, Json, progress, show
from xbar.cli.silicon.processes import Pdk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xbar.silicon.cell import Cell
    from xbar.silicon.characterise import Plan
    from xbar.silicon.mismatch import Sample
    from xbar.silicon.model import BranchModel


def run(
    process: Annotated[str, typer.Argument(help="process, such as sky130")],
    resistors: Annotated[int, typer.Option(help="resistors a cell")] = 8,
    length: Annotated[
        str, typer.Option(help="length of the first resistor such as 4u, or of each: 4u,4.5u,5u")
    ] = "4u",
    ratio: Annotated[float, typer.Option(help="ratio of successive lengths")] = 1.1,
    switch: Annotated[
        str | None, typer.Option(help="transistors of the switch, such as 1v8 or 3v3")
    ] = None,
    switch_width: Annotated[str, typer.Option(help="width of the switches, one or of each")] = "1u",
    kind: Annotated[str, typer.Option(help="switch: nmos, or transmission for a gate")] = "nmos",
    side: Annotated[str, typer.Option(help="line that the switch lies beside: bit, word")] = "bit",
    series: Annotated[
        str | None,
        typer.Option(help="ohms of contacts and wires in a branch, one or of each; default: drawn"),
    ] = None,
    pdk: Pdk = None,
    temperature: Annotated[float | None, typer.Option(help="temperature in C")] = None,
    supply: Annotated[
        float | None, typer.Option(help="volts at the gate of a closed switch")
    ] = None,
    sigma: Annotated[
        str | None,
        typer.Option(help="spread of the resistors such as 2%, one or of each; default: models'"),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(help="volts between plus and minus of which G is told; default: at 0 V"),
    ] = None,
    samples: Annotated[int, typer.Option(help="devices drawn for their deviations")] = 400,
    seed: Annotated[int, typer.Option(help="random seed of these devices")] = 1,
    word_lines: Annotated[int, typer.Option(help="word lines of the design")] = 64,
    bit_lines: Annotated[int, typer.Option(help="bit lines of the design")] = 64,
    wires: Annotated[
        str | None,
        typer.Option(help="ohms of a word and a bit line's segment: 0.4,0.7; default: as drawn"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="hardware design to write (TOML)")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="folder of pictures to write: bend, spread, corners")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Characterise a process's resistor and switch in ngspice.

    Conductance, bend, deviations, leakage, corners, temperature and supply of each branch, written
    as the bank of a hardware design.
    """
    from xbar.arrays import one_of
    from xbar.cli.silicon.pictures import check_pictures, write_pictures
    from xbar.files import refuse_existing
    from xbar.silicon.cell import Cell
    from xbar.silicon.mismatch import Sample
    from xbar.silicon.process import Process

    if output is not None:
        refuse_existing(output, force=force)
    if plot is not None:
        check_pictures(plot, force=force)
    found = Process.find(process, pdk)
    cell = Cell(
        found,
        resistors,
        _one_or_more(length, "m"),
        ratio,
        _one_or_more(switch_width, "m"),
        switch,
        one_of(kind, "--kind", ("nmos", "transmission")),
        one_of(side, "--side", ("bit", "word")),
        None if series is None else _one_or_more(series, "ohm"),
    )
    plan = _plan(temperature, supply, sigma, test, Sample(samples, seed))
    segments = _wires(wires)
    with progress("characterise") as report:
        model = cell.characterise(plan, report)
    if output is not None:
        _write_design(cell, model, segments, (word_lines, bit_lines), output, force)
    if plot is not None:
        write_pictures(model, plot, force=force)
    _show(cell, model, output, plot, as_json)


def _plan(
    temperature: float | None,
    supply: float | None,
    sigma: str | None,
    test: str | None,
    sample: Sample,
) -> Plan:
    from xbar.silicon.characterise import Plan
    from xbar.units import parse_quantity

    given = None if sigma is None else _one_or_more(sigma, "1")
    volts = 0.0 if test is None else parse_quantity(test, "V")
    return Plan(temperature, supply, given, volts, sample=sample)


def _one_or_more(text: str, unit: str) -> float | tuple[float, ...]:
    from xbar.units import parse_quantity

    values = tuple(parse_quantity(part, unit) for part in text.split(","))
    return values[0] if len(values) == 1 else values


def _wires(text: str | None) -> tuple[float, float] | None:
    """Ohms of the segments, if given."""
    from xbar.errors import SpecError

    if text is not None:
        values = _one_or_more(text, "ohm")
        if not isinstance(values, tuple) or len(values) != 2:
            raise SpecError(f"--wires must be two resistances such as 0.4,0.7, not {text!r}")
        return values[0], values[1]
    return None


def _drawn_wires(cell: Cell) -> tuple[float, float]:
    """Ohms of the segments as drawn, or none where there is no drawing, which is told."""
    from xbar.errors import warn

    if cell.is_drawn:
        return cell.wires.word_wire, cell.wires.bit_wire
    warn(
        "the design's wires are ideal, because there is no drawing of this cell: give them by "
        "--wires and --series"
    )
    return 0.0, 0.0


def _write_design(
    cell: Cell,
    model: BranchModel,
    wires: tuple[float, float] | None,
    lines: tuple[int, int],
    path: Path,
    force: bool,
) -> None:
    from xbar.files import write_text
    from xbar.hardware.toml import to_toml

    hardware = cell.hardware(*lines, wires=wires or _drawn_wires(cell), model=model)
    branches = cell.branches
    process, width = branches.process, branches.process.resistor.width
    remarks = [
        f"{process.title}; {process.source}, {process.date}",
        f"resistors {1e6 * width:g} um wide, {_microns(branches.length)} um long",
        f"switches {branches.kind} {branches.switch.name}, {_microns(branches.width)} um wide",
        f"switches beside the {branches.side} line",
        *cell.notes,
        *model.facts(),
    ]
    write_text(path, to_toml(hardware, remarks), force=force)


def _microns(lengths: NDArray[np.float64]) -> str:
    return ", ".join(f"{1e6 * each:.10g}" for each in lengths)


def _show(
    cell: Cell, model: BranchModel, output: Path | None, plot: Path | None, as_json: bool
) -> None:
    content: dict[str, Any] = {**model.to_json(), "notes": [*cell.notes, *model.notes]}
    content["output"] = None if output is None else str(output)
    content["plot"] = None if plot is None else str(plot)
    lines = [model.table(), *cell.notes]
    lines += [f"written to {output}"] if output else []
    lines += [f"drawn to {plot}"] if plot else []
    show(as_json, content, "\n".join(lines))
