"""``xbar report``: a program and its quality, as text, JSON and one HTML file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbar.cli.output import (
    Force,
    Json,
    NoiseSeed,
    OptionalData,
    ProgramPath,
    Trials,
    WithBudget,
    WithCost,
    progress,
    read_data,
    refuse_unused,
    show,
)

if TYPE_CHECKING:
    from xbar.compiler.program import Program
    from xbar.effects.readout import Readout
    from xbar.simulation.result import Result


def run(
    program: ProgramPath,
    html: Annotated[
        Path | None, typer.Option("--html", help="HTML file to write, with plots")
    ] = None,
    data: OptionalData = None,
    trials: Trials = 1,
    budget: WithBudget = False,
    cost: WithCost = False,
    seed: NoiseSeed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Report on a program: layers, residuals, wires, accuracy.

    Accuracy needs --data.
    """
    import xbar
    from xbar.errors import printable
    from xbar.files import refuse_existing, write_text
    from xbar.report.html import html_report
    from xbar.report.plots import check_matplotlib
    from xbar.report.survey import survey
    from xbar.report.text import survey_text

    if data is None:
        refuse_unused("--data", {"--budget": budget, "--cost": cost, "--trials": trials != 1})
    if html is not None:
        refuse_existing(html, force=force)
        check_matplotlib()
    loaded = xbar.Program.load(program)
    results = (
        [] if data is None else simulated(loaded, data, trials, seed, budget=budget, cost=cost)
    )
    with progress("tiles") as report:
        found = survey(loaded, report)
    if html is not None:
        write_text(html, html_report(program.absolute().name, found, results), force=force)
    content = {
        "program": str(program),
        "html": None if html is None else str(html),
        **found.to_json(),
        "simulations": [result.to_json() for result in results],
    }
    texts = [survey_text(found), *map(str, results)]
    if html is not None:
        texts.append(printable(f"written to {html}"))
    show(as_json, content, "\n".join(texts))


def simulated(
    program: Program, data: Path, trials: int, seed: int, *, budget: bool, cost: bool
) -> list[Result]:
    """Simulate the program with ideal wires and, if the design has wire resistance, with it.

    With it alone where the switches were chosen for the wires, or corrections were found so.
    """
    import xbar

    dataset = read_data(data, program)
    readouts = _readouts(program)
    results = []
    for readout in readouts:
        with progress(f"{readout} read-out") as report:
            result = xbar.simulate(
                program,
                dataset.inputs,
                dataset.labels,
                readout=readout,
                trials=trials,
                seed=seed,
                budget=budget and readout == readouts[-1],
                cost=cost and readout == readouts[-1],
                progress=report,
            )
            results.append(replace(result, notes=dataset.notes + result.notes))
    return results


def _readouts(program: Program) -> tuple[Readout, ...]:
    from xbar.simulation.run import usual_readout

    usual = usual_readout(program)
    told = program.hardware.wired and usual == "ideal" and program.corrections is None
    return ("ideal", "nodal") if told else (usual,)
