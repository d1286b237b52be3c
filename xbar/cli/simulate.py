"""``xbar simulate``: data through a program, and what is left of the accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xbar.cli.output import (
    Json,
    NoiseSeed,
    ProgramPath,
    Trials,
    WithBudget,
    WithCost,
    progress,
    show,
)


def run(
    program: ProgramPath,
    data: Annotated[Path, typer.Option(help=".npz with inputs and, for accuracy, labels")],
    readout: Annotated[
        str,
        typer.Option(
            help="ideal wires; nodal: solved with wires; or nonlinear: with the cells' own law, "
            "input by input, which is slow"
        ),
    ] = "ideal",
    trials: Trials = 1,
    noise_trials: Annotated[int, typer.Option(help="times that each chip is read")] = 1,
    calibrate: Annotated[
        str | None,
        typer.Option(help="converters' ranges from data: max, percentile or least-squares"),
    ] = None,
    calibration: Annotated[int, typer.Option(help="inputs that ranges are found from")] = 256,
    percentile: Annotated[
        float, typer.Option(help="share of values within the range, in percent")
    ] = 99.9,
    own_scale: Annotated[
        bool,
        typer.Option(
            "--own-scale", help="calibrate ADCs alone; inputs keep their own largest value as scale"
        ),
    ] = False,
    precision: Annotated[str, typer.Option(help="float64, or float32: quicker")] = "float64",
    budget: WithBudget = False,
    cost: WithCost = False,
    metric: Annotated[
        str | None,
        typer.Option(
            help="module:callable(outputs, labels) in place of accuracy; your own code runs"
        ),
    ] = None,
    seed: NoiseSeed = 0,
    as_json: Json = False,
) -> None:
    """Simulate the analog products and tell the accuracy beside the digital one."""
    import xbar
    from xbar.simulation.calibration import Calibration
    from xbar.simulation.dataset import read_dataset

    loaded = xbar.Program.load(program)
    dataset = read_dataset(data)
    # checked by the library, which names what is allowed
    words: dict[str, Any] = {"readout": readout, "precision": precision}
    method: Any = calibrate
    with progress("batches") as report:
        result = xbar.simulate(
            loaded,
            dataset.inputs,
            dataset.labels,
            trials=trials,
            noise_trials=noise_trials,
            calibrate=None if method is None else Calibration(method, percentile, own_scale),
            calibration=calibration,
            budget=budget,
            cost=cost,
            metric=metric,
            seed=seed,
            progress=report,
            **words,
        )
    show(as_json, result.to_json(), str(result))
