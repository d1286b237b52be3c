"""``xbar simulate``: run data through a program and report its accuracy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from xbar.cli.output import (
    Force,
    Json,
    NoiseSeed,
    ProgramPath,
    Trials,
    WithBudget,
    WithCost,
    progress,
    read_data,
    read_list,
    refuse_unused,
    show,
)


def run(
    program: ProgramPath,
    data: Annotated[
        Path, typer.Option(help="inputs and, for accuracy, labels: .npz, .npy, .csv or .bin")
    ],
    readout: Annotated[
        str | None,
        typer.Option(
            help="ideal (no wire resistance), nodal (with wires), or nonlinear (with the cells' "
            "I-V curve and selectors; slow, solved per input); default: nodal where the switches "
            "were chosen for the wires, that of the corrections of xbar calibrate, else ideal"
        ),
    ] = None,
    trials: Trials = 1,
    noise_trials: Annotated[int, typer.Option(help="reads per chip")] = 1,
    calibrate: Annotated[
        str | None,
        typer.Option(help="calibrate converter ranges from data: max, percentile or least-squares"),
    ] = None,
    calibration: Annotated[
        int | None, typer.Option(help="number of inputs used for calibration; default: 256")
    ] = None,
    percentile: Annotated[
        float | None, typer.Option(help="percentage of values within the range; default: 99.9")
    ] = None,
    own_scale: Annotated[
        bool,
        typer.Option(
            "--own-scale",
            help="calibrate only the ADCs; each input is scaled by its own largest value",
        ),
    ] = False,
    precision: Annotated[str, typer.Option(help="float64, or float32 (faster)")] = "float64",
    memory: Annotated[
        str | None,
        typer.Option(
            help="limit of the layers' matrices in memory, such as 4G; they then lie on disk, in "
            "the user's folder for caches, where the next run finds them"
        ),
    ] = None,
    budget: WithBudget = False,
    cost: WithCost = False,
    metric: Annotated[
        str | None,
        typer.Option(
            help="instead of accuracy: perplexity, top-5 (any number), agreement or kl with the "
            "digital network; or module:callable(outputs, labels), which runs your code"
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(help="tokens of a window of a stream; default: the network's own, or 256"),
    ] = None,
    stride: Annotated[
        int | None, typer.Option(help="tokens from one window to the next; default: a window")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="use so many tokens of the stream; default: all")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="tokens of a .bin file: uint16 or uint32")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(help='times since programming: "1 s,1 h,1 d,1 y", by the device law'),
    ] = None,
    temperature: Annotated[
        str | None, typer.Option(help='temperatures: "85 C" or "-40 C,25 C,125 C"')
    ] = None,
    compensate: Annotated[
        str,
        typer.Option(
            help="digital corrections from known inputs: gain (one factor a layer), columns "
            "(factor and offset an output), batchnorm (each output's mean and deviation) or none"
        ),
    ] = "none",
    plot: Annotated[
        Path | None,
        typer.Option(help="picture of accuracy over time or temperature: .png, .svg or .pdf"),
    ] = None,
    force: Force = False,
    seed: NoiseSeed = 0,
    device: Annotated[
        str,
        typer.Option(
            help="cpu, cuda (an NVIDIA card makes what the tiles conduct) or auto (if one works)"
        ),
    ] = "cpu",
    as_json: Json = False,
) -> None:
    """Simulate the analog execution and report its accuracy.

    The digital accuracy on the same data is reported beside it.
    """
    import xbar
    from xbar.cli.life_plot import draw_life
    from xbar.cli.size_plot import check_plot
    from xbar.errors import SpecError
    from xbar.files import write_bytes
    from xbar.simulation.calibration import PERCENTILE, Calibration
    from xbar.simulation.life import Life
    from xbar.simulation.run import usual_readout
    from xbar.simulation.simulator import CALIBRATION

    if calibrate is None:
        given = {"--calibration": calibration is not None, "--own-scale": own_scale}
        refuse_unused("--calibrate", given)
    if calibrate != "percentile":
        refuse_unused("--calibrate percentile", {"--percentile": percentile is not None})
    if time is None and temperature is None:
        refuse_unused("--time or --temperature", {"--plot": plot is not None})
    if plot is None:
        refuse_unused("--plot", {"--force": force})
    else:
        check_plot(plot, force=force)
    loaded = xbar.Program.load(program)
    dataset = read_data(data, loaded, dtype)
    if plot is not None and dataset.labels is None and metric is None:
        raise SpecError("--plot needs labels in the data, or --metric: there is nothing to draw")
    # validated by the library, whose errors list the allowed values
    words: dict[str, Any] = {
        "readout": usual_readout(loaded) if readout is None else readout,
        "precision": precision,
        "compensate": compensate,
    }
    method: Any = calibrate
    kept = PERCENTILE if percentile is None else percentile
    ranges = None if method is None else Calibration(method, kept, own_scale)
    with progress("batches") as report:
        result = xbar.simulate(
            loaded,
            dataset.inputs,
            dataset.labels,
            trials=trials,
            noise_trials=noise_trials,
            calibrate=ranges,
            calibration=CALIBRATION if calibration is None else calibration,
            budget=budget,
            cost=cost,
            metric=metric,
            window=window,
            stride=stride,
            tokens=tokens,
            seed=seed,
            progress=report,
            device=device,
            memory=memory,
            time=read_list(time),
            temperature=read_list(temperature),
            **words,
        )
    result = replace(result, notes=dataset.notes + result.notes)
    if plot is not None and isinstance(result, Life):
        write_bytes(plot, draw_life(result, plot.suffix[1:]), force=force)
    show(as_json, result.to_json(), str(result) + (f"\ndrawn to {plot}" if plot else ""))
