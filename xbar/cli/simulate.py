"""``xbar simulate``: data through a program, and what is left of the accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    program: Annotated[Path, typer.Argument(help="the program")],
    data: Annotated[Path, typer.Option(help=".npz with inputs and, for accuracy, labels")],
    readout: Annotated[
        str, typer.Option(help="ideal wires, or nodal: solved with wires")
    ] = "ideal",
    trials: Annotated[int, typer.Option(help="chips; the first is the program's own")] = 1,
    seed: Annotated[int, typer.Option(help="of further chips and of read noise")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Simulate the analog products and tell the accuracy beside the digital one."""
    import xbar
    from xbar.cli.output import progress, show
    from xbar.compiler.program import check_readout
    from xbar.report.text import result_text
    from xbar.simulation.dataset import read_dataset

    check_readout(readout)
    loaded = xbar.Program.load(program)
    dataset = read_dataset(data)
    with progress("batches") as report:
        result = xbar.simulate(
            loaded,
            dataset.inputs,
            dataset.labels,
            readout="nodal" if readout == "nodal" else "ideal",
            trials=trials,
            seed=seed,
            progress=report,
        )
    show(as_json, result.to_json(), result_text(result))
