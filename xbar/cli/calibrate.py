"""``xbar calibrate``: find digital corrections of a program's layers from unlabelled inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xbar.cli.output import Force, Json, ProgramPath, read_data, refuse_unused, show


def run(
    program: ProgramPath,
    data: Annotated[
        Path, typer.Option(help="inputs and, for accuracies, labels: .npz, .npy, .csv or .bin")
    ],
    what: Annotated[
        str,
        typer.Option(
            help="gain (one factor a layer), columns (factor and offset of each output) or "
            "batchnorm (mean and deviation of each output)"
        ),
    ] = "columns",
    readout: Annotated[
        str, typer.Option(help="how the chip is read for it: ideal, nodal or nonlinear")
    ] = "nodal",
    ranges: Annotated[
        str | None,
        typer.Option(
            help="find the full scales of converters first, and keep them: max, percentile or "
            "least-squares"
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(help='time since programming at which it is done, such as "30 d"'),
    ] = None,
    temperature: Annotated[
        str | None, typer.Option(help='temperature at which it is done, such as "60 C"')
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="limit of the layers' matrices in memory, such as 4G; they then lie on disk"
        ),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="tokens of a .bin file: uint16 or uint32")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="program to write; without it, only tell"),
    ] = None,
    embed: Annotated[
        bool, typer.Option("--embed", help="write all weights into the program")
    ] = False,
    force: Force = False,
    seed: Annotated[
        int, typer.Option(help="random seed of the half that is held apart, and of read noise")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Find digital corrections and keep them in the program.

    One half of the data finds them; what each way gives on the other half is told.
    """
    import xbar
    from xbar.arrays import one_of
    from xbar.files import refuse_existing
    from xbar.training.calibration import WAYS, compare

    way = one_of(what, "what", WAYS)
    if output is None:
        refuse_unused("--output", {"--force": force, "--embed": embed})
    else:
        refuse_existing(output, force=force)
    loaded = xbar.Program.load(program)
    dataset = read_data(data, loaded, dtype)
    # validated by the library, whose errors list the allowed values
    words: dict[str, Any] = {"readout": readout, "ranges": ranges}
    found = compare(
        loaded,
        dataset.inputs,
        dataset.labels,
        time=time,
        temperature=temperature,
        seed=seed,
        memory=memory,
        **words,
    )
    chosen = found.programs[way]
    if output is not None:
        chosen.save(output, force=force, embed=embed)
    notes = [*dataset.notes, *found.notes]
    old = None if loaded.corrections is None else str(loaded.corrections)
    content = {
        "program": None if output is None else str(output),
        "corrections": None if chosen.corrections is None else chosen.corrections.to_json(),
        "replaced": old,
        **found.to_json(),
        "notes": notes,
    }
    lines = [str(found), *(f"assumed: {note}" for note in notes)]
    lines += [] if old is None else [f"replaced: {old}"]
    written = "nothing written without --output" if output is None else f"written to {output}"
    lines += [f"corrections: {chosen.corrections}", written]
    show(as_json, content, "\n".join(lines))
